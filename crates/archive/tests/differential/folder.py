"""Makes a folder of files of all kinds, for programs that pack it: folder.py KIND FOLDER.

plain: what the oldest tar can hold. all: everything that the newest can. sparse: files with holes.
fractions: times between seconds. attributes: everything, and extended attributes.
escapes: attributes with odd names.
"""

import os
import struct
import sys

kind, root = sys.argv[1:]
os.umask(0o022)
os.makedirs(root, exist_ok=True)
os.chdir(root)


def file(path, content=b"", mode=0o644, time=1_700_000_000):
    with open(path, "wb") as out:
        out.write(content)
    os.chmod(path, mode)
    os.utime(path, (time, time), follow_symlinks=False)


def sparse(path, size, *parts):
    with open(path, "wb") as out:
        for start, content in parts:
            out.seek(start)
            out.write(content)
        out.truncate(size)
    os.utime(path, (1_600_000_000, 1_600_000_000))


def acl(*entries):
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def plain():
    os.mkdir("empty")
    os.mkdir("folder", 0o751)
    file("none")
    file("script", b"#!/bin/sh\n", 0o4755)
    file("folder/block", b"b" * 512)
    file("folder/large", bytes(range(256)) * 500, 0o600, 1)
    os.link("script", "folder/second")
    os.link("script", "zz-third")
    os.symlink("script", "link")
    os.symlink("/nowhere/at/all", "absolute")
    os.chown("folder/block", 1234, 4321)
    os.chown("link", 5, 6, follow_symlinks=False)


def everything():
    plain()
    long, deep = "n" * 200, "d" * 150
    os.makedirs(f"{deep}/{long}")
    file(f"{deep}/{long}/file", b"x" * 1000)
    os.link(f"{deep}/{long}/file", f"{deep}/{long}/{long}")
    os.symlink(f"{deep}/{long}/{long}/nothing", "long-link")
    file("e" * 100, b"just fits")
    file(b"odd\xff\nname \\ ", b"odd")
    file("before-1970", b"old", 0o644, -86_401)
    file("fraction", b"f")
    os.utime("fraction", ns=(1_700_000_000_750_000_000, 1_700_000_000_750_000_000))
    file("far-future", b"f", 0o644, 9_000_000_000)
    file("many-owners", b"o")
    os.chown("many-owners", 4_000_000_000, 3_000_000)
    os.mkfifo("fifo", 0o640)
    os.mknod("null", 0o020666, os.makedev(1, 3))
    os.mknod("disk", 0o060660, os.makedev(259, 70_000))


def fractions():
    """Before 1970, bsdtar and Python write and read others than POSIX has."""
    for name, time in [("half", -500_000_000), ("more", -1_500_000_000), ("whole", -2_000_000_000)]:
        file(name)
        os.utime(name, ns=(time, time))


def attributes():
    everything()
    os.setxattr("script", "user.note", b"two\nlines\0and a zero")
    os.setxattr("script", "user.empty", b"")
    os.setxattr("script", "trusted.t", b"\xff" * 300)
    os.setxattr("folder", "user.of-folder", b"f")
    os.setxattr("folder/large", "security.capability", bytes.fromhex("0100000200200000" + "00" * 12))
    os.setxattr("link", "trusted.of-link", b"l", follow_symlinks=False)
    none = 0xFFFFFFFF
    access = [(1, 6, none), (2, 4, 1), (2, 6, 1000), (4, 4, none), (8, 6, 77), (16, 6, none), (32, 4, none)]
    os.setxattr("none", "system.posix_acl_access", acl(*access))
    default = [(1, 7, none), (4, 5, none), (32, 0, none)]
    os.setxattr("empty", "system.posix_acl_default", acl(*default))


def holes():
    sparse("nothing-but-a-hole", 1 << 20)
    sparse("at-the-end", 300_000, (0, b"begin"))
    sparse("at-the-begin", 300_000, (299_990, b"0123456789"))
    sparse("odd-end", 300_001, (200_000, b"middle"), (300_000, b"!"))
    many = [(place * 65536, bytes([place % 251 + 1]) * 4096) for place in range(1, 120)]
    sparse("many", 120 * 65536 + 7, *many)
    sparse("s" * 150, 1 << 18, (1 << 17, b"long name"))
    os.link("many", "again")
    file("full", b"full" * 1000)
    file("behind", b"behind")


def escapes():
    """Where names are escaped, bsdtar sets attributes twice: as they are, and as they are written."""
    file("file")
    for name in ["a=b", "c%3Dd", "e f", "g%", "%25"]:
        os.setxattr("file", f"user.{name}", name.encode())


{"plain": plain, "all": everything, "attributes": attributes, "sparse": holes, "fractions": fractions, "escapes": escapes}[kind]()
for folder, _, _ in os.walk(".", topdown=False):
    os.utime(folder, (1_650_000_000, 1_650_000_000))
