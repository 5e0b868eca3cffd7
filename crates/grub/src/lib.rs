//! GRUB 2 on machines with a BIOS (`i386-pc`): its core image out of its own files, and its menu.
//!
//! A BIOS reads the first sector of a disk and runs it. GRUB's there is `boot.img`: it reads one more sector, whose
//! number stands in it. That is `diskboot.img`, the first of the *core image*, and has a list of the sectors in which the
//! rest lies:
//!
//! ```text
//!  sector 0     core: in the gap behind an MBR, or in a partition of the type bios-boot
//!  ┌──────────┐  ┌──────────────┬─────────────────────┬───────────────────────────────────────────────┐
//!  │ boot.img │─►│ diskboot.img │ lzma_decompress.img │ LZMA                                          │
//!  │ 440 bytes│  │ 512 bytes    │ up to 3584 bytes    │                                               │
//!  └──────────┘  └──────────────┴─────────────────────┴──────────────────────│────────────────────────┘
//!                                                                             ▼  at 0x9000 of the memory
//!                        ┌────────────┬──────┬──────────────┬──────────────┬─────┬────────┬────────┐
//!                        │ kernel.img │ gmim │ module       │ module       │ ... │ config │ prefix │
//!                        │ its memory │      │ biosdisk.mod │ part_gpt.mod │     │ text   │ text   │
//!                        └────────────┴──────┴──────────────┴──────────────┴─────┴────────┴────────┘
//! ```
//!
//! The *modules* know partition tables, file systems and commands. The *config* is a script that runs first: it finds the
//! file system with GRUB's folder, the *prefix*, where `grub.cfg` is, the menu ([`menu`]).
//!
//! [`core`] makes what `grub-mkimage` makes of the same files, except that the LZMA comes from liblzma; and [`Core::at`]
//! what `grub-install` writes with `--no-rs-codes`, but for a place that is known. Nothing of GRUB is run, or in Kiln: its
//! folder, `lib/grub/i386-pc`, is an input. The core has no Reed-Solomon code behind it, with which GRUB repairs sectors that other
//! programs have written to; with a length of 0 in its header GRUB expects none.

mod core;
mod elf;
mod error;
mod folder;
pub mod menu;
mod modules;

pub use crate::core::{BOOT_CODE_LEN, Core, Installed, Options, SECTOR_LEN, core};
pub use error::{Error, Result};
pub use folder::Folder;
