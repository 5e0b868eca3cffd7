//! Keys that live elsewhere.

use std::sync::Arc;
use std::time::{Duration, Instant};

use signature::{Command, Error, Identity, Result, sign, verify};

use crate::oracle::installed;
use crate::pinned::{CONTENT, certificate, trust};
use crate::pki::{KINDS, World, key_file, now, openssl, run};

const PATIENCE: Duration = Duration::from_mins(1);

fn sign_with(kind: &str, command: &Command) -> Result<Vec<u8>> {
    let identity = Identity {
        certificate: certificate(kind),
        intermediates: Vec::new(),
    };
    sign(CONTENT, &identity, command, Some(now()))
}

fn shell(line: &str) -> Command {
    Command::shell(line, PATIENCE)
}

fn check(kind: &str, command: &Command) {
    let der = sign_with(kind, command).unwrap_or_else(|error| panic!("{kind}: {error}"));
    assert_eq!(verify(&der, &trust(kind)).unwrap().content, CONTENT);
}

#[test]
fn openssl_signs_what_it_reads() {
    if !installed("openssl") {
        return;
    }
    for kind in KINDS {
        let key = key_file(kind).display().to_string();
        let line = format!("openssl dgst -${{KILN_SIGN_ALGORITHM##*-}} -sign '{key}'");
        check(kind, &shell(&line));
        if kind.starts_with("rsa") {
            let key = crate::pki::key(kind);
            let identity = Identity {
                certificate: certificate(kind),
                intermediates: Vec::new(),
            };
            let own = sign(CONTENT, &identity, &key, Some(now())).unwrap();
            assert!(
                sign_with(kind, &shell(&line)).unwrap() == own,
                "RSA is not random"
            );
        }
    }
}

#[test]
fn openssl_signs_the_digest() {
    if !installed("openssl") {
        return;
    }
    let world = World::new();
    for kind in KINDS {
        let key = key_file(kind).display().to_string();
        // Some shells' printf knows no \x, so the digits become octal ones.
        let script = format!(
            "test \"$KILN_SIGN_ALGORITHM\" = {} || exit 9\n\
             digits=$KILN_SIGN_DIGEST\n\
             while test -n \"$digits\"; do\n\
             rest=${{digits#??}}; byte=${{digits%\"$rest\"}}; digits=$rest\n\
             printf \"\\\\$(printf %03o 0x$byte)\"\n\
             done > {digest}\n\
             openssl pkeyutl -sign -inkey '{key}' -in {digest} -pkeyopt digest:${{KILN_SIGN_ALGORITHM##*-}}",
            match kind {
                "p256" => "ecdsa-p256-sha256",
                "p384" => "ecdsa-p384-sha384",
                _ => "rsa-pkcs1-sha256",
            },
            digest = world.text("digest"),
        );
        check(kind, &shell(&script));
        let program = Command {
            program: "sh".into(),
            args: vec![world.write("script", script.as_bytes()).into()],
            timeout: PATIENCE,
            stop: Arc::default(),
        };
        check(kind, &program);
    }
}

#[test]
fn a_timeout_may_be_endless() {
    if !installed("openssl") {
        return;
    }
    let line = format!("openssl dgst -sha256 -sign '{}'", key_file("p256").display());
    check("p256", &Command::shell(&line, Duration::MAX));
}

#[test]
fn a_security_module_signs() {
    if !installed("pkcs11-tool") || !installed("softhsm2-util") || !installed("openssl") {
        return;
    }
    let world = World::new();
    std::fs::create_dir(world.path("tokens")).unwrap();
    let config = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
        world.text("tokens")
    );
    let config = world.write("softhsm2.conf", config.as_bytes());
    let module = "/usr/lib/softhsm/libsofthsm2.so";
    let tool = format!("SOFTHSM2_CONF={config} ");
    let sh = |line: &str| run("sh", &["-c", &format!("{tool}{line}")]);
    sh("softhsm2-util --init-token --free --label kiln --so-pin 1234 --pin 1234");
    for (id, kind) in ["p256", "p384", "rsa2048", "rsa4096"].into_iter().enumerate() {
        let key = world.text("key.der");
        openssl(&[
            "pkcs8",
            "-topk8",
            "-nocrypt",
            "-in",
            key_file(kind).to_str().unwrap(),
            "-out",
            &key,
        ]);
        sh(&format!(
            "softhsm2-util --import {key} --token kiln --label {kind} --id 0{id} --pin 1234"
        ));
        let common = format!("{tool}pkcs11-tool --module {module} --login --pin 1234 --sign --id 0{id}");
        let (input, output) = (world.text("input"), world.text("output"));
        if kind.starts_with("rsa") {
            let line = format!(
                "cat > {input}; {common} --mechanism SHA256-RSA-PKCS -i {input} -o {output} >&2 && cat {output}"
            );
            check(kind, &shell(&line));
            continue;
        }
        for form in ["rs", "openssl"] {
            let line = format!(
                "openssl dgst -${{KILN_SIGN_ALGORITHM##*-}} -binary > {input}; {common} --mechanism ECDSA \
                 --signature-format {form} -i {input} -o {output} >&2 && cat {output}"
            );
            check(kind, &shell(&line));
        }
    }
}

