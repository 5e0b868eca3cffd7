"""Reads a GUID partition table by the UEFI specification, 5.3: checks both headers and both arrays of entries, and
prints the partitions as JSON.

usage: gpt.py IMAGE SECTOR_SIZE
"""

import json
import struct
import sys
import uuid
import zlib

with open(sys.argv[1], "rb") as image:
    sector_size = int(sys.argv[2])
    image.seek(0, 2)
    size = image.tell()
    assert size % sector_size == 0, f"{size} bytes are no whole number of sectors"
    last_sector = size // sector_size - 1

    def sectors(first, length):
        image.seek(first * sector_size)
        return image.read(length)

    def table(here, other):
        header = sectors(here, sector_size)
        assert header[:8] == b"EFI PART", f"no header in sector {here}"
        revision, length, crc, reserved, my, alternate, first, last = struct.unpack_from("<4I4Q", header, 8)
        disk, entries, count, entry_size, entries_crc = struct.unpack_from("<16sQ3I", header, 56)
        assert (revision, length, reserved) == (0x10000, 92, 0)
        assert zlib.crc32(header[:16] + b"\0\0\0\0" + header[20:length]) == crc, f"header in sector {here}: checksum"
        assert (my, alternate) == (here, other), f"header in sector {here}: says {my}, {alternate}"
        assert not any(header[length:]), f"header in sector {here}: more than a header"
        array = sectors(entries, count * entry_size)
        assert zlib.crc32(array) == entries_crc, f"entries in sector {entries}: checksum"
        found = [array[at : at + entry_size] for at in range(0, len(array), entry_size)]
        return disk, first, last, entries, [entry for entry in found if any(entry[:16])]

    mbr = sectors(0, 512)
    assert mbr[510:] == b"\x55\xaa" and mbr[450] == 0xEE, "no protective MBR"
    main = table(1, last_sector)
    copy = table(last_sector, 1)
    assert (main[:3], main[4]) == (copy[:3], copy[4]), "the copy differs"
    disk, first, last, entries, found = main
    partitions = []
    for entry in found:
        start, end = struct.unpack_from("<2Q", entry, 32)
        assert first <= start <= end <= last, f"{start} to {end} is not in {first} to {last}"
        partitions.append(
            {
                "type": str(uuid.UUID(bytes_le=entry[:16])),
                "guid": str(uuid.UUID(bytes_le=entry[16:32])),
                "first": start,
                "last": end,
                "name": entry[56:128].decode("utf-16-le").rstrip("\0"),
            }
        )
    places = sorted((partition["first"], partition["last"]) for partition in partitions)
    assert all(one[1] < other[0] for one, other in zip(places, places[1:])), "partitions overlap"
    print(json.dumps({"entries": entries, "partitions": partitions}))
