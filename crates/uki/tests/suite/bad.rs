//! What makes no image: one error each that names the part and the number.

use image::{Content, Fault};
use uki::{Options, Parts, Pe, Unsigned};

use crate::oracle::installed;
use crate::world::{bytes, file, newer, parts, plan, text};

fn refused(stub: &Content, parts: Parts) -> String {
    let options = Options {
        base: parts,
        ..Options::default()
    };
    uki::plan(stub, &options, None).unwrap_err().to_string()
}

#[test]
fn parts_that_make_no_sense() {
    if !installed("ukify-newer") {
        return;
    }
    let stub = file(&newer().join("linuxx64.efi.stub"));
    let said = |parts| refused(&stub, parts);
    insta::assert_snapshot!(said(Parts { cmdline: text(&"x".repeat(2048)), ..parts() }), @".cmdline: 2048 bytes, the kernel takes 2047");
    insta::assert_snapshot!(said(Parts { cmdline: text("a\0b"), ..parts() }), @".cmdline: has a zero byte");
    insta::assert_snapshot!(said(Parts { initrds: vec![Content::Zeros(0)], ..parts() }), @".initrd: one of the initrds is empty");
    insta::assert_snapshot!(said(Parts { linux: Some(file(&newer().join("systemd-bootaa64.efi"))), ..parts() }), @"the stub is for x64, the kernel for aa64");
    insta::assert_snapshot!(said(Parts { linux: Some(Content::from(&b"\x1f\x8b\x08kernel"[..])), ..parts() }), @"the kernel: is no sound PE file: it does not begin with MZ; firmware starts only kernels that are PE files and not compressed (vmlinuz, Image)");
    insta::assert_snapshot!(said(Parts { others: vec![(".muchtoolong".into(), Content::Zeros(1))], ..parts() }), @".muchtoolong: a section's name has 1 to 8 characters of ASCII");
    insta::assert_snapshot!(said(Parts { others: vec![(".huge".into(), Content::Zeros(u64::from(u32::MAX)))], ..parts() }), @"the image ends at byte 4295282688: the limit of PE files is 4 GiB");
    insta::assert_snapshot!(said(Parts::default()), @".linux: neither a kernel nor anything else is given");
    let many = (0..600)
        .map(|number| (format!(".s{number}"), Content::Zeros(1)))
        .collect();
    insta::assert_snapshot!(said(Parts { others: many, ..parts() }), @"611 sections: the stub has room for 503");
    insta::assert_snapshot!(refused(&plan(&stub, parts()).image.into(), parts()), @"the stub cannot be used: it has a section .osrel already");
}

/// Whatever is changed in the headers, nothing panics, and nothing is taken that contradicts itself.
#[test]
fn changed_headers_are_refused_or_read_the_same() {
    if !installed("ukify-newer") {
        return;
    }
    let sound = file(&newer().join("addonx64.efi.stub")).to_vec().unwrap();
    let mut refused = 0;
    for place in 0..sound.len().min(0x400) {
        for change in [1, 0x80, 0xff] {
            let mut bytes = sound.clone();
            bytes[place] ^= change;
            let content = Content::from(bytes);
            refused += u32::from(Pe::read(&content, "file").is_err());
            let _ = Unsigned::read(content.clone(), "file").map(|unsigned| *unsigned.digest());
            let options = Options {
                base: Parts {
                    cmdline: text("x"),
                    ..Parts::default()
                },
                ..Options::default()
            };
            if let Ok(planned) = uki::plan(&content, &options, None) {
                Pe::read(&planned.image.into(), "image").unwrap();
            }
        }
    }
    assert!(refused > 100, "{refused}");
    for len in 0..sound.len() {
        let cut = Content::from(&sound[..len]);
        if let Err(error) = Pe::read(&cut, "file") {
            assert_eq!(error.fault(), Fault::Input);
        }
    }
}

#[test]
fn signed_files_are_not_signed_again_and_not_taken_as_stubs() {
    if !installed("ukify-newer") {
        return;
    }
    let image = plan(&file(&newer().join("linuxx64.efi.stub")), parts()).image;
    let mut signed = bytes(&image);
    let table = signed.len();
    signed.extend_from_slice(&[0; 16]);
    let start = u32::from_le_bytes(*signed[0x3c..].first_chunk().unwrap()) as usize;
    let entry = start + 24 + 112 + 32;
    signed[entry..entry + 4].copy_from_slice(&u32::try_from(table).unwrap().to_le_bytes());
    signed[entry + 4..entry + 8].copy_from_slice(&16_u32.to_le_bytes());
    let error = Unsigned::read(Content::from(signed), "image.efi").unwrap_err();
    insta::assert_snapshot!(error, @"image.efi: cannot be signed: it is signed already");
}
