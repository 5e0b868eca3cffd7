"""A generated closure of 20 GiB, whose files of 4 KiB to 16 MiB are unique and shrink to about 30 %, as squashfs with
zstd 1. It does not fit into memory beside others, and should not have to: what Kiln holds does not depend on it.
sqfs2tar and tar find the same files."""

from .closures import Content, Generated
from .measure import Failure, Program, say
from .setting import Result
from .tables import Goal
from .trees import archive_difference

TITLE = "A large closure"
ROUNDS = 1
MEMORY_MB_MAX = 512
FOLDERS = 8
# The files of each folder.
SIZES = [16 << 20, 8 << 20, 4 << 20, 2 << 20, 1 << 20] + [256 << 10] * 3 + [64 << 10] * 3 + [4 << 10] * 16


def generate(setting, size):
    """A closure of about this size."""
    say(f"generating {size >> 20} MiB")
    content, generated = Content("large"), Generated(setting.folder, setting.workspace)
    folders = size // sum(SIZES)
    for start in range(0, folders, FOLDERS):
        generated.add([SIZES] * min(FOLDERS, folders - start), content.large)
    return generated.closure(setting.folder / "closure")


def compare(setting):
    """Runs Kiln, and looks into what it made."""
    size = 200 << 20 if setting.quick else int(setting.scale * (20 << 30))
    # Kiln gathers what it has compressed in a nameless file, and makes the output of it.
    setting.need_bytes(size * 17 // 10)
    closure, output = generate(setting, size), setting.folder / "kiln.squashfs"
    program = Program("kiln", [setting.kiln, "squashfs", "--closure", closure.info, "--store-root", closure.root, "--level", 1,
                               "--no-cache", "--out", output], output)
    runs = setting.in_turn(ROUNDS, [program])
    say("looking into it")
    if difference := archive_difference(output, closure.root):
        raise Failure(difference)
    best = runs.best("kiln")
    goals = [Goal("peak memory", best.memory_bytes / 1e6, MEMORY_MB_MAX, "MB")]
    note = f"{closure.nar_bytes / 1e6 / best.wall_seconds:.0f} MB of NAR in a second."
    return Result(f"{closure.nar_bytes} bytes of NAR", runs, "kiln", goals, [note])
