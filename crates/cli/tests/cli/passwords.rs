//! Caches that want a password: where it comes from, where it never goes to, and what is said when there is none.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;

use insta::assert_snapshot;

use crate::cache::{bytes, entries, large};
use crate::sources;
use crate::world::{SYSTEM, Said, World};

/// `me:secret`.
const BASIC: &str = "Basic bWU6c2VjcmV0";

/// What is said on the command line.
type Words<'a> = &'a [&'a str];

/// What is said in the environment.
type Variables<'a> = &'a [(&'a str, &'a str)];

const NETRC: &str = "machine 127.0.0.1 login me password secret\n";

/// A server of a folder, for whoever has the password: with PUT, too. Answers its port.
fn server(folder: PathBuf) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let folder = folder.clone();
            thread::spawn(move || answer(&folder, stream));
        }
    });
    port
}

fn answer(folder: &Path, mut stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut request, mut line) = (String::new(), String::new());
    reader.read_line(&mut request)?;
    let (mut len, mut known) = (0, false);
    while reader.read_line(&mut line)? > 2 {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
            len = value.trim().parse().unwrap();
        }
        known |= line.trim_end().ends_with(BASIC);
        line.clear();
    }
    let mut sent = Vec::new();
    reader.take(len).read_to_end(&mut sent)?;
    let mut words = request.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = folder.join(path.trim_start_matches('/'));
    let (status, body) = match (known, method) {
        (false, _) => ("401 No\r\nWWW-Authenticate: Basic realm=\"team\"", Vec::new()),
        (_, "PUT") => {
            fs::create_dir_all(path.parent().unwrap())?;
            fs::write(path, sent)?;
            ("201 Created", Vec::new())
        }
        _ => match fs::read(path) {
            Ok(bytes) => ("200 OK", bytes),
            Err(_) => ("404 Not Found", Vec::new()),
        },
    };
    let len = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {len}\r\n\r\n"
    )?;
    if method != "HEAD" {
        stream.write_all(&body)?;
    }
    Ok(())
}

/// A world whose cache wants a password, and the address of that.
fn world() -> (World, String) {
    let world = sources::world();
    let address = format!("http://127.0.0.1:{}", server(world.path("cache")));
    world.write("passwords", NETRC.as_bytes());
    mode(&world, "passwords", 0o600);
    (world, address)
}

fn mode(world: &World, file: &str, mode: u32) {
    fs::set_permissions(world.path(file), fs::Permissions::from_mode(mode)).unwrap();
}

/// Makes an ext4 out of the cache.
fn ext4(world: &World, address: &str, options: Words, variables: Variables) -> Said {
    let arguments = ["ext4", "--closure", address, "--path", SYSTEM, "--allow-unsigned"];
    let more = ["--out", "out/a.ext4", "--label", "x", "--fetch-tries", "1"];
    let variables = variables.iter().map(|(name, value)| {
        let folder = world.path("").display().to_string();
        (*name, value.replace("HERE/", &folder))
    });
    let mut kiln = world.kiln(&[&arguments, &more[..], options].concat());
    kiln.envs(variables).output().unwrap().into()
}

fn refused(world: &World, address: &str, options: Words, variables: Variables) -> String {
    let before = world.files();
    let said = ext4(world, address, options, variables);
    let stderr = world.check_refusal(3, &before, said);
    stderr.replace(address.trim_start_matches("http://127.0.0.1"), ":PORT")
}

