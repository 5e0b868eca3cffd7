//! What goes wrong between a cache and us: each with its error, or without one where it passes.

use std::fs;
use std::time::Instant;

use image::Fault as Whose;
use nix::Trust;

use crate::made::{APP, BIG, LIB, Made, fetched, info, path, tree_of, trust};
use crate::server::{Fault, Server};

fn error(made: &Made, trust: Trust) -> (String, Whose) {
    let error = fetched(&[made.address()], trust, None).unwrap_err();
    (error.to_string(), error.fault())
}

/// What a server with one fault leads to.
fn served(name: &str, fault: Fault) -> Result<(), String> {
    let made = Made::new();
    let server = Server::new(made.path().into(), &[(name, fault)], true);
    let fetched = fetched(std::slice::from_ref(&server.address), trust(), None);
    fetched
        .map(|_| ())
        .map_err(|error| error.to_string().replace(&server.address, "CACHE"))
}

type Change = Box<dyn Fn(&Made)>;

#[test]
fn a_cache_that_lies_is_refused() {
    let flip = |place: usize| {
        move |mut bytes: Vec<u8>| {
            bytes[place] ^= 1;
            bytes
        }
    };
    let cases: [(Change, &str, Whose); 11] = [
        (
            Box::new(move |made| made.change("nar/big.nar", flip(5000))),
            "is not what its narinfo says",
            Whose::Input,
        ),
        (
            Box::new(move |made| made.change("nar/big.nar", flip(20))),
            "not a NAR, at byte",
            Whose::Input,
        ),
        (
            Box::new(|made| made.change("nar/big.nar", |bytes| bytes[..9000].to_vec())),
            "it ends too early",
            Whose::Input,
        ),
        (
            Box::new(|made| {
                made.change("nar/lib.nar", |bytes| [&bytes[..], b"more"].concat());
                made.change_info(LIB, |text| text.replace("FileSize: ", "FileSize: 1"));
            }),
            "bytes follow it",
            Whose::Input,
        ),
        (
            Box::new(|made| fs::remove_file(made.path().join("nar/lib.nar")).unwrap()),
            "but not its NAR",
            Whose::Input,
        ),
        (
            Box::new(|made| fs::remove_file(made.path().join(info(LIB))).unwrap()),
            "is not in file://",
            Whose::Input,
        ),
        (
            Box::new(|made| made.write(&info(LIB), &fs::read(made.path().join(info(BIG))).unwrap())),
            "is about /nix/store/1ib0rn0jdvh35xmfrwnxg16q2zsdjbk0-big, where",
            Whose::Input,
        ),
        (
            Box::new(|made| made.change_info(BIG, |text| text.replace("NarSize: 2", "NarSize: 3"))),
            "big.nar",
            Whose::Input,
        ),
        (
            Box::new(|made| {
                made.change(&info(APP), |bytes| {
                    String::from_utf8(bytes)
                        .unwrap()
                        .replace("NarSize: ", "NarSize: 1")
                        .into_bytes()
                });
            }),
            "its signature by made-1 does not fit",
            Whose::Untrusted,
        ),
        (
            Box::new(|made| made.write("nix-cache-info", b"StoreDir: /gnu/store\n")),
            "is a cache of the store /gnu/store, and images have /nix/store",
            Whose::Input,
        ),
        (
            Box::new(|made| fs::remove_file(made.path().join("nix-cache-info")).unwrap()),
            "is no binary cache",
            Whose::Input,
        ),
    ];
    for (change, problem, whose) in cases {
        let made = Made::new();
        assert!(fetched(&[made.address()], trust(), None).is_ok());
        change(&made);
        let (found, fault) = error(&made, trust());
        assert!(found.contains(problem), "{found}, and not {problem}");
        assert_eq!(fault, whose, "{found}");
    }
}

