//! dm-verity: hash trees, and the partitions that carry them.
