//! One part without a specification, and what the tool says of itself.

use std::fs;
use std::sync::Arc;

use insta::assert_snapshot;

use crate::world::{SYSTEM, World, without_digests};

#[test]
fn a_squashfs() {
    let world = World::new();
    let link = ["--symlink", "/init={toplevel}/init", "--directory", "/proc"];
    let from = [
        "squashfs",
        "--closure",
        "closure-info",
        "--store-root",
        "store",
        "--out",
        "out/a.squashfs",
    ];
    assert_snapshot!(without_digests(&world.done(&[&from[..], &link[..]].concat())), @"out/a.squashfs  12 KiB  fsverity [digest]");
    let bytes = image::Content::from(fs::read(world.path("out/a.squashfs")).unwrap());
    let len = bytes.len();
    let tree = squashfs::read::Archive::open(Arc::new(bytes), len)
        .unwrap()
        .tree()
        .unwrap();
    let target = |path: &[u8]| match &tree.node(tree.lookup(path).unwrap()).kind {
        image::Kind::Symlink(target) => String::from_utf8(target.to_vec()).unwrap(),
        _ => String::new(),
    };
    assert_eq!(target(b"/init"), format!("{SYSTEM}/init"));
    assert!(tree.lookup(b"/proc").is_some());
}

#[test]
fn a_fat() {
    let world = World::new();
    let args = [
        "fat",
        "--file",
        "/boot/Image=idbloader.img",
        "--label",
        "BOOT",
        "--out",
        "out/a.vfat",
    ];
    assert_snapshot!(without_digests(&world.done(&args)), @"out/a.vfat  3 MiB  fsverity [digest]");
}

#[test]
fn a_script() {
    let world = World::new();
    let args = [
        "script",
        "boot.cmd",
        "--set",
        "buildId=one",
        "--out",
        "out/boot.scr",
    ];
    assert_snapshot!(without_digests(&world.done(&args)), @"out/boot.scr  81 B  fsverity [digest]");
    let bytes = fs::read(world.path("out/boot.scr")).unwrap();
    assert_eq!(&bytes[72..], b"echo one\n");
}

