//! Single values of a release: where it is found, and until when.

/// Refuses an address that transfer files cannot say, or of which devices use only a part.
pub(crate) fn check_url(url: &str) -> Result<(), String> {
    let rest = ["https://", "http://", "file://"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme));
    let begins =
        rest.is_some_and(|rest| url.starts_with("file:") == rest.starts_with('/') && !rest.is_empty());
    if !begins {
        return Err(format!(
            "{url:?}: must begin with https://HOST, http://HOST or file:///"
        ));
    }
    if let Some(odd) = url
        .chars()
        .find(|one| !one.is_ascii_graphic() || "\\\"'".contains(*one))
    {
        return Err(format!(
            "{url:?}: {odd:?} cannot be in it: write it as a percent sign and two digits"
        ));
    }
    match url.chars().find(|one| "?#".contains(*one)) {
        Some(odd) => Err(format!(
            "{url:?}: {odd:?} cannot be in it: devices leave out what follows, and put the names of files behind the rest"
        )),
        None => Ok(()),
    }
}

/// Refuses what is no day.
pub(crate) fn check_day(day: &str) -> Result<(), String> {
    if is_day(day) {
        return Ok(());
    }
    Err(format!("{day:?}: must be a day such as \"2027-01-31\""))
}

/// Whether a text is a day of the calendar, as `YYYY-MM-DD`.
fn is_day(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_number = |text: &str, len| text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit());
    let [year, month, day] = parts[..] else {
        return false;
    };
    if !is_number(year, 4) || !is_number(month, 2) || !is_number(day, 2) {
        return false;
    }
    let number = |text: &str| text.parse::<u32>().unwrap_or(0);
    let (year, month) = (number(year), number(month));
    let is_leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let days = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&number(day))
}
