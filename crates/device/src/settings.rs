//! RAUC's keys, and since when it knows them.

use crate::{Device, Error, Result, Version};

/// A key of `system.conf` that can be set, and the first 1.x of RAUC that knows it.
const SETTINGS: &[(&str, &str, u32)] = &[
    ("autoinstall", "path", 0),
    ("casync", "install-args", 8),
    ("casync", "storepath", 0),
    ("casync", "tmppath", 2),
    ("casync", "use-desync", 8),
    ("encryption", "cert", 7),
    ("encryption", "key", 7),
    ("handlers", "post-install", 0),
    ("handlers", "pre-install", 0),
    ("handlers", "system-info", 0),
    ("keyring", "allow-partial-chain", 7),
    ("keyring", "allowed-signer-cns", 15),
    ("keyring", "check-crl", 3),
    ("keyring", "check-purpose", 3),
    ("keyring", "directory", 1),
    ("keyring", "use-bundle-signing-time", 0),
    ("polling", "candidate-criteria", 16),
    ("polling", "inhibit-files", 16),
    ("polling", "install-criteria", 16),
    ("polling", "interval-sec", 16),
    ("polling", "max-interval-sec", 16),
    ("polling", "reboot-cmd", 16),
    ("polling", "reboot-criteria", 16),
    ("polling", "url", 16),
    ("streaming", "sandbox-user", 7),
    ("streaming", "send-headers", 11),
    ("streaming", "tls-ca", 7),
    ("streaming", "tls-cert", 7),
    ("streaming", "tls-key", 7),
    ("system", "activate-installed", 0),
    ("system", "bundle-formats", 5),
    ("system", "max-bundle-download-size", 0),
    ("system", "max-bundle-signature-size", 14),
    ("system", "min-bundle-version", 12),
    ("system", "mountprefix", 0),
    ("system", "perform-pre-check", 10),
    ("system", "prevent-late-fallback", 14),
    ("system", "variant-dtb", 0),
    ("system", "variant-file", 0),
    ("system", "variant-name", 0),
];

/// The keys that follow from the device itself.
const DERIVED: &[(&str, &str)] = &[
    ("keyring", "path"),
    ("system", "boot-attempts"),
    ("system", "boot-attempts-primary"),
    ("system", "bootloader"),
    ("system", "compatible"),
    ("system", "data-directory"),
    ("system", "statusfile"),
];

/// What the keys that every file has need: `boot-attempts` and `bundle-formats`.
const OLDEST: Version = Version { major: 1, minor: 6 };

/// The first with `data-directory`.
const DATA_DIRECTORY: Version = Version { major: 1, minor: 8 };

/// Refuses keys that RAUC, or the one on the device, does not know.
pub(crate) fn check(device: &Device) -> Result<()> {
    let too_new = |key: &str, since| {
        if device.rauc >= since {
            return Ok(());
        }
        Err(Error::TooNew {
            key: key.to_owned(),
            since,
            rauc: device.rauc,
        })
    };
    too_new("[system] boot-attempts", OLDEST)?;
    if let crate::Status::Directory(_) = device.status {
        too_new("[system] data-directory", DATA_DIRECTORY)?;
    }
    for (section, settings) in &device.settings {
        for (key, value) in settings {
            let name = format!("[{section}] {key}");
            if DERIVED.contains(&(section, key)) {
                return Err(Error::Derived { key: name });
            }
            let known = SETTINGS.iter().find(|(s, k, _)| s == section && k == key);
            let Some((_, _, minor)) = known else {
                return Err(Error::UnknownSetting { key: name });
            };
            too_new(
                &name,
                Version {
                    major: 1,
                    minor: *minor,
                },
            )?;
            crate::check::text(&name, value)?;
        }
    }
    Ok(())
}
