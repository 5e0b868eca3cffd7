"""Runs programs, and measures what they take.

Time is the clock's and the processors', of a program and of all that it starts and waits for. Peak memory is that of the largest
process among them. Time is taken once as it is, once until the output is on the disk, and once without waiting for that: who does not
wait is followed by a sync of its output, and who does runs once more with calls that wait for the disk doing nothing. Bytes written are those that it made a disk's pages dirty with, as the kernel counts them for `ru_oublock`: also what
lies in files without a name, or that are removed before they reach the disk; a page that is changed again before counts once.
"""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from .trees import remove

# Peak memory is inherited: a child of this interpreter would begin with this interpreter's. What `time` starts begins small.
TIME = "/usr/bin/time"


class Failure(Exception):
    """A program failed, or made what is not equivalent."""


class NotHere(Exception):
    """A comparison needs what this machine has not."""


@dataclass(frozen=True)
class Program:
    """A way to do the work. Of a folder as output, no size is taken. `waits` says whether it waits itself until the output is on the
    disk; Kiln does. What finds something else when it runs `once` more runs once."""

    name: str
    command: list
    output: Path
    before: Callable[[], None] = lambda: None
    waits: bool | None = None
    once: bool = False

    @property
    def waits_itself(self):
        """Whether it does."""
        return Path(self.command[0]).name == "kiln" if self.waits is None else self.waits


@dataclass(frozen=True)
class Figures:
    """What one run took: as it is, until all is on the disk, and without waiting for that."""

    wall_seconds: float
    synced_seconds: float
    unsynced_seconds: float | None
    cpu_seconds: float
    memory_bytes: int
    written_bytes: int
    size_bytes: int | None


@dataclass
class Runs:
    """All runs of one comparison's programs, by their names, in the order of their first runs."""

    figures: dict = field(default_factory=dict)

    def best(self, name, what="wall_seconds"):
        """The fastest run of a program, for a time the one with the least."""
        what = what if what.endswith("_seconds") and what != "cpu_seconds" else "wall_seconds"
        return min(self.figures[name], key=lambda figures: getattr(figures, what) or 0)

    def ratio(self, what, ours, theirs):
        """One program's figure by another's."""
        return getattr(self.best(ours, what), what) / getattr(self.best(theirs, what), what)


def say(text):
    """One line about what happens now."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def bash(text, *arguments):
    """The command that runs a script with these arguments."""
    return ["bash", "-euo", "pipefail", "-c", text, "bash", *arguments]


def run(command, **options):
    """Runs a command that has to succeed, unmeasured, and answers what it prints."""
    command = [str(part) for part in command]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    said = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        raise Failure(f"{command[0]} failed ({done.returncode}): {said.strip()[-2000:]}\n{' '.join(command)[:2000]}")
    return said


# Calls that wait for the disk and do nothing, for programs that are linked dynamically.
UNSYNCED = """
int fsync(int file) { return 0; }
int fdatasync(int file) { return 0; }
int syncfs(int file) { return 0; }
int sync_file_range(int file, long long start, long long len, unsigned int flags) { return 0; }
void sync(void) {}
"""


def unsynced(folder):
    """The environment in which nobody waits for the disk."""
    library = folder / "unsynced.so"
    if not library.exists():
        command = ["cc", "-w", "-shared", "-fPIC", "-x", "c", "-", "-o", library]
        subprocess.run(command, input=UNSYNCED.encode(), check=True)
    return os.environ | {"LD_PRELOAD": str(library)}


def is_static(command):
    """Whether a program is linked statically: then it hears of no other library. Scripts are run by others."""
    found = shutil.which(str(command[0]))
    with open(found or command[0], "rb") as file:
        head = file.read(1 << 16)
    return head.startswith(b"\x7fELF") and b"/ld-" not in head


def started(program, command, log, environment=None):
    """Runs a program's command where it finds nothing of its output, and answers how long it takes, and its usage."""
    remove(program.output)
    program.before()
    os.sync()
    with open(log, "wb") as said:
        begin = time.perf_counter()
        child = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=environment)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - begin
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise Failure(f"{program.name} failed ({child.returncode}): {log.read_text(errors='replace').strip()[-2000:]}")
    return wall, usage


def synced(output):
    """Waits until an output is on the disk, and answers how long that takes."""
    begin = time.perf_counter()
    if output.is_file():
        with open(output, "rb") as file:
            os.fsync(file)
    else:
        run(["sync", "--file-system", output])
    return time.perf_counter() - begin


def measured(program, folder):
    """Runs a program once, and once more without waiting for the disk if it does. What an earlier run left is removed, and what others
    still write is waited for, before. All figures but one are those of the first run."""
    report = program.output.with_name(f"{program.name.replace(' ', '-')}.time")
    log = report.with_suffix(".log")
    command = [TIME, "--quiet", "--format", "%M %O", "--output", report, *program.command]
    wall, usage = started(program, command, log)
    memory_kib, written_sectors = report.read_text().split()[-2:]
    size = program.output.stat().st_size if program.output.is_file() else None
    until, without = wall, wall
    if not program.waits_itself:
        until += synced(program.output)
    elif program.once or is_static(program.command):
        without = None
    else:
        without, _ = started(program, command, log, unsynced(folder))
    cpu = usage.ru_utime + usage.ru_stime
    return Figures(wall, until, without, cpu, int(memory_kib) << 10, int(written_sectors) << 9, size)


def in_turn(rounds, programs, folder, runs=None):
    """Runs each program once in every round, one after the other. What is made for that is made in a folder."""
    runs = runs or Runs()
    for number in range(1, rounds + 1):
        for program in programs:
            figures = measured(program, folder)
            runs.figures.setdefault(program.name, []).append(figures)
            say(f"round {number} of {rounds}, {program.name}: {figures.synced_seconds:.2f} s until all is on the disk, "
                f"{figures.cpu_seconds:.2f} s of CPU, "
                f"{figures.memory_bytes / 2**20:.0f} MiB of memory")
    return runs
