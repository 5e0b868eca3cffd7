"""What all comparisons share: where things are, how large they shall be, and what a comparison answers."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from .closures import Closure
from .measure import NotHere, Runs, in_turn
from .tables import Goal
from .trees import remove


@dataclass(frozen=True)
class Setting:
    """Where things are, and how large they shall be."""

    workspace: Path
    target: Path
    kiln: Path
    quick: bool
    rounds: int | None
    level: int
    scale: float

    @property
    def folder(self):
        """Where comparisons work; empty at the start of each."""
        return self.target / "bench"

    @property
    def demo(self):
        """What the demo has made."""
        return self.workspace / "demo/out"

    @property
    def cores(self):
        """How many threads work."""
        return len(os.sched_getaffinity(0))

    def closure(self, release=None):
        """The demo's closure, or a release of the system that updates itself."""
        store = self.demo / "store"
        return Closure((store / f"ab/{release}" if release else store) / "closure-info", store / "root")

    def toplevel(self):
        """The system of the demo's closure."""
        return (self.demo / "store/toplevel").read_text().strip()

    def begin(self):
        """An empty folder."""
        remove(self.folder)
        (self.folder / "home").mkdir(parents=True)

    def in_turn(self, rounds, programs, runs=None):
        """Runs programs in turn, in so many rounds unless other is said."""
        return in_turn(self.rounds or (1 if self.quick else rounds), programs, self.folder, runs)

    def profile(self):
        """Options that make a level of a specification a small one, where inputs are small."""
        return ["--profile", "dev"] if self.quick else []

    def need_bytes(self, count):
        """Stops the comparison where the disk has no room."""
        free = shutil.disk_usage(self.folder).free
        if free < count:
            raise NotHere(f"needs {count / 2**30:.1f} GiB of free disk, and there are {free / 2**30:.1f} (see --scale)")


@dataclass
class Result:
    """What a comparison found. `ours` is the program whose figures are divided by its peers', by all others' when none are named; without
    it, all figures are divided by the first program's."""

    facts: str
    runs: Runs
    ours: str | None
    goals: list[Goal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    peers: list[str] = field(default_factory=list)
