"""Two releases of the demo's system as squashfs, zstd and blocks of 1 MiB. Kiln makes the first with an empty cache,
then the second with what the cache has, with what the first image has (`--reuse`), and from nothing: the same bytes
each time. mksquashfs begins anew; in brackets are figures by its figures. New blocks are those of 4 KiB in the second
image that are nowhere in the first: what a device has to fetch for an update."""

from .measure import Failure, Program, run
from .setting import Result
from .squashfs import mksquashfs
from .tables import Goal, table
from .trees import file_difference, new_blocks, read_all, remove

TITLE = "A rebuild after one package in a hundred has changed"
ROUNDS = 1


def programs(setting, trees):
    """Kiln's ways to both releases, and mksquashfs', which is the last of them to the first."""
    folder, cache = setting.folder, setting.folder / "cache"

    def pack(name, file, release, *options, before=lambda: None, once=False):
        output = folder / f"{file}.squashfs"
        command = [setting.kiln, "squashfs", "--closure", setting.closure(release).info, "--store-root", setting.closure().root,
                   "--level", setting.level, "--segments", f"{output}.segments.json", *options, "--out", output]
        return Program(name, command, output, before, once=once)

    def theirs(name, release):
        output = folder / f"mksquashfs-{release}.squashfs"
        return Program(name, mksquashfs(trees[release], output, setting.level), output)

    return [
        theirs("mksquashfs", 2),
        pack("kiln, from nothing", "cold", 2, "--no-cache"),
        pack("first release, empty cache", "first", 1, "--cache", cache, before=lambda: remove(cache)),
        pack("second, warm cache", "warm", 2, "--cache", cache, once=True),
        pack("second, again", "again", 2, "--cache", cache),
        pack("second, --reuse first", "reuse", 2, "--no-cache", "--reuse", folder / "first.squashfs"),
    ], theirs("mksquashfs, first release", 1)


def compare(setting):
    """Runs all, compares the images, and counts their new blocks."""
    folder = setting.folder
    trees = {release: folder / f"tree-{release}" for release in (1, 2)}
    for release, tree in trees.items():
        setting.closure(release).copy(tree)
        read_all(tree)
    candidates, earlier = programs(setting, trees)
    runs = setting.in_turn(ROUNDS, candidates)
    cold = folder / "cold.squashfs"
    for name in ("reuse", "warm", "again"):
        if difference := file_difference(folder / f"{name}.squashfs", cold):
            raise Failure(f"not what a build from nothing makes: {difference}")
    run([setting.kiln, "cache", "verify", "--cache", folder / "cache"])
    run([str(part) for part in earlier.command])
    rows = []
    for name, image, before in [("kiln", cold, folder / "first.squashfs"),
                                ("mksquashfs", folder / "mksquashfs-2.squashfs", earlier.output)]:
        count, new = new_blocks(image, before)
        rows.append([name, count, new, f"{100 * new / count:.2f} %"])
    goals = [Goal(f"wall, {name} / mksquashfs", runs.ratio("wall_seconds", name, "mksquashfs"), 0.05)
             for name in ("second, warm cache", "second, --reuse first")]
    paths = [set(setting.closure(release).names) for release in (1, 2)]
    facts = f"{len(paths[1] - paths[0])} of {len(paths[1])} store paths changed; zstd level {setting.level}"
    return Result(facts, runs, None, goals, [table(["", "blocks of 4 KiB", "new", "part"], rows)])
