"""The demo's closure. Kiln computes each store path's NAR hash, the image's fs-verity digest and all checksums, and waits until
the image is on the disk; files that are equal are stored once. Beside it, a newer Debian's mkfs.erofs has the finished folder,
with the same compressor, level and size of clusters, and with small files and ends of files together (`-E fragments`), as
Kiln has them. The rebuild is of the system that updates itself, after one package in a hundred has changed, with what a cache has
of the release before; new blocks are those of 4 KiB in the second image that are nowhere in the first. fsck.erofs finds nothing
in any image, and unpacks the same files from all of Kiln's."""

from .measure import Failure, NotHere, Program, run
from .setting import Result
from .tables import Goal, table
from .trees import content_difference, new_blocks, read_all, remove

TITLE = "A closure as erofs"
ROUNDS = 3
UUID = "44444444-4444-4444-8888-888888888888"
# The newer erofs-utils, which `tests/run install` fetches.
NEWER = "erofs-utils-newer"
CLUSTER = 1 << 20
# Compressor and level.
KINDS = [("lz4hc", 9), ("zstd", 3)]
WARM = KINDS[1]


def closure(setting, release):
    """A release of the system that updates itself, or the demo's closure, for which the first is enough where inputs are small."""
    return setting.closure(release or (1 if setting.quick else None))


def ours(setting, name, file, kind, release, *options, before=lambda: None, once=False):
    """Kiln with a closure."""
    output = setting.folder / file
    compressor, level = kind
    return Program(name, [setting.kiln, "erofs", "--closure", closure(setting, release).info, "--store-root", setting.closure().root,
                          "--uuid", UUID, "--compression", compressor, "--level", level, "--cluster-size", f"{CLUSTER}B",
                          *options, "--out", output], output, before, once=once)


def theirs(setting, name, file, kind, tree):
    """mkfs.erofs with a folder."""
    output = setting.folder / file
    compressor, level = kind
    return Program(name, [setting.demo / NEWER / "mkfs.erofs-newer", "--quiet", f"-z{compressor},level={level}", f"-C{CLUSTER}",
                          "-Efragments", "-T1", "--all-root", "-x-1", "-U", UUID, output, tree], output, lambda: remove(output))


def programs(setting, trees):
    """All that run in turn."""
    cache = setting.folder / "cache"
    found = []
    for kind in KINDS:
        name = kind[0]
        found += [ours(setting, f"kiln, {name}", f"kiln-{name}.img", kind, None, "--no-cache"),
                  theirs(setting, f"mkfs.erofs, {name}", f"mkfs-{name}.img", kind, trees[None])]
    return found + [
        theirs(setting, "mkfs.erofs, first", "mkfs-first.img", WARM, trees[1]),
        theirs(setting, "mkfs.erofs, second", "mkfs-second.img", WARM, trees[2]),
        ours(setting, "first release, empty cache", "first.img", WARM, 1, "--cache", cache, before=lambda: remove(cache)),
        ours(setting, "second, warm cache", "warm.img", WARM, 2, "--cache", cache, once=True),
    ]


def unpacked(setting, image, release):
    """Compares what fsck.erofs unpacks with the store."""
    tree = image.with_suffix(".unpacked")
    run([setting.demo / NEWER / "fsck.erofs-newer", f"--extract={tree}", image])
    for place in closure(setting, release).places:
        if difference := content_difference(tree / "nix/store" / place.name, place):
            raise Failure(f"{image.name} has another tree: {difference}")
    remove(tree)


def compare(setting):
    """Runs all, and looks into all that was made."""
    folder = setting.folder
    if not (setting.demo / NEWER).exists():
        raise NotHere("a newer mkfs.erofs: `tests/run install` fetches it")
    trees = {None: folder / "tree", 1: folder / "tree-1", 2: folder / "tree-2"}
    for release, tree in trees.items():
        closure(setting, release).copy(tree)
        read_all(tree)
    for place in closure(setting, None).places:
        read_all(place)
    candidates = programs(setting, trees)
    runs = setting.in_turn(ROUNDS, candidates)
    for program in candidates:
        run([setting.demo / NEWER / "fsck.erofs-newer", program.output])
    for program in candidates:
        if program.name.startswith("kiln"):
            unpacked(setting, program.output, 1 if program.name.startswith("first") else None)
    unpacked(setting, folder / "warm.img", 2)
    goals = []
    for name, _ in KINDS:
        one, other = f"kiln, {name}", f"mkfs.erofs, {name}"
        for what, key, limit in (("wall", "wall_seconds", 0.7), ("size", "size_bytes", 1.03),
                                 ("peak memory", "memory_bytes", 0.5)):
            goals.append(Goal(f"{what}, {one} / {other}", runs.ratio(key, one, other), limit))
    ratio = runs.ratio("wall_seconds", "second, warm cache", "mkfs.erofs, second")
    goals.append(Goal("wall, second, warm cache / mkfs.erofs, second", ratio, 0.1))
    rows = []
    for name, first, second in [("kiln", "first.img", "warm.img"), ("mkfs.erofs", "mkfs-first.img", "mkfs-second.img")]:
        count, new = new_blocks(folder / second, folder / first)
        rows.append([name, count, new, f"{100 * new / count:.2f} %"])
        if name == "kiln":
            goals.append(Goal("new blocks / blocks of the second image", new / count, 0.02))
    facts = f"{closure(setting, None).nar_bytes} bytes of NAR; clusters of {CLUSTER >> 10} KiB"
    return Result(facts, runs, None, goals, [table(["", "blocks of 4 KiB", "new", "part"], rows)])
