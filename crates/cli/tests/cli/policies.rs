//! The key of a TPM's policies is elsewhere.

use insta::assert_snapshot;

use crate::appliance::{BUILD, SPEC, world};
use crate::look::shell;
use crate::oracle::installed;

/// Signs policies where the key is.
const SIGN: &str = r#"
import base64, json, subprocess, sys
said = json.load(sys.stdin)
for entry in said["sha256"]:
    command = ["openssl", "dgst", "-sha256", "-sign", "rsa.key"]
    made = subprocess.run(command, input=bytes.fromhex(entry["pol"]), stdout=subprocess.PIPE, check=True)
    entry["sig"] = base64.b64encode(made.stdout).decode()
json.dump(said, sys.stdout)
"#;

/// The key of the TPM's policies is elsewhere: one round more before the image is signed.
#[test]
fn policies_are_signed_elsewhere() {
    if !["openssl", "python3"].iter().all(|tool| installed(tool)) {
        return;
    }
    let Some(world) = world() else { return };
    shell(
        &world,
        "openssl rsa -in rsa.key -pubout -out pcr.pem 2> /dev/null",
    );
    // Updates of firmware's variables need keys that are here.
    let start = SPEC.find("[secure-boot]").unwrap();
    let end = SPEC.find("[fs.esp]").unwrap();
    world.edit("spec.toml", &SPEC[start..end], "");
    world.edit(
        "spec.toml",
        ", \"/loader/keys/auto/db.auth\" = \"{secure-boot.db}\"",
        "",
    );
    world.edit(
        "spec.toml",
        "initrd = \"initrd\"",
        "initrd = \"initrd\"\nmeasure = { key = \"rsa.key\" }",
    );
    world.done(&["build", "spec.toml", "--out", "here"]);
    world.edit(
        "spec.toml",
        "measure = { key = \"rsa.key\" }",
        "measure = { public-key = \"pcr.pem\", attach = \"main.pcrsig\" }",
    );
    let said = world.run(&[&BUILD[..], &["--unsigned"]].concat());
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(
        said.stderr
            .contains("uki.main: lacks the signatures of what a TPM will hold; main.pcrsig.unsigned is"),
        "{}",
        said.stderr
    );
    world.write("sign.py", SIGN.as_bytes());
    shell(&world, "python3 sign.py < out/main.pcrsig.unsigned > main.pcrsig");
    world.done(&BUILD);
    shell(
        &world,
        "cmp here/main.efi out/main.efi && cmp here/kilnos.img out/kilnos.img",
    );
    world.edit("spec.toml", ", attach = \"main.pcrsig\"", "");
    assert_snapshot!(world.refused(2, &BUILD), @r"
    error: uki.main.measure: has a public key, and nothing that it has signed
    hint: `--unsigned` writes what is to be signed, and `attach` takes the signatures; or say `key`
    ");
}
