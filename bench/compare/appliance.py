"""The disk of an appliance that is started by EFI: an ESP with systemd-boot, kernel and initial file system, and the demo's closure as an
erofs with zstd 3, under dm-verity. Beside it, the same disk with all that makes it an appliance that updates itself: the kernel as a unified
kernel image, measured for PCR 11, with systemd-boot signed for Secure Boot, its keys for the firmware, the root hash signed in a partition, and
the folder of the release with its signature. Once more, both with an erofs that is not compressed; the release compresses it then,
with xz 1 (with xz 6, it takes six times as long). Without a cache. sbverify and gpgv accept the signatures, and what the release has unpacks to what the disk has."""

import hashlib
import lzma

from .measure import Failure, NotHere, Program, run
from .setting import Result
from .tables import Goal
from .trees import read_all

TITLE = "An appliance, beside its disk alone"
ROUNDS = 3
KEYS = ["pk", "kek", "db", "pcr", "release"]
# The first is that of a compressed file system, whose release has nothing left to compress.
KINDS = {"zstd": ('compression = "zstd"\nlevel = 3', ""), "xz 1": ("", "compress-level = 1")}


def pair(folder, name):
    """A key of a specification."""
    return f'{{ key = "{folder}/{name}.key", certificate = "{folder}/{name}.pem" }}'


def disk(setting, parts, compression):
    """What both have, but for the files of the ESP."""
    closure = setting.closure()
    return f"""
[closure]
from = "{closure.info}"
store-root = "{closure.root}"
[fs.root]
format = "erofs"
{compression}
closure = true
[verity.root]
data = "fs.root"
[fs.esp]
format = "fat"
bits = 32
cluster-size = "512B"
size = "100MiB"
[fs.esp.files]
FILES
[disk]
table = "gpt"
[[disk.region]]
name = "esp"
type = "esp"
content = "fs.esp"
[[disk.region]]
name = "root-verity"
type = "root-x86-64-verity"
content = "verity.root"
size = "8MiB"
[[disk.region]]
name = "root"
type = "root-x86-64"
content = "fs.root"
size = "512MiB"
"""


def alone(setting, parts, compression):
    """The disk alone."""
    files = f'"/EFI/BOOT/BOOTX64.EFI" = "{parts}/efi/systemd-bootx64.efi"\n"/linux" = "{parts}/vmlinuz"\n"/initrd" = "{parts}/initrd"'
    return 'schema = 1\nname = "alone"\n' + disk(setting, parts, compression).replace("FILES", files)


def appliance(setting, parts, compression, release):
    """The same, and all that is asked of an appliance."""
    db, folder = pair(setting.folder, "db"), setting.folder
    files = "\n".join(f'"/loader/keys/auto/{name}.auth" = "{{secure-boot.{name}}}"' for name in ("PK", "KEK", "db"))
    files = '"/EFI/BOOT/BOOTX64.EFI" = "{efi.boot}"\n' + files
    return f"""schema = 1
name = "kilnos"
[release]
version = "1"
uki = "main"
sign = {pair(folder, "release")}
{release}
[verity.root.signature]
key = "{folder}/db.key"
certificate = "{folder}/db.pem"
[uki.main]
stub = "{parts}/efi/linuxx64.efi.stub"
linux = "{parts}/vmlinuz"
initrd = "{parts}/initrd"
cmdline = "roothash={{fs.root.roothash}} systemd.verity_root_options=panic-on-corruption panic=1"
sign = {db}
measure = {{ key = "{folder}/pcr.key", phases = ["enter-initrd"] }}
[efi.boot]
source = "{parts}/efi/systemd-bootx64.efi"
sign = {db}
[secure-boot]
pk = {pair(folder, "pk")}
kek = {pair(folder, "kek")}
db = ["{folder}/db.pem"]
""" + disk(setting, parts, compression).replace("FILES", files) + """
[[disk.region]]
name = "root-verity-sig"
type = "root-x86-64-verity-sig"
content = "verity.root.signature"
size = "16KiB"
"""


def examine(setting, out):
    """The signatures are good, and the release has the disk's root."""
    release, keyring, root = out / "release", setting.folder / "keyring.gpg", hashlib.sha256((out / "root.erofs").read_bytes()).digest()
    key = ["--key", setting.folder / "release.key", "--certificate", setting.folder / "release.pem"]
    run([setting.kiln, "release", "key", *key, "--out", keyring])
    run(["gpgv", "--quiet", "--keyring", keyring, release / "SHA256SUMS.gpg", release / "SHA256SUMS"])
    run(["sha256sum", "--quiet", "--check", "SHA256SUMS"], cwd=release)
    run(["sbverify", "--cert", setting.folder / "db.pem", *release.glob("*.efi")])
    (packed,) = [*release.glob("*.root.raw"), *release.glob("*.root.raw.xz")]
    data = packed.read_bytes() if packed.suffix == ".raw" else lzma.decompress(packed.read_bytes())
    if hashlib.sha256(data).digest() != root:
        raise Failure(f"{packed.name} is not the disk's root")


def compare(setting):
    """Runs all, and looks into what the appliances are."""
    folder, parts = setting.folder, setting.demo / "appliance-parts"
    if not (parts / "stamp").exists():
        raise NotHere("what the appliance is made of: `demo/make-appliance demo/out/appliance-parts` fetches it")
    for name in KEYS:
        run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "7300", "-subj", f"/CN={name}",
             "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"])
    for place in [parts / "efi", parts / "vmlinuz", parts / "initrd", *setting.closure().places]:
        read_all(place)
    programs = []
    for kind, (compression, release) in KINDS.items():
        for what, text in (("alone", alone(setting, parts, compression)), ("appliance", appliance(setting, parts, compression, release))):
            spec, out = folder / f"{what} {kind}.toml", folder / f"{what} {kind}"
            spec.write_text(text)
            out.mkdir()
            programs.append(Program(f"{what}, {kind}", [setting.kiln, "build", spec, "--no-cache", "--out", out], out))
    runs = setting.in_turn(ROUNDS, programs)
    for kind in KINDS:
        examine(setting, folder / f"appliance {kind}")
    goals = [Goal("wall, appliance / alone, zstd", runs.ratio("wall_seconds", "appliance, zstd", "alone, zstd"), 1.1)]
    return Result(f"{setting.closure().nar_bytes} bytes of NAR", runs, None, goals)
