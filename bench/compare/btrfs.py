"""The demo's closure. Kiln computes each store path's NAR hash, the image's fs-verity digest and all checksums, and waits until
the image is on the disk; files that are equal are stored once. `mkfs.btrfs --rootdir --shrink` has the finished folder; Debian
12's does not compress, so beside zstd 3 there is that of a newer Debian, in brackets by its figures. The rebuild is of the system
that updates itself, after one package in a hundred has changed, with what a cache has of the release before. btrfs check finds
nothing in any image, and btrfs restore the same files in all of Kiln's."""

from .measure import Failure, Program, run
from .setting import Result
from .tables import Goal
from .trees import content_difference, read_all, remove

TITLE = "A closure as btrfs"
ROUNDS = 3
UUID = "44444444-4444-4444-8888-888888888888"
# The newer mkfs.btrfs, which `tests/run install` fetches.
NEWER = "btrfs-progs-newer/mkfs.btrfs-newer"


def theirs(setting, name, program, tree, file, *options):
    """An mkfs.btrfs with a folder, in a sparse file that suffices."""
    output = setting.folder / file

    def before():
        with open(output, "wb") as image:
            image.truncate(4 << 30)

    return Program(name, [program, "--quiet", "--label", "root", "--uuid", UUID, "--rootdir", tree, "--shrink", *options, output],
                   output, before)


def ours(setting, name, file, release, *options, before=lambda: None):
    """Kiln with a closure."""
    output = setting.folder / file
    return Program(name, [setting.kiln, "btrfs", "--closure", setting.closure(release).info, "--store-root", setting.closure().root,
                          "--label", "root", "--uuid", UUID, "--free", "0B", *options, "--out", output], output, before)


def programs(setting, tree, second):
    """All that run in turn."""
    cache, newer = setting.folder / "cache", setting.demo / NEWER
    zstd = ["--compression", "zstd", "--level", 3]
    found = [
        ours(setting, "kiln", "kiln.img", None),
        theirs(setting, "mkfs.btrfs", "mkfs.btrfs", tree, "mkfs.img"),
        ours(setting, "kiln, zstd", "kiln-zstd.img", None, *zstd, "--no-cache"),
    ]
    if newer.exists():
        found.append(theirs(setting, "mkfs.btrfs, zstd", newer, tree, "mkfs-zstd.img", "--compress", "zstd:3"))
    found += [
        ours(setting, "first release, empty cache", "first.img", 1, *zstd, "--cache", cache, before=lambda: remove(cache)),
        ours(setting, "second, warm cache", "warm.img", 2, *zstd, "--cache", cache),
    ]
    if newer.exists():
        found.append(theirs(setting, "mkfs.btrfs, second", newer, second, "mkfs-second.img", "--compress", "zstd:3"))
    return found


def restored(image, closure):
    """Compares what btrfs restore finds in an image with the store."""
    tree = image.with_suffix(".restored")
    tree.mkdir()
    run(["btrfs", "restore", "--symlink", image, tree])
    for place in closure.places:
        if difference := content_difference(tree / "nix/store" / place.name, place):
            raise Failure(f"{image.name} has another tree: {difference}")
    remove(tree)


def compare(setting):
    """Runs all, and looks into all that was made."""
    folder = setting.folder
    tree, second = folder / "tree", folder / "tree-2"
    for release, target in ((None, tree), (2, second)):
        closure = setting.closure(release)
        closure.copy(target)
        run(["cp", closure.info / "registration", target / "nix-path-registration"])
        read_all(target)
    for place in setting.closure().places:
        read_all(place)
    candidates = programs(setting, tree, second)
    runs = setting.in_turn(ROUNDS, candidates)
    for program in candidates:
        run(["btrfs", "check", "--check-data-csum", program.output])
    for program in candidates:
        if program.name.startswith("kiln"):
            restored(program.output, setting.closure())
    restored(folder / "warm.img", setting.closure(2))
    pairs = [("kiln", "mkfs.btrfs"), ("kiln, zstd", "mkfs.btrfs, zstd")]
    there = [(one, other) for one, other in pairs if other in runs.figures]
    goals = [Goal(f"wall, {one} / {other}", runs.ratio("wall_seconds", one, other), 0.6) for one, other in there]
    goals += [Goal(f"size, {one} / {other}", runs.ratio("size_bytes", one, other), 1.0) for one, other in there]
    goals += [Goal(f"memory, {one}", runs.best(one).memory_bytes / 10**6, 128, "MB") for one, _ in pairs]
    notes = []
    if "mkfs.btrfs, second" in runs.figures:
        ratio = runs.ratio("wall_seconds", "second, warm cache", "mkfs.btrfs, second")
        goals.append(Goal("wall, second, warm cache / mkfs.btrfs, second", ratio, 0.1))
    else:
        notes.append("There is no newer mkfs.btrfs here: `tests/run install` fetches it.")
    facts = f"{setting.closure().nar_bytes} bytes of NAR"
    return Result(facts, runs, None, goals, notes)
