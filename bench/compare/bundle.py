"""A signed bundle of the format verity out of two ready images, a FAT of 128 MiB and a squashfs, with the hashes of
their blocks (`block-hash-index`). `kiln bundle build` takes them as `raw`; it verifies the finished bundle, and waits
until it is on the disk. `rauc info` accepts both, and `rauc extract` finds the two images in both."""

import os

from .measure import Failure, Program, run
from .setting import Result
from .tables import Goal
from .trees import file_difference, remove

TITLE = "A signed bundle of ready images"
ROUNDS = 3
IMAGES = ["boot.vfat", "rootfs.squashfs"]


def given_images(setting, folder):
    """The demo's boot partition and root, made quickly: what they hold does not matter here."""
    folder.mkdir()
    run([setting.kiln, "build", setting.workspace / "demo/rock64.toml", "--only", "fs.boot", "--only", "fs.rootfs",
         "--profile", "dev", "--no-cache", "--out", folder])
    return folder


def specification(keys, given):
    """Kiln's description of the bundle."""
    text = 'schema = 1\nname = "bench"\n[bundle]\nfile = "kiln.raucb"\ncompatible = "bench"\nversion = "1"\n'
    for name in IMAGES:
        text += f'[bundle.image.{name.partition(".")[0]}]\nraw = "{given / name}"\n'
    text += f'[bundle.sign]\nkey = "{keys}/release.key"\ncertificate = "{keys}/release.pem"\nkeyring = "{keys}/ca.pem"\n'
    return text + "time = 1800000000\n"


def manifest():
    """RAUC's description of it."""
    text = "[update]\ncompatible=bench\nversion=1\n[bundle]\nformat=verity\n"
    for name in IMAGES:
        text += f"[image.{name.partition('.')[0]}]\nfilename={name}\nadaptive=block-hash-index\n"
    return text


def compare(setting):
    """Runs both, and compares what rauc finds."""
    folder, keys = setting.folder, setting.demo / "keys"
    given = given_images(setting, folder / "given")
    spec, out, content = folder / "bundle.toml", folder / "out", folder / "content"
    spec.write_text(specification(keys, given))
    out.mkdir()

    def fresh():
        remove(content)
        content.mkdir()
        (content / "manifest.raucm").write_text(manifest())
        for name in IMAGES:
            os.link(given / name, content / name)

    ours, theirs = out / "kiln.raucb", folder / "rauc.raucb"
    runs = setting.in_turn(ROUNDS, [
        Program("kiln", [setting.kiln, "bundle", "build", spec, "--no-cache", "--out", out], ours),
        Program("rauc", ["rauc", "bundle", "--cert", keys / "release.pem", "--key", keys / "release.key",
                         "--keyring", keys / "ca.pem", content, theirs], theirs, fresh),
    ])
    for bundle in (ours, theirs):
        run(["rauc", "info", "--keyring", keys / "ca.pem", bundle])
        extracted = bundle.with_suffix(".extracted")
        run(["rauc", "extract", "--keyring", keys / "ca.pem", bundle, extracted])
        for name in IMAGES:
            if difference := file_difference(given / name, extracted / name):
                raise Failure(difference)
    goals = [Goal("wall, kiln / rauc", runs.ratio("wall_seconds", "kiln", "rauc"), 0.5)]
    return Result(f"{sum((given / name).stat().st_size for name in IMAGES)} bytes of images", runs, "kiln", goals)
