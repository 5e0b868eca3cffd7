//! Servers that want a password: who gets it, how it is said, and what is said when there is none.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may panic and say why it is skipped"
)]

mod curl;
mod server;

use std::sync::Arc;
use std::time::Duration;

use remote::{Error, Netrc, Options, Remote};

use server::{Reply, Request, Server};

/// `me:secret`.
const BASIC: &str = "Basic bWU6c2VjcmV0";

const WANTS_BASIC: &str = "WWW-Authenticate: Basic realm=\"tests\"";

fn options(netrc: &str) -> Options {
    let netrc = Netrc::parse("a netrc", netrc.as_bytes()).unwrap();
    Options {
        tries: 2,
        pause: Duration::from_millis(1),
        stall: Duration::from_secs(5),
        netrc: Some(Arc::new(netrc)),
        ..Options::default()
    }
}

fn open(address: &str, netrc: &str) -> Remote {
    Remote::open(address, &options(netrc)).unwrap()
}

fn get(remote: &Remote, key: &str) -> Result<String, Error> {
    let object = remote.get(key, 1 << 20)?.unwrap();
    Ok(String::from_utf8(object.bytes).unwrap())
}

fn refusal() -> Reply {
    Reply::refused(401, &[WANTS_BASIC], "no")
}

#[test]
fn a_password_is_said_with_every_request() {
    let server = Server::asking(BASIC, refusal());
    let at = |user: &str| format!("http://{user}127.0.0.1:{}/cache", server.port);
    let netrc = "machine 127.0.0.1 login me password secret";
    for (address, netrc) in [
        (at(""), netrc),
        (at("me:secret@"), ""),
        // What the address says comes first, and the file has what it leaves open.
        (at("m%65:%73ecret@"), "machine 127.0.0.1 login me password other"),
        (
            at("me@"),
            "machine 127.0.0.1 login other password no\nmachine 127.0.0.1 login me password secret",
        ),
        (at(""), "default login me password secret"),
        (
            at(""),
            "machine other login a password b\ndefault login me password secret",
        ),
    ] {
        let remote = open(&address, netrc);
        assert_eq!(get(&remote, "key").unwrap(), "content", "{address}, {netrc}");
        assert!(remote.has("key").unwrap());
        assert!(remote.stream("key", 0).unwrap().is_some());
        remote.put("key", 4, &|| Ok(Box::new(&b"body"[..]))).unwrap();
        let asked = server.asked();
        assert_eq!(asked.len(), 4, "{asked:?}");
        assert_eq!(asked[3].body, b"body");
        let said = |request: &Request| request.authorization.as_deref() == Some(BASIC);
        assert!(asked.iter().all(said), "{asked:?}");
        assert!(!format!("{remote:?}").contains("secret"), "{remote:?}");
    }
}

/// The server says that it wants a token; from then on it gets one.
#[test]
fn a_token_is_said_as_the_server_wants_it() {
    for wants in ["Bearer realm=\"a\", error=\"invalid\"", "bearer"] {
        let wants = format!("WWW-Authenticate: {wants}");
        let server = Server::asking("Bearer a.b-c_d", Reply::refused(401, &[&wants], ""));
        for (address, netrc) in [
            (server.at("127.0.0.1"), "machine 127.0.0.1 password a.b-c_d"),
            (server.at("name:a.b-c_d@127.0.0.1"), ""),
            (server.at("a.b-c_d@127.0.0.1"), ""),
        ] {
            let remote = open(&address, netrc);
            remote.put("key", 4, &|| Ok(Box::new(&b"body"[..]))).unwrap();
            assert_eq!(get(&remote, "key").unwrap(), "content");
            let asked = server.asked();
            let methods: Vec<&str> = asked.iter().map(|request| &*request.method).collect();
            assert_eq!(methods, ["PUT", "PUT", "GET"], "{asked:?}");
            assert_eq!(asked[1].body, b"body");
        }
        // The wrong one is said once.
        let error = get(&open(&server.at("127.0.0.1"), "default password no"), "key").unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("answers 401 to the password for 127.0.0.1 in a netrc"),
            "{error}"
        );
        assert_eq!(server.told().len(), 2);
        let odd = open(&server.at("127.0.0.1"), "default password \"no\\ntoken\"");
        let error = get(&odd, "key").unwrap_err().to_string();
        assert!(
            error.ends_with("this password has characters of no token"),
            "{error}"
        );
    }
    // Who takes both gets the name, too.
    let both = ["WWW-Authenticate: Bearer", WANTS_BASIC];
    let server = Server::asking("Basic OmE=", Reply::refused(401, &both, ""));
    let remote = open(&server.at("127.0.0.1"), "default login x password a");
    assert!(get(&remote, "key").is_err());
    assert_eq!(server.told().len(), 1);
}

