"""The demo's closure as ext4, where store and image lie on a file system that can share blocks between files: btrfs in a
file. `cp -a --reflink=never` copies the store paths there and does not wait; Kiln hashes all twice and waits until the
image is on the disk. e2fsck finds nothing, and the image is the one that Kiln makes elsewhere."""

import contextlib
import subprocess

from .measure import Failure, NotHere, Program, run
from .setting import Result
from .tables import Goal
from .trees import file_difference, read_all, remove

TITLE = "A closure as ext4, on a file system that shares blocks"
ROUNDS = 3
SIZE = 4 << 30


@contextlib.contextmanager
def btrfs(folder):
    """A folder on a btrfs of its own, which goes with the block."""
    image, mounted = folder / "btrfs.img", folder / "btrfs"
    mounted.mkdir()
    with open(image, "wb") as file:
        file.truncate(SIZE)
    run(["mkfs.btrfs", "--quiet", image])
    done = subprocess.run(["mount", "-o", "loop", image, mounted], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotHere(f"needs root and loop devices: {done.stderr.strip()}")
    try:
        yield mounted
    finally:
        run(["umount", mounted])


def compare(setting):
    """Runs both, and compares Kiln's image with one made elsewhere."""
    closure = setting.closure()
    with btrfs(setting.folder) as folder:
        tree, copied, ours = folder / "tree", folder / "cp", folder / "kiln.img"
        closure.copy(tree)
        run(["sync", "-f", tree])
        read_all(tree)

        def ext4(root, output):
            return [setting.kiln, "ext4", "--closure", closure.info, "--store-root", root, "--free", "16MiB", "--out", output]

        runs = setting.in_turn(ROUNDS, [
            Program("kiln", ext4(tree, ours), ours),
            Program("cp -a", ["cp", "-a", "--reflink=never", tree / "nix/store", copied], copied),
        ])
        run(["e2fsck", "-fn", ours])
        elsewhere = setting.folder / "elsewhere.img"
        run(ext4(closure.root, elsewhere))
        if difference := file_difference(ours, elsewhere):
            raise Failure(difference)
        remove(copied)
    goals = [Goal("wall, kiln / cp -a", runs.ratio("wall_seconds", "kiln", "cp -a"), 0.3)]
    return Result(f"{closure.nar_bytes} bytes of NAR", runs, "kiln", goals)