#[test]
fn nobody_is_trusted_unasked() {
    let made = Made::new();
    let nobody = || Trust::default();
    let (found, fault) = error(&made, nobody());
    assert!(
        found.contains("it is signed by made-1, and no key is trusted"),
        "{found}"
    );
    assert_eq!(fault, Whose::Untrusted);
    let other = Trust {
        keys: vec![nix::NIXOS_KEY.parse().unwrap()],
        unsigned: false,
    };
    assert!(error(&made, other).0.contains("trusted is cache.nixos.org-1"));
    let all = Trust {
        unsigned: true,
        ..nobody()
    };
    assert!(fetched(&[made.address()], all, None).is_ok());
}

/// A path that follows from its content needs no signature, as long as that is its content.
#[test]
fn content_addressed_paths_need_no_signature() {
    // What `builtins.toFile "greeting" "hello\n"` makes.
    let text = "/nix/store/ybf7by4xvcgjhwilsg87rqz9di79bify-greeting";
    let digest = "sha256:00xyyr3fi8l6hb839bv3f7yb86yjv7xi1cgh1xnhipym4asvb4aq";
    let made = Made::new();
    let tree = image::Tree::new(image::Node::file(&b"hello\n"[..]));
    let mut nar = Vec::new();
    nix::nar::write(&tree, image::NodeId::ROOT, &mut nar, &image::Silent).unwrap();
    let (hash, size) = nix::nar::hash(&tree, image::NodeId::ROOT, &image::Silent).unwrap();
    let narinfo = |ca: &str| {
        format!(
            "StorePath: {text}\nURL: nar/g.nar\nCompression: none\nNarHash: {hash}\nNarSize: {size}\nCA: {ca}\n"
        )
    };
    made.write("nar/g.nar", &nar);
    let ask = |ca: &str| {
        made.write(&info(text), narinfo(ca).as_bytes());
        let caches = nix::Caches::open(&[made.address()], &crate::made::options(), Trust::default()).unwrap();
        let mut found = caches
            .find(&[path(text)], &image::Silent)
            .map_err(|error| error.to_string())?;
        let spool = image::Spool::create(&std::env::temp_dir()).unwrap();
        let fetching = nix::Fetching {
            spool: &spool,
            download: None,
            threads: 1,
            progress: &image::Silent,
        };
        found
            .fetch(u64::MAX, &fetching)
            .map_err(|error| error.to_string())
    };
    assert_eq!(ask(&format!("text:{digest}")), Ok(()));
    assert!(
        ask(&format!("fixed:{digest}"))
            .unwrap_err()
            .contains("nobody has signed it")
    );
    assert!(
        ask("text:sha256:nonsense")
            .unwrap_err()
            .contains("nobody has signed it")
    );
    made.change("nar/g.nar", |bytes| {
        String::from_utf8(bytes)
            .unwrap()
            .replace("hello", "HELLO")
            .into_bytes()
    });
    assert!(
        ask(&format!("text:{digest}"))
            .unwrap_err()
            .contains("is not what its narinfo says")
    );
}

#[test]
fn what_passes_is_waited_for() {
    for fault in [
        Fault::StatusFirst(500, 2),
        Fault::StatusFirst(503, 1),
        Fault::CutFirst(800_000),
    ] {
        assert_eq!(served("nar/big.nar", fault), Ok(()), "{fault:?}");
    }
    assert_eq!(served(&info(LIB), Fault::StatusFirst(502, 2)), Ok(()));
}

