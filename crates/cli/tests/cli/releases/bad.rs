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
    assert_snapshot!(refused(2, version, "version = \"1_2\""), @"");
    assert_snapshot!(refused(2, version, "version = \"1\"\nid = \"Kiln\""), @"");
    assert_snapshot!(refused(2, version, "version = \"1.2.3.4.5.6.7.8.9.10.11.12.13.14\""), @"");
    assert_snapshot!(refused(2, version, "version = \"1\"\ncompress = \"zstd\""), @"");
    assert_snapshot!(refused(2, version, "version = \"1\"\ncompress = \"gzip\""), @"");
    assert_snapshot!(refused(2, version, "version = \"1\"\nsystemd = 251"), @"");
    assert_snapshot!(refused(2, version, "version = \"1\"\nbest-before = \"2027-02-29\""), @"");
    assert_snapshot!(refused(2, version, "version = \"1\"\npartitions = [\"rot\"]"), @"");
    assert_snapshot!(refused(2, "uki = \"main\"", "uki = \"other\""), @"");
    assert_snapshot!(refused(2, "url = \"file:///t/release\"", "url = \"t/release\""), @"");
    assert_snapshot!(refused(2, "url = \"file:///t/release\"\n", ""), @"");
    assert_snapshot!(refused(2, "size = \"2MiB\"\n", ""), @"");
    assert_snapshot!(refused(2, "name = \"root\"\n", "name = \"root\"\nlabel = \"root\"\n"), @"");
    assert_snapshot!(refused(2, "name = \"root\"\n", "name = \"root\"\nlabel = \"root {release.version}\"\n"), @"");
    assert_snapshot!(refused(2, "type = \"root-x86-64-verity\"", "type = \"root-x86-64\""), @"");
    assert_snapshot!(refused(2, "esp\"\ncontent = \"fs.esp\"", "linux\"\ncontent = \"fs.esp\""), @"");
    assert_snapshot!(refused(2, "cmdline =", "profiles = [{ id = \"x\" }]\ncmdline ="), @"");
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
    assert_snapshot!(refused(3, "sign = { key = \"ec.key\" }"), @"");
    assert_snapshot!(refused(2, "sign = { key = \"rsa.key\", certificate = \"other.pem\" }"), @"");
    assert_snapshot!(refused(2, "sign = { key = \"rsa.key\", key-time = 5, time = 4 }"), @"");
    assert_snapshot!(refused(2, "sign = { }"), @"");
    assert_snapshot!(refused(2, "sign = { key = \"rsa.key\", attach = \"x\" }"), @"");
}
