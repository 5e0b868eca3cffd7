//! Closures joined in a root without a store.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::fmt::Write as _;

use image::{Kind, Node, NodeId, Silent, Tree, show};
use layout::{LaidOut, Layout, Usr, lay_out};
use nix::StorePath;

fn path(letter: char, name: &str) -> StorePath {
    let hash = letter.to_string().repeat(32);
    format!("/nix/store/{hash}-{name}").parse().unwrap()
}

/// A closure in the making.
#[derive(Default)]
struct Store {
    tree: Tree,
    paths: Vec<StorePath>,
}

impl Store {
    fn add(&mut self, path: &StorePath, entry: &str, node: Node) -> &mut Store {
        if !self.paths.contains(path) {
            self.paths.push(path.clone());
            self.paths.sort();
        }
        self.tree
            .add_at(format!("{path}{entry}").as_bytes(), node)
            .unwrap();
        self
    }

    fn text(&mut self, path: &StorePath, entry: &str, text: impl AsRef<str>) -> &mut Store {
        let node = Node::file(text.as_ref().as_bytes()).mode(0o444);
        self.add(path, entry, node)
    }

    fn program(&mut self, path: &StorePath, entry: &str, text: impl AsRef<str>) -> &mut Store {
        let node = Node::file(text.as_ref().as_bytes()).mode(0o555);
        self.add(path, entry, node)
    }

    fn link(&mut self, path: &StorePath, entry: &str, target: impl AsRef<str>) -> &mut Store {
        self.add(path, entry, Node::symlink(target.as_ref()))
    }

    fn joined(&self, env: &StorePath, usr: Usr) -> LaidOut {
        let env = env.as_str().as_bytes();
        lay_out(&self.tree, &self.paths, env, Layout::Fhs(usr), &Silent).unwrap()
    }
}

/// Every entry, and what the report says. Of the slashes in the place of a store path one stays.
fn told(LaidOut { tree, report }: &LaidOut) -> String {
    let mut text = String::new();
    let short = |bytes: &[u8]| {
        let mut text = show(bytes);
        while text.contains("//") {
            text = text.replace("//", "/");
        }
        text
    };
    for entry in tree.walk().filter(|entry| entry.id != NodeId::ROOT) {
        let node = tree.node(entry.id);
        let what = match &node.kind {
            Kind::Directory(_) => "/".to_string(),
            Kind::Symlink(target) => format!(" -> {}", show(target)),
            Kind::File(content) => format!(" = {}", short(&content.to_vec().unwrap())),
            other => panic!("{other:?}"),
        };
        writeln!(text, "{:o} {}{what}", node.meta.mode, show(&entry.path)).unwrap();
    }
    let (files, references) = (report.rewritten_files, report.rewritten_references);
    writeln!(
        text,
        "{files} files, {references} references, {} links",
        report.rewritten_links
    )
    .unwrap();
    for conflict in &report.conflicts {
        writeln!(text, "conflict: {conflict}").unwrap();
    }
    for leftover in &report.leftovers {
        writeln!(text, "left: {leftover}").unwrap();
    }
    text
}

/// Packages as they are: a library, a program with an interpreter, an environment of links, single files.
fn system() -> (Store, StorePath) {
    let (glibc, bash, hello) = (path('g', "glibc-2.40"), path('b', "bash-5.2"), path('h', "hello"));
    let (env, profile, data) = (path('z', "env"), path('p', "profile.sh"), path('d', "hello-data"));
    let mut store = Store::default();
    store
        .text(&glibc, "/lib/libc.so.6", format!("looks in {glibc}/lib"))
        .program(&glibc, "/lib/ld.so", "ld.so")
        .link(&glibc, "/lib64", "lib")
        .link(&glibc, "/lib/libc.so", "libc.so.6")
        .program(&bash, "/bin/bash", format!("interpreter {glibc}/lib/ld.so"))
        .link(&bash, "/bin/sh", "bash")
        .text(&bash, "/nix-support/propagated-build-inputs", glibc.as_str())
        .text(&bash, "/share/info/dir", "bash's")
        .program(
            &hello,
            "/bin/hello",
            format!("#!{bash}/bin/bash\ncat {data}/share/hello/text; . {profile}\n"),
        )
        .link(&hello, "/share/hello", format!("{data}/share/hello"))
        .text(&hello, "/share/info/dir", "hello's")
        .text(
            &hello,
            &format!("/share/gdb/auto-load{glibc}/lib/libc.so.6-gdb.py"),
            "py",
        )
        .text(&data, "/share/hello/text", "hello")
        .link(&data, "/share/hello/again", "text")
        .link(&data, "/lib/up", format!("../../{}/lib/ld.so", glibc.base_name()))
        .text(&profile, "", format!("export PATH={env}/bin\n"))
        .link(&env, "/bin/bash", format!("{bash}/bin/bash"))
        .link(&env, "/bin/sh", format!("{bash}/bin/sh"))
        .link(&env, "/bin/hello", format!("{hello}/bin/hello"))
        .link(&env, "/share/hello", format!("{hello}/share/hello"))
        .link(&env, "/sbin", "bin")
        .add(&env, "/etc/empty", Node::directory());
    (store, env)
}

