//! Keys in all the forms that openssl writes, and what never shows.

use signature::{Error, Key, Signer};

use crate::oracle::installed;
use crate::pki::{KINDS, World, key, key_file, openssl};

fn read(bytes: &[u8]) -> Result<Key, Error> {
    Key::read(bytes, None)
}

/// What an error says; a key has no such words.
fn message(result: Result<Key, Error>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn every_form_of_a_key_is_read() {
    if !installed("openssl") {
        return;
    }
    for kind in KINDS {
        let file = key_file(kind);
        let (file, known) = (file.to_str().unwrap(), key(kind).public_key());
        let traditional = openssl(&["pkey", "-in", file, "-traditional"]);
        let label = if kind.starts_with("rsa") { "RSA" } else { "EC" };
        assert!(traditional.starts_with(format!("-----BEGIN {label} PRIVATE KEY").as_bytes()));
        assert_eq!(read(&traditional).unwrap().public_key(), known);
        for encryption in [
            &["-v2", "aes-256-cbc"][..],
            &["-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA512"],
            &["-scrypt"],
        ] {
            let mut args = vec!["pkcs8", "-topk8", "-in", file, "-passout", "pass:s3cret"];
            args.extend(encryption);
            let encrypted = openssl(&args);
            assert!(encrypted.starts_with(b"-----BEGIN ENCRYPTED"));
            let decrypted = Key::read(&encrypted, Some(b"s3cret")).unwrap();
            assert_eq!(decrypted.public_key(), known);
            assert!(matches!(read(&encrypted), Err(Error::PassphraseMissing)));
            for wrong in ["", "s3cret ", "another"] {
                let error = Key::read(&encrypted, Some(wrong.as_bytes())).unwrap_err();
                assert!(
                    matches!(error, Error::PassphraseWrong),
                    "{kind} {encryption:?}: {error}"
                );
            }
        }
        // A pass phrase that is not needed is no mistake.
        let plain = std::fs::read(file).unwrap();
        assert_eq!(Key::read(&plain, Some(b"s3cret")).unwrap().public_key(), known);
        let certificate = std::fs::read(file.replace(".key", ".pem")).unwrap();
        assert_eq!(read(&[certificate, plain].concat()).unwrap().public_key(), known);
    }
}

#[test]
fn parameters_may_stand_in_front() {
    if !installed("openssl") {
        return;
    }
    for (curve, name) in [("prime256v1", "P-256"), ("secp384r1", "P-384")] {
        let pem = openssl(&["ecparam", "-name", curve, "-genkey"]);
        assert!(pem.starts_with(b"-----BEGIN EC PARAMETERS"));
        assert_eq!(read(&pem).unwrap().public_key().unwrap().to_string(), name);
        let alone = openssl(&["ecparam", "-name", curve, "-genkey", "-noout"]);
        assert_eq!(read(&alone).unwrap().public_key().unwrap().to_string(), name);
    }
    let explicit = openssl(&[
        "ecparam",
        "-name",
        "prime256v1",
        "-genkey",
        "-param_enc",
        "explicit",
    ]);
    assert!(read(&explicit).is_err());
}

#[test]
fn other_keys_are_refused_with_a_reason() {
    if !installed("openssl") {
        return;
    }
    let made = |args: &str| {
        let mut line = vec!["genpkey"];
        line.extend(args.split(' '));
        message(read(&openssl(&line)))
    };
    let supported = "signatures are made with ECDSA keys on P-256 or P-384, or RSA keys of 2048 to 4096 bits";
    assert_eq!(
        made("-algorithm ED25519"),
        format!(
            "the private key is an Ed25519 key, whose CMS signatures OpenSSL and so RAUC cannot verify; {supported}"
        )
    );
    assert_eq!(
        made("-algorithm RSA -pkeyopt rsa_keygen_bits:1024"),
        format!("the private key is an RSA key of 1024 bits; {supported}")
    );
    assert_eq!(
        made("-algorithm EC -pkeyopt ec_paramgen_curve:P-521"),
        format!("the private key is an ECDSA key on P-521; {supported}")
    );
    let file = key_file("p256");
    let file = file.to_str().unwrap();
    let old = openssl(&[
        "pkey",
        "-in",
        file,
        "-traditional",
        "-aes256",
        "-passout",
        "pass:s3cret",
    ]);
    assert!(message(Key::read(&old, Some(b"s3cret"))).contains("openssl pkcs8 -topk8"));
    for args in [
        &["-v2", "des3"][..],
        &["-v1", "PBE-SHA1-3DES"],
        &["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA1"],
    ] {
        let mut line = vec!["pkcs8", "-topk8", "-in", file, "-passout", "pass:s3cret"];
        line.extend(args);
        let text = message(Key::read(&openssl(&line), Some(b"s3cret")));
        assert!(
            text.contains("openssl pkcs8 -topk8 -v2 aes-256-cbc"),
            "{args:?}: {text}"
        );
    }
    let costly = openssl(&[
        "pkcs8", "-topk8", "-in", file, "-passout", "pass:a", "-iter", "10000001",
    ]);
    assert!(
        message(Key::read(&costly, Some(b"a")))
            .ends_with("takes 10000001 rounds, which is none or more than the limit of 10000000")
    );
    let public = openssl(&["pkey", "-in", file, "-pubout"]);
    assert_eq!(
        message(read(&public)),
        "the private key cannot be read: the file holds no private key in PEM"
    );
    let one = std::fs::read(file).unwrap();
    assert!(message(read(&[one.clone(), one].concat())).contains("several private keys"));
    assert!(message(read(b"")).contains("no private key"));
}

/// The numbers that a private key is made of, in all the ways in which they could show.
fn secrets(world: &World, kind: &str) -> Vec<String> {
    let file = key_file(kind);
    let pem = std::fs::read_to_string(&file).unwrap();
    let mut secrets: Vec<String> = pem
        .lines()
        .filter(|line| !line.starts_with('-'))
        .map(str::to_owned)
        .collect();
    let der = world.text("key.der");
    openssl(&[
        "pkey",
        "-in",
        file.to_str().unwrap(),
        "-outform",
        "DER",
        "-traditional",
        "-out",
        &der,
    ]);
    let der = std::fs::read(der).unwrap();
    for window in der.windows(8) {
        secrets.push(data_encoding::HEXLOWER.encode(window));
        secrets.push(window.iter().map(u8::to_string).collect::<Vec<_>>().join(", "));
    }
    secrets
}

#[test]
fn keys_never_show() {
    if !installed("openssl") {
        return;
    }
    let world = World::new();
    for kind in ["p256", "rsa2048"] {
        let key = key(kind);
        let mut shown = vec![format!("{key:?} {key:#?}")];
        assert!(shown[0].starts_with("Key("), "{shown:?}");
        let pem = std::fs::read_to_string(key_file(kind)).unwrap();
        for len in (0..pem.len()).step_by(7) {
            let mut bad = pem.clone();
            bad.replace_range(len..=len, "!");
            for bytes in [&pem[..len], &bad] {
                if let Err(error) = read(bytes.as_bytes()) {
                    shown.push(format!("{error} {error:?}"));
                }
            }
        }
        let other = crate::pinned::certificate("p384");
        let identity = signature::Identity {
            certificate: other,
            intermediates: Vec::new(),
        };
        let error = signature::sign(b"", &identity, &key, None).unwrap_err();
        shown.push(format!("{error} {error:?} {identity:?}"));
        let shown = shown.concat().to_lowercase();
        for secret in secrets(&world, kind) {
            assert!(!shown.contains(&secret.to_lowercase()), "{kind}: {secret}");
        }
    }
}
