"""An amd64 device that QEMU emulates: firmware with Secure Boot, its variables in a flash, and a TPM."""

import pathlib
import shutil
import subprocess
import time

from emulator import Device, Failure
from releases import call

CODE = "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd"
VARIABLES = "/usr/share/OVMF/OVMF_VARS_4M.fd"


class Appliance(Device):
    """One device with its disk, the firmware's variables and a TPM, which last, whatever happens to the power."""

    flash_bytes = pathlib.Path(VARIABLES).stat().st_size

    def __init__(self, image, work, disk_bytes):
        super().__init__(image, VARIABLES, work, disk_bytes)
        self.tpm = work / "tpm"
        shutil.rmtree(self.tpm, ignore_errors=True)
        self.tpm.mkdir()
        self.chip = None
        self.only_sha256()

    def only_sha256(self):
        """Has the TPM keep hashes of one kind: under emulation, the firmware needs long for each."""
        chip = self.start_chip("--flags", "startup-clear,not-need-init", "--server", f"type=unixio,path={self.tpm}/server",
                               "--ctrl", f"type=unixio,path={self.tpm}/server.ctrl")
        self.wait_for(self.tpm / "server", chip)
        tpm = f"--tcti=swtpm:path={self.tpm}/server"
        call("tpm2", "pcrallocate", tpm, "sha256:all+sha1:none+sha384:none+sha512:none")
        call("tpm2", "shutdown", tpm, "--clear")
        chip.terminate()
        chip.wait()

    def start_chip(self, *options):
        """Starts the TPM, whose state lasts in a folder."""
        return subprocess.Popen(["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.tpm}", *options],
                                stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    @staticmethod
    def wait_for(place, chip):
        end = time.monotonic() + 60
        while not place.exists():
            if chip.poll() is not None or time.monotonic() > end:
                raise Failure("swtpm does not start")
            time.sleep(0.02)

    def machine(self):
        def flash(unit, file):
            return ["-drive", f"if=pflash,format=raw,unit={unit},file={file}"]
        return ["qemu-system-x86_64", "-machine", "q35,smm=on", "-cpu", "qemu64",
                "-global", "driver=cfi.pflash01,property=secure,value=on",
                *flash(0, CODE + ",readonly=on"), *flash(1, str(self.flash).replace(",", ",,")),
                "-chardev", f"socket,id=chip,path={self.socket}", "-tpmdev", "emulator,id=tpm,chardev=chip",
                "-device", "tpm-tis,tpmdev=tpm"]

    @property
    def socket(self):
        return self.tpm / "socket"

    def power_on(self, *options):
        self.chip = self.start_chip("--ctrl", f"type=unixio,path={self.socket}", "--terminate")
        self.wait_for(self.socket, self.chip)
        super().power_on(*options)

    def cut_power(self):
        super().cut_power()
        if self.chip:
            self.chip.terminate()
            self.chip.wait()
            self.socket.unlink(missing_ok=True)
        self.chip = None
