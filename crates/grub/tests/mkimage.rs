//! grub-mkimage makes the same of GRUB's files, but for the compressed bytes: its compressor is another one.
#![expect(clippy::unwrap_used, reason = "functions of tests")]

#[path = "../../../tests/zoo/oracle.rs"]
mod oracle;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use grub::{Core, Folder, Options, SECTOR_LEN};
use oracle::installed;

const FOLDER: &str = "/usr/lib/grub/i386-pc";
const CONFIG: &str =
    "search.fs_uuid 11111111-2222-3333-4444-555555555555 root\nset prefix=($root)/boot/grub\n";

/// Sets of modules: hardly any, what a root needs, and nearly all that a menu with pictures wants.
const SETS: [&str; 3] = [
    "biosdisk part_msdos ext2",
    "biosdisk part_gpt part_msdos ext2 fat btrfs squash4 normal search search_fs_uuid search_fs_file linux configfile serial \
     terminal test echo loadenv minicmd halt reboot",
    "biosdisk part_gpt ext2 normal search_fs_uuid linux all_video gfxterm gfxmenu png jpeg font cryptodisk luks lvm xfs \
     iso9660 multiboot2 chain regexp",
];

fn theirs(modules: &[String], config: Option<&str>, dir: &Path) -> Vec<u8> {
    let (image, script) = (dir.join("core.img"), dir.join("config"));
    let mut tool = Command::new("grub-mkimage");
    tool.args(["-O", "i386-pc", "-d", FOLDER, "-p", "/boot/grub", "-o"])
        .arg(&image);
    if let Some(config) = config {
        fs::write(&script, config).unwrap();
        tool.arg("-c").arg(&script);
    }
    assert!(tool.args(modules).status().unwrap().success());
    fs::read(image).unwrap()
}

fn ours(modules: &[String], config: Option<&str>) -> Core {
    let options = Options {
        modules: modules.to_vec(),
        config: config.map(ToString::to_string),
        prefix: "/boot/grub".into(),
    };
    grub::core(&Folder::new(FOLDER), &options).unwrap()
}

fn word(bytes: &[u8], at: usize) -> usize {
    usize::try_from(u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())).unwrap()
}

/// What xz makes of the compressed bytes: from here on, this many, to this many.
fn unpacked(core: &[u8], decompressor_len: usize, dir: &Path) -> Vec<u8> {
    let (compressed, len) = (word(core, SECTOR_LEN + 8), word(core, SECTOR_LEN + 12));
    let start = SECTOR_LEN + decompressor_len;
    // The header of an `.lzma` file: lc, lp and pb, the dictionary, and an unknown length, or a known one.
    let mut file = vec![0x5d, 0, 0, 1, 0];
    file.extend(u64::try_from(len).unwrap().to_le_bytes());
    file.extend(&core[start..start + compressed]);
    let path = dir.join("core.lzma");
    fs::write(&path, file).unwrap();
    let mut tool = Command::new("xz");
    tool.args(["--format=lzma", "-dc"])
        .stdin(fs::File::open(path).unwrap());
    let output = tool.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success());
    assert_eq!(output.stdout.len(), len);
    output.stdout
}

#[test]
fn grub_mkimage_makes_the_same_core() {
    let tools = ["grub-mkimage", "xz", "/usr/lib/grub/i386-pc/kernel.img"];
    if !tools.into_iter().all(installed) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let decompressor_len = fs::read(Path::new(FOLDER).join("lzma_decompress.img"))
        .unwrap()
        .len();
    for (set, config) in SETS.into_iter().zip([None, Some(CONFIG), Some("")]) {
        let modules: Vec<String> = set.split_whitespace().map(Into::into).collect();
        let theirs = theirs(&modules, config, dir.path());
        let core = ours(&modules, config);
        let ours = core.at(1).core;
        let (their_payload, our_payload) = (
            unpacked(&theirs, decompressor_len, dir.path()),
            unpacked(&ours, decompressor_len, dir.path()),
        );
        assert!(their_payload == our_payload, "{set}");

        // Before it, all but the compressed length, and the list of sectors: theirs counts from sector 2 and the same on.
        let head = SECTOR_LEN + decompressor_len;
        let (mut one, mut other) = (theirs[..head].to_vec(), ours[..head].to_vec());
        for head in [&mut one, &mut other] {
            head[SECTOR_LEN + 8..SECTOR_LEN + 12].fill(0);
            head[SECTOR_LEN - 4..SECTOR_LEN - 2].fill(0);
        }
        assert_eq!(one, other, "{set}");
        let (their_len, our_len) = (theirs.len(), core.len());
        assert!(
            our_len <= their_len.next_multiple_of(SECTOR_LEN) + SECTOR_LEN,
            "{our_len}, {their_len}"
        );
        println!(
            "{} modules: {our_len} bytes, grub-mkimage's core has {their_len}",
            core.modules().len()
        );
    }
}