/// 127.0.0.1 is the cache's own host, localhost another one; a login of the address, or one for all hosts, stays with the
/// cache.
#[test]
fn a_password_goes_to_no_other_server() {
    let other = Arc::new(Server::new(|_| Reply::found("elsewhere")));
    let port = other.port;
    for status in [301, 302, 303, 307, 308] {
        for host in ["localhost", "127.0.0.1"] {
            let to = format!("http://{host}:{port}/elsewhere?signature=x");
            let server = Server::new(move |_| Reply::redirect(status, &to));
            for (address, netrc, wanted) in [
                (server.at("me:secret@127.0.0.1"), "", None),
                (server.at("127.0.0.1"), "default login me password secret", None),
                (
                    server.at("me:secret@127.0.0.1"),
                    "machine localhost login a password b\nmachine 127.0.0.1 login a password b",
                    Some("Basic YTpi"),
                ),
            ] {
                let remote = open(&address, netrc);
                assert_eq!(get(&remote, "key").unwrap(), "elsewhere");
                assert!(remote.has("key").unwrap());
                assert_eq!(server.told(), vec![Some(BASIC.to_string()); 2]);
                let told = vec![wanted.map(str::to_string); 2];
                assert_eq!(other.told(), told, "{status} to {host}, {address}, {netrc}");
            }
            let only_here = open(
                &server.at("127.0.0.1"),
                "machine 127.0.0.1 login me password secret",
            );
            assert_eq!(get(&only_here, "key").unwrap(), "elsewhere");
            let told = other.told();
            // Another port of the host that the file names is that host.
            assert_eq!(told[0].is_some(), host == "127.0.0.1", "{told:?}");
        }
    }
}

/// A key that is a whole address is one of another server, as a redirection's target is.
#[test]
fn whole_addresses_are_asked_like_redirections() {
    let other = Server::new(|_| Reply::found("elsewhere"));
    let server = Server::asking(BASIC, refusal());
    let remote = open(
        &server.at("127.0.0.1"),
        "machine 127.0.0.1 login me password secret\ndefault login a password b",
    );
    let key = format!("http://localhost:{}/nar/x?signature=secret", other.port);
    assert_eq!(get(&remote, &key).unwrap(), "elsewhere");
    assert_eq!(other.told(), [None]);
    assert_eq!(other.asked().len(), 0);
    assert_eq!(
        remote.name_of(&key),
        format!("http://localhost:{}/nar/x?…", other.port)
    );
    let own = format!("{}/key", server.at("127.0.0.1"));
    assert_eq!(get(&remote, &own).unwrap(), "content");
    // A bucket's object may be elsewhere, a folder's may not.
    let bucket = format!("s3://bucket?scheme=http&endpoint=127.0.0.1:{}", server.port);
    let bucket = open(&bucket, "default login a password b");
    assert_eq!(get(&bucket, &key).unwrap(), "elsewhere");
    assert_eq!(other.told(), [None]);
    let folder = tempfile::tempdir().unwrap();
    let folder = open(&format!("file://{}", folder.path().display()), "");
    let error = get(&folder, &key).unwrap_err().to_string();
    assert!(
        error.ends_with("is an address, and a folder has files only"),
        "{error}"
    );
    // Over https comes nothing of http.
    let secure = open("https://127.0.0.1:1", "");
    let error = get(&secure, &key).unwrap_err().to_string();
    assert!(
        error.contains("an address with http, which is not followed"),
        "{error}"
    );
    assert!(!error.contains("secret"), "{error}");
    assert_eq!(other.asked().len(), 0);
}