#[test]
fn a_cache_wants_a_password_and_gets_none() {
    let (world, address) = world();
    let nowhere = [("NIX_CONF_DIR", "HERE/nowhere")];
    assert_snapshot!(refused(&world, &address, &[], &nowhere), @"
    error: http://127.0.0.1:PORT/nix-cache-info: the server answers 401: it wants a password, and there is none for 127.0.0.1
    hint: write `machine 127.0.0.1 login NAME password PASSWORD` into a netrc file, and give it with --netrc-file; closure.netrc-file, $NETRC and Nix's own /etc/nix/netrc do, too
    ");
    world.write("wrong", NETRC.replace("secret", "guessed").as_bytes());
    mode(&world, "wrong", 0o600);
    assert_snapshot!(refused(&world, &address, &["--netrc-file", "wrong"], &[]), @"
    error: http://127.0.0.1:PORT/nix-cache-info: the server answers 401 to the password for 127.0.0.1 in wrong
    hint: check the name and the password, and what the server lets them do
    ");
    // A file that is there and cannot be read might have had it.
    fs::create_dir_all(world.path("nix/netrc")).unwrap();
    assert_snapshot!(refused(&world, &address, &[], &[("NIX_CONF_DIR", "HERE/nix")]), @"
    error: http://127.0.0.1:PORT/nix-cache-info: the server answers 401: it wants a password, and there is none for 127.0.0.1
    hint: nix/netrc cannot be read: Is a directory (os error 21); write `machine 127.0.0.1 login NAME password PASSWORD` into a netrc file, and give it with --netrc-file; closure.netrc-file, $NETRC and Nix's own /etc/nix/netrc do, too
    ");
}

#[test]
fn a_file_of_passwords_that_is_named_has_to_be_one() {
    let (world, address) = world();
    assert_snapshot!(refused(&world, &address, &["--netrc-file", "nothing"], &[]), @"error: nothing: cannot be read: No such file or directory (os error 2)");
    assert_snapshot!(refused(&world, &address, &[], &[("NETRC", "nothing")]), @"error: nothing: cannot be read: No such file or directory (os error 2)");
    world.write("broken", b"machine h\n  password \"secret\n");
    mode(&world, "broken", 0o600);
    assert_snapshot!(refused(&world, &address, &["--netrc-file", "broken"], &[]), @"error: broken, line 2: a quoted word does not end");
}

/// The image is that of the local store, wherever the password stands.
#[test]
fn a_password_is_found_where_users_have_it() {
    let (world, address) = world();
    let local = ["ext4", "--closure", "closure-info", "--store-root", "store"];
    world.done(&[&local[..], &["--out", "out/local.ext4", "--label", "x"]].concat());
    let wanted = fs::read(world.path("out/local.ext4")).unwrap();
    world.write("nix/netrc", NETRC.as_bytes());
    mode(&world, "nix/netrc", 0o600);
    let setting = format!("netrc-file = {}\n", world.path("passwords").display());
    world.write("set/nix.conf", setting.as_bytes());
    world.write("home/.config/nix/nix.conf", setting.as_bytes());
    let nowhere = ("NIX_CONF_DIR", "HERE/nowhere");
    let ways: [(Words, Variables); 8] = [
        (&["--netrc-file", "passwords"], &[nowhere]),
        (&["--netrc-file", "passwords"], &[("NETRC", "nothing")]),
        (&[], &[("NETRC", "passwords"), nowhere]),
        (&[], &[("NIX_CONF_DIR", "HERE/nix")]),
        (&[], &[("NIX_CONF_DIR", "HERE/set")]),
        (&[], &[("HOME", "HERE/home"), nowhere]),
        (&[], &[("XDG_CONFIG_HOME", "HERE/home/.config"), nowhere]),
        (&[], &[("NIX_CONFIG", &setting), nowhere]),
    ];
    for (options, variables) in ways {
        let said = ext4(&world, &address, options, variables);
        assert_eq!(said.code, Some(0), "{options:?}, {variables:?}: {}", said.stderr);
        assert!(!said.stderr.contains("warning:"), "{}", said.stderr);
        assert!(fs::read(world.path("out/a.ext4")).unwrap() == wanted);
        fs::remove_file(world.path("out/a.ext4")).unwrap();
    }
    let in_address = address.replace("http://", "http://me:secret@");
    assert_eq!(ext4(&world, &in_address, &[], &[nowhere]).code, Some(0));
    // In a build of Nix, only what is named is looked at.
    let in_nix = [("NIX_CONF_DIR", "HERE/nix"), ("NIX_BUILD_TOP", "/build")];
    assert_eq!(ext4(&world, &address, &[], &in_nix).code, Some(3));
    // Where nothing is far away, no password is looked for.
    let near = [&local[..], &["--out", "out/near.ext4"]].concat();
    let near = world.kiln(&near).env("NETRC", "nothing").output().unwrap();
    assert!(near.status.success());
}

#[test]
fn files_of_passwords_are_for_their_owner() {
    let (world, address) = world();
    world.write("nix/netrc", NETRC.as_bytes());
    for file in ["passwords", "nix/netrc"] {
        mode(&world, file, 0o644);
    }
    let ways: [(Words, Variables, &str); 2] = [
        (&["--netrc-file", "passwords"], &[], "passwords"),
        (&[], &[("NIX_CONF_DIR", "HERE/nix")], "nix/netrc"),
    ];
    for (options, variables, file) in ways {
        let said = ext4(&world, &address, options, variables);
        let warning = format!(
            "{file}: other users may read the passwords in it: its mode is 0644, and this file's should be 0600"
        );
        assert!(said.stderr.contains(&warning), "{}", said.stderr);
        assert_eq!(said.stderr.matches("warning:").count(), 1, "{}", said.stderr);
    }
    // Nix's file says nothing of this host, so nothing is said of it.
    world.write("nix/netrc", b"machine h password secret");
    let said = ext4(&world, &address, &[], &[("NIX_CONF_DIR", "HERE/nix")]);
    assert!(
        said.code == Some(3) && !said.stderr.contains("warning:"),
        "{}",
        said.stderr
    );
}

/// The key of a specification, and a password in one, which goes no further.
#[test]
fn a_specification_names_the_file() {
    let (world, address) = world();
    let near = "from = \"closure-info\"\nstore-root = \"store\"";
    let far = |address: &str| {
        format!(
            "from = \"{address}\"\ntoplevel = \"{SYSTEM}\"\nallow-unsigned = true\nnetrc-file = \"passwords\""
        )
    };
    world.edit("spec.toml", near, &far(&address));
    let built = world.run(&["build", "spec.toml", "--out", "out", "--no-cache"]);
    assert_eq!(built.code, Some(0), "{}", built.stderr);
    assert!(!built.stderr.contains("warning:"), "{}", built.stderr);
    world.done(&["plan", "spec.toml"]);
    // The option comes first.
    let said = world.run(&["plan", "spec.toml", "--netrc-file", "/dev/null"]);
    assert_eq!(said.code, Some(3), "{}", said.stderr);
    world.edit("spec.toml", "http://127", "http://me:secret@127");
    for arguments in [
        &["build", "spec.toml", "--out", "out", "--no-cache"][..],
        &["build", "spec.toml", "--out", "out", "--no-cache", "--json"],
        &["plan", "spec.toml"],
        &["plan", "spec.toml", "--json"],
    ] {
        let said = world.run(arguments);
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        assert!(
            said.stderr
                .contains(": a specification is no place for a password; a netrc file is one (--netrc-file)")
                && said.stderr.contains("closure.from: http://me:…@127.0.0.1:"),
            "{}",
            said.stderr
        );
        assert!(!said.stderr.contains("secret") && !said.stdout.contains("secret"));
    }
    for name in world.outputs() {
        let bytes = fs::read(world.path("out").join(&name)).unwrap();
        assert!(!bytes.windows(6).any(|bytes| bytes == b"secret"), "{name}");
    }
}

#[test]
fn shared_caches_may_want_a_password_too() {
    let world = large(4);
    world.write("passwords", NETRC.as_bytes());
    mode(&world, "passwords", 0o600);
    let address = format!("http://127.0.0.1:{}", server(world.path("team")));
    let build = |out: &str, words: &[&str]| crate::cache::build(&world, out, words);
    build("cold", &["--cache", "cache"]);
    let push = ["cache", "push", "--cache", "cache", "--to", &address];
    let stderr = world.refused(5, &push);
    assert!(
        stderr.contains("it wants a password, and there is none for 127.0.0.1")
            && stderr.contains("--netrc-file"),
        "{stderr}"
    );
    world.done(&[&push[..], &["--netrc-file", "passwords"]].concat());
    let count = entries(&world.path("cache")).len();
    assert_eq!(entries(&world.path("team")).len(), count);
    let from = [
        "--cache",
        "new",
        "--cache-from",
        &address,
        "--netrc-file",
        "passwords",
    ];
    let stderr = build("warm", &from);
    assert!(!stderr.contains("warning:"), "{stderr}");
    assert_eq!(entries(&world.path("new")).len(), count);
    assert!(bytes(&world, "warm") == bytes(&world, "cold"));
    let stderr = build("alone", &["--no-cache", "--cache-from", &address]);
    assert!(
        stderr.contains("this shared cache is not asked any more"),
        "{stderr}"
    );
    let to = format!("http://me:secret@{}", address.trim_start_matches("http://"));
    fs::remove_dir_all(world.path("team")).unwrap();
    let stderr = build("third", &["--no-cache", "--cache-to", &to]);
    assert!(!stderr.contains("secret"), "{stderr}");
    assert!(!entries(&world.path("team")).is_empty());
}
