"""Groups Debian packages into store paths: packages.py FOLDER-OF-DEBS > packages.json

Store paths may not depend on each other in circles, Debian packages may: each circle becomes one store path.
"""

import hashlib
import json
import pathlib
import re
import subprocess
import sys


def read_deb(path):
    """The fields of a package that matter here."""
    text = subprocess.run(
        ["dpkg-deb", "--field", path, "Package", "Version", "Depends", "Pre-Depends", "Provides"],
        capture_output=True, text=True, check=True).stdout
    fields = dict(line.split(": ", 1) for line in text.splitlines())
    fields["file"] = path.name
    fields["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    return fields


def names_in(relation):
    """The alternatives of each dependency, without versions: "a (>= 1) | b, c" gives [[a, b], [c]]."""
    return [[re.split(r"[ (:]", name.strip())[0] for name in part.split("|")]
            for part in relation.split(",") if part.strip()]


def dependencies(debs):
    """For each package, the packages here that satisfy what it depends on."""
    provider = {}
    for name, deb in debs.items():
        for (provided,) in names_in(deb.get("Provides", "")):
            provider.setdefault(provided, name)
    found = {}
    for name, deb in debs.items():
        found[name] = set()
        for alternatives in names_in(deb.get("Depends", "") + "," + deb.get("Pre-Depends", "")):
            here = [x if x in debs else provider.get(x) for x in alternatives]
            found[name].update([x for x in here if x][:1])
    return found


def reachable(start, edges):
    """Everything that follows from `start`, itself included."""
    seen, todo = set(), [start]
    while todo:
        node = todo.pop()
        if node not in seen:
            seen.add(node)
            todo.extend(edges[node])
    return seen


def main(folder):
    debs = {deb["Package"]: deb for deb in map(read_deb, sorted(pathlib.Path(folder).glob("*.deb")))}
    edges = dependencies(debs)
    reach = {name: reachable(name, edges) for name in debs}
    circle = {name: sorted(x for x in reach[name] if name in reach[x]) for name in debs}

    def path_of(package):
        """The store path that a package goes into, and the package that gives it its version."""
        members = circle[package]
        if "libc6" in members:
            return "glibc", "libc6"
        first = min(members, key=len)
        return ("linux" if first.startswith("linux-image-") else first), first

    # Programs use the store's glibc, scripts its bash and perl, except where these are not here or would make a circle.
    interpreters = {"bash", "perl-base"}
    below_interpreters = set().union(*(reach[name] for name in interpreters)) if interpreters <= set(debs) else set(debs)
    paths = {}
    for package in sorted(debs):
        name, first = path_of(package)
        version = debs[first]["Version"].split(":")[-1].replace("~", "-")
        paths[name] = {
            "name": f"{name}-{version}",
            "debs": [{key: debs[x][key] for key in ("file", "sha256")} for x in circle[package]],
            "deps": sorted({path_of(d)[0] for x in circle[package] for d in edges[x]} - {name}),
            "glibc": package not in reach["libc6"],
            "interpreters": package not in below_interpreters,
        }
    json.dump(paths, sys.stdout, indent=1)


main(sys.argv[1])
