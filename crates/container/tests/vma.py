"""Reads a VMA as vma_spec.txt of Proxmox' QEMU describes it, compares its disk with a file, and prints its configuration.

usage: vma.py RAW VMA
"""

import hashlib
import struct
import sys

CLUSTER, BLOCK = 65536, 4096


def need(holds, what):
    if not holds:
        sys.exit(f"vma: {what}")


def digest(data, field):
    """MD5 of a header whose digest's place counts as zeros."""
    return hashlib.md5(data[:field] + bytes(16) + data[field + 16 :]).digest()


def main(raw_path, vma_path):
    with open(raw_path, "rb") as file:
        raw = file.read()
    with open(vma_path, "rb") as file:
        vma = file.read()
    magic, version, uuid, _time, md5, start, size, header_size = struct.unpack_from(">4sI16sq16sIII", vma)
    need((magic, version) == (b"VMA\0", 1), "no VMA of version 1")
    need(header_size % 512 == 0 and 12288 + size <= header_size <= len(vma), "the header's length")
    header = vma[:header_size]
    need(digest(header, 32) == md5, "the header's MD5")
    need(start == 12288 and not any(header[60:2044]) and not any(header[4092:4128]), "reserved bytes")
    blob = header[start : start + size]
    need(blob[0] == 0 and not any(header[start + size :]), "the buffer")

    def entry(place):
        (length,) = struct.unpack_from("<H", blob, place)
        need(0 < place and place + 2 + length <= size, "an entry of the buffer")
        return blob[place + 2 : place + 2 + length]

    names = struct.unpack_from(">256I", header, 2044)
    data = struct.unpack_from(">256I", header, 3068)
    need([bool(name) for name in names] == [bool(one) for one in data], "configurations and their names")
    configurations = {entry(name): entry(one) for name, one in zip(names, data) if name}
    need(list(configurations) == [b"qemu-server.conf\0"], "the configuration")

    devices = {}
    for number in range(256):
        name, _, length = struct.unpack_from(">IIQ", header, 4096 + 32 * number)
        if length:
            devices[number] = (entry(name), length)
    need(devices == {1: (b"drive-virtio0\0", len(raw))}, f"the devices {devices}")

    disk = bytearray(len(raw))
    seen = set()
    place = header_size
    while place < len(vma):
        extent = vma[place : place + 512]
        need(len(extent) == 512, "an extent that ends too early")
        magic, reserved, count, of, md5 = struct.unpack_from(">4sHH16s16s", extent)
        need((magic, reserved, of) == (b"VMAE", 0, uuid), f"the extent at {place}")
        need(digest(extent, 24) == md5, f"the MD5 of the extent at {place}")
        place += 512
        stored = 0
        for info in struct.unpack_from(">59Q", extent, 40):
            mask, zero, device, cluster = info >> 48, info >> 40 & 255, info >> 32 & 255, info & 0xFFFFFFFF
            if device == 0:
                need(info == 0, "a cluster of no device")
                continue
            need(zero == 0 and device == 1 and cluster not in seen, f"cluster {cluster}")
            seen.add(cluster)
            for bit in range(16):
                if mask >> bit & 1:
                    at = cluster * CLUSTER + bit * BLOCK
                    need(at + BLOCK <= len(disk), f"a block behind the disk: {at}")
                    disk[at : at + BLOCK] = vma[place : place + BLOCK]
                    place += BLOCK
                    stored += 1
        need(stored == count and place <= len(vma), "the count of blocks")
    need(seen == set(range((len(raw) + CLUSTER - 1) // CLUSTER)), "clusters that nobody names")
    need(disk == raw, "the disk is another one")
    sys.stdout.write(configurations[b"qemu-server.conf\0"].decode())


main(*sys.argv[1:])
