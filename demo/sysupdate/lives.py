"""The life of an appliance, stage by stage: each one says what it has seen, or fails."""

import hashlib
import re
import time

from emulator import Failure

SECTOR = 512
PARTS = ["root-verity-sig", "root-verity", "root"]
TYPES = {"root": "4f68bce3-e8cd-4db1-96e7-fbcaf984b709", "root-verity": "2c7357ed-ebd2-46d9-aec1-23d437ec2bf5",
         "root-verity-sig": "41092b05-9fc8-4523-994f-2def0408b176"}
SECRET = "a secret of the device"
SYSUPDATE = "/usr/lib/systemd/systemd-sysupdate"

# What a slot has that is going to be written, how many bytes of it are looked at, and how many are written in a second then.
FILLED = b"\xa5"
SEEN = 65536
WRITTEN_PER_SECOND = 8 << 20


def say(text):
    print(f"appliance: {text}", flush=True)


def expect(holds, text):
    if not holds:
        raise Failure(text)


def guid(raw):
    """A GUID as it is written."""
    digits = (raw[3::-1] + raw[5:3:-1] + raw[7:5:-1] + raw[8:]).hex()
    return "-".join([digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]])


class Slot:
    """A partition, as the disk's table has it."""

    def __init__(self, entry):
        self.type = guid(entry[:16])
        first, last = (int.from_bytes(entry[at:at + 8], "little") for at in (32, 40))
        self.start, self.size = first * SECTOR, (last + 1 - first) * SECTOR
        self.label = entry[56:128].decode("utf-16-le").rstrip("\0")