#[test]
fn redirections_end() {
    let server = Server::new(|request| Reply::redirect(302, &format!("{}x", request.path)));
    let error = get(&open(&server.at("127.0.0.1"), ""), "key").unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("the server redirects more than 10 times"),
        "{error}"
    );
    for to in ["ftp://h/x", "http://", "file:///etc/passwd"] {
        let server = Server::new(move |_| Reply::redirect(302, to));
        let error = get(&open(&server.at("127.0.0.1"), ""), "key").unwrap_err();
        assert!(
            error.to_string().contains("to no address that can be asked"),
            "{error}"
        );
    }
    // What is sent is sent again where a server says so, and is else not taken for sent.
    let other = Server::new(|_| Reply::found(""));
    for (status, sent) in [(301, 0), (302, 0), (303, 0), (307, 1), (308, 1)] {
        let to = other.at("localhost");
        let server = Server::new(move |_| Reply::redirect(status, &to));
        let remote = open(&server.at("127.0.0.1"), "");
        let put = remote.put("key", 4, &|| Ok(Box::new(&b"body"[..])));
        let put = put.map_err(|error| error.to_string());
        let asked = other.asked();
        assert_eq!(
            asked.iter().filter(|request| request.body == b"body").count(),
            sent
        );
        assert_eq!(put.is_ok(), sent == 1, "{put:?}");
        if let Err(error) = put {
            assert!(error.contains("give the address that takes it"), "{error}");
        }
    }
}

/// Every kind of server, told nothing and told the wrong thing.
#[test]
fn refusals_say_what_to_do() {
    let xml = "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>";
    let attic = "{\"code\":401,\"error\":\"Unauthorized\",\"message\":\"Unauthorized.\"}";
    for (reply, said, hint, wrong) in [
        (
            Reply::refused(401, &[WANTS_BASIC], ""),
            ": it wants a password, and there is none for 127.0.0.1",
            "write `machine 127.0.0.1 login NAME password PASSWORD` into a netrc file, and give it with --netrc-file",
            "check the name and the password",
        ),
        (
            Reply::refused(403, &[], ""),
            ", and there is no password for 127.0.0.1",
            "--netrc-file",
            "check the name and the password",
        ),
        (
            Reply::refused(401, &[], attic),
            ": it wants a password, and there is none for 127.0.0.1",
            "`attic use` writes ~/.config/nix/netrc with `machine 127.0.0.1 password TOKEN`",
            "atticadm make-token --pull",
        ),
        (
            Reply::refused(403, &["x-amz-request-id: 1"], xml),
            "",
            "this is a bucket, and it is not public",
            "takes no passwords",
        ),
        (
            Reply::refused(401, &["WWW-Authenticate: Negotiate"], ""),
            ": it wants a password, and there is none for 127.0.0.1",
            "it asks for the scheme negotiate",
            "Kiln knows Basic and Bearer",
        ),
    ] {
        let status = reply.status;
        let server = Server::new(move |_| reply.clone());
        let error = get(&open(&server.at("127.0.0.1"), ""), "key").unwrap_err();
        let object = format!("{}/key", server.at("127.0.0.1"));
        assert_eq!(
            error.to_string(),
            format!("{object}: the server answers {status}{said}")
        );
        assert!(error.hint().unwrap().contains(hint), "{:?}", error.hint());
        for (address, netrc, place) in [
            (server.at("me:secret@127.0.0.1"), "", "the address"),
            (
                server.at("127.0.0.1"),
                "default login me password secret",
                "a netrc",
            ),
        ] {
            let error = open(&address, netrc).has("key").unwrap_err();
            let text = error.to_string();
            let wanted = format!("the server answers {status} to the password for 127.0.0.1 in {place}");
            assert!(text.ends_with(&wanted), "{text}");
            assert!(!text.contains("secret"), "{text}");
            let error = get(&open(&address, netrc), "key").unwrap_err();
            assert!(error.hint().unwrap().contains(wrong), "{:?}", error.hint());
        }
    }
}

/// A file that only root may read may have been the right one.
#[test]
fn a_netrc_that_cannot_be_read_is_told_when_it_might_help() {
    let server = Server::asking(BASIC, refusal());
    let unreadable = Netrc::unreadable("/etc/nix/netrc", "Permission denied".into());
    let options = Options {
        netrc: Some(Arc::new(unreadable)),
        ..options("")
    };
    let remote = Remote::open(&server.at("127.0.0.1"), &options).unwrap();
    let hint = get(&remote, "key").unwrap_err().hint().unwrap();
    assert!(
        hint.starts_with("/etc/nix/netrc cannot be read: Permission denied; write"),
        "{hint}"
    );
    let remote = Remote::open(&server.at("me:no@127.0.0.1"), &options).unwrap();
    let hint = get(&remote, "key").unwrap_err().hint().unwrap();
    assert!(hint.starts_with("check the name"), "{hint}");
}
