//! What can be said of the files of a file system that is made without a specification, whatever its format.

use spec::{Attributes, FileSystem};

use super::values::pair;

#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Files {
    /// What is left out of --tree: a pattern of paths such as /var/cache/*; can be repeated
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<String>,
    /// Put in place of links what they lead to
    #[arg(long)]
    follow_links: bool,
    /// What files have in place of what they bring: a pattern of paths, and mode=, directory-mode=, owner=, group=, time=,
    /// capabilities= or xattr:NAME=, such as '/etc/shadow mode=0640 group=42'; can be repeated, and the later counts
    #[arg(long, value_name = "RULE", value_parser = attributes)]
    attributes: Vec<Attributes>,
    /// A device or pipe, as PATH=KIND, such as '/dev/console=char 5:1' or '/run/queue=fifo'; can be repeated
    #[arg(long, value_name = "PATH=KIND", value_parser = pair)]
    node: Vec<(String, String)>,
    /// Which extended attributes stay, such as 'security.*'; all when not given; can be repeated
    #[arg(long, value_name = "PATTERN")]
    keep_xattr: Vec<String>,
}

impl Files {
    /// Says the same of a file system.
    pub(crate) fn lower(&self, fs: FileSystem) -> FileSystem {
        FileSystem {
            exclude: self.exclude.clone(),
            follow_links: self.follow_links,
            attributes: self.attributes.clone(),
            nodes: self.node.iter().cloned().collect(),
            xattrs: self.keep_xattr.clone(),
            ..fs
        }
    }
}

/// A rule on one line.
fn attributes(text: &str) -> Result<Attributes, String> {
    let mut words = text.split_whitespace();
    let mut rule = Attributes {
        path: words.next().unwrap_or_default().to_string(),
        ..Attributes::default()
    };
    for word in words {
        let (key, value) = word
            .split_once('=')
            .ok_or_else(|| format!("{word:?}: must be KEY=VALUE"))?;
        let number = || value.parse().map_err(|_| format!("{word}: must be a number"));
        match key {
            "mode" => rule.mode = Some(value.to_string()),
            "directory-mode" => rule.directory_mode = Some(value.to_string()),
            "owner" => rule.owner = Some(number()?),
            "group" => rule.group = Some(number()?),
            "time" => {
                let seconds = value.parse();
                rule.time = Some(seconds.map_err(|_| format!("{word}: must be seconds since 1970"))?);
            }
            "capabilities" => rule.capabilities = Some(value.to_string()),
            _ => match key.strip_prefix("xattr:") {
                Some(name) => drop(rule.xattrs.insert(name.to_string(), value.to_string())),
                None => {
                    return Err(format!(
                        "{key}: there are mode, directory-mode, owner, group, time, capabilities and xattr:NAME"
                    ));
                }
            },
        }
    }
    Ok(rule)
}

#[cfg(test)]
mod tests {
    use super::attributes;

    #[test]
    fn rules_on_one_line() {
        let rule =
            attributes("/bin/ping  mode=4755 owner=0 capabilities=cap_net_raw=ep xattr:user.a=b=c time=-3")
                .unwrap();
        assert_eq!(
            (&*rule.path, rule.mode.as_deref(), rule.owner, rule.time),
            ("/bin/ping", Some("4755"), Some(0), Some(-3))
        );
        assert_eq!(rule.capabilities.as_deref(), Some("cap_net_raw=ep"));
        assert_eq!(rule.xattrs["user.a"], "b=c");
        for wrong in ["/x mode", "/x owner=root", "/x size=3", "/x time=now"] {
            assert!(attributes(wrong).is_err(), "{wrong}");
        }
    }
}
