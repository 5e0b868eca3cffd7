"""A disk with the demo's closure as ext4, in a qcow2 whose clusters are compressed with zstd 3. Kiln plans the disk out of the ready
ext4 and makes the container only; `qemu-img convert` has the ready disk. qemu-img finds the same bytes in all, and nothing wrong with
Kiln's."""

from .measure import Program, run
from .setting import Result
from .tables import Goal
from .trees import read_all

TITLE = "A disk as a compressed qcow2"
ROUNDS = 3


def specification(root):
    """Kiln's description of the disk, and of the container."""
    return f"""schema = 1
name = "vm"
seed = "bench"
digests = []
[disk]
only-outputs = true
[[disk.region]]
name = "root"
raw = "{root}"
type = "linux"
[[disk.output]]
format = "qcow2"
compression = "zstd"
file = "kiln.qcow2"
"""


def compare(setting):
    """Runs both, and compares the disks in their containers."""
    folder, closure = setting.folder, setting.closure()
    root, spec, out, raw = folder / "root.ext4", folder / "vm.toml", folder / "out", folder / "raw"
    run([setting.kiln, "ext4", "--closure", closure.info, "--store-root", closure.root, "--free", "256MiB", "--out", root])
    text = specification(root)
    spec.write_text(text)
    (folder / "raw.toml").write_text(text.replace("only-outputs = true\n", "").split("[[disk.output]]")[0])
    run([setting.kiln, "build", folder / "raw.toml", "--out", raw])
    disk, theirs = raw / "vm.img", folder / "qemu.qcow2"
    for file in (root, disk):
        read_all(file)
    convert = ["qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", "-o", "compression_type=zstd"]
    runs = setting.in_turn(ROUNDS, [
        Program("kiln", [setting.kiln, "build", spec, "--out", out], out / "kiln.qcow2"),
        Program("qemu-img", [*convert, disk, theirs], theirs),
        Program("qemu-img -W -m 16", [*convert, "-W", "-m", 16, disk, folder / "w.qcow2"], folder / "w.qcow2"),
    ])
    run(["qemu-img", "check", out / "kiln.qcow2"])
    for file in (out / "kiln.qcow2", theirs):
        run(["qemu-img", "compare", "-f", "raw", "-F", "qcow2", disk, file])
    goals = [Goal("wall, kiln / qemu-img", runs.ratio("wall_seconds", "kiln", "qemu-img"), 0.5),
             Goal("size, kiln / qemu-img", runs.ratio("size_bytes", "kiln", "qemu-img"), 1.02)]
    return Result(f"{disk.stat().st_size} bytes of a disk", runs, "kiln", goals)
