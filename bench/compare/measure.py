"""Runs programs, and measures what they take.

Time is the clock's and the processors', of a program and of all that it starts and waits for. Peak memory is that of the largest
process among them. Bytes written are those that it made a disk's pages dirty with, as the kernel counts them for `ru_oublock`: also what
lies in files without a name, or that are removed before they reach the disk; a page that is changed again before counts once.
"""

import os
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
    """A way to do the work. Of a folder as output, no size is taken."""

    name: str
    command: list
    output: Path
    before: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Figures:
    """What one run took."""

    wall_seconds: float
    cpu_seconds: float
    memory_bytes: int
    written_bytes: int
    size_bytes: int | None


@dataclass
class Runs:
    """All runs of one comparison's programs, by their names, in the order of their first runs."""

    figures: dict = field(default_factory=dict)

    def best(self, name):
        """The fastest run of a program."""
        return min(self.figures[name], key=lambda figures: figures.wall_seconds)

    def ratio(self, what, ours, theirs):
        """One program's figure by another's."""
        return getattr(self.best(ours), what) / getattr(self.best(theirs), what)


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


def measured(program):
    """Runs a program once. What an earlier run left is removed, and what others still write is waited for, before."""
    remove(program.output)
    program.before()
    os.sync()
    report = program.output.with_name(f"{program.name.replace(' ', '-')}.time")
    log = report.with_suffix(".log")
    command = [TIME, "--quiet", "--format", "%M %O", "--output", report, *program.command]
    with open(log, "wb") as said:
        begin = time.perf_counter()
        child = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - begin
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise Failure(f"{program.name} failed ({child.returncode}): {log.read_text(errors='replace').strip()[-2000:]}")
    memory_kib, written_sectors = report.read_text().split()[-2:]
    size = program.output.stat().st_size if program.output.is_file() else None
    return Figures(wall, usage.ru_utime + usage.ru_stime, int(memory_kib) << 10, int(written_sectors) << 9, size)


def in_turn(rounds, programs, runs=None):
    """Runs each program once in every round, one after the other."""
    runs = runs or Runs()
    for number in range(1, rounds + 1):
        for program in programs:
            figures = measured(program)
            runs.figures.setdefault(program.name, []).append(figures)
            say(f"round {number} of {rounds}, {program.name}: {figures.wall_seconds:.2f} s, {figures.cpu_seconds:.2f} s of CPU, "
                f"{figures.memory_bytes / 2**20:.0f} MiB of memory")
    return runs
