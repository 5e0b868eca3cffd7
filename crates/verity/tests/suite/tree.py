"""A second implementation of dm-verity trees: prints the root hash, and writes the tree."""

import hashlib
import sys

data_path, tree_path, salt = sys.argv[1], sys.argv[2], bytes.fromhex(sys.argv[3])


def digests(data):
    cut = range(0, len(data), 4096)
    return b"".join(hashlib.sha256(salt + data[at : at + 4096]).digest() for at in cut)


levels = []
level = digests(open(data_path, "rb").read())
while len(level) > 32:
    level += bytes(-len(level) % 4096)
    levels.insert(0, level)
    level = digests(level)
open(tree_path, "wb").write(b"".join(levels))
print(level.hex())