#[test]
fn what_does_not_pass_is_told() {
    let tried = "(tried 3 times)";
    for (name, fault, problem) in [
        (
            "nar/big.nar",
            Fault::Status(500),
            format!("CACHE/nar/big.nar: the server answers 500 {tried}"),
        ),
        (
            "nar/big.nar",
            Fault::Status(403),
            "CACHE/nar/big.nar: the server answers 403, and there is no password for 127.0.0.1".into(),
        ),
        (
            "nar/big.nar",
            Fault::Cut(1000),
            format!("CACHE/nar/big.nar: the connection ends before the object does {tried}"),
        ),
        (
            "nar/big.nar",
            Fault::Stall(100_000),
            format!("CACHE/nar/big.nar: the connection is silent {tried}"),
        ),
        (
            "nix-cache-info",
            Fault::Status(500),
            format!("CACHE/nix-cache-info: the server answers 500 {tried}"),
        ),
    ] {
        let begun = Instant::now();
        assert_eq!(served(name, fault), Err(problem));
        assert!(begun.elapsed().as_secs() < 15, "{fault:?}");
    }
    let short = served("nar/big.nar", Fault::Short(5000)).unwrap_err();
    assert!(short.contains("it ends too early"), "{short}");
    let refused = fetched(&["http://127.0.0.1:1".into()], trust(), None)
        .unwrap_err()
        .to_string();
    assert!(refused.contains("127.0.0.1:1/nix-cache-info: "), "{refused}");
}

#[test]
fn a_transfer_goes_on_where_it_broke() {
    let made = Made::new();
    let fault = [("nar/big.nar", Fault::CutFirst(800_000))];
    let server = Server::new(made.path().into(), &fault, true);
    fetched(std::slice::from_ref(&server.address), trust(), None).unwrap();
    assert_eq!(server.asked("nar/big.nar"), [0, 800_000, 1_600_000]);
    // Where there are no ranges, it begins anew and leaves out what it has.
    let fault = [("nar/big.nar", Fault::StatusFirst(500, 1))];
    let server = Server::new(made.path().into(), &fault, false);
    fetched(std::slice::from_ref(&server.address), trust(), None).unwrap();
    assert_eq!(server.asked("nar/big.nar"), [0, 0]);
}

#[test]
fn what_was_fetched_is_not_fetched_again() {
    let (made, kept) = (Made::new(), tempfile::tempdir().unwrap());
    let download = Some(kept.path());
    let cut = Server::new(
        made.path().into(),
        &[("nar/big.nar", Fault::Cut(1_000_000))],
        true,
    );
    fetched(std::slice::from_ref(&cut.address), trust(), download).unwrap_err();
    let whole = Server::new(made.path().into(), &[], true);
    let (_, tree) = fetched(std::slice::from_ref(&whole.address), trust(), download).unwrap();
    assert_eq!(whole.asked("nar/big.nar"), [1_000_000], "only the rest");
    assert_eq!(
        whole.asked("nar/lib.nar"),
        [] as [usize; 0],
        "nothing of what was complete"
    );
    assert_same(&tree, BIG);
    // All of it is there now.
    let again = Server::new(made.path().into(), &[], true);
    fetched(std::slice::from_ref(&again.address), trust(), download).unwrap();
    assert!(again.asked("nar/big.nar").is_empty());
    // What was damaged on our disk is fetched anew.
    let names = image::scan(kept.path(), image::Keep::default()).unwrap();
    for entry in names.walk().filter(|entry| entry.path.ends_with(b".nar.none")) {
        let file = kept
            .path()
            .join(String::from_utf8(entry.path).unwrap().trim_start_matches('/'));
        let mut bytes = fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&file, bytes).unwrap();
    }
    let mended = Server::new(made.path().into(), &[], true);
    let (_, tree) = fetched(std::slice::from_ref(&mended.address), trust(), download).unwrap();
    assert_eq!(mended.asked("nar/big.nar"), [0]);
    assert_same(&tree, BIG);
}

/// Whether a path of the fetched tree is what it was.
pub(crate) fn assert_same(tree: &image::Tree, text: &str) {
    let root = tree.lookup(text.as_bytes()).unwrap();
    let made = tree_of(text);
    let hash = |tree, node| nix::nar::hash(tree, node, &image::Silent).unwrap();
    assert_eq!(hash(tree, root), hash(&made, image::NodeId::ROOT));
}
