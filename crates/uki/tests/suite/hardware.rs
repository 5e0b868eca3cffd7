//! Hardware ids and firmware: as ukify makes them of the same folders, and what is wrong with them.

use std::fs;
use std::path::Path;
use std::process::Command;

use image::Content;
use insta::assert_snapshot;
use uki::{Hardware, Parts, firmware, hardware_ids};

use crate::oracle::installed;
use crate::world::{bytes, file, newer, parts, plan, run};

/// Two laptops and a board, one of them in two files, with ids in any order and spelling.
const DESCRIPTIONS: [(&str, &str); 4] = [
    (
        "a.json",
        r#"{"type": "devicetree", "name": "Example Laptop 7", "compatible": "example,laptop7",
            "hwids": ["{ff000000-0000-5000-8000-000000000002}", "00112233-4455-6677-8899-AABBCCDDEEFF"]}"#,
    ),
    (
        "folder/b.json",
        r#"{"type": "uefi-fw", "name": "Example Board ß", "fwid": "board-fw", "hwids": ["0102030405060708090a0b0c0d0e0f10"]}"#,
    ),
    (
        "folder.json",
        r#"{"type": "devicetree", "name": "Example Laptop 7", "compatible": "example,laptop7",
            "hwids": ["00112233-4455-6677-8899-aabbccddeeff", "00000000-0000-0000-0000-000000000001"]}"#,
    ),
    (
        "z.json",
        r#"{"type": "devicetree", "name": "Other", "compatible": "example,laptop7", "hwids": []}"#,
    ),
];

/// The descriptions in the order of ukify: that of their paths, folder by folder.
fn described() -> Vec<Hardware> {
    [0, 1, 2, 3]
        .map(|number: usize| {
            let (name, text) = DESCRIPTIONS[number];
            Hardware::read(text.as_bytes(), name).unwrap()
        })
        .to_vec()
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// The only section of this name in an image, by Binutils.
fn section(folder: &Path, image: &Path, name: &str) -> Vec<u8> {
    let out = folder.join("section");
    run(Command::new("objcopy")
        .arg(format!("--dump-section={name}={}", out.display()))
        .arg(image)
        .arg(folder.join("copy")));
    fs::read(out).unwrap()
}

#[test]
fn hardware_ids_equal_those_of_ukify() {
    if !installed("ukify-newer") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in DESCRIPTIONS {
        write(&folder.path().join("ids"), name, text.as_bytes());
    }
    let stub = newer().join("linuxx64.efi.stub");
    let out = folder.path().join("out.efi");
    write(folder.path(), "tree", &[2; 100]);
    run(Command::new("ukify-newer")
        .args([
            "build",
            "--cmdline=console=ttyS0 quiet",
            "--uname=6.1.0-kiln",
            "--os-release=ID=kiln\nVERSION_ID=1\n",
        ])
        .arg(format!("--stub={}", stub.display()))
        .arg(format!(
            "--linux={}",
            newer().join("systemd-bootx64.efi").display()
        ))
        .arg(format!("--hwids={}", folder.path().join("ids").display()))
        .arg(format!(
            "--devicetree-auto={}",
            folder.path().join("tree").display()
        ))
        .arg(format!("--output={}", out.display())));
    let ours = plan(
        &file(&stub),
        Parts {
            initrds: vec![],
            device_trees: vec![Content::from(vec![2; 100])],
            hardware_ids: Some(hardware_ids(&described()).unwrap().into()),
            ..parts()
        },
    );
    assert!(bytes(&ours.image) == fs::read(out).unwrap());
}

/// ukify 262 packs the magic as a string of one byte, its length, so that no stub knows the section. All else is the same.
#[test]
fn firmware_differs_from_ukify_in_the_magic_alone() {
    if !installed("ukify-newer") || !installed("objcopy") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "board-fw/fw.bin", b"firmware");
    let out = folder.path().join("out.efi");
    run(Command::new("ukify-newer")
        .args(["build", "--cmdline=x", "--hwids="])
        .arg(format!("--stub={}", newer().join("linuxx64.efi.stub").display()))
        .arg(format!(
            "--linux={}",
            newer().join("systemd-bootx64.efi").display()
        ))
        .args(["--uname=x", "--os-release=ID=x"])
        .arg(format!("--efifw={}", folder.path().join("board-fw").display()))
        .arg(format!("--output={}", out.display())));
    let theirs = section(folder.path(), &out, ".efifw");
    let ours = firmware("board-fw", &Content::from(&b"firmware"[..]))
        .unwrap()
        .to_vec()
        .unwrap();
    assert_eq!(&ours[..4], &0xfeed_dead_u32.to_le_bytes());
    let len = ours.len() - 3;
    assert_eq!(&theirs[..len], &[&[0], &ours[4..]].concat());
    assert!(theirs[len..].iter().all(|byte| *byte == 0));
}

