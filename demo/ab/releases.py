"""What a vendor has: keys, and releases of the system, each as an image for the factory and a bundle for devices."""

import pathlib
import subprocess

from emulator import Failure

DEMO = pathlib.Path(__file__).resolve().parent.parent


def call(*command):
    """Runs a program that has to succeed, and answers what it prints."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise Failure(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Vendor:
    """Makes everything in one folder."""

    def __init__(self, kiln, work):
        self.kiln = kiln
        self.work = work
        self.keys = work / "keys"
        self.bundles = work / "bundles"
        self.bundles.mkdir(parents=True, exist_ok=True)
        call(DEMO / "keys", self.keys)
        call(DEMO / "keys", work / "foreign-keys", "Somebody else")

    def build(self, number, *parts):
        """Builds a release, or only parts of it: the folder with what was built, of which the server gets the bundle."""
        out = self.work / f"release-{number}"
        out.mkdir(exist_ok=True)
        only = [word for part in parts for word in ["--only", part]]
        call(self.kiln, "build", self.specification(number), "--out", out, "--signing-time", "now", *only)
        self.take(out, f"{number}.raucb")
        return out

    def variant(self, number, name, *changes):
        """A bundle of a release with something else in its specification."""
        out = self.work / "variant"
        out.mkdir(exist_ok=True)
        call(self.kiln, "bundle", "build", self.specification(number, changes), "--out", out, "--signing-time", "now")
        self.take(out, name)

    def resign(self, name, foreign):
        """The same bundle, signed by somebody else."""
        keys = self.work / "foreign-keys"
        both = self.work / "both.pem"
        both.write_text((self.keys / "ca.pem").read_text() + (keys / "ca.pem").read_text())
        (self.bundles / foreign).unlink(missing_ok=True)
        call(self.kiln, "bundle", "resign", self.bundles / name, "--out", self.bundles / foreign,
             "--key", keys / "release.key", "--certificate", keys / "release.pem", "--signing-time", "now",
             "--keyring", both)

    def specification(self, number, changes=()):
        """The demo's specification for a release, with something else in it."""
        text = (DEMO / "ab-update.toml").read_text()
        for old, new in changes:
            if old not in text:
                raise Failure(f"no {old!r} in ab-update.toml")
            text = text.replace(old, new)
        text = text.replace('"out/store/ab/1/', f'"out/store/ab/{number}/')
        for short, long in [("out/ab-update/", self.work), ("out/", DEMO / "out"), ("ab/", DEMO / "ab")]:
            text = text.replace(f'"{short}', f'"{long}/')
        path = self.work / f"release-{number}.toml"
        path.write_text(text)
        return path

    def take(self, out, name):
        """Puts the bundle of a folder where the server has it."""
        (made,) = out.glob("*.raucb")
        made.replace(self.bundles / name)
