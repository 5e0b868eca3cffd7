//! Values that are read from one word.

/// A pair, as KEY=VALUE.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| format!("{text:?}: there is no = in it"))?;
    Ok((key.to_string(), value.to_string()))
}

/// What an ext4 has of a journal.
pub(super) fn journal(text: &str) -> Result<spec::Journal, String> {
    spec::Journal::try_from(text.to_string())
}
