//! Manifests: written as RAUC writes them, read back, and refused where RAUC would refuse them or read them otherwise.

use bundle::Target;
use bundle::manifest::{Handler, Hooks, Image, Manifest, Verity};
use proptest::prelude::*;

fn image(slot: &str, filename: &str) -> Image {
    Image {
        slot: slot.into(),
        sha256: [0xab; 32],
        size: 8192,
        filename: Some(filename.into()),
        ..Image::default()
    }
}

fn manifest() -> Manifest {
    Manifest {
        compatible: "rock64".into(),
        version: Some("1.0".into()),
        description: Some(" a test; with \\ and\nlines".into()),
        build: Some("b1".into()),
        verity: Some(Verity {
            hash: [0x11; 32],
            salt: [0x22; 32],
            size: 4096,
        }),
        hooks: Some(Hooks {
            filename: "hook.sh".into(),
            hooks: vec!["install-check".into()],
        }),
        images: vec![
            image("boot", "boot.vfat"),
            Image {
                hooks: vec!["pre-install".into(), "post-install".into()],
                adaptive: bundle::adaptive(),
                ..image("rootfs", "rootfs.squashfs")
            },
        ],
        meta: [(
            "note".to_string(),
            [("key".to_string(), "value".to_string())].into(),
        )]
        .into(),
        ..Manifest::default()
    }
}

#[test]
fn manifests_are_written_in_raucs_order() {
    let (eleven, twenty_two, ab) = ("11".repeat(32), "22".repeat(32), "ab".repeat(32));
    let wanted = format!(
        "[update]\ncompatible=rock64\nversion=1.0\ndescription=\\sa test; with \\\\ and\\nlines\nbuild=b1\n\n\
         [bundle]\nformat=verity\nverity-hash={eleven}\nverity-salt={twenty_two}\nverity-size=4096\n\n\
         [hooks]\nfilename=hook.sh\nhooks=install-check;\n\n\
         [image.boot]\nsha256={ab}\nsize=8192\nfilename=boot.vfat\n\n\
         [image.rootfs]\nsha256={ab}\nsize=8192\nfilename=rootfs.squashfs\nhooks=pre-install;post-install;\n\
         adaptive=block-hash-index;\n\n\
         [meta.note]\nkey=value\n"
    );
    assert_eq!(manifest().write(), wanted);
    assert_eq!(Manifest::read(wanted.as_bytes()).unwrap(), manifest());
}

