//! U-Boot's environment: where it is, and what is in it at first.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use uboot::EnvironmentOptions;

use crate::boot_cmd::{Form, boot_cmd};
use crate::{Device, Error, Medium, Result};

/// `fw_env.config`, by which `fw_printenv` and `fw_setenv`, and so RAUC, find the environment.
///
/// # Errors
/// As [`Device::check`].
pub fn fw_env_config(device: &Device) -> Result<String> {
    device.check()?;
    let place = &device.environment;
    let (node, erase_size) = match &place.medium {
        Medium::Disk(_) => (&device.disk.node, None),
        Medium::Other { node, erase_size } => (node, *erase_size),
    };
    let mut text = String::new();
    for start in [Some(place.start), place.second].into_iter().flatten() {
        let _ = write!(text, "{node} {start:#x} {:#x}", place.size);
        if let Some(size) = erase_size {
            let _ = write!(text, " {size:#x}");
        }
        text.push('\n');
    }
    Ok(text)
}

/// The environment's image as it is at first: all slots in their order, with all attempts, and other variables.
/// Of a pair of copies, this is either.
///
/// # Errors
/// As [`Device::check`]; when variables cannot be stored; when one is a counter.
pub fn counters(device: &Device, variables: &BTreeMap<String, String>) -> Result<Vec<u8>> {
    device.check()?;
    let mut all = device.first_counters();
    join(&mut all, variables)?;
    let options = EnvironmentOptions {
        flags: device.environment.second.map(|_| 1),
        ..EnvironmentOptions::new(device.environment.size)
    };
    Ok(uboot::environment(&all, &options)?)
}

/// An environment's image that runs the choice of a slot as its `bootcmd`, for a U-Boot whose environment is not where
/// RAUC reaches it.
///
/// # Errors
/// As [`Device::check`]; when variables cannot be stored; when one is `bootcmd`.
pub fn chooser(
    device: &Device,
    variables: &BTreeMap<String, String>,
    options: &EnvironmentOptions,
) -> Result<Vec<u8>> {
    let mut all = BTreeMap::from([("bootcmd".to_owned(), boot_cmd(device, Form::Line)?)]);
    join(&mut all, variables)?;
    Ok(uboot::environment(&all, options)?)
}

/// Adds variables to those that follow from the device.
fn join(all: &mut BTreeMap<String, String>, variables: &BTreeMap<String, String>) -> Result<()> {
    for (name, value) in variables {
        if all.insert(name.clone(), value.clone()).is_some() {
            return Err(Error::Derived {
                key: format!("variable {name}"),
            });
        }
    }
    Ok(())
}
