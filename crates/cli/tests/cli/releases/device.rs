//! Devices that take releases: systemd-sysupdate of four versions, on a disk that is a file.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::{build, listed, next, partition, ran, run, with_stub};
use crate::oracle::installed;
use crate::world::World;

/// The partitions that a release replaces.
const REGIONS: [&str; 3] = ["root", "root-verity", "root-verity-sig"];

/// A device: a disk with a second slot of each partition, and what it has in its root.
struct Device<'w> {
    world: &'w World,
    sysupdate: &'static str,
}

impl<'w> Device<'w> {
    /// One with the disk of version 1.
    fn new(world: &'w World, sysupdate: &'static str) -> Device<'w> {
        let device = Device { world, sysupdate };
        let _ = fs::remove_dir_all(world.path("t"));
        fs::create_dir_all(world.path("t/esp/EFI/Linux")).unwrap();
        fs::copy(world.path("v1/kilnos.img"), world.path("t/disk.raw")).unwrap();
        fs::copy(
            world.path("v1/release/kilnos_1.efi"),
            world.path("t/esp/EFI/Linux/kilnos_1.efi"),
        )
        .unwrap();
        for (region, sectors) in [("root", 4096), ("root-verity", 128), ("root-verity-sig", 32)] {
            let kind = disk::PartitionType::parse(&region.replace("root", "root-x86-64")).unwrap();
            let kind = format!("0:{}", kind.guid().unwrap());
            let place = format!("0:0:+{sectors}");
            ran(
                world,
                "sgdisk",
                &[
                    "--new",
                    &place,
                    "--typecode",
                    &kind,
                    "--change-name",
                    "0:_empty",
                    "t/disk.raw",
                ],
            );
        }
        world.done(&["extract", "v1/root.ext4", "/", "--out", "t/root"]);
        for name in ["import-pubring.gpg", "os-release"] {
            fs::copy(
                world.path(&format!("t/root/{name}")),
                world.path(&format!("t/{name}")),
            )
            .unwrap();
        }
        // The disk is a file here, and the ESP a folder.
        for name in listed(world, "t/root/sysupdate.d") {
            let path = world.path(&format!("t/root/sysupdate.d/{name}"));
            let text = fs::read_to_string(&path).unwrap();
            let text = text
                .replace("Path=auto", "Path=/t/disk.raw")
                .replace("Path=/EFI", "Path=/t/esp/EFI")
                .replace("Path=/boot/EFI", "Path=/t/esp/EFI")
                .replace("PathRelativeTo=boot\n", "");
            fs::write(&path, text).unwrap();
        }
        device
    }

    /// Puts a release onto the server.
    fn serve(&self, out: &str) {
        let _ = fs::remove_dir_all(self.world.path("t/release"));
        fs::create_dir(self.world.path("t/release")).unwrap();
        for name in listed(self.world, &format!("{out}/release")) {
            let from = self.world.path(&format!("{out}/release/{name}"));
            fs::copy(from, self.world.path(&format!("t/release/{name}"))).unwrap();
        }
    }

    fn update(&self) -> (bool, String) {
        run(
            self.world,
            self.sysupdate,
            &["t", "--definitions=/t/root/sysupdate.d", "update"],
        )
    }

    /// A version is in slots with its label: the very bytes of its images, and the image beside them.
    fn check(&self, out: &str, version: &str, manifest: &Value) {
        let label = format!("kilnos_{version}");
        let table = ran(self.world, "sfdisk", &["--json", "t/disk.raw"]);
        let table: Value = serde_json::from_str(&table).unwrap();
        let disk = fs::read(self.world.path("t/disk.raw")).unwrap();
        for (region, image) in REGIONS
            .into_iter()
            .zip(["root.ext4", "root.verity", "root.verity-sig"])
        {
            let kind = disk::PartitionType::parse(&region.replace("root", "root-x86-64")).unwrap();
            let kind = kind.guid().unwrap().to_string().to_uppercase();
            let partitions = table["partitiontable"]["partitions"].as_array().unwrap();
            let slot = partitions
                .iter()
                .find(|slot| slot["name"] == *label && slot["type"] == *kind);
            assert!(slot.is_some(), "{region}: {table}");
            let slot = slot.unwrap();
            let start = usize::try_from(slot["start"].as_u64().unwrap() * 512).unwrap();
            let image = fs::read(self.world.path(&format!("{out}/{image}"))).unwrap();
            assert!(disk[start..start + image.len()] == image, "{region}");
            let entry = partition(manifest, region);
            assert_eq!(entry["label"], *label);
            if let Some(uuid) = entry["partuuid"].as_str() {
                assert_eq!(slot["uuid"].as_str().unwrap().to_lowercase(), uuid, "{region}");
            }
            let attributes = slot["attrs"].as_str().unwrap_or_default();
            assert_eq!(
                attributes,
                if region == "root" { "GUID:60" } else { "" },
                "{region}"
            );
        }
        let image = fs::read(self.world.path(&format!("t/esp/EFI/Linux/{label}+3-0.efi"))).unwrap();
        assert!(image == fs::read(self.world.path(&format!("{out}/main.efi"))).unwrap());
    }
}

