//! The guide's way: an image is built unsigned, signed elsewhere, and built again with the signatures.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::{built, from_esp, has_stub, partitions};
use crate::demo::{kiln, kiln_program, workspace};
use crate::nix_world::{names, world};
use crate::tools::{installed, path, run, tool};

/// The commands of a section of the guide, run as they stand there.
fn follow(heading: &str, folder: &Path) {
    let guide = fs::read_to_string(workspace().join("docs/guide-appliance-nix.md")).unwrap();
    let section = guide
        .split("\n## ")
        .find(|section| section.starts_with(heading))
        .unwrap_or_else(|| panic!("the guide has no section {heading}"));
    let commands = section
        .split("```sh\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let programs = kiln_program();
    let programs = programs.parent().unwrap().display();
    let mut shell = tool("sh");
    shell.args(["-euc", commands]).current_dir(folder);
    shell.env("PATH", format!("{programs}:{}", path()));
    run(shell.env("GNUPGHOME", folder.join("gnupg")));
}

/// Keys of three kinds: the firmware's, somebody else's, and the releases'.
fn keys(folder: &Path) {
    for name in ["db", "other"] {
        let file = |end: &str| folder.join(format!("{name}.{end}"));
        let mut command = tool("openssl");
        command.args([
            "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "3650", "-subj",
        ]);
        command.arg(format!("/CN={name}"));
        run(command
            .arg("-keyout")
            .arg(file("key"))
            .arg("-out")
            .arg(file("pem")));
    }
    let home = folder.join("gnupg");
    fs::create_dir(&home).unwrap();
    let mut gpg = tool("gpg");
    gpg.env("GNUPGHOME", &home)
        .args(["--batch", "--quiet", "--passphrase", ""]);
    run(gpg.args(["--quick-generate-key", "releases@example.org", "rsa2048", "sign"]));
}

#[test]
fn an_image_is_signed_elsewhere() {
    let tools = ["sbsign", "sbverify", "openssl", "gpg", "gpgv", "sfdisk", "mtype"];
    if !installed(&tools) || !has_stub() {
        return;
    }
    let Some(world) = world() else { return };
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    keys(folder);
    let signatures = folder.join("signatures");
    fs::create_dir(&signatures).unwrap();
    let link = |attribute: &str| {
        let outputs = built(&world, attribute, |command| {
            command.env("KILN_SIGNATURES", &signatures);
        });
        for (name, place) in ["unsigned", "release", "uki"].iter().zip(&outputs) {
            drop(fs::remove_file(folder.join(name)));
            symlink(place, folder.join(name)).unwrap();
        }
        outputs
    };

    follow("Keys", folder);
    let unsigned = link("first");
    assert!(!names(&unsigned[1]).contains(&"SHA256SUMS.gpg".to_owned()));
    follow("Sign elsewhere", folder);
    // With what was signed elsewhere, the same configuration is signed.
    let signed = link("signed");
    let image = signed[0].join("appliance_1.img");
    let esp = &partitions(&image)["esp"][0];
    let verify = |file: &Path| {
        run(tool("sbverify")
            .arg("--cert")
            .arg(folder.join("db.pem"))
            .arg(file));
        let mut other = tool("sbverify");
        other.arg("--cert").arg(folder.join("other.pem")).arg(file);
        assert!(!other.output().unwrap().status.success(), "{}", file.display());
    };
    let loader = format!(
        "/EFI/BOOT/BOOT{}.EFI",
        if cfg!(target_arch = "aarch64") {
            "AA64"
        } else {
            "X64"
        }
    );
    for path in [loader.as_str(), "/EFI/Linux/appliance_1+3-0.efi"] {
        let file = folder.join("program.efi");
        fs::write(&file, from_esp(&image, esp, path)).unwrap();
        verify(&file);
    }
    verify(&signed[1].join("appliance_1.efi"));
    verify(&signed[2].join("appliance_1+3.efi"));
    // Everything else is what it was.
    let partitions = |release: &Path| -> Vec<String> {
        let sums = fs::read_to_string(release.join("SHA256SUMS")).unwrap();
        let lines = sums.lines().filter(|line| line.contains(".raw"));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(partitions(&unsigned[1]), partitions(&signed[1]));
    assert_eq!(partitions(&signed[1]).len(), 2);

    follow("Sign the release", folder);
    let [_, release, _] = link("released");
    assert!(names(&release).contains(&"SHA256SUMS.gpg".to_owned()));
    run(tool("gpgv")
        .arg("--keyring")
        .arg(folder.join("import-pubring.gpg"))
        .args(["SHA256SUMS.gpg", "SHA256SUMS"])
        .current_dir(&release));

    run(kiln()
        .args(["release", "verify"])
        .arg(&release)
        .arg("--keyring")
        .arg(folder.join("import-pubring.gpg")));

    // What somebody signed who has another kernel image in mind is refused.
    fs::copy(signatures.join("systemd-boot.p7"), signatures.join("uki.p7")).unwrap();
    let mut command = super::nix(&world, "nix-build");
    command.args(["--no-out-link", "-A", "signed.image"]);
    let output = command.env("KILN_SIGNATURES", &signatures).output().unwrap();
    let said = crate::tools::said(&output);
    assert!(!output.status.success() && said.contains("uki.main"), "{said}");
}