#[test]
fn one_part_for_machines() {
    let world = World::new();
    let args = ["script", "boot.cmd", "--json", "--out", "out/boot.scr"];
    assert_snapshot!(without_digests(&world.done(&args)), @r#"
    {
      "file": "out/boot.scr",
      "size": 87,
      "fsverity": "[digest]"
    }
    "#);
}

/// Lines of nothing but spaces are empty lines.
fn help_of(world: &World, args: &[&str]) -> String {
    let text = world.done(args);
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n")
}

#[test]
fn help() {
    let world = World::new();
    assert_snapshot!(help_of(&world, &["--help"]), @r"
    Turns Nix closures and plain trees into flashable disk images: no root, no VM, the same bytes on any
    host

    Usage: kiln [OPTIONS] <COMMAND>

    Commands:
      build        Make everything that a specification describes
      plan         Show what a build would make, and write nothing
      tree         Make a folder of what a file system of a specification holds
      squashfs     Make a squashfs of a closure or a folder, without a specification
      ext4         Make an ext4 of a closure or a folder, without a specification
      btrfs        Make a btrfs of a closure or a folder, without a specification
      erofs        Make an erofs of a closure or a folder, without a specification
      fat          Make a FAT of a folder or files, without a specification
      script       Make a boot script for U-Boot, without a specification
      bundle       Build, sign, verify and look into update bundles
      release      Verify and sign releases for systemd-sysupdate
      ls           List what is in an image, a bundle, an archive, a device, or what a specification
                   would make
      cat          Print a file that is in an image
      extract      Make a folder or a file of what is in an image, and nothing outside of it
      info         Show what an image is
      check        Check all that can be checked of an image, part by part
      diff         Compare two images, outputs or specifications: options, files, store paths, and what
                   an update costs
      serve        Serve what a specification describes, or an image, to programs that speak NBD, and
                   write nothing
      run          Boot what a specification describes, or an image, in QEMU, from the bytes that would
                   be written
      cache        Look into the cache of compressed segments, and keep it small and sound
      segments     List the compressed segments that images of a closure have, and make them in advance
      completions  Print completions for a shell
      man          Print the manual page
      help         Print this message or the help of the given subcommand(s)

    Options:
      -j, --jobs <N>  How many threads work; all cores when not given. Never changes a byte
          --json      Print results and errors as JSON
      -h, --help      Print help
      -V, --version   Print version

    Exit codes:
        0  done
        1  `kiln diff` has found a difference
        2  the command line or the specification makes no sense
        3  an input is missing, unreadable, or not what it claims to be
        4  something does not fit where it shall go
        5  the output cannot be written
        6  an image that was read is damaged
        7  a signature is not trusted
      130  stopped by the user
    ");
}

#[test]
fn help_of_a_build() {
    let world = World::new();
    assert_snapshot!(help_of(&world, &["build", "--help"]), @r"
    Make everything that a specification describes

    Usage: kiln build [OPTIONS] --out <DIR> <SPEC>

    Arguments:
      <SPEC>
              The specification, TOML or JSON

    Options:
          --out <DIR>
              The folder that receives the outputs, all in one moment; it is made when its parent is
              there

          --only <PART>
              Make only this part (fs.NAME, script.NAME, verity.NAME, verity.NAME.signature, disk,
              bundle or release), and no manifest, of which an older one goes; can be repeated

          --seed <SEED>
              What all ids derive from, in place of the specification's seed

          --profile <PROFILE>
              How hard squashfs are compressed, in place of the specification's profile

              Possible values:
              - dev:     Quickly, whatever their levels say: zstd 3, xz 1, gzip 1
              - release: As their levels say

          --rehash
              Where a store path is not what it is registered as, take it as it is

          --download-dir <DIR>
              Keep what is fetched from caches here: a build that was stopped goes on where it was, and
              the next one fetches only what is new

          --fetch-timeout <SECONDS>
              How many seconds a connection may be silent; 30 when not given

          --fetch-tries <N>
              How often a request that fails is tried; 5 times when not given

          --netrc-file <FILE>
              A netrc file with the passwords of caches over http:// and https://; the one of $NETRC, or
              else Nix's own (netrc-file of its nix.conf, or /etc/nix/netrc), when not given

          --cache <DIR>
              The folder that keeps compressed segments between builds; ~/.cache/kiln, or where XDG
              says, when not given, and none in Nix's sandbox

          --no-cache
              Use no cache folder

          --cache-size <SIZE>
              How large the cache may stay

              [default: 20GiB]

          --reuse <PATH>
              An image, a file system or a bundle of an earlier build, with its manifest beside it, or a
              folder of segments: what did not change is taken from there; can be repeated

          --cache-from <URL>
              A shared cache (file://, http://, https://, s3://) that is asked for what is missing,
              while that is being compressed; what comes from it is compared with the files; can be
              repeated

          --cache-to <URL>
              A shared cache that gets what it does not have, as far as that takes no longer than the
              build

          --unsigned
              Leave the bundle unsigned, and write what is to be signed beside it

          --key <FILE>
              The key: P-256, P-384, or RSA of 2048 to 4096 bits, in PEM

          --passphrase-file <FILE>
              A file whose first line is the key's pass phrase

          --signer-cmd <COMMAND>
              A command that signs what it reads from standard input, for keys that live elsewhere

          --signer-timeout <SECONDS>
              After how many seconds that command is stopped

              [default: 120]

          --certificate <FILE>
              The signer's certificate, in PEM or DER; more in it are its intermediates

          --intermediate <FILE>
              A certificate between it and the devices' own; can be repeated

          --signing-time <TIME>
              The time of signing, in seconds since 1970, or `now`; `$SOURCE_DATE_EPOCH`, or when the
              certificate becomes valid, when not given

          --keyring <FILE>
              The certificates that devices trust, in PEM, which is all that devices read

          --purpose <WHAT>
              What the signer's certificate must be good for; smimesign when nothing is said, as on
              devices

              Possible values:
              - smimesign: Signing mail
              - codesign:  Signing code
              - any:       Whatever

          --crl <FILE>
              A list of revoked certificates, in PEM or DER; can be repeated

          --partial-chain
              Trust any certificate of the keyring, not only those that are nobody else's

          --allowed-signer <NAME>
              The signer's common name must be this one, or another that is given so; can be repeated

          --at <TIME>
              The time at which certificates must be valid, in seconds since 1970, or `now`. When not
              given: now, and the time of signing where something is signed

          --sha256
              Say the SHA-256 of every output too, not only of what is compressed or a bundle; holes
              cost as much as bytes

      -j, --jobs <N>
              How many threads work; all cores when not given. Never changes a byte

          --json
              Print results and errors as JSON

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn completions_and_the_manual_page() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            world.done(&["completions", shell]).contains("squashfs"),
            "{shell}"
        );
    }
    assert!(world.done(&["man"]).starts_with(".ie"));
}

#[test]
fn no_command() {
    let world = World::new();
    let said = world.run(&["bild", "spec.toml"]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""));
    assert_snapshot!(said.stderr, @r"
    error: unrecognized subcommand 'bild'

      tip: a similar subcommand exists: 'build'

    Usage: kiln [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
}
