//! Stubs: what starts the kernel that is in the same file, and what they measure.

use image::Content;

use crate::{Error, Pe, Result};

/// The most bytes of a stub; real ones have less than a tenth.
const LEN_MAX: u64 = 16 << 20;
/// The section that names the stub, and what stands there around the version.
const MAGIC: &[u8] = b".sdmagic";
const BEFORE: &str = "#### LoaderInfo: systemd-stub ";
const AFTER: &str = " ####";
/// What an image may have and a stub must not have yet.
const OWN: [&[u8]; 14] = [
    b".linux",
    b".osrel",
    b".cmdline",
    b".initrd",
    b".ucode",
    b".splash",
    b".dtb",
    b".uname",
    b".pcrpkey",
    b".profile",
    b".dtbauto",
    b".hwids",
    b".efifw",
    b".pcrsig",
];

/// A stub, read.
#[derive(Clone, Debug)]
pub struct Stub {
    pub(crate) pe: Pe,
    pub(crate) bytes: Vec<u8>,
    /// What it calls itself: `257.13-1`; addons' stubs say so, too. None when it says nothing.
    pub version: Option<String>,
}

impl Stub {
    /// Reads a stub.
    ///
    /// # Errors
    /// When it is none, is signed, or has sections that an image gets.
    pub fn read(content: &Content) -> Result<Stub> {
        if content.len() > LEN_MAX {
            let problem = format!("{} bytes, the limit is {LEN_MAX}", content.len());
            return Err(Error::BadStub(problem));
        }
        let pe = Pe::read(content, "the stub")?;
        let bytes = content.to_vec()?;
        if pe.is_signed() {
            return Err(Error::BadStub(
                "it is signed; a signature is made when the image is complete".into(),
            ));
        }
        if pe.optional.subsystem.get() != crate::format::EFI_APPLICATION {
            let problem = format!(
                "it is no EFI application, but of subsystem {}",
                pe.optional.subsystem
            );
            return Err(Error::BadStub(problem));
        }
        let mut own = pe.sections.iter().map(crate::format::Section::name);
        if let Some(name) = own.find(|name| OWN.contains(name)) {
            let problem = format!("it has a section {} already", name.escape_ascii());
            return Err(Error::BadStub(problem));
        }
        let version = pe.section(content, MAGIC)?.and_then(|text| version(&text));
        Ok(Stub { pe, bytes, version })
    }

    /// The number that the version begins with.
    #[must_use]
    pub fn major(&self) -> Option<u32> {
        let version = self.version.as_ref()?;
        let len = version
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(version.len());
        version[..len].parse().ok()
    }
}

fn version(section: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(section).ok()?;
    let (_, rest) = text.split_once(BEFORE)?;
    Some(rest.split_once(AFTER)?.0.to_string())
}
