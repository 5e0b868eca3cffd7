//! SquashFS 4.0: trees become images in segments, and images are read back.
