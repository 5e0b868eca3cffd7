//! The texts of a device, as they are.
#![expect(clippy::unwrap_used, reason = "functions of tests")]

mod support;

use std::collections::BTreeMap;

use device::{
    By, Device, Form, Keep, Medium, Place, boot_cmd, chooser, counters, fstab, fw_env_config, repart,
    repart_service, system_conf,
};
use support::{MIB, device};

#[test]
fn texts_of_a_virtual_machine() {
    insta::assert_snapshot!("virt", all(&device()));
}

/// A Rock64 with its environment in SPI flash, twice.
fn rock64() -> Device {
    let mut device = device();
    device.compatible = "rock64".into();
    device.disk.node = "/dev/mmcblk1".into();
    device.disk.by = By::Number;
    device.environment = Place {
        medium: Medium::Other {
            node: "/dev/mtd0".to_owned(),
            erase_size: Some(0x1000),
        },
        start: 0x14_0000,
        size: 0x2000,
        second: Some(0x14_2000),
    };
    device.chooser.device_type = "mmc".into();
    device.chooser.device_number = 1;
    device.chooser.prepare = vec![];
    device.chooser.keep = Keep::Saveenv;
    device.mounts.clear();
    let keyring = BTreeMap::from([("check-purpose".to_owned(), "codesign".to_owned())]);
    let streaming = BTreeMap::from([("sandbox-user".to_owned(), "rauc".to_owned())]);
    device.settings.insert("keyring".to_owned(), keyring);
    device.settings.insert("streaming".to_owned(), streaming);
    device
}

#[test]
fn texts_of_a_board() {
    insta::assert_snapshot!("rock64", all(&rock64()));
}

/// All texts of a device.
fn all(device: &Device) -> String {
    let mut texts = vec![
        ("system.conf".to_owned(), system_conf(device).unwrap()),
        ("fw_env.config".to_owned(), fw_env_config(device).unwrap()),
        ("fstab".to_owned(), fstab(device).unwrap()),
        ("boot.cmd".to_owned(), boot_cmd(device, Form::Script).unwrap()),
        ("bootcmd".to_owned(), boot_cmd(device, Form::Line).unwrap()),
    ];
    let files = repart(device).unwrap().into_iter();
    texts.extend(files.map(|file| (file.name, file.text)));
    texts.push((
        "systemd-repart.service".to_owned(),
        repart_service(device).unwrap(),
    ));
    texts.into_iter().fold(String::new(), |all, (name, text)| {
        all + "──── " + &name + "\n" + &text + if text.ends_with('\n') { "" } else { "\n" }
    })
}

#[test]
fn the_first_counters_are_an_environment() {
    let variables = BTreeMap::from([("board".to_owned(), "virt".to_owned())]);
    let bytes = counters(&device(), &variables).unwrap();
    let read = uboot::read_environment(&bytes, uboot::Copies::One, uboot::ByteOrder::Little).unwrap();
    let expected = [
        ("BOOT_A_LEFT", "3"),
        ("BOOT_B_LEFT", "3"),
        ("BOOT_ORDER", "A B"),
        ("board", "virt"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!((bytes.len(), read.variables), (0x2000, BTreeMap::from(expected)));
    let both = counters(&rock64(), &BTreeMap::new()).unwrap();
    let read = uboot::read_environment(&both, uboot::Copies::Two, uboot::ByteOrder::Little).unwrap();
    assert_eq!(read.flags, Some(1));
    let taken = BTreeMap::from([("BOOT_ORDER".to_owned(), "B".to_owned())]);
    assert!(counters(&device(), &taken).is_err());
}

#[test]
fn a_chooser_runs_the_line() {
    let options = uboot::EnvironmentOptions::new(MIB);
    let bytes = chooser(&device(), &BTreeMap::new(), &options).unwrap();
    let read = uboot::read_environment(&bytes, uboot::Copies::One, uboot::ByteOrder::Little).unwrap();
    assert_eq!(
        read.variables["bootcmd"],
        boot_cmd(&device(), Form::Line).unwrap()
    );
    let taken = BTreeMap::from([("bootcmd".to_owned(), "reset".to_owned())]);
    assert!(chooser(&device(), &taken, &options).is_err());
}
