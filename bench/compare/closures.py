"""Closures: the demo's, and generated ones, which have the same bytes on every machine, and a registration with true hashes."""

import os
import random
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

SEED = "kiln"
TEXT = 1 << 20


@dataclass(frozen=True)
class Closure:
    """A folder as nixpkgs' closureInfo writes it, and the folder below which nix/store lies."""

    info: Path
    root: Path

    @property
    def names(self):
        """The store paths' names."""
        return [path.removeprefix("/nix/store/") for path in (self.info / "store-paths").read_text().split()]

    @property
    def places(self):
        """Where the store paths lie."""
        return [self.root / "nix/store" / name for name in self.names]

    @property
    def nar_bytes(self):
        """The size of all paths as NAR."""
        return int((self.info / "total-nar-size").read_text())

    def copy(self, tree):
        """Copies the store paths into a tree that has nothing else, as an image of the closure has it."""
        store = tree / "nix/store"
        store.mkdir(parents=True)
        subprocess.run(["cp", "-a", "-t", store, "--", *self.places], check=True)
        settle(tree)


def settle(tree):
    """Gives the folders above store paths the modes and times that they have in images."""
    for folder in (tree / "nix/store", tree / "nix", tree):
        folder.chmod(0o755)
        os.utime(folder, (1, 1))


class Nar:
    """The hash and the size of a NAR that is never written."""

    def __init__(self):
        self.digest = sha256()
        self.size = 0
        self.strings("nix-archive-1")

    def bytes(self, content):
        """What is in front of a content, the content, and what fills it up to eight bytes."""
        self.digest.update(len(content).to_bytes(8, "little"))
        self.digest.update(content)
        self.digest.update(bytes(-len(content) % 8))
        self.size += 8 + len(content) + -len(content) % 8

    def strings(self, *texts):
        """Strings of the format."""
        for text in texts:
            self.bytes(text.encode())


class Content:
    """Makes contents of files that are unique and shrink to about 30 %."""

    def __init__(self, seed):
        self.random = random.Random(f"{SEED} {seed}")
        words = ["".join(self.random.choices("abcdefghijklmnopqrstuvwxyz_", k=7)) for _ in range(128)]
        text = " ".join(self.random.choices(words, k=TEXT // 8)).encode()
        self.text = text * 2
        self.letters = bytes(b"01234567"[number % 8] for number in range(256))
        self.count = 0

    def small(self, size):
        """A text, with its number in front."""
        self.count += 1
        start = self.random.randrange(TEXT)
        return b"%016d" % self.count + self.text[start:start + max(size - 16, 0)]

    def large(self, size):
        """Half of it is of three bits a byte, half of it text, 64 KiB of each in turn."""
        pieces, half = [], 64 << 10
        for start in range(0, size, 2 * half):
            place = self.random.randrange(TEXT)
            piece = self.random.randbytes(half).translate(self.letters) + self.text[place:place + half]
            pieces.append(piece[:size - start])
        return b"".join(pieces)


def write_path(place, folders, make):
    """Makes a store path of folders with files, and answers its NAR's hash and size. `folders` has the sizes of the files in each;
    `make` makes a content of such a size."""
    nar = Nar()
    nar.strings("(", "type", "directory")
    os.mkdir(place)
    for number, sizes in enumerate(folders):
        folder = f"{place}/folder-{number:04}"
        nar.strings("entry", "(", "name", f"folder-{number:04}", "node", "(", "type", "directory")
        os.mkdir(folder)
        for index, size in enumerate(sizes):
            content = make(size)
            nar.strings("entry", "(", "name", f"file-{index:04}", "node", "(", "type", "regular", "contents")
            nar.bytes(content)
            nar.strings(")", ")")
            file = os.open(f"{folder}/file-{index:04}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
            with open(file, "wb") as output:
                output.write(content)
            os.utime(f"{folder}/file-{index:04}", (1, 1))
        nar.strings(")", ")")
        finish(folder)
    nar.strings(")")
    finish(place)
    return nar.digest.hexdigest(), nar.size


def finish(folder):
    """Gives a folder the mode and time that it has in a store."""
    os.chmod(folder, 0o555)
    os.utime(folder, (1, 1))


class Generated:
    """Generates store paths, and registers them. Each path refers to the one before it, so the first of them are closures, too."""

    def __init__(self, folder, workspace):
        self.root = folder / "root"
        self.describe = workspace / "demo/store/closure_info.py"
        self.paths = []
        (self.root / "nix/store").mkdir(parents=True)
        settle(self.root)

    def add(self, folders, make):
        """Makes one more path."""
        # In Nix's base 32, digits are digits.
        name = f"{len(self.paths):032}-generated"
        self.paths.append((name, *write_path(f"{self.root}/nix/store/{name}", folders, make)))
        settle(self.root)

    def closure(self, info):
        """The closure of all paths until now."""
        lines = []
        for number, (name, digest, size) in enumerate(self.paths):
            references = [f"/nix/store/{self.paths[number - 1][0]}"] if number else []
            lines += [f"/nix/store/{name}", digest, size, "", len(references), *references]
        info.mkdir()
        dump = info / "dump"
        dump.write_text("".join(f"{line}\n" for line in lines))
        subprocess.run([sys.executable, self.describe, dump, info], check=True)
        dump.unlink()
        return Closure(info, self.root)
