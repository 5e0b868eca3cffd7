"""The life of a device, stage by stage: each one says what it has seen, or fails."""

import hashlib
import re
import time

from emulator import Failure

MIB = 1 << 20
SECTOR = 512
COUNTERS = (4064 << 10, 8 << 10)
PARTITIONS = {"A": (1, 2), "B": (3, 4)}

# Bundles that a device has to refuse: file, what it is, how RAUC complains.
FOREIGN = ("foreign.raucb", "a bundle signed by somebody else", "unable to get local issuer certificate")
OTHER = ("other.raucb", "a bundle for another device", "Compatible mismatch")


def say(text):
    print(f"ab-update: {text}", flush=True)


def expect(holds, text):
    if not holds:
        raise Failure(text)


def sha256(path, start=0, size=None):
    """The hash of a file, or of a part of it."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        file.seek(start)
        while piece := file.read(MIB if size is None else min(MIB, size)):
            digest.update(piece)
            size = None if size is None else size - len(piece)
    return digest.hexdigest()


def common_start(one, other):
    """How many bytes two files begin with alike."""
    at = 0
    with open(one, "rb") as first, open(other, "rb") as second:
        while (piece := first.read(MIB)) and piece == (its := second.read(MIB)):
            at += len(piece)
    return at + next((number for number, (a, b) in enumerate(zip(piece, its)) if a != b), 0)


class Life:
    """A device, its vendor and their server; `slot` is where it runs now."""

    def __init__(self, device, vendor, server):
        self.device = device
        self.vendor = vendor
        self.server = server
        self.slot = None
        self.install_seconds = None

    # What can be seen from the outside.

    def partitions(self):
        """Name, first byte and size of each partition, from the GPT's entries."""
        with open(self.device.disk, "rb") as disk:
            disk.seek(2 * SECTOR)
            entries = [disk.read(128) for _ in range(128)]
        found = {}
        for entry in entries:
            first, last = (int.from_bytes(entry[at:at + 8], "little") for at in (32, 40))
            if last:
                name = entry[56:128].decode("utf-16-le").rstrip("\0")
                found[name] = (first * SECTOR, (last + 1 - first) * SECTOR)
        return found

    def gap(self):
        """The hash of what lies between the table and the first partition, without the counters."""
        (counters, size), first = COUNTERS, self.partitions()["boot-a"][0]
        table = 34 * SECTOR
        return (sha256(self.device.disk, table, counters - table) +
                sha256(self.device.disk, counters + size, first - counters - size))

    def slot_hashes(self, slot):
        """The hashes of a slot's two partitions, as the disk has them now."""
        self.device.run("busybox sync")
        places = self.partitions()
        return [sha256(self.device.disk, *places[f"{part}-{slot.lower()}"]) for part in ["boot", "rootfs"]]

    def compare(self, slot, release):
        """A slot has the bytes of a release's parts."""
        places = self.partitions()
        for part, name in [("boot", "boot.vfat"), ("rootfs", "rootfs.squashfs")]:
            path = release / name
            start, _ = places[f"{part}-{slot.lower()}"]
            ours, theirs = sha256(path), sha256(self.device.disk, start, path.stat().st_size)
            expect(ours == theirs, f"{part} of slot {slot} has sha256 {theirs}, {path} has {ours}")
            say(f"{part} of slot {slot} has sha256 {ours}, as {name} has")

    def bytes_of_console(self):
        return self.device.log.stat().st_size

    # What happens to it.

    def boots(self, wanted):
        """Waits until the device is up, in one of these slots, and checks in it that it is."""
        self.slot = self.device.ready()
        expect(self.slot in wanted, f"booted slot {self.slot}, not {' or '.join(wanted)}")
        root = self.device.run("busybox sed -n 's, / squashfs .*,,p' /proc/mounts")
        number = PARTITIONS[self.slot][1]
        expect(root == [f"/dev/vda{number}"], f"in slot {self.slot}, / is {root}")
        status = "\n".join(self.device.run("rauc status --output-format=shell"))
        expect(f"RAUC_SYSTEM_BOOTED_BOOTNAME='{self.slot}'" in status, f"rauc status says {status}")
        say(f"booted slot {self.slot}: / is {root[0]}")

    def reboots(self, wanted):
        self.device.tell("busybox reboot -f")
        self.boots(wanted)

    def mark_good(self):
        self.device.run("rauc status mark-good")
        left = self.device.run(f"fw_printenv -n BOOT_{self.slot}_LEFT")
        expect(left == ["3"], f"after mark-good, BOOT_{self.slot}_LEFT is {left}")
        say(f"marked slot {self.slot} as good: BOOT_{self.slot}_LEFT is 3")

    def fetch(self, name):
        """Copies a bundle to the device's data partition."""
        self.device.run(f"busybox wget -q -O /data/{name} {self.server.url(name)}")
        return f"/data/{name}"

    def turn(self, place, old, new):
        """Makes one bundle in the device another one: what both begin with is not fetched again."""
        same = common_start(self.vendor.bundles / old, self.vendor.bundles / new)
        self.device.run(f"busybox truncate -s {same} {place} && busybox wget -q -c -O {place} {self.server.url(new)}")
        size = (self.vendor.bundles / new).stat().st_size
        expect(self.device.run(f"busybox stat -c %s {place}") == [str(size)], f"{new} has not arrived")

    def poke(self, place, at, byte):
        """Writes one byte of a file in the device."""
        self.device.run(f"printf '\\{byte:03o}' | busybox dd of={place} bs=1 seek={at} conv=notrunc 2> /dev/null")

    def serve(self, release):
        """Makes the RAUC of one of Debian's releases the one that the device has."""
        self.device.run(f"/run/current-system/checks/serve {release}")
        (version,) = self.device.run("rauc --version")
        say(f"the device has {version} of Debian {release}")

    def install(self, place):
        """Installs a bundle, which has to succeed."""
        start = time.monotonic()
        lines = self.device.run(f"rauc install {place}")
        expect(any("succeeded" in line for line in lines), f"rauc install {place}: {lines}")
        self.install_seconds = time.monotonic() - start
        say(f"installed {place}")

    def other(self):
        return "B" if self.slot == "A" else "A"

    # The stages.

    def first_boot(self, factory):
        """Boot A extends the disk and leaves the loaders alone."""
        gap = self.gap()
        expect(sorted(self.partitions()) == ["boot-a", "rootfs-a"], "the factory's image has two partitions")
        self.device.power_on()
        self.boots("A")
        self.device.run("busybox sync")
        places = self.partitions()
        expect(list(places) == ["boot-a", "rootfs-a", "boot-b", "rootfs-b", "data"], f"partitions are {places}")
        for part in ["boot", "rootfs"]:
            expect(places[f"{part}-a"][1] == places[f"{part}-b"][1], f"{part}-a and {part}-b differ in size")
        say("the first boot made boot-b, rootfs-b and data")
        expect(gap == self.gap(), "the first boot has written between the table and the first partition")
        say("the loaders before the first partition are as they were")
        self.compare("A", factory)
        self.mark_good()

    def update(self, release):
        """An update from a file, and the other slot is the one that runs."""
        place = self.fetch("2.raucb")
        old = self.slot
        self.install(place)
        self.compare(self.other(), release)
        self.reboots(self.other())
        expect(self.slot != old, "the slot has changed")
        self.mark_good()

    def bad_update(self):
        """An update over the network that does not start: three attempts, and the device is back."""
        self.serve(13)
        (earlier, before), old = self.server.sent("3.raucb"), self.slot
        self.install(self.server.url("3.raucb"))
        size = (self.vendor.bundles / "3.raucb").stat().st_size
        requests, after = self.server.sent("3.raucb")
        say(f"fetched {after - before} of {size} bytes in {requests - earlier} requests for ranges")
        expect(after - before < size // 4, "adaptive updates fetch less than a quarter")
        start, bad = self.bytes_of_console(), self.other()
        self.reboots(old)
        said = self.device.console(start)
        attempts = re.findall(r"Slot (.) is started; attempts left: (\d)", said)
        expect(attempts == [(bad, "2"), (bad, "1"), (bad, "0"), (old, attempts[-1][1])], f"attempts: {attempts}")
        panics = said.count("Kernel panic - not syncing: Attempted to kill init")
        expect(panics == 3, f"{panics} panics")
        say(f"slot {bad} panicked three times, and slot {old} is back")
        self.mark_good()

    def refuse(self, what, place, reason):
        """Tries to install what the device has to refuse."""
        status, lines = self.device.ask(f"rauc install {place}")
        text = "\n".join(lines)
        expect(status != 0, f"{what}: installed")
        said = re.search("LastError: (.*)", text)
        expect(said and re.search(reason, said[1]), f"{what}: refused, but for another reason: {text}")
        say(f"refused {what}: {said[1].strip()}")

    def refused(self, *bundles):
        """Bundles that are not for this device, or not what was signed: nothing is written."""
        before = self.slot_hashes(self.other())
        counters = self.device.run("fw_printenv")
        place = "/data/2.raucb"
        for name, what, reason in bundles:
            self.turn(place, "2.raucb", name)
            self.refuse(what, place, reason)
            self.turn(place, name, "2.raucb")
        for what, at, byte, reason in self.flips(self.vendor.bundles / "2.raucb"):
            self.poke(place, at, byte ^ 255)
            self.refuse(f"a bundle with a flipped byte in its {what}", place, reason)
            self.poke(place, at, byte)
        expect(before == self.slot_hashes(self.other()), f"slot {self.other()} was written")
        expect(counters == self.device.run("fw_printenv"), "the counters were written")
        say(f"slot {self.other()} was not written")

    def torn_image(self):
        """dm-verity finds what is deep in an image when it is read, so such a slot has been begun."""
        self.device.run("busybox rm /data/2.raucb")
        # Adaptive updates would not read what the device has already.
        place = self.fetch("whole.raucb")
        bundle = (self.vendor.bundles / "whole.raucb").read_bytes()
        at = len(bundle) * 3 // 4
        self.poke(place, at, bundle[at] ^ 255)
        self.refuse("a bundle with a flipped byte in an image", place, "Input/output error")
        self.poke(place, at, bundle[at])
        left = self.device.run(f"fw_printenv -n BOOT_{self.other()}_LEFT")
        expect(left == ["0"], f"BOOT_{self.other()}_LEFT is {left}")
        say(f"slot {self.other()} is not tried: BOOT_{self.other()}_LEFT is 0")

    @staticmethod
    def flips(bundle):
        """Which bytes are flipped, what they are, and how RAUC complains."""
        raw = bundle.read_bytes()
        signature = int.from_bytes(raw[-8:], "big")
        signed = len(raw) - 8 - signature
        tree = int(re.search(rb"verity-size=(\d+)", raw[signed:])[1])
        manifest = signed + raw[signed:].index(b"compatible=")
        places = [
            ("payload", 20, "dm-verity"),
            ("hash tree", signed - tree, "dm-verity"),
            ("manifest", manifest + 12, "signature verification failed"),
            ("signature", len(raw) - 8 - 20, "signature verification failed"),
            ("trailer", len(raw) - 3, "Invalid bundle format"),
        ]
        return [(what, at, raw[at], reason) for what, at, reason in places]

    def power_cuts(self):
        """The power goes during an install, each time the same one; what ran before runs again."""
        self.serve(13)
        saved, old = self.device.disk.parent / "saved", self.slot
        self.device.save(saved)
        # Without adaptive updates RAUC says how far it is.
        place = "/data/whole.raucb"
        points = [
            ("half a second after it began", "> rauc install", 0.5, False),
            ("in the boot partition", r"6\d% Copying image to boot", 0, False),
            ("at a third of the root partition", r"(79|8\d|9\d)% Copying image to rootfs", 0, False),
            ("at two thirds of the root partition", r"(89|9\d)% Copying image to rootfs", 0, False),
            ("when the other slot was to become active", "99% Copying image to rootfs.* done", 0, True),
            ("right after it", "Installing .* succeeded", 0, True),
        ]
        for what, text, seconds, done in points:
            self.device.resume(saved)
            start = self.bytes_of_console()
            self.device.tell(f"rauc install {place} > /dev/console 2>&1")
            self.device.wait_for_console(text, start)
            time.sleep(seconds)
            self.device.cut_power()
            said = self.device.console(start)
            expect(done or "Copying image to rootfs.* done" not in said, f"the power went too late {what}")
            self.device.power_on()
            self.boots("AB" if done else old)
            say(f"power cut {what}: slot {self.slot} boots")
            self.mark_good()
