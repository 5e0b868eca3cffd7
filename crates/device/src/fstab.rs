//! Mounts.

use crate::{Device, Result};

/// Lines of `/etc/fstab`.
///
/// # Errors
/// As [`Device::check`].
pub fn fstab(device: &Device) -> Result<String> {
    device.check()?;
    let mut text = String::new();
    for mount in &device.mounts {
        let Some(partition) = device.partition(&mount.partition) else {
            continue;
        };
        let options = match mount.options.join(",") {
            options if options.is_empty() => "defaults".to_owned(),
            options => options,
        };
        let fields = [
            &device.node(partition),
            &mount.at,
            &mount.format,
            &options,
            "0",
            &mount.pass.to_string(),
        ];
        text.push_str(&fields.join(" "));
        text.push('\n');
    }
    Ok(text)
}
