"""Trees and images on this machine: removed, listed, compared."""

import os
import stat
import subprocess
from hashlib import sha256
from pathlib import Path

BLOCK = 4096


def remove(place):
    """Removes a file, or a folder in which folders may be read-only."""
    place = Path(place)
    if place.is_dir() and not place.is_symlink():
        if os.geteuid() != 0:
            subprocess.run(["find", place, "-type", "d", "!", "-perm", "-u+w", "-exec", "chmod", "u+w", "{}", "+"], check=True)
        subprocess.run(["rm", "-rf", "--", place], check=True)
    else:
        place.unlink(missing_ok=True)


def read_all(place):
    """Reads all files once, so that the first to read them has no disadvantage."""
    subprocess.run(["find", place, "-type", "f", "-exec", "cat", "{}", "+"], stdout=subprocess.DEVNULL, check=True)


def listing(folder, link_times=True):
    """What a tree has, but the contents of files: a line for each entry, sorted. Only root unpacks owners."""
    lines, owners = [], os.geteuid() == 0

    def visit(place, name):
        status = os.lstat(place)
        mode = status.st_mode
        line = [name, stat.filemode(mode)]
        if link_times or not stat.S_ISLNK(mode):
            line.append(int(status.st_mtime))
        if owners:
            line += [status.st_uid, status.st_gid]
        if stat.S_ISLNK(mode):
            line.append(os.readlink(place))
        elif stat.S_ISREG(mode):
            line.append(status.st_size)
        lines.append(" ".join(map(str, line)))
        if stat.S_ISDIR(mode):
            for entry in sorted(os.listdir(place)):
                visit(os.path.join(place, entry), f"{name}/{entry}")

    visit(folder, "")
    return lines


def tree_difference(ours, theirs, link_times=True):
    """What differs between two trees, or None."""
    pairs = zip(listing(ours, link_times), listing(theirs, link_times), strict=False)
    for our_line, their_line in pairs:
        if our_line != their_line:
            return f"{our_line!r} is not {their_line!r}"
    return content_difference(ours, theirs)


def content_difference(ours, theirs):
    """What differs in the names of two trees' entries and in their files, or None."""
    done = subprocess.run(["diff", "-r", "--no-dereference", ours, theirs], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout.decode(errors="replace")[:500] if done.returncode else None


def archive_difference(image, tree):
    """What differs between a squashfs, as sqfs2tar sees it, and a tree, as tar sees it, or None. Needs no room."""
    command = ["bash", "-o", "pipefail", "-c", 'sqfs2tar "$1" | tar --compare --file - --directory "$2"', "bash", image, tree]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout.decode(errors="replace")[:500] if done.returncode else None


def file_difference(ours, theirs):
    """Whether two files differ: what cmp says, or None."""
    done = subprocess.run(["cmp", ours, theirs], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout.decode().strip() if done.returncode else None


def new_blocks(image, earlier):
    """How many blocks of 4 KiB an image has, and how many of them are nowhere in an earlier one."""
    known = {digest for digest in block_digests(earlier)}
    digests = list(block_digests(image))
    return len(digests), sum(digest not in known for digest in digests)


def block_digests(image):
    """The digests of an image's blocks of 4 KiB."""
    with open(image, "rb") as file:
        while block := file.read(BLOCK):
            yield sha256(block).digest()
