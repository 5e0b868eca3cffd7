"""The demo's closure. Kiln computes each store path's NAR hash and the image's fs-verity digest, and waits until the image is on
the disk. `cp -a` copies the store paths and does not wait; dd writes the bytes of Kiln's image, holes left out, and
waits. make-ext4-fs are the steps of nixpkgs' make-ext4-fs.nix: cp -a, du, mkfs.ext4 -d, fsck, resize2fs -M, resize2fs.
mke2fs -d has the finished folder and a size that suffices. e2fsck finds nothing in any image, and debugfs the same
files in all."""

from .measure import Failure, Program, bash, run
from .setting import Result
from .tables import Goal
from .trees import file_difference, read_all, remove, tree_difference

TITLE = "A closure as ext4"
ROUNDS = 3
NAMES = ["-L", "NIXOS_SD", "-U", "44444444-4444-4444-8888-888888888888"]
MAKE_EXT4_FS = r"""
store=$1 registration=$2 root=$3 img=$4
shift 4
mkdir -p "$root/nix/store"
printf '%s\n' "$@" | xargs -d '\n' -I % cp -a --reflink=auto "$store/%" -t "$root/nix/store/"
cp "$registration" "$root/nix-path-registration"
inodes=$(find "$root" | wc -l)
blocks=$(du -s -c -B 4096 --apparent-size "$root" | tail -n 1 | awk '{ print int($1 * 1.20) }')
bytes=$(((2 * 4096 * inodes + 4096 * blocks + 1048575) / 1048576 * 1048576))
truncate -s "$bytes" "$img"
faketime -f '1970-01-01 00:00:01' fakeroot mkfs.ext4 -q -L NIXOS_SD -U 44444444-4444-4444-8888-888888888888 -d "$root" "$img"
fsck.ext4 -n -f "$img"
resize2fs -M "$img"
bytes=$(dumpe2fs -h "$img" | awk -F: '/^Block count/ { count = $2 } /^Block size/ { size = $2 } END { print count * size }')
resize2fs "$img" "$(((bytes + 16 * 1048576) / 1024))K"
"""


def programs(setting, closure, tree, image):
    """Kiln and its peers; `image` is one of Kiln's that dd reads."""
    folder = setting.folder
    ours, copied, written, theirs, plain = (folder / name for name in ("kiln.img", "cp", "dd.img", "make-ext4-fs.img", "mke2fs.img"))
    root = folder / "root"
    size_kib = image.stat().st_size * 5 // 4 >> 10
    return [
        Program("kiln", [setting.kiln, "ext4", "--closure", closure.info, "--store-root", closure.root, "--label", NAMES[1],
                         "--uuid", NAMES[3], "--free", "16MiB", "--free-inodes", 1024, "--out", ours], ours),
        Program("cp -a", ["cp", "-a", "-t", copied, "--", *closure.places], copied, copied.mkdir),
        Program("dd", ["dd", f"if={image}", f"of={written}", "bs=1M", "conv=sparse,fsync"], written, waits=True),
        Program("make-ext4-fs", bash(MAKE_EXT4_FS, closure.root / "nix/store", closure.info / "registration", root, theirs,
                                     *closure.names), theirs, lambda: remove(root)),
        Program("mke2fs -d", ["mke2fs", "-q", "-t", "ext4", *NAMES, "-d", tree, plain, f"{size_kib}k"], plain),
    ]


def dumped(image):
    """The store in an image."""
    tree = image.with_suffix(".dumped")
    tree.mkdir()
    run(["e2fsck", "-fn", image])
    run(["debugfs", "-R", f"rdump /nix/store {tree}", image])
    return tree / "store"


def overhead_percent(image):
    """Of the image: what is neither files and folders, nor the journal, nor free."""
    keys = {}
    for line in run(["dumpe2fs", "-h", image]).splitlines():
        key, _, value = line.partition(":")
        keys[key] = value.strip()
    blocks, overhead = int(keys["Block count"]), int(keys["Overhead clusters"])
    journal = int(keys["Total journal blocks"])
    return 100 * (overhead - journal) / (blocks - overhead + journal)


def compare(setting):
    """Runs all, and compares what debugfs finds."""
    folder, closure, tree = setting.folder, setting.closure(), setting.folder / "tree"
    closure.copy(tree)
    run(["cp", closure.info / "registration", tree / "nix-path-registration"])
    for place in [tree, *closure.places]:
        read_all(place)
    image = folder / "given.img"
    run([setting.kiln, "ext4", "--closure", closure.info, "--store-root", closure.root, "--free", "16MiB", "--out", image])
    candidates = programs(setting, closure, tree, image)
    runs = setting.in_turn(ROUNDS, candidates)
    remove(folder / "root")
    remove(folder / "cp")
    if difference := file_difference(image, folder / "dd.img"):
        raise Failure(difference)
    ours = dumped(folder / "kiln.img")
    for name in ("make-ext4-fs", "mke2fs"):
        theirs = dumped(folder / f"{name}.img")
        for path in closure.names:
            # debugfs gives links the time at which it makes them.
            if difference := tree_difference(ours / path, theirs / path, link_times=False):
                raise Failure(f"kiln and {name} made other trees: {path}{difference}")
        remove(folder / f"{name}.dumped")
    goals = [Goal(f"wall, kiln / {name}", runs.ratio("wall_seconds", "kiln", name), limit)
             for name, limit in [("cp -a", 0.7), ("dd", 2), ("make-ext4-fs", 0.1)]]
    goals += [Goal(f"until on the disk, kiln / {name}", runs.ratio("synced_seconds", "kiln", name), limit)
              for name, limit in [("cp -a", 1), ("dd", 1.6), ("make-ext4-fs", 0.15)]]
    note = f"Overhead of Kiln's image: {overhead_percent(folder / 'kiln.img'):.2f} % of payload, journal and free space."
    return Result(f"{closure.nar_bytes} bytes of NAR", runs, "kiln", goals, [note])
