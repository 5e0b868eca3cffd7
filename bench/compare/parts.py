"""`kiln build demo/rock64.toml`: a disk image, a signed bundle, squashfs, FAT, boot script and what the device has to
know, out of one planning, beside `kiln squashfs` of the same closure with the same options; both without a cache. The
squashfs is the same in both."""

from .measure import Failure, Program
from .setting import Result
from .tables import Goal
from .trees import file_difference, read_all

TITLE = "All parts of a specification, beside its squashfs alone"
ROUNDS = 1
FOLDERS = ["/proc", "/sys", "/dev", "/run", "/etc", "/var", "/tmp", "/root", "/home", "/bin", "/usr/bin"]


def compare(setting):
    """Runs both, and compares the squashfs."""
    folder, closure = setting.folder, setting.closure()
    for place in closure.places:
        read_all(place)
    parts, alone = folder / "parts", folder / "alone.squashfs"
    common = ["--no-cache", *setting.profile(), "--out"]
    tree = [f"--symlink={name}={{toplevel}}/init" for name in ("/init", "/sbin/init")]
    tree += [f"--directory={name}" for name in FOLDERS]
    runs = setting.in_turn(ROUNDS, [
        Program("kiln build", [setting.kiln, "build", setting.workspace / "demo/rock64.toml", *common, parts], parts, parts.mkdir),
        Program("kiln squashfs", [setting.kiln, "squashfs", "--closure", closure.info, "--store-root", closure.root, *tree,
                                  *common, alone], alone),
    ])
    if difference := file_difference(parts / "rootfs.squashfs", alone):
        raise Failure(difference)
    goals = [Goal("wall, kiln build / kiln squashfs", runs.ratio("wall_seconds", "kiln build", "kiln squashfs"), 1.1)]
    return Result(f"{closure.nar_bytes} bytes of NAR; zstd level {3 if setting.quick else 19}", runs, "kiln build", goals)
