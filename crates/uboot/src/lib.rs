//! U-Boot: boot scripts.
