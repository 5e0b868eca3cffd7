//! How sources that are far away are reached: what the environment says of credentials, certificates and homes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::DownloadDir;
use remote::{Credentials, Netrc, Options, Slow};
use spec::{Access, Closure};

use crate::args::source::Fetch;
use crate::environment::text;
use crate::failure::Failure;
use crate::logins::netrc;
use crate::ui::Ui;

/// Where distributions keep the certificates that they trust.
const SYSTEM_CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// What options and environment say.
pub(crate) fn access<'a>(
    args: &Fetch,
    closure: Option<&Closure>,
    folder: &'a Path,
    spool: &'a Path,
    threads: usize,
    ui: &'a Ui,
) -> Result<Access<'a>, Failure> {
    let download = args.download_dir.as_deref().map(DownloadDir::open_at).transpose();
    Ok(Access {
        folder,
        remote: Options {
            netrc: logins(args, closure, folder, ui)?,
            ..sources(args)?
        },
        spool,
        download: download.map_err(spec::Error::from)?,
        threads,
        progress: ui,
    })
}

/// Who asks binary caches.
fn logins(
    args: &Fetch,
    closure: Option<&Closure>,
    folder: &Path,
    ui: &Ui,
) -> Result<Option<Arc<Netrc>>, Failure> {
    let addresses: Vec<&str> = closure
        .iter()
        .flat_map(|closure| closure.from.0.iter().map(String::as_str))
        .collect();
    let said = closure.and_then(|closure| closure.netrc_file.as_ref());
    let said = said.map(|file| folder.join(file));
    netrc(&args.logins, said.as_deref(), &addresses, ui)
}

fn sources(args: &Fetch) -> Result<Options, Failure> {
    let usual = remote()?;
    let stall = args.timeout.map_or(usual.stall, Duration::from_secs);
    Ok(Options {
        tries: args.tries.unwrap_or(usual.tries),
        stall,
        // Who waits longer for a silent connection is patient with a slow one, too.
        slow: Slow {
            time: 2 * stall,
            ..usual.slow
        },
        ..usual
    })
}

/// What the environment says of everything that is far away.
pub(crate) fn remote() -> Result<Options, Failure> {
    Ok(Options {
        credentials: credentials(),
        certificates: certificates()?,
        ..Options::default()
    })
}

/// The keys for buckets: from the variables that all tools for S3 know, or from the file that they share.
fn credentials() -> Option<Credentials> {
    if let (Some(key), Some(secret)) = (text("AWS_ACCESS_KEY_ID"), text("AWS_SECRET_ACCESS_KEY")) {
        let token = text("AWS_SESSION_TOKEN");
        return Some(Credentials { key, secret, token });
    }
    let file = text("AWS_SHARED_CREDENTIALS_FILE").map(PathBuf::from);
    let file = file.or_else(|| Some(Path::new(&text("HOME")?).join(".aws/credentials")))?;
    let profile = text("AWS_PROFILE").unwrap_or_else(|| "default".into());
    of_profile(&std::fs::read_to_string(file).ok()?, &profile)
}

/// The keys of a profile in the file that the tools for S3 share.
fn of_profile(file: &str, profile: &str) -> Option<Credentials> {
    let mut in_profile = false;
    let (mut key, mut secret, mut token) = (None, None, None);
    for line in file.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            in_profile = name.trim() == profile;
        } else if let Some((name, value)) = line.split_once('=').filter(|_| in_profile) {
            let value = Some(value.trim().to_string());
            match name.trim() {
                "aws_access_key_id" => key = value,
                "aws_secret_access_key" => secret = value,
                "aws_session_token" => token = value,
                _ => {}
            }
        }
    }
    Some(Credentials {
        key: key?,
        secret: secret?,
        token,
    })
}

/// The certificates that the environment names or the system has.
fn certificates() -> Result<Option<Vec<u8>>, Failure> {
    let named = text("NIX_SSL_CERT_FILE").or_else(|| text("SSL_CERT_FILE"));
    match named {
        // What Nix puts there in builds that have no network.
        Some(file) if file == "/no-cert-file.crt" => Ok(None),
        Some(file) => {
            let bytes = std::fs::read(&file);
            let bytes = bytes.map_err(|error| Failure::input(format!("{file}: cannot be read: {error}")))?;
            Ok(Some(bytes))
        }
        None => Ok(std::fs::read(SYSTEM_CERTIFICATES).ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_found() {
        let text = "[default]\naws_access_key_id = A\naws_secret_access_key=B=\n\n[two]\n\
            aws_access_key_id=C\naws_secret_access_key=D\naws_session_token = E\n[three]\naws_access_key_id=F\n";
        let found = of_profile(text, "default").unwrap();
        assert_eq!((&*found.key, &*found.secret, found.token), ("A", "B=", None));
        assert_eq!(of_profile(text, "two").unwrap().token.as_deref(), Some("E"));
        assert!(of_profile(text, "three").is_none());
    }
}
