"""Reads the command line, makes the comparisons, prints what they found. `bench/run --help` prints what this understands."""

import argparse
import dataclasses
import fcntl
import json
import os
import sys
import textwrap
from pathlib import Path

from . import appliance, btrfs, bundle, disk, erofs, ext4, fat, fetch, large, many, nixos, parts, rebuild, reflink, squashfs, vm
from .limits import limits
from .measure import Failure, NotHere, run, say
from .setting import Setting
from .tables import figures_table, goals_table
from .trees import remove

COMPARISONS = {module.__name__.rpartition(".")[2]: module
               for module in (squashfs, rebuild, parts, ext4, btrfs, erofs, reflink, fat, bundle, disk, vm, nixos, appliance, fetch, many, large)}
INTRODUCTION = """# Benchmarks

Ratios matter, seconds do not: the programs of a comparison run in turn on the same machine, and of each the fastest round counts. Until
on the disk: with the time that it takes to have the output there, whoever waits for it; without waiting: nobody does. In
brackets, Kiln's figure by that of the line. Peak memory is that of the largest process; written are all bytes that a program
made a disk's pages dirty with, also those of files that it removed again."""


def options(arguments):
    """What the command line says."""
    parser = argparse.ArgumentParser(prog="bench/run", add_help=False)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *COMPARISONS])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--level", type=int)
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--kiln", type=Path)
    return parser.parse_args(arguments)


def compared(name, setting):
    """One comparison: its text for people, and the same for machines. Leaves nothing behind."""
    module, load = COMPARISONS[name], os.getloadavg()[0]
    say(f"── {name}, load average {load:.2f}")
    if load > setting.cores / 4:
        say("this machine is busy: times will be noise")
    setting.begin()
    try:
        result = module.compare(setting)
    finally:
        remove(setting.folder)
    rounds = max(map(len, result.runs.figures.values()))
    facts = f"{result.facts}; {setting.cores} cores; load average {load:.2f} before; rounds: {rounds}"
    text = [textwrap.fill(" ".join(module.__doc__.split()), 120), facts, figures_table(result.runs, result.ours, result.peers), *result.notes]
    figures = {program: [dataclasses.asdict(figure) for figure in rounds] for program, rounds in result.runs.figures.items()}
    goals = [dataclasses.asdict(goal) | {"met": goal.met} for goal in result.goals]
    return "\n\n".join(text), result.goals, {"facts": facts, "load": load, "figures": figures, "goals": goals}


def main(arguments):
    """Makes the comparisons, and answers the exit code."""
    given = options(arguments)
    workspace = Path(__file__).resolve().parents[2]
    target = workspace / os.environ.get("CARGO_TARGET_DIR", "target")
    level = given.level or (3 if given.quick else 19)
    kiln = (given.kiln or target / "release/kiln").absolute()
    setting = Setting(workspace, target, kiln, given.quick, given.rounds, level, given.scale)
    # Nothing that a user has configured or cached is found, and programs say the same everywhere.
    os.environ |= {"HOME": str(setting.folder / "home"), "LC_ALL": "C.UTF-8", "TZ": "UTC", "MTOOLSRC": "/dev/null"}
    for name in ("XDG_CACHE_HOME", "SOURCE_DATE_EPOCH"):
        os.environ.pop(name, None)
    alone = open(target / "bench.lock", "w", encoding="utf-8")
    fcntl.flock(alone, fcntl.LOCK_EX)
    command = " ".join(["bench/run", *arguments])
    version = run([setting.kiln, "--version"]).strip()
    setting.begin()
    print(f"{INTRODUCTION}\n\n`{command}`: {version}, {setting.cores} cores. {limits(setting.folder)}", flush=True)
    goals, lacking, failed, found = [], [], False, {}
    for name in given.names or COMPARISONS:
        print(f"\n## {COMPARISONS[name].TITLE}\n", flush=True)
        try:
            text, of_this, found[name] = compared(name, setting)
        except (Failure, NotHere) as error:
            failed |= isinstance(error, Failure)
            text, of_this = f"Not measured: {error}", []
            lacking.append(name)
            say(f"{name}: {error}")
        goals += [(name, goal) for goal in of_this]
        print(f"{text}\n\n{goals_table([(name, goal) for goal in of_this], not given.quick)}" if of_this else text, flush=True)
    if goals:
        print(f"\n## Goals\n\n{goals_table(goals, not given.quick)}", flush=True)
    if lacking:
        print(f"\nNot measured: {', '.join(lacking)}.", flush=True)
    if given.json:
        given.json.write_text(json.dumps({"command": command, "version": version, "cores": setting.cores, "comparisons": found}, indent=2))
    return 1 if failed else 0


try:
    sys.exit(main(sys.argv[1:]))
except KeyboardInterrupt:
    sys.exit(130)
