//! NARs that lie at another server than their narinfos, which nobody has signed: what comes from there is believed no more
//! and no less.

use std::fs;

use crate::failures::assert_same;
use crate::made::{APP, BIG, LIB, Made, fetched, info, trust};
use crate::server::{Fault, Server};

/// The narinfo says that its NAR lies here.
fn place(made: &Made, url: &str) {
    made.change(&info(BIG), |bytes| {
        let text = String::from_utf8(bytes).unwrap();
        text.replace("URL: nar/big.nar", &format!("URL: {url}"))
            .into_bytes()
    });
}

#[test]
fn a_nar_may_lie_at_another_server() {
    let (made, other) = (Made::new(), Made::new());
    fs::remove_file(made.path().join("nar/big.nar")).unwrap();
    let elsewhere = Server::new(
        other.path().into(),
        &[("nar/big.nar", Fault::CutFirst(800_000))],
        true,
    );
    place(&made, &format!("{}/nar/big.nar", elsewhere.address));
    let server = Server::new(made.path().into(), &[], true);
    let addresses = std::slice::from_ref(&server.address);
    let (_, tree) = fetched(addresses, trust(), None).unwrap();
    for text in [APP, BIG, LIB] {
        assert_same(&tree, text);
    }
    // It goes on where it broke.
    assert_eq!(elsewhere.asked("nar/big.nar"), [0, 800_000, 1_600_000]);
    // What is kept for the next time is known by its hash.
    let kept = tempfile::tempdir().unwrap();
    fetched(addresses, trust(), Some(kept.path())).unwrap();
    let before = elsewhere.asked("nar/big.nar").len();
    fetched(addresses, trust(), Some(kept.path())).unwrap();
    assert_eq!(elsewhere.asked("nar/big.nar").len(), before);
    // Another NAR there is refused.
    other.change("nar/big.nar", |mut bytes| {
        bytes[5000] ^= 1;
        bytes
    });
    let error = fetched(addresses, trust(), None).unwrap_err().to_string();
    let wanted = format!("{}/nar/big.nar: is not what its narinfo says", elsewhere.address);
    assert!(error.starts_with(&wanted), "{error}");
    fs::remove_file(other.path().join("nar/big.nar")).unwrap();
    let error = fetched(addresses, trust(), None).unwrap_err().to_string();
    assert!(error.contains("but not its NAR http://127.0.0.1:"), "{error}");
}

#[test]
fn errors_do_not_show_signatures_of_addresses() {
    let folder = Made::new();
    folder.write("gone?signature=secret", b"");
    let no = Server::new(
        folder.path().into(),
        &[("gone?signature=secret", Fault::Status(403))],
        true,
    );
    for address in ["http://127.0.0.1:1/x", &format!("{}/gone", no.address)] {
        let made = Made::new();
        let server = Server::new(made.path().into(), &[], true);
        place(&made, &format!("{address}?signature=secret"));
        let error = fetched(std::slice::from_ref(&server.address), trust(), None).unwrap_err();
        let error = error.to_string();
        assert!(error.starts_with(&format!("{address}?…: ")), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

/// As in Nix, whose caches in folders have no NARs elsewhere.
#[test]
fn a_folder_has_its_nars_itself() {
    let made = Made::new();
    place(&made, "http://127.0.0.1:1/x");
    let error = fetched(&[made.address()], trust(), None).unwrap_err().to_string();
    assert!(error.contains("a folder has files only"), "{error}");
}