/// What the manifests of versions 2 and 10 say, which stand in `v2` and `v3` beside version 1 in `v1`. Version 10, signed with
/// another key, stands in `foreign`.
struct Offered {
    second: Value,
    third: Value,
}

fn offered(world: &World) -> Offered {
    build(world, "v1", &[]);
    next(world, "1", "2");
    let second = build(world, "v2", &[]);
    world.edit("spec.toml", "url =", "compress = \"none\"\nurl =");
    next(world, "2", "10");
    let third = build(world, "v3", &[]);
    let [ours, others] = ["rsa", "other"].map(|name| format!("sign = {{ key = \"{name}.key\""));
    world.edit("spec.toml", &ours, &others);
    build(world, "foreign", &[]);
    world.edit("spec.toml", &others, &ours);
    Offered { second, third }
}

impl Device<'_> {
    /// Refuses what somebody else has signed or changed, and takes two versions, one after the other.
    fn lives(&self, offered: &Offered) {
        let (world, sysupdate) = (self.world, self.sysupdate);
        let refused = |why: &str| {
            let before = fs::read(world.path("t/disk.raw")).unwrap();
            let (done, said) = self.update();
            assert!(!done, "{sysupdate}, {why}: {said}");
            assert!(
                before == fs::read(world.path("t/disk.raw")).unwrap(),
                "{sysupdate}, {why}"
            );
            assert_eq!(
                listed(world, "t/esp/EFI/Linux"),
                ["kilnos_1.efi"],
                "{sysupdate}, {why}"
            );
        };
        self.serve("foreign");
        refused("another key");
        self.serve("v2");
        let sums = world.path("t/release/SHA256SUMS");
        let mut bytes = fs::read(&sums).unwrap();
        bytes[0] = if bytes[0] == b'0' { b'1' } else { b'0' };
        fs::write(&sums, bytes).unwrap();
        refused("other sums");
        self.serve("v2");
        let (done, said) = self.update();
        assert!(done, "{sysupdate}: {said}");
        self.check("v2", "2", &offered.second);
        // The older version is still there; the next one takes its slots.
        self.check_label("kilnos_1", 3);
        fs::write(world.path("t/os-release"), "IMAGE_ID=kilnos\nIMAGE_VERSION=2\n").unwrap();
        self.serve("v3");
        let (done, said) = self.update();
        assert!(done, "{sysupdate}: {said}");
        self.check("v3", "10", &offered.third);
        self.check_label("kilnos_1", 0);
    }
}

