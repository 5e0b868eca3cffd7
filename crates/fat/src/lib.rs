//! FAT16 and FAT32: trees become images of exact size, and images are read back.
