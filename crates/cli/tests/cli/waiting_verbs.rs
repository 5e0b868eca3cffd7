//! Every verb, and what it can wait for: a new verb gets a row.

/// What a command has in place of a terminal and a reader.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Around {
    /// Nothing to read, and somebody who reads all.
    Usual,
    /// A standard input that stays open and says nothing.
    SilentInput,
    /// A standard output that takes nothing more.
    FullOutput,
    /// A standard error that takes nothing more.
    FullErrors,
}
pub(crate) use Around::{FullErrors, FullOutput, SilentInput, Usual};

/// A verb, what it waits for, and the rest of its command line.
pub(crate) type Row = (&'static str, &'static str, Around, &'static str);

/// In which SERVER and PUSH answer nothing, "pipe" is a named pipe that nobody has opened, "mute" one whose writer says
/// nothing, SIGNER and COMMAND commands that do not end, and CLOSURE one that is there.
pub(crate) const ROWS: [Row; 75] = [
    ("build", "a server", Usual, "server.toml --out made1"),
    ("build", "a pipe", Usual, "mute --out made2"),
    ("build", "a signer", Usual, "spec.toml --out out SIGNER"),
    ("build", "a reader of errors", FullErrors, "spec.toml --out made3"),
    (
        "tree",
        "a server",
        Usual,
        "server.toml --part fs.rootfs --out made8",
    ),
    ("tree", "a pipe", Usual, "mute --out made9"),
    ("plan", "a server", Usual, "server.toml"),
    ("plan", "a pipe", Usual, "pipe"),
    ("plan", "a reader", FullOutput, "spec.toml"),
    ("squashfs", "a server", Usual, "SERVER --out o"),
    ("squashfs", "standard input", SilentInput, "--tree - --out o"),
    ("squashfs", "a pipe", Usual, "--tree mute --out o"),
    ("squashfs", "a reader of errors", FullErrors, "CLOSURE --out o"),
    ("ext4", "a server", Usual, "SERVER --out o"),
    ("ext4", "standard input", SilentInput, "--tree - --out o"),
    ("ext4", "a reader of errors", FullErrors, "CLOSURE --out o"),
    ("btrfs", "a server", Usual, "SERVER --out o"),
    ("btrfs", "standard input", SilentInput, "--tree - --out o"),
    ("btrfs", "a pipe", Usual, "--tree mute --out o"),
    ("btrfs", "a reader of errors", FullErrors, "CLOSURE --out o"),
    ("erofs", "a server", Usual, "SERVER --out o"),
    ("erofs", "standard input", SilentInput, "--tree - --out o"),
    ("erofs", "a pipe", Usual, "--tree mute --out o"),
    ("erofs", "a reader of errors", FullErrors, "CLOSURE --out o"),
    ("fat", "standard input", SilentInput, "--tree - --out o"),
    ("fat", "a pipe", Usual, "--tree pipe --out o"),
    ("fat", "a reader of errors", FullErrors, "--tree none --out o"),
    ("script", "a reader of errors", FullErrors, "none --out o"),
    (
        "script",
        "a program that reads",
        FullOutput,
        "none --out o --json",
    ),
    ("bundle build", "a server", Usual, "server.toml --out made4"),
    ("bundle build", "a signer", Usual, "spec.toml --out made5 SIGNER"),
    ("bundle sign", "a signer", Usual, "plain.raucb --out o SIGNER"),
    (
        "bundle sign",
        "a pass phrase",
        Usual,
        "plain.raucb --out o LOCKED",
    ),
    (
        "bundle attach",
        "a signature",
        Usual,
        "plain.raucb mute --out o KEYRING",
    ),
    (
        "bundle resign",
        "a signer",
        Usual,
        "signed.raucb --out o --old-keyring keys/root.pem SIGNER",
    ),
    ("bundle verify", "a keyring", Usual, "signed.raucb --keyring pipe"),
    (
        "bundle verify",
        "a list of certificates",
        Usual,
        "signed.raucb KEYRING --crl mute",
    ),
    ("bundle verify", "a reader", FullOutput, "signed.raucb KEYRING"),
    ("bundle info", "a keyring", Usual, "signed.raucb --keyring mute"),
    ("bundle info", "a reader", FullOutput, "signed.raucb --no-verify"),
    (
        "bundle extract",
        "a keyring",
        Usual,
        "signed.raucb --keyring mute --out made6",
    ),
    (
        "bundle extract",
        "a reader of errors",
        FullErrors,
        "signed.raucb KEYRING --out made7",
    ),
    ("ls", "a server", Usual, "server.toml"),
    ("ls", "a reader", FullOutput, "signed.raucb -R"),
    ("cat", "a reader", FullOutput, "signed.raucb /manifest.raucm"),
    (
        "extract",
        "a reader of errors",
        FullErrors,
        "signed.raucb --out made10",
    ),
    ("info", "a reader", FullOutput, "signed.raucb"),
    ("check", "a keyring", Usual, "signed.raucb --keyring mute"),
    ("check", "a reader of errors", FullErrors, "signed.raucb"),
    ("diff", "a server", Usual, "spec.toml server.toml"),
    ("diff", "a reader", FullOutput, "signed.raucb plain.raucb"),
    ("report", "a server", Usual, "server.toml --out o"),
    ("report", "a reader of errors", FullErrors, "signed.raucb --out o"),
    ("flash", "a program that reads", FullOutput, "--json"),
    ("release verify", "a list of sums", Usual, "muted"),
    (
        "release sign",
        "a list of sums",
        Usual,
        "muted --key keys/locked.key",
    ),
    (
        "release key",
        "a pass phrase",
        Usual,
        "--out o --key keys/locked.key --passphrase-file mute",
    ),
    ("sbom", "a server", Usual, "server.toml --format spdx --out o"),
    (
        "sbom",
        "a reader of errors",
        FullErrors,
        "spec.toml --format spdx --out o",
    ),
    ("serve", "a server", Usual, "server.toml --listen 0"),
    ("serve", "clients", Usual, "spec.toml --socket socket1"),
    ("serve", "a reader", FullOutput, "spec.toml --socket socket2"),
    ("serve", "a command", Usual, "spec.toml --socket socket3 COMMAND"),
    ("run", "a server", Usual, "server.toml"),
    ("cache info", "a reader", FullOutput, "--cache cache"),
    (
        "cache info",
        "a program that reads",
        FullOutput,
        "--cache cache --json",
    ),
    ("cache prune", "a reader", FullOutput, "--cache cache"),
    ("cache push", "a server", Usual, "--cache cache PUSH"),
    ("cache verify", "a reader", FullOutput, "--cache cache"),
    ("cache verify", "a reader of errors", FullErrors, "--cache cache"),
    ("segments list", "a reader", FullOutput, "CLOSURE"),
    (
        "segments make",
        "a reader of errors",
        FullErrors,
        "CLOSURE --out cache",
    ),
    ("completions", "a reader", FullOutput, "bash"),
    ("man", "a reader", FullOutput, ""),
    ("man", "a program that reads", FullOutput, "--json"),
];
