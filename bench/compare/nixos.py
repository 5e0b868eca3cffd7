"""A whole disk, as NixOS boots with EFI: a GPT, an ESP with a kernel and an initial file system, the demo's closure in an ext4 with 512
MiB to spare, all in a qcow2 that is not compressed. Kiln plans all of it at once, computes each store path's NAR hash and the
image's fs-verity digest, and waits until it is on the disk. The steps are those of nixpkgs' make-disk-image.nix: cp of the store
into a root, du, a raw disk with its table, mkfs.ext4, mkfs.vfat and mcopy, qemu-img convert. Its virtual machine is left out, and so is
cptofs, for which mkfs.ext4 -d stands: both in its favour. qemu-img finds nothing wrong, e2fsck and fsck.fat neither, and the same
files are in both."""

from .fat import boot_folder
from .measure import Failure, Program, bash, run
from .setting import Result
from .tables import Goal
from .trees import content_difference, read_all, remove, tree_difference

TITLE = "A whole disk of a NixOS, as qcow2"
ROUNDS = 3
MIB = 1 << 20
ESP, ROOT = 8 * MIB, 256 * MIB
STEPS = r"""
store=$1 registration=$2 boot=$3 root=$4 raw=$5 out=$6
shift 6
mkdir -p "$root/nix/store"
printf '%s\n' "$@" | xargs -d '\n' -I % cp -a --reflink=auto "$store/%" -t "$root/nix/store/"
cp "$registration" "$root/nix-path-registration"
used=$(du -s -B 1M --apparent-size "$root" | cut -f 1)
mib=$((used * 6 / 5 + 512))
truncate -s "$((mib + 257))M" "$raw"
printf 'label: gpt\nstart=8MiB, size=248MiB, type=uefi\nstart=256MiB, size=%sMiB, type=linux\n' "$mib" | sfdisk -q "$raw"
mkfs.ext4 -q -F -b 4096 -L nixos -E offset=268435456 -d "$root" "$raw" "${mib}M"
mkfs.vfat -F 32 -s 4 -n ESP --offset 16384 "$raw" 253952 > /dev/null
mcopy -s -i "$raw@@8M" "$boot"/* ::
qemu-img convert -f raw -O qcow2 "$raw" "$out"
rm "$raw"
"""


def specification(closure, boot):
    """Kiln's description of the disk."""
    return f"""schema = 1
name = "nixos"
[closure]
from = "{closure.info}"
store-root = "{closure.root}"
[fs.esp]
format = "fat"
label = "ESP"
size = "248MiB"
tree = "{boot}"
[fs.root]
format = "ext4"
label = "nixos"
closure = true
registration = "/nix-path-registration"
free = "512MiB"
[disk]
only-outputs = true
[[disk.region]]
name = "ESP"
type = "esp"
offset = "8MiB"
content = "fs.esp"
[[disk.region]]
name = "root"
type = "linux"
offset = "256MiB"
content = "fs.root"
[[disk.output]]
format = "qcow2"
file = "kiln.qcow2"
"""


def unpacked(image):
    """The store and the boot files in a disk."""
    raw, root, tree, boot = (image.with_suffix(suffix) for suffix in (".raw", ".root", ".tree", ".boot"))
    run(["qemu-img", "check", image])
    run(["qemu-img", "convert", "-O", "raw", image, raw])
    run(["sfdisk", "--verify", raw])
    run(["dd", f"if={raw}", f"of={root}", "bs=1M", f"skip={ROOT // MIB}", "conv=sparse"])
    # What lies behind the file system is the table's.
    run(["e2fsck", "-fn", root])
    tree.mkdir()
    boot.mkdir()
    run(["debugfs", "-R", f"rdump /nix/store {tree}", root])
    run(["mcopy", "-s", "-n", "-i", f"{raw}@@{ESP}", "::", boot])
    remove(raw)
    remove(root)
    return tree / "store", boot


def compare(setting):
    """Runs both, and compares what is in the disks."""
    folder, closure = setting.folder, setting.closure()
    boot = boot_folder(folder / "boot")
    for place in [boot, *closure.places]:
        read_all(place)
    spec, out, root, theirs = folder / "nixos.toml", folder / "out", folder / "root", folder / "steps.qcow2"
    spec.write_text(specification(closure, boot))
    out.mkdir()
    ours = out / "kiln.qcow2"
    steps = bash(STEPS, closure.root / "nix/store", closure.info / "registration", boot, root, folder / "steps.raw", theirs, *closure.names)
    runs = setting.in_turn(ROUNDS, [
        Program("kiln", [setting.kiln, "build", spec, "--only", "disk", "--out", out], ours),
        Program("make-disk-image's steps", steps, theirs, lambda: remove(root)),
    ])
    remove(root)
    (our_store, our_boot), (their_store, their_boot) = unpacked(ours), unpacked(theirs)
    if difference := content_difference(our_boot, their_boot):
        raise Failure(f"the ESPs have other files: {difference}")
    for path in closure.names:
        # debugfs gives links the time at which it makes them.
        if difference := tree_difference(our_store / path, their_store / path, link_times=False):
            raise Failure(f"the stores have other trees: {path}{difference}")
    goals = [Goal("wall, kiln / make-disk-image's steps", runs.ratio("wall_seconds", "kiln", "make-disk-image's steps"), 0.3),
             Goal("until on the disk, kiln / make-disk-image's steps", runs.ratio("synced_seconds", "kiln", "make-disk-image's steps"), 0.3)]
    return Result(f"{closure.nar_bytes} bytes of NAR", runs, "kiln", goals)
