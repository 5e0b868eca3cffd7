"""What this machine can do at best, so that figures can be judged: one core's copying and SHA-256, and the disk's writing."""

import hashlib
import os
import time

MIB = 1 << 20
# Larger than a processor's caches.
LEN = 256 * MIB
ROUNDS = 3


def rate(work):
    """The most MiB of LEN in a second, of a few rounds."""
    best = 0
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        work()
        best = max(best, LEN / MIB / (time.perf_counter() - begin))
    return best


def written(path, data):
    """Writes a file and waits until it is on the disk."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(file, view[:MIB]):]
        os.fsync(file)
    finally:
        os.close(file)
        os.remove(path)


def limits(folder):
    """A line that says them."""
    data = bytearray(os.urandom(MIB)) * (LEN // MIB)
    target = bytearray(LEN)

    def copy():
        target[:] = data

    rates = {
        "one core copies": rate(copy),
        "one core computes SHA-256 of": rate(lambda: hashlib.sha256(data)),
        "the disk takes, with fsync,": rate(lambda: written(folder / "limit", data)),
    }
    return "This machine's limits, in a second: " + "; ".join(f"{what} {most:.0f} MiB" for what, most in rates.items()) + "."
