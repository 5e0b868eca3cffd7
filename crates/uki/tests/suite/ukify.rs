//! The same parts make the same bytes as with ukify.

use std::path::Path;
use std::process::Command;

use image::Content;
use uki::{Options, Parts};

use crate::oracle::installed;
use crate::world::{OLD_STUB, bytes, file, newer, parts, plan, run, text};

/// What ukify gets.
struct Case<'a> {
    name: &'a str,
    stub: &'a Path,
    parts: Parts,
    sbat: Option<&'a str>,
}

impl Case<'_> {
    /// Has ukify make the image.
    fn ukify(&self, folder: &Path, more: &[String]) -> Vec<u8> {
        let mut number = 0;
        let mut given = |content: &Content| {
            number += 1;
            let path = folder.join(format!("part{number}"));
            std::fs::write(&path, content.to_vec().unwrap()).unwrap();
            path.display().to_string()
        };
        let mut command = Command::new("ukify-newer");
        let out = folder.join("out.efi");
        command.args(["build", "--hwids=", "--stub"]).arg(self.stub);
        command.arg("--output").arg(&out);
        let parts = &self.parts;
        for (option, content) in [
            ("os-release", &parts.os_release),
            ("cmdline", &parts.cmdline),
            ("uname", &parts.uname),
            ("profile", &parts.profile),
        ] {
            if let Some(content) = content {
                let text = String::from_utf8(content.to_vec().unwrap()).unwrap();
                command.arg(format!("--{option}={text}"));
            }
        }
        for (option, content) in [
            ("linux", &parts.linux),
            ("devicetree", &parts.device_tree),
            ("splash", &parts.splash),
            ("pcrpkey", &parts.pcr_key),
            ("microcode", &parts.microcode),
        ] {
            if let Some(content) = content {
                command.arg(format!("--{option}={}", given(content)));
            }
        }
        for initrd in &parts.initrds {
            command.arg(format!("--initrd={}", given(initrd)));
        }
        for tree in &parts.device_trees {
            command.arg(format!("--devicetree-auto={}", given(tree)));
        }
        for (name, content) in &parts.others {
            command.arg(format!("--section={name}:@{}", given(content)));
        }
        if let Some(sbat) = self.sbat {
            command.arg(format!("--sbat={sbat}"));
        }
        run(command.args(more));
        std::fs::read(out).unwrap()
    }

    /// Makes the image.
    fn kiln(&self) -> Vec<u8> {
        let options = Options {
            base: self.parts.clone(),
            sbat: self.sbat.map(str::to_string),
            ..Options::default()
        };
        bytes(&uki::plan(&file(self.stub), &options, None).unwrap().image)
    }
}

fn same(name: &str, ours: &[u8], theirs: &[u8]) {
    let first = ours.iter().zip(theirs).position(|(a, b)| a != b);
    assert!(
        ours == theirs,
        "{name}: {} bytes and {}, the first that differs is {first:?}",
        ours.len(),
        theirs.len()
    );
}

#[test]
fn images_equal_those_of_ukify() {
    if !installed("ukify-newer") {
        return;
    }
    let stub = newer().join("linuxx64.efi.stub");
    let addon = newer().join("addonx64.efi.stub");
    let small = |len: usize, byte: u8| Content::from(vec![byte; len]);
    let case = |name, parts| Case {
        name,
        stub: &stub,
        parts,
        sbat: None,
    };
    let cases = [
        case("plain", parts()),
        case(
            "no initrd, no os-release",
            Parts {
                os_release: text("ID=x\n"),
                initrds: vec![],
                ..parts()
            },
        ),
        case(
            "all sections",
            Parts {
                device_tree: Some(small(513, 1)),
                device_trees: vec![small(100, 2), small(4096, 3)],
                splash: Some(small(512, 4)),
                pcr_key: Some(small(400, 5)),
                microcode: Some(small(1000, 6)),
                others: vec![(".mine".into(), small(7, 7)), (".more".into(), small(5000, 8))],
                ..parts()
            },
        ),
        case(
            "two initrds, whose lengths are no multiples of 4",
            Parts {
                initrds: vec![small(1001, 1), small(2003, 2)],
                ..parts()
            },
        ),
        Case {
            sbat: Some("sbat,1,a,b,1,c\nmine,1,Mine,mine,1,https://example.org/\n"),
            ..case("its own SBAT", parts())
        },
        case(
            "a base profile alone in its file",
            Parts {
                cmdline: text("one two"),
                ..parts()
            },
        ),
        Case {
            stub: &addon,
            ..case(
                "an addon",
                Parts {
                    cmdline: text("more=1"),
                    uname: text("6.1.0-kiln"),
                    ..Parts::default()
                },
            )
        },
    ];
    for case in cases {
        let folder = tempfile::tempdir().unwrap();
        same(case.name, &case.kiln(), &case.ukify(folder.path(), &[]));
    }
}

