"""zstd and blocks of 1 MiB, the demo's closure; unsquashfs finds equal trees in all images. Kiln also computes each
store path's NAR hash, compares it with the closure's registration, and waits until the image is on the disk."""

from .measure import Failure, Program, run
from .setting import Result
from .tables import Goal
from .trees import listing, read_all, remove, tree_difference

TITLE = "A closure as squashfs"
ROUNDS = 2


def mksquashfs(tree, output, level):
    """The command that makes what Kiln makes."""
    return ["mksquashfs", tree, output, "-comp", "zstd", "-Xcompression-level", level, "-b", "1M",
            "-no-xattrs", "-all-root", "-noappend", "-no-progress", "-quiet"]


def programs(setting, closure, tree):
    """Kiln and its peers, with a tree that all of them read."""
    folder, level = setting.folder, setting.level
    ours, theirs, thirds = (folder / f"{name}.squashfs" for name in ("kiln", "mksquashfs", "gensquashfs"))
    return [
        Program("kiln", [setting.kiln, "squashfs", "--closure", closure.info, "--store-root", tree, "--compression", "zstd",
                         "--level", level, "--block-size", "1MiB", "--no-cache", "--out", ours], ours),
        Program("mksquashfs", mksquashfs(tree, theirs, level), theirs),
        Program("gensquashfs", ["gensquashfs", "--pack-dir", tree, "--compressor", "zstd", "--comp-extra", f"level={level}",
                                "--block-size", 1 << 20, "--num-jobs", setting.cores, "--all-root", "--keep-time",
                                "--defaults", "mtime=1", "--force", "--quiet", thirds], thirds),
    ]


def unpacked(image):
    """The tree in an image."""
    tree = image.with_suffix(".unpacked")
    run(["unsquashfs", "-no-progress", "-quiet", "-dest", tree, image])
    return tree


def compare(setting):
    """Runs all, and compares what they made."""
    closure, tree = setting.closure(), setting.folder / "tree"
    closure.copy(tree)
    read_all(tree)
    candidates = programs(setting, closure, tree)
    runs = setting.in_turn(ROUNDS, candidates)
    ours = unpacked(candidates[0].output)
    for peer in candidates[1:]:
        theirs = unpacked(peer.output)
        if difference := tree_difference(ours, theirs):
            raise Failure(f"kiln and {peer.name} made other trees: {difference}")
        remove(theirs)
    goals = [
        Goal("wall, kiln / mksquashfs", runs.ratio("wall_seconds", "kiln", "mksquashfs"), 0.9),
        Goal("size, kiln / mksquashfs", runs.ratio("size_bytes", "kiln", "mksquashfs"), 1.005),
        Goal("peak memory, kiln / mksquashfs", runs.ratio("memory_bytes", "kiln", "mksquashfs"), 0.25),
    ]
    facts = f"{len(listing(ours))} entries, {closure.nar_bytes} bytes of NAR; zstd level {setting.level}"
    return Result(facts, runs, "kiln", goals)