#[test]
fn raw_numbers_become_der() {
    if !installed("openssl") {
        return;
    }
    // What openssl gives as DER, made raw again here; often enough for numbers with leading zeros.
    let world = World::new();
    for kind in ["p256", "p384"] {
        let len = if kind == "p256" { 32 } else { 48 };
        let key = key_file(kind).display().to_string();
        for _ in 0..20 {
            let (input, der) = (world.text("input"), world.text("der"));
            let line =
                format!("tee {input} | openssl dgst -${{KILN_SIGN_ALGORITHM##*-}} -sign '{key}' | tee {der}");
            let first = sign_with(kind, &shell(&line)).unwrap();
            let der = std::fs::read(der).unwrap();
            let raw = world.write("raw", &raw(&der, len));
            let second = sign_with(kind, &shell(&format!("cat {raw}"))).unwrap();
            assert!(first == second);
        }
    }
}

/// The two numbers in the DER of a signature, each of the curve's length.
fn raw(der: &[u8], len: usize) -> Vec<u8> {
    let mut raw = Vec::new();
    let mut at = 2;
    for _ in 0..2 {
        let count = usize::from(der[at + 1]);
        let number = &der[at + 2..at + 2 + count];
        at += 2 + count;
        let digits: Vec<u8> = number.iter().copied().skip_while(|byte| *byte == 0).collect();
        raw.extend(vec![0; len - digits.len()]);
        raw.extend(digits);
    }
    raw
}

#[test]
fn commands_that_go_wrong() {
    let message = |line: &str| {
        let error = sign_with("p256", &shell(line)).unwrap_err();
        assert_eq!(error.fault(), image::Fault::Input, "{line}");
        error.to_string()
    };
    assert_eq!(message("exit 3"), "exit …: failed with status 3");
    assert_eq!(
        message("echo 'no such token\nat all' >&2; exit 1"),
        "echo …: failed with status 1: no such token at all"
    );
    assert_eq!(message("kill -9 $$"), "kill …: ended early: signal: 9 (SIGKILL)");
    assert_eq!(message("true"), "true: wrote no signature to its standard output");
    assert_eq!(
        message("cat /dev/zero"),
        "cat …: wrote more than 4096 bytes, which is no signature"
    );
    assert!(message("cat /dev/zero >&2 & exec sleep 0.1; kill $!").contains("wrote no signature"));
    let foreign = "what the signer gave is no signature by the key of O = Kiln, CN = Test p256";
    for garbage in [
        "echo garbage",
        "cat",
        "head -c 64 /dev/zero",
        "head -c 64 /dev/urandom",
        "printf 0",
    ] {
        assert_eq!(message(garbage), foreign, "{garbage}");
    }
    // A line may hold secrets.
    for (line, name) in [
        ("pkcs11-tool --pin 1234; exit 1", "pkcs11-tool …"),
        ("HSM=x pkcs11-tool --pin 1234; exit 1", "the signing command"),
        ("PIN='12 3456' pkcs11-tool; exit 1", "the signing command"),
    ] {
        let shown = format!("{} {:?}", message(line), shell(line));
        assert!(
            shown.starts_with(&format!("{name}: ")) && shown.ends_with(&format!("Command({name})")),
            "{shown}"
        );
        assert!(!shown.contains("1234") && !shown.contains("3456"), "{shown}");
    }
    let missing = Command {
        program: "/nonexistent/signer".into(),
        args: Vec::new(),
        timeout: PATIENCE,
        stop: Arc::default(),
    };
    let error = sign_with("p256", &missing).unwrap_err();
    assert_eq!(
        error.to_string(),
        "/nonexistent/signer: cannot be run: No such file or directory (os error 2)"
    );
    assert!(message("nonexistent-signer").contains("failed with status 127"));
}

#[test]
fn a_signature_by_another_key_is_refused() {
    if !installed("openssl") {
        return;
    }
    let world = World::new();
    let key = world.new_key("other").display().to_string();
    let error = sign_with("p256", &shell(&format!("openssl dgst -sha256 -sign {key}"))).unwrap_err();
    assert!(matches!(error, Error::ForeignSignature { .. }), "{error}");
}

#[test]
fn a_command_that_hangs_is_killed_with_its_children() {
    let world = World::new();
    let pid = world.text("pid");
    for line in [
        format!("sleep 1000 & echo $! > {pid}; wait"),
        // Nobody may wait for what it has left behind either.
        format!("sleep 1000 & echo $! > {pid}; exit 0"),
        format!("echo $$ > {pid}; exec >&-; exec sleep 1000"),
        format!("echo $$ > {pid}; trap '' TERM INT; while :; do sleep 1; done"),
    ] {
        let start = Instant::now();
        let command = Command::shell(&line, Duration::from_millis(500));
        let error = sign_with("p256", &command).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with(" …: gave no signature within 500ms and was stopped"),
            "{line}: {error}"
        );
        assert!(start.elapsed() < Duration::from_secs(20));
        let pid = std::fs::read_to_string(&pid).unwrap();
        let status = format!("/proc/{}/stat", pid.trim());
        let gone = || std::fs::read_to_string(&status).map_or(true, |stat| stat.contains(") Z "));
        let deadline = Instant::now() + Duration::from_secs(10);
        while !gone() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(gone(), "{line}: still there");
    }
}
