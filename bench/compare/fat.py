"""128 MiB with a kernel of 42 MiB, an initial file system of 18 MiB and some small files, beside mkfs.vfat and mcopy;
which do not wait until it is on the disk, as Kiln does. fsck.fat finds nothing, and mcopy the same files in both."""

from .closures import Content
from .measure import Failure, Program, bash, run
from .setting import Result
from .tables import Goal
from .trees import content_difference, read_all, remove

TITLE = "A kernel and an initial file system as FAT"
ROUNDS = 5
SIZE = 128 << 20
PEERS = 'truncate -s "$2" "$3"; mkfs.vfat -n BOOT "$3"; mcopy -s -i "$3" "$1"/* ::'


def boot_folder(folder):
    """What a boot partition holds."""
    content = Content("boot")
    files = {"Image": 42 << 20, "initrd": 18 << 20, "boot.scr": 900}
    files |= {f"dtbs/rockchip/rk3328-{number}.dtb": 50_000 + number for number in range(12)}
    for name, size in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.large(size))
    return folder


def unpacked(image):
    """The files in an image."""
    tree = image.with_suffix(".unpacked")
    tree.mkdir()
    run(["fsck.fat", "-n", image])
    run(["mcopy", "-s", "-n", "-i", image, "::", tree])
    return tree


def compare(setting):
    """Runs all, and compares what mcopy finds."""
    folder, tree = setting.folder, boot_folder(setting.folder / "boot")
    read_all(tree)
    ours, theirs = (folder / f"{name}.vfat" for name in ("kiln", "mcopy"))
    candidates = [
        Program("kiln", [setting.kiln, "fat", "--tree", tree, "--label", "BOOT", "--size", "128MiB", "--out", ours], ours),
        Program("mkfs.vfat, mcopy", bash(PEERS, tree, SIZE, theirs), theirs),
    ]
    runs = setting.in_turn(ROUNDS, candidates)
    our_tree = unpacked(ours)
    for peer in candidates[1:]:
        their_tree = unpacked(peer.output)
        if difference := content_difference(our_tree, their_tree):
            raise Failure(f"kiln and {peer.name} made other files: {difference}")
        remove(their_tree)
    goals = [Goal("wall, kiln / mkfs.vfat, mcopy", runs.ratio("wall_seconds", "kiln", "mkfs.vfat, mcopy"), 0.5),
             Goal("until on the disk, kiln / mkfs.vfat, mcopy", runs.ratio("synced_seconds", "kiln", "mkfs.vfat, mcopy"), 1.2)]
    return Result(f"{sum(place.stat().st_size for place in tree.rglob('*') if place.is_file())} bytes of files", runs, "kiln", goals)