class Life:
    """One device, and who makes versions for it."""

    def __init__(self, device, maker, first):
        self.device = device
        self.maker = maker
        self.version = first
        self.old = None

    # What the disk says from outside.

    def slots(self, part):
        """The two slots for a part, A and B."""
        with open(self.device.disk, "rb") as disk:
            disk.seek(2 * SECTOR)
            entries = [disk.read(128) for _ in range(128)]
        return [slot for slot in map(Slot, entries) if slot.type == TYPES[part]]

    def slot(self, part, label):
        """The slot of this label."""
        found = [slot for slot in self.slots(part) if slot.label == label]
        expect(len(found) == 1, f"slots of {part} are {[slot.label for slot in self.slots(part)]}, one is not {label}")
        return found[0]

    def labels(self):
        return [sorted(slot.label for slot in self.slots(part)) for part in PARTS]

    def content(self, slot, size=None):
        with open(self.device.disk, "rb") as disk:
            disk.seek(slot.start)
            return disk.read(slot.size if size is None else size)

    def hashes(self, version):
        """What the slots of a version have now."""
        self.device.run("sync")
        return [hashlib.sha256(self.content(self.slot(part, f"kilnos_{version.number}"))).hexdigest() for part in PARTS]

    def compare(self, version):
        """The slots of a version have its bytes."""
        self.device.run("sync")
        for part in PARTS:
            file = version.part(part).read_bytes()
            slot = self.slot(part, f"kilnos_{version.number}")
            expect(self.content(slot, len(file)) == file, f"{part} of version {version.number} is not on the disk")
        say(f"the slots of version {version.number} have its bytes")

    def flip(self, version, part, at):
        """Flips a bit of a slot, as somebody would who has the disk; answers where."""
        place = self.slot(part, f"kilnos_{version.number}").start + at
        with open(self.device.disk, "r+b") as disk:
            disk.seek(place)
            byte = disk.read(1)[0]
            disk.seek(place)
            disk.write(bytes([byte ^ 1]))

    # What the device says.

    def images(self):
        """The images that firmware could start."""
        return self.device.run("ls /boot/EFI/Linux")

    def boots(self, *versions):
        """Waits until one of these versions is up, and checks in it that it is."""
        start = self.device.log.stat().st_size
        number = self.device.ready()
        found = [version for version in versions if str(version.number) == number]
        expect(found, f"version {number} is up, not {' or '.join(str(version.number) for version in versions)}")
        self.version = found[0]
        self.device.run("while [ -n \"$(systemctl list-jobs --no-legend)\" ]; do sleep 0.2; done", 120)
        said = self.device.console(start)
        expect("UEFI Secure Boot is enabled" in said, "Secure Boot is not enabled")
        mounts = self.device.run("awk '$2 == \"/\" { print $1, $3, $4 }' /proc/mounts")
        expect(mounts[0].startswith("/dev/mapper/root erofs ro"), f"/ is {mounts}")
        say(f"version {number} is up, by Secure Boot, from a root under dm-verity")
        return said

    def reboots(self, *versions):
        self.device.tell("systemctl reboot -ff")
        return self.boots(*versions)

    def is_good(self, *others):
        """The version that runs is marked as good, and these images are there beside it."""
        expected = sorted([f"kilnos_{self.version.number}.efi", *others])
        expect(self.images() == expected, f"images are {self.images()}, not {expected}")
        say(f"version {self.version.number} is marked as good: its image is kilnos_{self.version.number}.efi")

    def measures(self, said):
        """The TPM holds what was known before the boot, in each phase."""
        phases = ["enter-initrd", "leave-initrd", "sysinit", "ready"]
        now = self.device.run("cat /sys/class/tpm/tpm0/pcr-sha256/11")
        told = re.findall(r"INITRD pcr11 (\w+)", said)
        wanted = (self.version.pcr11(*phases[:1]), self.version.pcr11(*phases))
        expect((told[-1], now[0]) == wanted, f"PCR 11 was {told}, is {now}, and should be {wanted}")
        say(f"PCR 11 is what the manifest says, in the initrd and after: {told[-1].lower()}")

    def opens(self, said):
        """The secret that was sealed for the initrd was opened in it, and is not now."""
        expect(f"INITRD secret {SECRET}" in said, "the initrd has not opened the secret")
        self.is_sealed()
        say("the TPM has opened the secret in the initrd, and does not after it")

    def is_sealed(self):
        status, lines = self.device.ask("systemd-creds decrypt --name=secret /boot/loader/credentials/secret.cred -")
        text = "\n".join(lines)
        expect(status != 0 and SECRET not in text, f"the secret opens after the initrd: {text}")
        expect("Failed to unseal secret using TPM2" in text, f"not for the TPM's policy: {text}")

    def updates(self):
        return self.device.ask(f"{SYSUPDATE} update")

    def installs(self, version):
        """Updates to a version, which has to succeed."""
        self.maker.serve(version)
        start = time.monotonic()
        status, lines = self.updates()
        expect(status == 0, f"systemd-sysupdate: status {status}\n" + "\n".join(lines))
        say(f"systemd-sysupdate has installed version {version.number} in {time.monotonic() - start:.0f} s")
        self.compare(version)
        new = f"kilnos_{version.number}+3-0.efi"
        expect(new in self.images(), f"images are {self.images()}, without {new}")
        ours = hashlib.sha256((version.out / "main.efi").read_bytes()).hexdigest()
        theirs = self.device.run(f"sha256sum < /boot/EFI/Linux/{new}")
        expect(theirs[0].startswith(ours), f"{new} has {theirs}, not {ours}")
        say(f"its image is {new}")

    # The stages.

    def first_boot(self):
        """A new device takes our keys, makes its other slots, and seals a secret."""
        expect(self.labels() == [["kilnos_1"]] * 3, f"the disk of the factory has {self.labels()}")
        self.device.power_on()
        said = self.boots(self.version)
        expect("Custom Secure Boot keys successfully enrolled" in said, "the firmware has not taken the keys")
        say("the firmware has taken our keys")
        expect(self.labels() == [["_empty", "kilnos_1"]] * 3, f"after the first boot, slots are {self.labels()}")
        say("the first boot made the other slots, which are empty")
        self.is_good()
        self.measures(said)
        self.device.run("mkdir -p /boot/loader/credentials && printf %s '" + SECRET + "' | systemd-creds encrypt --name=secret "
                        "--with-key=tpm2-with-public-key --tpm2-public-key=/run/systemd/tpm2-pcr-public-key.pem "
                        "--tpm2-public-key-pcrs=11 - /boot/loader/credentials/secret.cred && sync")
        self.is_sealed()
        say("a secret is sealed for the key that signs PCR 11")

    def update(self, version):
        """The next version is installed, runs, and is good."""
        old = self.version
        self.installs(version)
        said = self.reboots(version)
        self.is_good(f"kilnos_{old.number}.efi")
        self.measures(said)
        self.opens(said)
        self.old = old

    def refuses(self, version, foreign):
        """What is not what we signed is not installed, and what runs stays."""
        before = self.state()
        self.maker.serve(version)
        self.maker.flip("SHA256SUMS")
        self.is_refused("a list of hashes that somebody has changed", "BAD signature")
        self.maker.serve(foreign)
        self.is_refused("a release that somebody else has signed", "No public key")
        expect(before == self.state(), f"something has changed: {before}, {self.state()}")
        say("nothing was written")
        for what, pattern in [("a partition", "*.root.raw*"), ("an image", "*.efi")]:
            self.maker.serve(version)
            self.maker.flip(pattern)
            self.is_refused(f"{what} with a flipped bit", "DOWNLOAD INVALID|Failed to retrieve image file")
        images, hashes, labels = self.state()
        own = f"kilnos_{self.version.number}"
        expect(hashes == before[1] and f"{own}.efi" in images, f"what runs was written; images are {images}")
        expect(not any(f"_{version.number}" in name for name in images + sum(labels, [])), f"{images}, {labels}")
        say("what runs was not written, and nothing has the name of the version that was refused")

    def state(self):
        """What the device has: images, the bytes of what runs, labels of slots."""
        return self.images(), self.hashes(self.version), self.labels()

    def is_refused(self, what, reason):
        status, lines = self.updates()
        said = [line.strip() for line in lines if re.search(reason, line)]
        expect(status != 0 and said, f"{what}: systemd-sysupdate has status {status}:\n" + "\n".join(lines))
        say(f"refused {what}: {said[0]}")

    def falls_back(self, version):
        """A version that somebody damages on the disk is tried three times, and what ran before is back."""
        good = self.version
        self.installs(version)
        self.device.run("sync")
        start = self.device.log.stat().st_size
        damages = [("the tree", "root-verity", 4096 + 100), ("the root", "root", 1024 + 100),
                   ("the signature", "root-verity-sig", 400)]
        self.device.tell("systemctl reboot -ff")
        self.device.wait_for_reset()
        for what, part, at in damages:
            self.flip(version, part, at)
            begin = self.device.log.stat().st_size
            self.device.power_on()
            self.device.wait_for_reset()
            said = self.device.console(begin)
            expect("Kernel panic" in said, f"no panic although a bit of {what} is flipped")
            expect("READY" not in said, f"it starts although a bit of {what} is flipped")
            (reason,) = re.findall(r"(Kernel panic - not syncing: .*)", said)[:1]
            say(f"a flipped bit in {what}: {reason}")
            self.flip(version, part, at)
        self.device.power_on()
        self.boots(good)
        expect(self.device.console(start).count("Kernel panic") == 3, "there were not three panics")
        images = self.images()
        expect(f"kilnos_{version.number}+0-3.efi" in images, f"images are {images}")
        say(f"version {version.number} was tried three times, and version {good.number} is back: {' '.join(images)}")

    def power_cuts(self, version):
        """The power goes during an update; each time a version boots that is whole, and in the end the new one."""
        old = self.version
        self.maker.serve(version)
        points = [
            ("while the hash tree was fetched", r"root-verity\.raw", None),
            ("while the root was written", r"\.root\.raw", "root"),
            ("while the image was fetched", rf"kilnos_{version.number}\.efi", None),
            ("right after the update", r"> status 0", None),
        ]
        for what, pattern, part in points:
            start = self.device.log.stat().st_size
            if part:
                self.fill(part)
                self.device.slow_down(WRITTEN_PER_SECOND)
            self.device.tell(f"{SYSUPDATE} update > /dev/console 2>&1")
            self.device.wait_for_console(pattern, start)
            if part:
                self.wait_for_write(part, version)
            self.device.cut_power()
            self.device.power_on()
            self.boots(*([old, version] if what.startswith("right") else [old]))
            say(f"power cut {what}: version {self.version.number} boots")
        if self.version is old:
            # What a FAT has not written yet is lost; an image without bytes counts as installed all the same.
            empty = self.device.run("find /boot/EFI/Linux -name '*.efi' -size 0")
            say(f"images without bytes, which are removed: {' '.join(empty) or 'none'}")
            self.device.run("find /boot/EFI/Linux -name '*.efi' -size 0 -exec rm {} +")
            self.installs(version)
            self.reboots(version)
        self.is_good(*[name for name in self.images() if name != f"kilnos_{version.number}.efi"])
        self.compare(version)

    def other(self, part):
        """The slot for a part that is not of the version that runs."""
        (slot,) = [slot for slot in self.slots(part) if slot.label != f"kilnos_{self.version.number}"]
        return slot

    def fill(self, part):
        """Puts into the slot that does not run what no version has: of their bytes, nearly all are the same."""
        slot = self.other(part)
        with open(self.device.disk, "r+b") as disk:
            disk.seek(slot.start)
            disk.write(FILLED * slot.size)

    def wait_for_write(self, part, version):
        """Waits until the middle of the slot that is being written is there, and its end is not yet."""
        content = version.part(part).read_bytes()
        middle, last = len(content) // 2, len(content) - SEEN
        slot = self.other(part)
        end = time.monotonic() + 300
        while time.monotonic() < end:
            with open(self.device.disk, "rb") as disk:
                disk.seek(slot.start + last)
                is_ended = disk.read(SEEN) != FILLED * SEEN
                disk.seek(slot.start + middle)
                is_begun = disk.read(SEEN) == content[middle:middle + SEEN]
            expect(not is_ended, f"{part} was written to its end before the power could be cut")
            if is_begun:
                return
            time.sleep(0.02)
        raise Failure(f"{part} is not written")