#[test]
fn a_closure_becomes_a_root() {
    let (store, env) = system();
    insta::assert_snapshot!(told(&store.joined(&env, Usr::AsItIs)));
}

#[test]
fn a_closure_becomes_a_root_with_usr() {
    let (store, env) = system();
    insta::assert_snapshot!(told(&store.joined(&env, Usr::Merged)));
}

#[test]
fn conflicts_follow_priority() {
    let (env, one, two) = (path('z', "env"), path('b', "one"), path('a', "two"));
    let other = path('c', "a-dependency");
    let mut store = Store::default();
    // The environment names two before one; what it does not name comes last.
    store
        .link(&env, "/bin/a", format!("{two}/bin/a"))
        .link(&env, "/bin/b", format!("{one}/bin/b"))
        .text(&one, "/bin/a", "one's a")
        .text(&two, "/bin/a", "two's a")
        .text(&one, "/bin/b", "one's b")
        .text(&other, "/bin/b", "another b")
        .text(&one, "/share/x", "one's x")
        .text(&two, "/share/x", "two's x")
        .text(&other, "/share/x", "another x")
        // The same bytes are no conflict, unless only one of them is a program.
        .text(&one, "/share/same", "same")
        .text(&two, "/share/same", "same")
        .text(&two, "/share/mode", "mode")
        .program(&one, "/share/mode", "mode")
        // They are compared as they are written.
        .text(&one, "/share/rewritten", format!("{one}/lib"))
        .text(&two, "/share/rewritten", format!("{two}/lib"))
        // A folder is not lost to a link; of a file and a folder the first one wins.
        .link(&two, "/share/dir", "/elsewhere")
        .text(&one, "/share/dir/in", "in a folder")
        .text(&two, "/share/file", "a file")
        .text(&one, "/share/file/in", "under a file")
        .text(&one, "/share/folder/in", "in a folder")
        .text(&other, "/share/folder", "a file under a folder")
        // Two links to the same place.
        .link(&one, "/share/link", "same")
        .link(&two, "/share/link", format!("{one}/share/same"));
    insta::assert_snapshot!(told(&store.joined(&env, Usr::AsItIs)));
}

#[test]
fn links_that_would_lead_in_circles_give_way() {
    let (env, one, two) = (path('z', "env"), path('a', "one"), path('b', "two"));
    let mut store = Store::default();
    store
        .link(&env, "/bin/x", format!("{one}/bin/y"))
        .link(&one, "/bin/y", format!("{two}/bin/x"))
        .text(&two, "/bin/x", "the real one")
        .link(&one, "/lib/gone", format!("{two}/nix-support/gone"))
        .text(&two, "/nix-support/gone", "dropped")
        .link(&one, "/lib/self", format!("{two}/lib/self"))
        .link(&one, "/lib/mounts", "/proc/mounts")
        .link(&two, "/lib/outside", path('c', "outside").to_string() + "/lib");
    insta::assert_snapshot!(told(&store.joined(&env, Usr::AsItIs)));
}

#[test]
fn the_order_of_paths_changes_nothing() {
    let (mut store, env) = system();
    let sorted = told(&store.joined(&env, Usr::AsItIs));
    store.paths.reverse();
    assert_eq!(told(&store.joined(&env, Usr::AsItIs)), sorted);
}