/// Whatever the stub takes, the TPM's value is among those that were said, and signed.
#[test]
fn firmware_and_trees_to_choose_from_have_a_value_each() {
    if !installed("ukify-newer") {
        return;
    }
    let small = |byte: u8| Content::from(vec![byte; 64]);
    let of = |trees: &[u8], payloads: &[u8]| {
        let parts = Parts {
            device_trees: trees.iter().copied().map(small).collect(),
            firmware: payloads
                .iter()
                .map(|byte| firmware("board-fw", &small(*byte)).unwrap())
                .collect(),
            ..parts()
        };
        plan(&file(&newer().join("linuxx64.efi.stub")), parts).profiles[0]
            .pcr11
            .clone()
    };
    let all = of(&[1, 2], &[3, 4]);
    let alone = [
        of(&[1], &[]),
        of(&[1], &[3]),
        of(&[1], &[4]),
        of(&[2], &[]),
        of(&[2], &[3]),
        of(&[2], &[4]),
    ];
    // An image with one firmware has a value without it, and one with it.
    let expected: Vec<_> = alone.iter().map(|values| *values.last().unwrap()).collect();
    assert_eq!(all, expected);
}

#[test]
fn descriptions_that_are_none() {
    let said = |text: &str| {
        Hardware::read(text.as_bytes(), "/x.json")
            .unwrap_err()
            .to_string()
    };
    assert_snapshot!(said("{"), @".hwids: /x.json: EOF while parsing an object at line 1 column 1");
    assert_snapshot!(said("[]"), @".hwids: /x.json: invalid type: sequence, expected a map at line 1 column 0");
    assert_snapshot!(said(r#"{"type": "tree"}"#), @r##".hwids: /x.json: type "tree": must be devicetree or uefi-fw"##);
    assert_snapshot!(said(r#"{"type": "devicetree", "name": "x", "fwid": "y", "hwids": []}"#), @r##".hwids: /x.json: fwid: its type "devicetree" has compatible only"##);
    assert_snapshot!(said(r#"{"type": "devicetree", "compatible": "y", "hwids": []}"#), @".hwids: /x.json: name: must be there, and a text");
    assert_snapshot!(said(r#"{"type": "devicetree", "name": "x", "compatible": "y"}"#), @".hwids: /x.json: hwids: must be there, and a list");
    assert_snapshot!(said(r#"{"type": "uefi-fw", "name": "x", "fwid": "y", "hwids": ["0"]}"#), @r##".hwids: /x.json: hwids: "0" is no UUID"##);
    let said = |id: &str, len: u64| firmware(id, &Content::Zeros(len)).unwrap_err().to_string();
    assert_snapshot!(said("", 1), @r##".efifw: "": is no id of firmware"##);
    assert_snapshot!(said("x", 0), @".efifw: x: 0 bytes, must be 1 byte to 4 GiB of firmware");
    assert_snapshot!(said("x", 1 << 32), @".efifw: x: 4294967296 bytes, must be 1 byte to 4 GiB of firmware");
}
