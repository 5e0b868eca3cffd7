//! Unified kernel images: one file that firmware starts, with a kernel and all that it needs.
//!
//! ```text
//!  PE headers │ the stub's own sections │ .osrel │ .cmdline │ .uname │ .linux │ .initrd │ … │ .pcrsig │ signature
//!             │ code; .sbat, .sdmagic   │ ─────────────── appended, each measured ────────────│  not   │
//! ```
//!
//! A *stub* (systemd's, an input) is the program: it finds the sections in its own file, measures each into PCR 11 of the
//! TPM, and starts the kernel with them. So one signature says everything about what boots: the kernel, its command line,
//! its initrd. <https://uapi-group.org/specifications/specs/unified_kernel_image/>
//!
//! [`plan()`] appends sections to a stub as ukify does, byte for byte for the same parts (ukify 262; up to 257, it writes a
//! zero byte behind `.sbat`). It differs where ukify's file would not start: a `.sbat` that grows over what lies behind it
//! in memory is an error, room in the headers is needed only for sections that need it, and `.efifw` begins with the four
//! bytes that a stub looks for, of which ukify 262 writes one, and another. Nothing is taken from the host:
//! hardware ids only where they are given. An image without a kernel is an *addon* to others: a command line, a device tree.
//! *Profiles* are variants in one file: sections of theirs stand in place of those that all share.
//!
//! What PCR 11 will be depends on the sections and on which of them the stub's version measures ([`Profile::pcr11`],
//! [`after_phases`]); so it is known before the first boot, and a [`Policy`] signs it,
//! or takes the signatures that were made elsewhere ([`PolicySignatures`]).
//!
//! [`Unsigned`] computes the digest that firmware computes, signs it, or takes a signature made elsewhere;
//! [`signatures`] reads them back. [`variable_update`] makes what tells firmware whose programs to start. PE files are hostile input: every offset is checked, sections do not overlap, and
//! bytes that no digest would cover are refused.

mod append;
mod authenticode;
mod enroll;
mod error;
mod format;
mod hardware;
mod machine;
mod measure;
mod pe;
mod plan;
mod policy;
mod read;
mod sbat;
mod sections;
mod stub;
mod uname;

pub use authenticode::{Unsigned, signatures};
pub use enroll::{Variable, certificates_list, variable_update};
pub use error::{Error, Result};
pub use hardware::{Hardware, firmware, hardware_ids};
pub use machine::Machine;
pub use measure::{PHASES, after_phases};
pub use pe::Pe;
pub use plan::{Options, Planned, Profile, plan};
pub use policy::{Policy, PolicyBy, PolicySignatures, policy_digest};
pub use read::Program;
pub use sections::{Parts, Section};
pub use stub::Stub;
pub use uname::uname;
