//! What is wrong with releases is said before the work.

use insta::assert_snapshot;

use super::{SPEC, with_stub};

#[test]
fn what_does_not_fit_is_refused() {
    let Some(world) = with_stub() else { return };
    let refused = |code: i32, from: &str, to: &str| {
        world.write("spec.toml", SPEC.as_bytes());
        world.edit("spec.toml", from, to);
        world.refused(code, &["plan", "spec.toml"])
    };
    let version = "version = \"1\"";
    assert_snapshot!(refused(2, version, "version = \"1_2\""), @r#"error: release.version: "1_2": '_' cannot be in a version: letters a to z, digits, '.', '-' can"#);
    assert_snapshot!(refused(2, version, "version = \"1\"\nid = \"Kiln\""), @r#"error: release.id: "Kiln": 'K' cannot be in an id: letters a to z, digits, '.', '_', '-' can"#);
    assert_snapshot!(refused(2, version, "version = \"1.2.3.4.5.6.7.8.9.10.11.12.13.14\""), @r#"
    error: disk.region "root".label: the label "kilnos_1.2.3.4.5.6.7.8.9.10.11.12.13.14" has 39 UTF-16 units, the limit of a partition table is 36
    hint: shorten it, and say {release.version} once where the version stands; without a label it is "ID_VERSION"
    "#);
    assert_snapshot!(refused(2, version, "version = \"1\"\ncompress = \"zstd\""), @r#"
    error: release.compress: systemd-sysupdate before 258 writes zstd files as they are, and devices have 257: they would not start
    hint: say compress = "xz", or systemd = 258 if no device has an older one
    "#);
    assert_snapshot!(refused(2, version, "version = \"1\"\ncompress = \"gzip\""), @r#"
    error: spec.toml:66:12: "gzip": systemd-sysupdate 257 never ends with a gzip file of several members; say xz, zstd or none
       |
    66 | compress = "gzip"
       |            ^
    "#);
    assert_snapshot!(refused(2, version, "version = \"1\"\nsystemd = 251"), @"error: release.systemd: 251: must be from 252 to 299");
    assert_snapshot!(refused(2, version, "version = \"1\"\nbest-before = \"2027-02-29\""), @r#"error: release.best-before: "2027-02-29": must be a day such as "2027-01-31""#);
    assert_snapshot!(refused(2, version, "version = \"1\"\npartitions = [\"rot\"]"), @r#"
    error: release.partitions: there is no region "rot" on the disk
    hint: did you mean root?
    "#);
    assert_snapshot!(refused(2, "uki = \"main\"", "uki = \"other\""), @r#"
    error: release.uki: there is no [uki.other]
    hint: there are: main
    "#);
    assert_snapshot!(refused(2, "url = \"file:///t/release\"", "url = \"t/release\""), @r#"error: release.url: "t/release": must begin with https://HOST, http://HOST or file:///"#);
    for (url, what) in [
        ("https://", "must begin with"),
        ("https:///x", "must begin with"),
        ("file://t", "must begin with"),
        ("https://x/a b", "' ' cannot be in it"),
        ("https://x/\\nVerify=no", "'\\n' cannot be in it"),
        ("https://x/ü", "'ü' cannot be in it"),
        ("https://x/a?b", "'?' cannot be in it"),
        ("https://x/a#b", "'#' cannot be in it"),
    ] {
        let said = refused(2, "url = \"file:///t/release\"", &format!("url = \"{url}\""));
        assert!(
            said.starts_with("error: release.url: ") && said.contains(what),
            "{said}"
        );
    }
    let first_boot = |name: &str, more: &str| {
        let first_boot = format!("first-boot = [{{ name = \"{name}\", type = \"var\", {more} }}]");
        refused(2, version, &format!("{version}\n{first_boot}"))
    };
    assert_snapshot!([
        first_boot("a/b", "size = \"1MiB\""),
        first_boot("", "size = \"1MiB\""),
        first_boot(&"v".repeat(37), "size = \"1MiB\""),
        first_boot("var", "size-min = \"5000B\""),
        first_boot("var", "size = \"0B\""),
        first_boot("var", "size = \"1MiB\", format = \"ext4\\nLabel=x\""),
        first_boot("root-b", "size = \"1MiB\""),
        first_boot("esp", "size = \"1MiB\""),
    ].join("\n"), @r#"
    error: release.first-boot "a/b": partition "a/b": must be letters, digits, -, _ and dots, and begin with a letter, a digit or _

    error: release.first-boot "": length of the partition's name "": is 0, must be 1 to 36

    error: release.first-boot "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv": length of the partition's name "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv": is 37, must be 1 to 36

    error: release.first-boot "var": size of partition var: is 5000, must be a multiple of 4096: systemd-repart makes no other sizes

    error: release.first-boot "var": size of partition var: is 0, must be a multiple of 4096: systemd-repart makes no other sizes

    error: release.first-boot "var": format of partition var "ext4\nLabel=x": must be letters, digits, -, _ and dots, and begin with a letter, a digit or _

    error: release.first-boot "root-b": another partition has this name

    error: release.first-boot "esp": another partition has this name
    "#);
    assert_snapshot!(refused(2, "url = \"file:///t/release\"\n", ""), @r#"
    error: release.url: is missing, and transfer files say where releases are
    hint: say url = "https://…", where a web server has the folder
    "#);
    assert_snapshot!(refused(2, "name = \"root\"\n", "name = \"root.v2\"\n"), @r#"error: disk.region "root.v2".name: "root.v2": names of files are made of it, in which a dot could be one of the version: letters, digits, _ and - only"#);
    assert_snapshot!(refused(2, "size = \"2MiB\"\n", ""), @r#"
    error: disk.region "root".size: is as large as this version, and the next one may be larger
    hint: say size: slots keep theirs for the device's whole life
    "#);
    assert_snapshot!(refused(2, "name = \"root\"\n", "name = \"root\"\nlabel = \"root\"\n"), @r#"
    error: disk.region "root".label: the label "root" has the version "1" in it 0 times, and not once
    hint: shorten it, and say {release.version} once where the version stands; without a label it is "ID_VERSION"
    "#);
    assert_snapshot!(refused(2, "name = \"root\"\n", "name = \"root\"\nlabel = \"root {release.version}\"\n"), @r#"error: disk.region "root".label: ' ' cannot be in it: transfer files say it, where letters, digits and ._-+ are safe"#);
    assert_snapshot!(refused(2, "type = \"root-x86-64-verity\"", "type = \"root-x86-64\""), @r#"
    error: disk.region "root-verity".type: is that of "root", too: systemd-sysupdate would take each for a slot of the other
    hint: give each its own type, or leave one out of release.partitions
    "#);
    assert_snapshot!(refused(2, "esp\"\ncontent = \"fs.esp\"", "linux\"\ncontent = \"fs.esp\""), @r#"
    error: release.esp: 0 regions of the type esp hold a FAT
    hint: say which FAT has the image: esp = "fs.NAME"
    "#);
    assert_snapshot!(refused(2, "cmdline =", "profiles = [{ id = \"x\" }]\ncmdline ="), @r#"
    error: release.tries: systemd-boot before 261 starts the second profile of an image whose name counts boots, and this one has profiles
    hint: say tries = 0, systemd = 261, or give profiles images of their own
    "#);
}

#[test]
fn keys_that_do_not_sign_are_refused_before_the_work() {
    let Some(world) = with_stub() else { return };
    let sign = "sign = { key = \"rsa.key\", time = 1700000000 }";
    let mut last = sign.to_owned();
    let mut refused = |code: i32, to: &str| {
        world.edit("spec.toml", &last, to);
        to.clone_into(&mut last);
        world.refused(code, &["build", "spec.toml", "--out", "out"])
    };
    assert_snapshot!(refused(3, "sign = { key = \"ec.key\" }"), @"error: the key is P-256; releases are signed with RSA keys, which every gpg knows");
    assert_snapshot!(refused(2, "sign = { key = \"rsa.key\", certificate = \"other.pem\" }"), @r#"
    error: the private key does not belong to the certificate of O = Kiln, CN = Test rsa3072
    hint: --key and --certificate have to belong together
    "#);
    assert_snapshot!(refused(2, "sign = { key = \"rsa.key\", key-time = 5, time = 4 }"), @"error: release.sign.time: 4: is before 5, when the key was made, and gpg would refuse the signature");
    assert_snapshot!(refused(2, "sign = { }"), @r#"
    error: nobody signs the release: there is no key
    hint: give key, --signer-cmd for a key that lives elsewhere, or --unsigned
    "#);
    assert_snapshot!(refused(2, "sign = { key = \"rsa.key\", attach = \"x\" }"), @"error: release.sign.attach: is a signature that is made already: it and key exclude each other");
}
