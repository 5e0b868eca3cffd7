//! Names and sums, there and back, and what nobody may believe.

use proptest::prelude::*;
use release::boot_count::{self, BootCount};
use release::names::{self, Named};
use release::sums::{self, Entry};
use release::{Id, Version, transfers};
use uuid::Uuid;

const HASH: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

proptest! {
    #[test]
    fn sums_are_read_as_they_were_written(found in prop::collection::btree_map("[ -$&-.0-\\[\\]-~é]{1,40}", any::<[u8; 32]>(), 0..20)) {
        let entries: Vec<Entry> = found
            .into_iter()
            .filter(|(name, _)| sums::check_name(name).is_ok())
            .map(|(name, sha256)| Entry { name, sha256 })
            .collect();
        prop_assume!(!entries.is_empty());
        let mut shuffled = entries.clone();
        shuffled.reverse();
        prop_assert_eq!(sums::read(sums::text(shuffled).as_bytes()), Ok(entries));
    }

    #[test]
    fn sums_that_anybody_wrote_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(entries) = sums::read(&bytes) {
            prop_assert!(entries.iter().all(|entry| sums::check_name(&entry.name).is_ok()));
        }
    }

    #[test]
    fn a_changed_byte_is_refused_or_read_as_what_it_says(at in 0_usize..136, to in any::<u8>()) {
        let text = format!("{HASH}  a\n{HASH} *b\n");
        let mut bytes = text.clone().into_bytes();
        bytes[at] = to;
        let read = sums::read(&bytes);
        if bytes != text.as_bytes() {
            prop_assert_ne!(read, sums::read(text.as_bytes()));
        }
    }

    #[test]
    fn names_of_files_are_read_as_they_were_made(
        id in "[a-z0-9][a-z0-9._-]{0,10}",
        version in "[a-z0-9][a-z0-9.-]{0,10}",
        region in "[A-Za-z0-9_-]{1,12}",
        uuid in any::<Option<[u8; 16]>>(),
        ending in "|\\.xz|\\.zst",
    ) {
        let uuid = uuid.map(Uuid::from_bytes);
        let known: Id = id.parse().unwrap();
        let file = names::partition_file(&known, &version, uuid, &region, &ending);
        prop_assert!(names::is_region(&region));
        let named = |uuid, region, ending| {
            Some(Named { id: id.clone(), version: version.clone(), uuid, region, ending })
        };
        prop_assert_eq!(names::read(&file), named(uuid, Some(region), ending), "{}", file);
        prop_assert_eq!(names::read(&names::uki_file(&known, &version)), named(None, None, String::new()));
    }

    #[test]
    fn boot_counters_are_read_as_they_were_written(stem in "[a-z0-9._-]{1,12}", count in any::<Option<(u32, u32)>>()) {
        let count = count.map(|(left, done)| BootCount { left, done });
        let file = boot_count::file(&stem, count);
        prop_assert_eq!(boot_count::read(&file), Some((&*stem, count)));
    }

    #[test]
    fn names_that_anybody_made_are_read_or_not(name in "\\PC{0,40}") {
        let _ = names::read(&name);
        let _ = names::read(&format!("{name}.raw"));
        let _ = boot_count::read(&format!("{name}.efi"));
    }
}

#[test]
fn regions_have_no_dots() {
    for name in ["", "a.b", ".", "a b", "é", "a/b"] {
        assert!(!names::is_region(name), "{name}");
    }
    // What is before the last dot is the version's.
    let named = names::read("kilnos_1.root.v2.raw").unwrap();
    assert_eq!((&*named.version, named.region.as_deref()), ("1.root", Some("v2")));
    assert_eq!(names::read("kilnos_1.root.raw.gz"), None);
}

#[test]
fn boot_counters_as_boot_loaders_read_them() {
    let count = |left, done| Some(BootCount { left, done });
    for (file, stem, counted) in [
        ("x_2+3.efi", "x_2", count(3, 0)),
        ("x_2+0-3.efi", "x_2", count(0, 3)),
        ("x_2+10-09.efi", "x_2", count(10, 9)),
        ("x+1+2-1.efi", "x+1", count(2, 1)),
        ("x_2+.efi", "x_2+", None),
        ("x_2+3-.efi", "x_2+3-", None),
        ("x_2+99999999999.efi", "x_2+99999999999", None),
        ("x_2.efi", "x_2", None),
    ] {
        assert_eq!(boot_count::read(file), Some((stem, counted)), "{file}");
    }
    assert_eq!(boot_count::read("x_2+3-0.conf"), None);
}

#[test]
fn sums_that_some_device_refuses_are_refused() {
    let said = |text: &str| sums::read(text.as_bytes()).unwrap_err().to_string();
    let line = |rest: &str| said(&format!("{HASH}  a\n{HASH}{rest}"));
    insta::assert_snapshot!(
        [
            line("  b"),
            line("  a\n"),
            line(" b\n"),
            line("  b/c\n"),
            line("  50%\n"),
            line("  b\\n\n"),
            line("  \n"),
            line("  ..\n"),
            line("  b\r\n"),
            line("  b\0\n"),
            line("\n\n"),
            line(&format!("  {}\n", "b".repeat(256))),
            said(""),
            said("\n"),
            said(&format!("{}  a\n", HASH.to_uppercase())),
            said(&format!("{}é  a\n", &HASH[..63])),
        ]
        .join("\n")
    );
    let binary = [HASH.as_bytes(), b"  \xff\n"].concat();
    assert_eq!(sums::read(&binary).unwrap_err().to_string(), "it is no UTF-8");
}

#[test]
fn labels_have_room_for_their_version() {
    let version: Version = "12".parse().unwrap();
    let said = |label: &str| match names::label_pattern(label, &version) {
        Ok(pattern) => pattern,
        Err(error) => error.to_string(),
    };
    assert_eq!(said("x-12-root"), "x-@v-root");
    insta::assert_snapshot!([said("x"), said("12-12"), said(&format!("{}12", "é".repeat(35)))].join("\n"));
    assert_eq!(
        said(&format!("{}12", "é".repeat(34))),
        format!("{}@v", "é".repeat(34))
    );
}

#[test]
fn transfer_files_of_older_and_newer_systemds() {
    let id: Id = "kilnos".parse().unwrap();
    let slot = |region: &str, has_uuid| transfers::Slot {
        region: region.into(),
        label: "kilnos_@v".into(),
        kind: format!("root-x86-64{}", region.trim_start_matches("root")),
        attributes: 1 << 60,
        has_uuid,
        is_compressed: has_uuid,
    };
    let mut options = transfers::Options {
        id: &id,
        url: "https://example.org/100%25",
        is_signed: false,
        systemd: 252,
        slots: vec![slot("root-verity-sig", false), slot("root", true)],
        tries: Some(3),
    };
    let text = |options: &transfers::Options| {
        let files = transfers::files(options).into_iter();
        let texts: Vec<String> = files
            .map(|file| format!("--- {}\n{}", file.name, file.text))
            .collect();
        texts.concat()
    };
    insta::assert_snapshot!("systemd-252", text(&options));
    options.systemd = 258;
    options.is_signed = true;
    options.tries = Some(0);
    insta::assert_snapshot!("systemd-258", text(&options));
}
