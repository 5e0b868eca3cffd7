"""A device that QEMU emulates: power, console, and a line to process 1 in it (see demo/store/ab-init.sh)."""

import json
import pathlib
import re
import select
import shlex
import shutil
import socket
import subprocess
import time

U_BOOT = "/usr/lib/u-boot/qemu_arm64/u-boot.bin"


class Failure(Exception):
    """Something is not as it should be."""


def copy_sparse(file, copy):
    """Copies a file, and leaves holes where it has zeros."""
    subprocess.run(["cp", "--sparse=always", file, copy], check=True)


class Reset(Failure):
    """The device has reset itself when something else was due."""


class Monitor:
    """What QEMU is told and says besides the device: QMP."""

    def __init__(self, line):
        self.line = line
        self.file = line.makefile("rwb")
        if not self.file.readline():
            raise Failure("the emulator does not start")
        self.run("qmp_capabilities")

    def run(self, command, **arguments):
        """Runs a command, and answers what it returns."""
        self.file.write(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        self.file.flush()
        for line in self.file:
            answer = json.loads(line)
            if "error" in answer:
                raise Failure(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]
        raise Failure(f"the emulator ended during {command}")

    def last_words(self):
        """Why an emulator that has ended did so."""
        events = [json.loads(line) for line in self.file]
        return [event["data"]["reason"] for event in events if event.get("event") == "SHUTDOWN"]

    def close(self):
        self.file.close()
        self.line.close()


class Device:
    """One device with its disk and its flash. The disk lasts, whatever happens to the power."""

    flash_bytes = 64 << 20

    def __init__(self, image, firmware, work, disk_bytes):
        self.disk = work / "disk"
        self.flash = work / "flash"
        self.log = work / "console.log"
        # The disk is larger than the image, as a card is.
        copy_sparse(image, self.disk)
        with open(self.disk, "r+b") as disk:
            disk.truncate(disk_bytes)
        shutil.copyfile(firmware, self.flash)
        with open(self.flash, "r+b") as flash:
            flash.truncate(self.flash_bytes)
        self.log.write_bytes(b"")
        self.process = None
        self.monitor = None
        self.line = None
        self.pending = b""

    def machine(self):
        """The emulator, and what is soldered in it."""
        flash = str(self.flash).replace(",", ",,")
        # No seed for a random layout of the kernel, without which it needs no second page table.
        return ["qemu-system-aarch64", "-machine", "virt,dtb-randomness=off", "-cpu", "cortex-a57", "-bios", U_BOOT,
                "-drive", f"if=pflash,index=1,format=raw,readonly=on,file={flash}"]

    def power_on(self, *options):
        """Starts the emulator. It ends when the system in it resets: a new one is faster than one that has run."""
        self.line, line = socket.socketpair()
        monitor, far_end = socket.socketpair()
        self.pending = b""
        path = str(self.disk).replace(",", ",,")
        log = str(self.log).replace(",", ",,")
        with line, far_end:
            # One processor.
            self.process = subprocess.Popen(
                [*self.machine(), "-accel", "tcg", "-smp", "1", "-m", "512", "-display", "none", "-no-reboot",
                 "-chardev", f"socket,id=monitor,fd={far_end.fileno()}", "-mon", "chardev=monitor,mode=control",
                 "-drive", f"if=virtio,format=raw,discard=unmap,detect-zeroes=unmap,file={path}",
                 "-device", "virtio-rng-pci", "-nic", "user,model=virtio-net-pci",
                 "-chardev", f"file,id=console,append=on,path={log}", "-serial", "chardev:console",
                 "-chardev", f"socket,id=line,fd={line.fileno()}", "-device", "virtio-serial-pci",
                 "-device", "virtserialport,chardev=line,name=kiln", *options],
                stdin=subprocess.DEVNULL, pass_fds=[line.fileno(), far_end.fileno()])
        self.monitor = Monitor(monitor)

    def cut_power(self):
        """What was in the device's memory is lost, what its disk has taken stays."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.line.close()
            if self.monitor:
                self.monitor.close()
        self.process = self.monitor = None

    def slow_down(self, bytes_per_second):
        """Has the disk take no more until the power goes."""
        rates = dict.fromkeys(["bps", "bps_rd", "iops", "iops_rd", "iops_wr"], 0)
        self.monitor.run("block_set_io_throttle", device="virtio0", bps_wr=bytes_per_second, **rates)

    def save(self, folder):
        """Keeps the running device, its memory and its disk, in a folder, and ends it."""
        folder.mkdir(exist_ok=True)
        self.monitor.run("stop")
        self.monitor.run("migrate-set-parameters", **{"max-bandwidth": 1 << 40})
        self.monitor.run("migrate", uri=f"exec:cat > {shlex.quote(str(folder / 'memory'))}")
        while (status := self.monitor.run("query-migrate")["status"]) != "completed":
            if status in ["failed", "cancelled"]:
                raise Failure(f"the emulator does not save its memory: {status}")
            time.sleep(0.05)
        self.cut_power()
        copy_sparse(self.disk, folder / "disk")

    def resume(self, folder):
        """Goes on where the device was when it was saved."""
        copy_sparse(folder / "disk", self.disk)
        self.power_on("-incoming", f"exec:cat {shlex.quote(str(folder / 'memory'))}")
        while self.monitor.run("query-status")["status"] == "inmigrate":
            time.sleep(0.05)
        self.monitor.run("cont")

    def ready(self, seconds=600):
        """Waits until process 1 takes commands, through resets, and answers the slot that it was booted from."""
        end = time.monotonic() + seconds
        while True:
            try:
                *_, last = self._lines(end - time.monotonic(), "ready")
                return last
            except Reset:
                self.cut_power()
                self.power_on()

    def wait_for_reset(self, seconds=600):
        """Waits until the device resets itself before it takes commands, and leaves it without power."""
        try:
            list(self._lines(seconds, "ready"))
        except Reset:
            self.cut_power()
            return
        raise Failure("the device is up, where it should have reset itself")

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
                        self.process.wait(60)
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
            if "guest-reset" in self.monitor.last_words():
                raise Reset(f"the device has reset itself before {awaited!r}")
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
