"""Writes what nixpkgs' closureInfo writes: closure_info.py REGISTRATION-DUMP FOLDER

The dump is `nix-store --dump-db` of the closure: per path its name, hash (base 16), NAR size, deriver, number of
references and references. closureInfo says the same with "sha256:" and Nix's base 32, and leaves the deriver out.
"""

import pathlib
import sys


def nix32(digest):
    """Nix's base 32: five bits per character, the last ones first."""
    number = int.from_bytes(digest, "little")
    return "".join("0123456789abcdfghijklmnpqrsvwxyz"[number >> shift & 31] for shift in range(255, -1, -5))


def read_dump(lines):
    while path := next(lines, None):
        digest, size, _deriver, count = (next(lines) for _ in range(4))
        yield path, bytes.fromhex(digest), int(size), [next(lines) for _ in range(int(count))]


def main(dump, folder):
    infos = sorted(read_dump(iter(pathlib.Path(dump).read_text().splitlines())))
    folder = pathlib.Path(folder)
    folder.mkdir(exist_ok=True)
    registration = [line for path, digest, size, references in infos
                    for line in (path, f"sha256:{nix32(digest)}", size, "", len(references), *references)]
    for name, lines in {
        "store-paths": [path for path, *_ in infos],
        "registration": registration,
        "total-nar-size": [sum(size for _, _, size, _ in infos)],
    }.items():
        (folder / name).write_text("".join(f"{line}\n" for line in lines))


main(*sys.argv[1:])
