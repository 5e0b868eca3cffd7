"""A disk of 1170 MiB with a GPT, a boot loader's two parts outside of it, a FAT and a squashfs, all of them ready
files, beside genimage. Kiln also computes the image's fs-verity digest and waits until it is on the disk. sfdisk lists the same
partitions in both, and the parts' bytes are in their places."""

import json

from .bundle import given_images
from .measure import Failure, Program, run
from .setting import Result
from .tables import Goal

TITLE = "A disk of ready parts"
ROUNDS = 3
MIB = 1 << 20
SIZE_MIB = 1170
GUID = "11111111-2222-4333-8444-{:012}"
# Name, file, offset, size and type; without a type, it is no partition.
PARTS = [
    ("idbloader", "idbloader.img", 64 * 512, None, None),
    ("u-boot", "u-boot.itb", 8 * MIB, None, None),
    ("boot-a", "boot.vfat", 16 * MIB, 128 * MIB, "bc13c2ff-59e6-4262-a352-b275fd6f7172"),
    ("rootfs-a", "rootfs.squashfs", 144 * MIB, 1024 * MIB, "b921b045-1df0-41c3-af44-4c6f280d3fae"),
]


def specification(given):
    """Kiln's description of the disk."""
    text = f'schema = 1\nname = "bench"\n[disk]\nfile = "kiln.img"\ntable = "gpt"\nsize = "{SIZE_MIB}MiB"\nguid = "{GUID.format(0)}"\n'
    for number, (name, file, offset, size, kind) in enumerate(PARTS):
        text += f'[[disk.region]]\nname = "{name}"\nraw = "{given / file}"\noffset = "{offset}B"\n'
        if kind:
            text += f'size = "{size}B"\ntype = "{kind}"\nguid = "{GUID.format(number)}"\n'
    return text


def configuration():
    """genimage's description of it."""
    text = f'image genimage.img {{\nsize = {SIZE_MIB}M\nhdimage {{\npartition-table-type = "gpt"\ndisk-uuid = "{GUID.format(0)}"\n}}\n'
    for number, (name, file, offset, size, kind) in enumerate(PARTS):
        text += f'partition {name} {{\nimage = "{file}"\noffset = {offset}\n'
        if kind:
            text += f'size = {size}\npartition-type-uuid = "{kind}"\npartition-uuid = "{GUID.format(number)}"\n}}\n'
        else:
            text += "in-partition-table = false\n}\n"
    return text + "}\n"


def partitions(image):
    """What sfdisk finds, but the image's name in it."""
    found = json.loads(run(["sfdisk", "-J", image]))["partitiontable"]
    rows = [{key: value for key, value in row.items() if key != "node"} for row in found["partitions"]]
    return found["label"], found["id"], rows


def check_contents(image, given):
    """Finds the parts' bytes in their places."""
    with open(image, "rb") as disk:
        for name, file, offset, _, _ in PARTS:
            disk.seek(offset)
            with open(given / file, "rb") as part:
                while block := part.read(MIB):
                    if disk.read(len(block)) != block:
                        raise Failure(f"{image} does not have {name} at {offset}")


def compare(setting):
    """Runs both, and compares the disks."""
    folder = setting.folder
    given = given_images(setting, folder / "given")
    for name in ("idbloader.img", "u-boot.itb"):
        run(["cp", setting.demo / "loader" / name, given])
    spec, config, out = folder / "disk.toml", folder / "genimage.cfg", folder / "out"
    spec.write_text(specification(given))
    config.write_text(configuration())
    for name in ("out", "root", "tmp"):
        (folder / name).mkdir()
    ours, theirs = out / "kiln.img", folder / "genimage.img"
    runs = setting.in_turn(ROUNDS, [
        Program("kiln", [setting.kiln, "build", spec, "--only", "disk", "--out", out], ours),
        Program("genimage", ["genimage", "--config", config, "--inputpath", given, "--outputpath", folder,
                             "--rootpath", folder / "root", "--tmppath", folder / "tmp"], theirs),
    ])
    if partitions(ours) != partitions(theirs):
        raise Failure(f"the tables differ: {partitions(ours)} {partitions(theirs)}")
    for image in (ours, theirs):
        check_contents(image, given)
    goals = [Goal("until on the disk, kiln / genimage", runs.ratio("synced_seconds", "kiln", "genimage"), 1.5)]
    return Result(f"{sum((given / part[1]).stat().st_size for part in PARTS)} bytes of parts", runs, "kiln", goals)