/// Each line: what is done to the text, and what the error says.
#[expect(clippy::too_many_lines, reason = "a table")]
#[test]
fn texts_that_are_no_manifest_are_refused() {
    let text = manifest().write();
    let ab = "ab".repeat(32);
    let cases: Vec<(String, &str)> = vec![
        (
            text.replace("compatible=rock64\n", ""),
            "[update] has no compatible",
        ),
        (
            text.replace("compatible=rock64", "compatible="),
            "line 1: [update] has no compatible",
        ),
        (
            text.replace("version=1.0", "verzion=1.0"),
            "[update] has no key verzion",
        ),
        (
            text.replace("build=b1", "build=b1\nbuild=b2"),
            "line 6: build comes twice in [update]",
        ),
        (text.replace("[hooks]", "[update]"), "[update] comes twice"),
        (text.replace("[hooks]", "[hookz]"), "there is no group [hookz]"),
        (
            text.replace("[image.rootfs]", "[image.boot]"),
            "[image.boot] comes twice",
        ),
        (
            text.replace("[image.rootfs]", "[image.root/fs]"),
            "[image.root/fs]: artifacts cannot be read",
        ),
        (
            text.replace("[image.rootfs]", "[image.]"),
            "image \"\": must be letters",
        ),
        (text.replace("=verity", "=plain"), "a bundle of the format plain"),
        (text.replace("=verity", "=crypt"), "a bundle of the format crypt"),
        (
            text.replace("verity-size=4096", "verity-size=4095"),
            "must be a multiple of 4096",
        ),
        (
            text.replace("verity-size=4096", "verity-size=0"),
            "must be a multiple of 4096",
        ),
        (
            text.replace("verity-size=4096", "verity-size=-4096"),
            "must be a number below 2^63",
        ),
        (
            text.replace("verity-size=4096", "verity-size=0x1000"),
            "must be a number below 2^63",
        ),
        (
            text.replace("verity-size=4096\n", ""),
            "[bundle] has no verity-size",
        ),
        (
            text.replace("size=8192", "size=08192"),
            "must be a number below 2^63",
        ),
        (
            text.replace("size=8192", "size=9223372036854775808"),
            "must be a number below 2^63",
        ),
        (text.replace("size=8192\n", ""), "[image.boot] has no size"),
        (
            text.replace("filename=boot.vfat\n", ""),
            "[image.boot] has no filename",
        ),
        (
            text.replace("filename=boot.vfat", "filename=boot.vfat\nconvert=tar-extract;"),
            "[image.boot]: converted images cannot be read",
        ),
        (
            text.replace("filename=boot.vfat", "filename=boot.vfat\ntype=emptyfs"),
            "type emptyfs: has a file, boot.vfat",
        ),
        (text.replace("filename=hook.sh\n", ""), "[hooks] has no filename"),
        (
            text.replace("[hooks]\nfilename=hook.sh\nhooks=install-check;\n", ""),
            "has a hook, and there is no program",
        ),
        (
            text.replace(&ab, &ab.to_uppercase()),
            "must be 64 lower-case hexadecimal digits",
        ),
        (
            text.replace(&ab, &ab[2..]),
            "must be 64 lower-case hexadecimal digits",
        ),
        (
            text.replace(&ab, &format!("../{}", &ab[3..])),
            "must be 64 lower-case hexadecimal digits",
        ),
        (
            text.replace("boot.vfat", "../boot.vfat"),
            "must be a name without folders",
        ),
        (text.replace("boot.vfat", ".hidden"), "begins with a dot"),
        (
            text.replace("boot.vfat", "manifest.raucm"),
            "is the manifest's own",
        ),
        (
            text.replace("boot.vfat", "hook.sh"),
            "hook.sh: is an image and a program",
        ),
        (
            text.replace("install-check", "install-czech"),
            "there is no hook install-czech",
        ),
        (text.replace("pre-install;", "before;"), "there is no hook before"),
        (
            text.replace("[meta.note]", "[meta.no te]"),
            "meta \"no te\": must be letters",
        ),
        (
            text.replace("[meta.note]", "meta.note"),
            "is neither a group nor a key with a value",
        ),
        (text.replace("version=1.0", "version=1\\q0"), "\\q is no escape"),
        (text.replace("version=1.0", "version=1\\"), "ends in a backslash"),
        (
            text.replace("version=1.0", "version=1\0"),
            "holds a control character",
        ),
        (text.replace("[update]\n", ""), "line 1: is in no group"),
        (format!("{text}[bundle]\n"), "[bundle] comes twice"),
        (
            format!("{text}# {}\n", "x".repeat(64 << 10)),
            "the limit is 65536",
        ),
        (String::new(), "a bundle of the format plain"),
    ];
    for (text, wanted) in cases {
        let error = Manifest::read(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(wanted), "{wanted}: {error}\n{text}");
    }
    assert!(Manifest::read(b"[update]\ncompatible=\xff\n").is_err());
}