#[test]
fn systemd_sysupdate_takes_releases_and_refuses_what_others_signed() {
    let Some(world) = with_stub() else { return };
    if !["sysupdate-257", "sysupdate-262", "sgdisk", "sfdisk"]
        .into_iter()
        .all(installed)
    {
        return;
    }
    world.edit("spec.toml", "url =", "best-before = \"2999-12-31\"\nurl =");
    let offered = offered(&world);
    world.edit(
        "spec.toml",
        "compress = \"none\"",
        "compress = \"zstd\"\nsystemd = 258",
    );
    next(&world, "10", "11");
    let fourth = build(&world, "v4", &[]);
    for sysupdate in ["sysupdate-257", "sysupdate-262"] {
        let device = Device::new(&world, sysupdate);
        device.lives(&offered);
        if sysupdate == "sysupdate-262" {
            fs::write(world.path("t/os-release"), "IMAGE_ID=kilnos\nIMAGE_VERSION=10\n").unwrap();
            // Devices that know zstd say so.
            let path = world.path("t/root/sysupdate.d");
            for name in listed(&world, "t/root/sysupdate.d") {
                let text = fs::read_to_string(path.join(&name)).unwrap();
                fs::write(path.join(&name), text.replace(".raw.xz ", ".raw.zst ")).unwrap();
            }
            device.serve("v4");
            let (done, said) = device.update();
            assert!(done, "{sysupdate}: {said}");
            device.check("v4", "11", &fourth);
        }
    }
}

/// A web server of a folder, until the value goes.
struct Server(Child);

impl Server {
    /// Starts it, and answers its port, too.
    fn start(world: &World) -> (Server, String) {
        let mut server = Command::new("python3");
        server.args([
            "-u",
            "-m",
            "http.server",
            "0",
            "--bind",
            "127.0.0.1",
            "--directory",
        ]);
        server
            .arg(world.path(""))
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut server = Server(server.spawn().unwrap());
        let mut said = String::new();
        let mut stdout = BufReader::new(server.0.stdout.take().unwrap());
        stdout.read_line(&mut said).unwrap();
        let port = said.split(' ').skip_while(|word| *word != "port").nth(1);
        assert!(port.is_some(), "python3 says {said:?}");
        let port = port.unwrap().to_owned();
        (server, port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Devices with an older one, whose transfer files have other names. It may wait for ever for the signature of a list at a `file:///`
/// address, so there is a web server.
fn an_older_one_takes_releases(sysupdate: &'static str, systemd: u32) {
    let Some(world) = with_stub() else { return };
    if ![sysupdate, "sgdisk", "sfdisk", "python3"]
        .into_iter()
        .all(installed)
    {
        return;
    }
    let (_server, port) = Server::start(&world);
    let address = format!("http://127.0.0.1:{port}/t/release");
    world.edit("spec.toml", "file:///t/release", &address);
    world.edit("spec.toml", "url =", &format!("systemd = {systemd}\nurl ="));
    let offered = offered(&world);
    let device = Device::new(&world, sysupdate);
    let names = ["50-root-verity-sig", "50-root-verity", "50-root", "90-uki"];
    assert_eq!(
        listed(&world, "t/root/sysupdate.d"),
        names.map(|name| format!("{name}.conf"))
    );
    device.lives(&offered);
}

#[test]
fn an_older_systemd_sysupdate_takes_releases_and_refuses_what_others_signed() {
    an_older_one_takes_releases("sysupdate-254", 254);
}

/// It does not find the boot loader's folder itself.
#[test]
#[ignore = "long: tests/long runs it"]
fn the_oldest_systemd_sysupdate_takes_releases_and_refuses_what_others_signed() {
    an_older_one_takes_releases("sysupdate-252", 252);
}

impl Device<'_> {
    /// So many slots have a label.
    fn check_label(&self, label: &str, count: usize) {
        let table = ran(self.world, "sfdisk", &["--json", "t/disk.raw"]);
        assert_eq!(
            table.matches(&format!("\"name\": \"{label}\"")).count(),
            count,
            "{table}"
        );
    }
}
