"""Generated closures of small files, 200 to 3000 bytes each, a thousand in a store path; the smaller closure is the
first quarter of the larger. As squashfs with zstd 3, beside mksquashfs, as ext4, and as btrfs. What a file costs should not
depend on how many there are: seconds a file, larger by smaller, say how time grows; bytes of memory a file are those of
the largest process by all files. sqfs2tar and tar find the same files in the squashfs, and e2fsck and btrfs check find nothing."""

from .closures import Content, Generated
from .measure import Failure, Program, Runs, run, say
from .setting import Result
from .squashfs import mksquashfs
from .tables import Goal, table
from .trees import archive_difference, read_all

TITLE = "Closures of many files"
ROUNDS = 1
IN_FOLDER = 100
FILE_BYTES_MAX = 1500
BTRFS_FILE_BYTES_MAX = 2000
FILE_BYTES_OF_DISK = 20000


def counts(setting):
    """How many files the two closures have."""
    return (5_000, 20_000) if setting.quick else (int(250_000 * setting.scale), int(1_000_000 * setting.scale))


def generate(setting):
    """Both closures, by their numbers of files."""
    content, generated = Content("many"), Generated(setting.folder, setting.workspace)
    closures, made = {}, 0
    for count in counts(setting):
        say(f"generating {count} files")
        while made < count:
            files = min(1000, count - made)
            sizes = [content.random.randrange(200, 3000) for _ in range(files)]
            generated.add([sizes[start:start + IN_FOLDER] for start in range(0, files, IN_FOLDER)], content.small)
            made += files
        closures[count] = generated.closure(setting.folder / f"closure-{count}")
    return closures


def spelled(count):
    """A number with thin groups."""
    return f"{count:,}".replace(",", " ")


def programs(setting, closures):
    """Kiln with both closures, and mksquashfs with the larger one."""
    folder, found = setting.folder, []
    for count, closure in closures.items():
        given = ["--closure", closure.info, "--store-root", closure.root]
        output = folder / f"{count}.squashfs"
        found.append(Program(f"squashfs, {spelled(count)}", [setting.kiln, "squashfs", *given, "--level", 3, "--no-cache", "--out", output],
                             output))
        output = folder / f"{count}.ext4"
        found.append(Program(f"ext4, {spelled(count)}", [setting.kiln, "ext4", *given, "--free", "16MiB", "--out", output], output))
        output = folder / f"{count}.btrfs"
        found.append(Program(f"btrfs, {spelled(count)}", [setting.kiln, "btrfs", *given, "--free", "0B", "--out", output], output))
    output, larger = folder / "mksquashfs.squashfs", list(closures.values())[-1]
    found.append(Program(f"mksquashfs, {spelled(max(closures))}", mksquashfs(larger.root, output, 3), output))
    return found


def check(candidates, closure):
    """The larger squashfs of both programs have all files; no ext4 or btrfs has an error."""
    for program in candidates:
        if program.output.suffix == ".ext4":
            run(["e2fsck", "-fn", program.output])
        if program.output.suffix == ".btrfs":
            run(["btrfs", "check", program.output])
    for program in (candidates[-1], candidates[-4]):
        say(f"looking into {program.name}")
        if difference := archive_difference(program.output, closure.root):
            raise Failure(f"{program.name}: {difference}")


def compare(setting):
    """Runs all, and says what a file costs."""
    smaller, larger = counts(setting)
    setting.need_bytes(larger * FILE_BYTES_OF_DISK)
    closures = generate(setting)
    read_all(setting.folder / "root")
    candidates = programs(setting, closures)
    runs: Runs = setting.in_turn(ROUNDS, candidates)
    check(candidates, closures[larger])
    goals, rows = [], []
    for kind, limit in (("squashfs", FILE_BYTES_MAX), ("ext4", FILE_BYTES_MAX), ("btrfs", BTRFS_FILE_BYTES_MAX)):
        names = {count: f"{kind}, {spelled(count)}" for count in (smaller, larger)}
        small, large = runs.best(names[smaller]), runs.best(names[larger])
        slope = (large.wall_seconds / larger) / (small.wall_seconds / smaller)
        bytes_each = large.memory_bytes / larger
        growth = (large.memory_bytes - small.memory_bytes) / (larger - smaller)
        rows.append([kind, f"{small.wall_seconds / smaller * 1e6:.1f} µs", f"{large.wall_seconds / larger * 1e6:.1f} µs",
                     f"{slope:.3f}", f"{bytes_each:.0f} bytes", f"{growth:.0f} bytes"])
        goals.append(Goal(f"{kind}: seconds a file, {spelled(larger)} / {spelled(smaller)}", slope, 1.2))
        goals.append(Goal(f"{kind}: memory a file", bytes_each, limit, "bytes"))
    header = ["", f"a file of {spelled(smaller)}", f"of {spelled(larger)}", "larger / smaller", "memory a file", "of each more"]
    return Result(f"{closures[larger].nar_bytes} bytes of NAR", runs, f"squashfs, {spelled(larger)}", goals, [table(header, rows)],
                  [candidates[-1].name])