/// What `rauc info` shows, and no device installs, or nobody can check.
#[test]
fn what_cannot_be_installed_is_shown_all_the_same() {
    let text = manifest().write();
    let cases = [
        (text.replace("size=8192", "size=0"), "image boot: is empty"),
        (
            text.replace("size=8192", "size=8193"),
            "8193 bytes, which is not a multiple of 4096",
        ),
        (
            text.replace("pre-install;", "install;"),
            "takes the place of all others",
        ),
        (
            text.replace("=block-hash-index", "=magic"),
            "adaptive=magic: must be block-hash-index",
        ),
        (
            text.replace("=boot.vfat", "=boot.vfat.caibx"),
            "boot.vfat.caibx: is an index of casync",
        ),
        (
            text.replace("=boot.vfat", "=boot.caidx"),
            "boot.caidx: is an index of casync",
        ),
        (
            text.replace("filename=boot.vfat", "filename=boot\ntype=raw-caibx"),
            "boot: is an index of casync",
        ),
        (
            text.replace("=boot.vfat", "=boot.bin"),
            "its ending does not tell RAUC what it is",
        ),
        (
            text.replace("filename=boot.vfat", "filename=boot.vfat\ntype=ubivol"),
            "type ubivol: must be one of raw, ext4,",
        ),
        (
            text.split("[image.").next().unwrap().to_string(),
            "there is no image, and no handler either",
        ),
    ];
    for (text, wanted) in cases {
        let manifest = Manifest::read(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let error = manifest.check_installable().unwrap_err();
        assert!(error.to_string().contains(wanted), "{wanted}: {error}\n{text}");
        assert_eq!(error.fault_of_reading(), image::Fault::Input, "{error}");
    }
}

/// What other versions of RAUC write, or let pass.
#[test]
fn manifests_of_others_are_read() {
    let text = manifest().write();
    let ab = "ab".repeat(32);
    let image = format!("sha256={ab}\nsize=8192\nfilename=boot.vfat\n");
    let installed = |manifest: &Manifest| manifest.check_installable().map_err(|error| error.to_string());
    for (boot, filename, size) in [
        ("hooks=install;\n", None, 0),
        ("size=0\nhooks=install\n", None, 0),
        ("type=emptyfs\n", None, 0),
        ("type=emptyfs\nhooks=post-install;\n", None, 0),
        (
            &*format!("sha256={ab}\nfilename=boot\nhooks=install;\n"),
            Some("boot"),
            0,
        ),
        (
            &format!("{image}hooks=install;\ntype=own\n"),
            Some("boot.vfat"),
            8192,
        ),
        (
            &format!("{image}version=1\ndescription=\nbuild=2\n"),
            Some("boot.vfat"),
            8192,
        ),
    ] {
        let text = text.replace(&image, boot);
        let manifest = Manifest::read(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let image = &manifest.images[0];
        assert_eq!(
            (image.filename.as_deref(), image.size),
            (filename, size),
            "{boot}"
        );
        assert_eq!(installed(&manifest), Ok(()), "{boot}");
        assert_eq!(Manifest::read(manifest.write().as_bytes()).unwrap(), manifest);
    }
    for (old, new) in [
        ("version=1.0", "version="),
        ("[meta.note]", "[rollout]\nanything=else\n\n[meta.note]"),
        ("[meta.note]", "[handler]\nargs=1\n\n[meta.note]"),
        ("adaptive=block-hash-index;", "adaptive=block-hash-index"),
    ] {
        let manifest = Manifest::read(text.replace(old, new).as_bytes()).unwrap();
        assert_eq!(installed(&manifest), Ok(()), "{new}");
        assert_eq!(manifest.handler, None);
    }
}

#[test]
fn comments_and_spaces_mean_nothing() {
    let text = manifest().write();
    let spaced = format!("# hello\n\n{}", text.replace("version=", "  version \t= "));
    assert_eq!(Manifest::read(spaced.as_bytes()).unwrap(), manifest());
}

#[test]
fn a_device_is_not_sent_what_it_does_not_know() {
    let check = |change: fn(&mut Manifest), target: &str| {
        let mut manifest = manifest();
        change(&mut manifest);
        manifest
            .check(target.parse().unwrap())
            .map_err(|error| error.to_string())
    };
    assert_eq!(check(|_| {}, "1.8"), Ok(()));
    let old = "adaptive images: known since RAUC 1.8, and the bundle is for RAUC 1.7";
    assert_eq!(check(|_| {}, "1.7"), Err(old.into()));
    let plain = |manifest: &mut Manifest| {
        manifest.images[1].adaptive.clear();
    };
    let old = "meta sections: known since RAUC 1.8, and the bundle is for RAUC 1.5.";
    assert_eq!(check(plain, "1.5.1"), Err(old.trim_end_matches('.').into()));
    let typed = |manifest: &mut Manifest| manifest.images[0].kind = Some("vfat".into());
    assert!(check(typed, "1.14").is_err());
    assert_eq!(check(typed, "1.15"), Ok(()));
    let min = |manifest: &mut Manifest| manifest.min_rauc_version = Some("1.15".into());
    assert!(check(min, "1.13").is_err());
    assert_eq!(check(min, "1.14"), Ok(()));
    for bad in ["", "1", "1.x", "one", "1.4", "0.9", "1.8-rc1"] {
        assert!(bad.parse::<Target>().is_err(), "{bad}");
    }
}

fn word() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9_-]{0,8}"
}

prop_compose! {
    fn manifests()(
        texts in prop::collection::vec(prop::option::of("[ -~äß\\t\\n\\r\\\\;]{0,20}[!-~]"), 4),
        compatible in "[ -~ä]{0,10}[!-~]",
        images in prop::collection::btree_map(word(), (any::<[u8; 32]>(), 1u64..1 << 40, word()), 1..4),
        meta in prop::collection::btree_map(word(), prop::collection::btree_map(word(), "[ -~\\n]{0,9}", 1..3), 0..3),
        args in prop::option::of("[!-~]{1,9}"),
    ) -> Manifest {
        let mut texts = texts.into_iter();
        let mut text = || texts.next().flatten();
        Manifest {
            compatible,
            version: text(),
            description: text(),
            build: text(),
            min_rauc_version: text(),
            verity: None,
            handler: args.map(|args| Handler { filename: "Handler".into(), args: Some(args) }),
            hooks: None,
            images: images
                .into_iter()
                .map(|(slot, (sha256, size, filename))| Image { slot, sha256, size, filename: Some(filename), ..Image::default() })
                .collect(),
            meta,
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(manifest in manifests()) {
        prop_assert_eq!(Manifest::read(manifest.write().as_bytes()).unwrap(), manifest);
    }

    #[test]
    fn reading_anything_ends(text in "[\\[\\]a-z.=;#\\\\ \\n]{0,300}") {
        let _ = Manifest::read(text.as_bytes());
    }

    #[test]
    fn reading_damaged_texts_ends(at in 0usize..600, byte: u8) {
        let mut text = manifest().write().into_bytes();
        let at = at % text.len();
        text[at] = byte;
        if let Ok(read) = Manifest::read(&text) {
            prop_assert_eq!(Manifest::read(read.write().as_bytes()).unwrap(), read);
        }
    }
}
