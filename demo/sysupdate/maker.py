"""Who makes the appliance: keys, and versions of the system, each as a disk for new devices and a release for the others."""

import hashlib
import json
import re
import shutil

from emulator import Failure
from releases import DEMO, call


def extended(value, *words):
    """PCR 11 after phases of the boot."""
    for word in words:
        value = hashlib.sha256(value + hashlib.sha256(word.encode()).digest()).digest()
    return value


class Version:
    """One version as it was built."""

    def __init__(self, number, out):
        self.number = number
        self.out = out
        manifest = json.loads((out / "kilnos.manifest.json").read_text())
        self.measured = bytes.fromhex(manifest["uki"]["uki.main"][0]["pcr11"][0]["measured"])
        (self.image,) = out.glob("*.img")

    def pcr11(self, *phases):
        """What PCR 11 has after these phases, as the kernel prints it."""
        return extended(self.measured, *phases).hex().upper()

    def part(self, region):
        """The file that a slot has to hold."""
        return self.out / {"root": "root.erofs", "root-verity": "root.verity", "root-verity-sig": "root.verity-sig"}[region]


class Maker:
    """Makes everything in one folder."""

    def __init__(self, kiln, work, url):
        self.kiln = kiln
        self.work = work
        self.url = url
        self.keys = work / "keys"
        self.served = work / "served"
        self.key("pk", "kek", "db", "pcr", "release", "stranger")

    def key(self, *names):
        """Keys that firmware takes, each with a certificate of its own."""
        self.keys.mkdir(parents=True, exist_ok=True)
        for name in names:
            if not (self.keys / f"{name}.pem").exists():
                call("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "7300", "-subj",
                     f"/CN=Kiln demo {name}", "-keyout", self.keys / f"{name}.key", "-out", self.keys / f"{name}.pem")

    def build(self, number, signer="release"):
        """Builds a version, signed by us or by somebody else."""
        out = self.work / f"version-{number}-{signer}"
        call(self.kiln, "build", self.specification(number, signer), "--out", out)
        return Version(number, out)

    def specification(self, number, signer):
        """The demo's specification for a version."""
        text = (DEMO / "appliance.toml").read_text()
        changes = [('version = "1"', f'version = "{number}"'), ("os-release-1", f"os-release-{number}"),
                   ("http://10.0.2.2/kilnos", self.url), ("keys/release.", f"keys/{signer}."),
                   ('"out/appliance/', f'"{self.work}/'), ('"out/', f'"{DEMO}/out/')]
        for old, new in changes:
            if old not in text:
                raise Failure(f"no {old!r} in appliance.toml")
            text = text.replace(old, new)
        path = self.work / f"version-{number}-{signer}.toml"
        path.write_text(text)
        release = f"ID=kilnos\nNAME=Kilnos\nIMAGE_ID=kilnos\nIMAGE_VERSION={number}\n"
        (self.work / f"os-release-{number}").write_text(release)
        return path

    def serve(self, version):
        """Makes a version the one that the web server has."""
        shutil.rmtree(self.served, ignore_errors=True)
        self.served.mkdir()
        for file in (version.out / "release").iterdir():
            (self.served / file.name).hardlink_to(file)

    def flip(self, pattern):
        """Has the web server say something else in the middle of a file."""
        (path,) = self.served.glob(pattern)
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.unlink()
        path.write_bytes(content)