/// Debian 12's stub has a table of symbols, and sections that are nowhere near each other.
#[test]
fn images_of_an_old_stub_equal_those_of_ukify() {
    if !installed("ukify-newer") || !installed(OLD_STUB) {
        return;
    }
    // A longer SBAT than this does not fit before the next section of this stub.
    let case = Case {
        name: "old stub",
        stub: Path::new(OLD_STUB),
        parts: Parts {
            linux: Some(file(&newer().join("addonx64.efi.stub"))),
            os_release: None,
            uname: None,
            ..parts()
        },
        sbat: Some("sbat,1,a,b,1,c\n"),
    };
    let folder = tempfile::tempdir().unwrap();
    same(
        case.name,
        &case.kiln(),
        &case.ukify(folder.path(), &["--os-release=".into(), "--uname=".into()]),
    );
}

#[test]
fn arm64_images_equal_those_of_ukify() {
    if !installed("ukify-newer") {
        return;
    }
    let stub = newer().join("linuxaa64.efi.stub");
    let case = Case {
        name: "arm64",
        stub: &stub,
        parts: Parts {
            linux: Some(file(&newer().join("systemd-bootaa64.efi"))),
            ..parts()
        },
        sbat: None,
    };
    let folder = tempfile::tempdir().unwrap();
    same(
        case.name,
        &case.kiln(),
        &case.ukify(folder.path(), &["--efi-arch=aa64".into()]),
    );
}

#[test]
fn profiles_equal_those_of_ukify() {
    if !installed("ukify-newer") {
        return;
    }
    let stub = newer().join("linuxx64.efi.stub");
    let folder = tempfile::tempdir().unwrap();
    let profiles = [
        Parts {
            profile: text("ID=debug\nTITLE=Debug\n"),
            cmdline: text("debug"),
            ..Parts::default()
        },
        Parts {
            profile: text("ID=reset\n"),
            cmdline: text("reset=1"),
            ..Parts::default()
        },
    ];
    let mut more = Vec::new();
    for (number, parts) in profiles.iter().enumerate() {
        let folder = folder.path().join(number.to_string());
        std::fs::create_dir(&folder).unwrap();
        let case = Case {
            name: "profile",
            stub: &newer().join("addonx64.efi.stub"),
            parts: parts.clone(),
            sbat: None,
        };
        let path = folder.join("profile.efi");
        std::fs::write(&path, case.ukify(&folder, &[])).unwrap();
        more.push(format!("--join-profile={}", path.display()));
    }
    let base = Parts {
        profile: text("ID=main\n"),
        ..parts()
    };
    let case = Case {
        name: "profiles",
        stub: &stub,
        parts: base.clone(),
        sbat: None,
    };
    let theirs = case.ukify(folder.path(), &more);
    let options = Options {
        base,
        profiles: profiles.to_vec(),
        sbat: None,
    };
    let planned = uki::plan(&file(&stub), &options, None).unwrap();
    same("profiles", &bytes(&planned.image), &theirs);
    let ids: Vec<_> = planned
        .profiles
        .iter()
        .map(|profile| profile.id.as_deref())
        .collect();
    assert_eq!(ids, [Some("main"), Some("debug"), Some("reset")]);
}

/// What ukify would write, and no firmware would load as it is meant: SBAT over the section behind it.
#[test]
fn sbat_that_would_cover_another_section_is_refused() {
    if !installed("ukify-newer") || !installed(OLD_STUB) {
        return;
    }
    let options = Options {
        base: parts(),
        ..Options::default()
    };
    let error = uki::plan(&file(Path::new(OLD_STUB)), &options, None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the stub cannot be used: sections .sbat and .sdmagic overlap in memory"
    );
    assert_eq!(
        plan(&file(&newer().join("linuxx64.efi.stub")), parts())
            .stub
            .as_deref(),
        Some("262-1")
    );
}
