"""A device that QEMU emulates: power, console, and a line to process 1 in it (see demo/store/ab-init.sh)."""

import pathlib
import re
import select
import shutil
import socket
import subprocess
import time

U_BOOT = "/usr/lib/u-boot/qemu_arm64/u-boot.bin"
FLASH_BYTES = 64 << 20


class Failure(Exception):
    """Something is not as it should be."""


class Device:
    """One device with its disk and its flash. The disk lasts, whatever happens to the power."""

    def __init__(self, image, firmware, work, disk_bytes):
        self.disk = work / "disk"
        self.flash = work / "flash"
        self.log = work / "console.log"
        # Sparse copies: the disk is larger than the image, as a card is.
        subprocess.run(["cp", "--sparse=always", image, self.disk], check=True)
        with open(self.disk, "r+b") as disk:
            disk.truncate(disk_bytes)
        shutil.copyfile(firmware, self.flash)
        with open(self.flash, "r+b") as flash:
            flash.truncate(FLASH_BYTES)
        self.log.write_bytes(b"")
        self.process = None
        self.line = None
        self.pending = b""

    def power_on(self):
        """Starts the emulator. It resets when the system in it wants so."""
        self.line, far_end = socket.socketpair()
        self.pending = b""
        path = str(self.disk).replace(",", ",,")
        flash = str(self.flash).replace(",", ",,")
        log = str(self.log).replace(",", ",,")
        with far_end:
            self.process = subprocess.Popen(
                ["qemu-system-aarch64", "-machine", "virt", "-cpu", "cortex-a57", "-accel", "tcg,thread=multi",
                 "-smp", "2", "-m", "1024", "-bios", U_BOOT, "-display", "none", "-monitor", "none",
                 "-drive", f"if=pflash,index=1,format=raw,readonly=on,file={flash}",
                 "-drive", f"if=virtio,format=raw,discard=unmap,detect-zeroes=unmap,file={path}",
                 "-device", "virtio-rng-pci", "-nic", "user,model=virtio-net-pci",
                 "-chardev", f"file,id=console,append=on,path={log}", "-serial", "chardev:console",
                 "-chardev", f"socket,id=line,fd={far_end.fileno()}", "-device", "virtio-serial-pci",
                 "-device", "virtserialport,chardev=line,name=kiln"],
                stdin=subprocess.DEVNULL, pass_fds=[far_end.fileno()])

    def cut_power(self):
        """What was in the device's memory is lost, what its disk has taken stays."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.line.close()
        self.process = None

    def ready(self, seconds=300):
        """Waits until process 1 takes commands, and answers the slot that it was booted from."""
        *_, last = self._lines(seconds, "ready")
        return last

    def ask(self, command, seconds=600):
        """Runs a command of a shell in the device: its status, and the lines that it prints."""
        self.line.sendall(command.encode() + b"\n")
        *lines, status = self._lines(seconds, "status")
        return int(status), lines

    def run(self, command, seconds=600):
        """Runs a command that has to succeed, and answers the lines that it prints."""
        status, lines = self.ask(command, seconds)
        if status != 0:
            raise Failure(f"{command}: status {status}\n" + "\n".join(lines))
        return lines

    def tell(self, command):
        """Sends a command, and does not wait for its answer."""
        self.line.sendall(command.encode() + b"\n")

    def console(self, start=0):
        """What the console has said from a place in its log on."""
        return self.log.read_bytes()[start:].replace(b"\r", b"").decode(errors="replace")

    def wait_for_console(self, pattern, start, seconds=600):
        """Waits until the console has said something since a place in its log."""
        end = time.monotonic() + seconds
        while not re.search(pattern, self.console(start)):
            self._check(end, pattern)
            time.sleep(0.05)

    def _lines(self, seconds, mark):
        """The lines up to a marked one, of which only what follows the mark."""
        end = time.monotonic() + seconds
        while True:
            line, newline, rest = self.pending.partition(b"\n")
            if not newline:
                self._check(end, mark)
                if select.select([self.line], [], [], 1)[0]:
                    received = self.line.recv(65536)
                    if not received:
                        raise Failure("the emulator has hung up")
                    self.pending += received
                continue
            self.pending = rest
            text = line.decode(errors="replace")
            if text.startswith("\1"):
                word, _, value = text[1:].partition(" ")
                if word != mark:
                    raise Failure(f"the device says {text[1:]!r} where {mark!r} was due")
                yield value
                return
            yield text

    def _check(self, end, awaited):
        if time.monotonic() > end:
            raise Failure(f"no {awaited!r} from the device in time")
        if self.process.poll() is not None:
            raise Failure(f"the emulator ended with {self.process.returncode} before {awaited!r}")


class Server:
    """nginx, which serves a folder to the device and answers requests for ranges."""

    ADDRESS_IN_DEVICE = "10.0.2.2"

    def __init__(self, folder, work):
        self.access_log = work / "access.log"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        temporary = "".join(f"{name}_temp_path {work}/nginx;" for name in
                            ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"])
        configuration = work / "nginx.conf"
        configuration.write_text(
            f"daemon off; master_process off; pid {work}/nginx.pid; error_log {work}/nginx.log;\n"
            "events {}\n"
            f"http {{ log_format bytes '$status $body_bytes_sent $request_uri'; access_log {self.access_log} bytes;\n"
            f"  {temporary}\n"
            f"  server {{ listen 127.0.0.1:{self.port}; root {folder}; keepalive_requests 1000000; }} }}\n")
        nginx = shutil.which("nginx") or "/usr/sbin/nginx"
        self.process = subprocess.Popen([nginx, "-e", f"{work}/nginx.log", "-c", str(configuration)])
        end = time.monotonic() + 20
        while socket.socket().connect_ex(("127.0.0.1", self.port)) != 0:
            if self.process.poll() is not None or time.monotonic() > end:
                raise Failure("nginx does not start: " + pathlib.Path(f"{work}/nginx.log").read_text())
            time.sleep(0.05)

    def url(self, name):
        """How the device calls a file."""
        return f"http://{self.ADDRESS_IN_DEVICE}:{self.port}/{name}"

    def sent(self, name):
        """The answers for a file so far: how many were partial, and their bytes."""
        sizes = []
        for line in self.access_log.read_text().splitlines():
            status, size, uri = line.split(" ", 2)
            if uri == f"/{name}" and status == "206":
                sizes.append(int(size))
        return len(sizes), sum(sizes)

    def stop(self):
        self.process.terminate()
        self.process.wait()
