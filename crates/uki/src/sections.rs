//! The sections of an image: their names, their order, and what may be in them.

use image::{Content, Layout};

use crate::{Error, Result};

/// The longest name of a section.
const NAME_MAX: usize = 8;
/// The most bytes of a text.
const TEXT_MAX: u64 = 64 << 10;
/// An initrd begins at a multiple of this behind another.
const INITRD_ALIGNMENT: u64 = 4;

/// What goes into an image, or into a profile of one. What is not given gets no section.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// `.profile`: lines `ID=…` and `TITLE=…`.
    pub profile: Option<Content>,
    /// `.osrel`: the os-release of what boots.
    pub os_release: Option<Content>,
    /// `.cmdline`: what the kernel is told.
    pub cmdline: Option<Content>,
    /// `.dtb`: a device tree.
    pub device_tree: Option<Content>,
    /// `.dtbauto`: device trees of which the firmware's is taken.
    pub device_trees: Vec<Content>,
    /// `.hwids`: which hardware needs which of them.
    pub hardware_ids: Option<Content>,
    /// `.uname`: what `uname -r` says.
    pub uname: Option<Content>,
    /// `.splash`: a picture (BMP).
    pub splash: Option<Content>,
    /// `.pcrpkey`: the public key of `.pcrsig`, in PEM.
    pub pcr_key: Option<Content>,
    /// `.linux`: the kernel. Without one, the image is an addon to others.
    pub linux: Option<Content>,
    /// `.initrd`: joined, each padded to 4 bytes if there are several.
    pub initrds: Vec<Content>,
    /// `.efifw`: firmware, of which the stub takes what `.hwids` says.
    pub firmware: Vec<Content>,
    /// `.ucode`: updates of the processor, an archive that is not compressed.
    pub microcode: Option<Content>,
    /// Others, by their names.
    pub others: Vec<(String, Content)>,
}

/// A section that is to be.
#[derive(Clone, Debug)]
pub struct Section {
    /// Its name, with the point.
    pub name: String,
    /// Its bytes.
    pub content: Content,
}

impl Section {
    pub(crate) fn new(name: &str, content: Content) -> Section {
        Section {
            name: name.to_string(),
            content,
        }
    }

    pub(crate) fn bad(&self, problem: impl Into<String>) -> Error {
        Error::BadSection {
            section: self.name.clone(),
            problem: problem.into(),
        }
    }

    /// Finds names and texts that make no sense.
    fn check(&self) -> Result<()> {
        if self.name.is_empty()
            || self.name.len() > NAME_MAX
            || !self.name.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(self.bad(format!(
                "a section's name has 1 to {NAME_MAX} characters of ASCII"
            )));
        }
        if self.content.is_empty() {
            return Err(self.bad("is empty"));
        }
        if ![".cmdline", ".osrel", ".uname", ".profile"].contains(&self.name.as_str()) {
            return Ok(());
        }
        if self.content.len() > TEXT_MAX {
            let problem = format!("{} bytes, the limit is {TEXT_MAX}", self.content.len());
            return Err(self.bad(problem));
        }
        match std::str::from_utf8(&self.content.to_vec()?) {
            Err(_) => Err(self.bad("is no UTF-8")),
            Ok(text) if text.contains('\0') => Err(self.bad("has a zero byte")),
            Ok(_) => Ok(()),
        }
    }
}

impl Parts {
    /// All sections but `.sbat`, in the order of ukify 257 to 262. The profile comes first where it begins one, and last
    /// in what all profiles share.
    pub(crate) fn sections(&self) -> Result<Vec<Section>> {
        let initrd = join(&self.initrds)?;
        let mut sections: Vec<Section> = Vec::new();
        let mut add = |name: &str, content: Option<&Content>| {
            sections.extend(content.map(|content| Section::new(name, content.clone())));
        };
        add(".osrel", self.os_release.as_ref());
        add(".cmdline", self.cmdline.as_ref());
        add(".dtb", self.device_tree.as_ref());
        for tree in &self.device_trees {
            add(".dtbauto", Some(tree));
        }
        add(".hwids", self.hardware_ids.as_ref());
        add(".uname", self.uname.as_ref());
        add(".splash", self.splash.as_ref());
        add(".pcrpkey", self.pcr_key.as_ref());
        add(".linux", self.linux.as_ref());
        add(".initrd", initrd.as_ref());
        for firmware in &self.firmware {
            add(".efifw", Some(firmware));
        }
        add(".ucode", self.microcode.as_ref());
        for (name, content) in &self.others {
            add(name, Some(content));
        }
        for section in &sections {
            section.check()?;
        }
        Ok(sections)
    }

    /// The section that names the profile.
    pub(crate) fn profile_section(&self) -> Result<Option<Section>> {
        let section = self.profile.clone().map(|text| Section::new(".profile", text));
        section.as_ref().map_or(Ok(()), Section::check)?;
        Ok(section)
    }
}

/// Joins initrds: one stays as it is, several are padded, the last one, too.
fn join(initrds: &[Content]) -> Result<Option<Content>> {
    if let Some(empty) = initrds.iter().find(|initrd| initrd.is_empty()) {
        return Err(Section::new(".initrd", empty.clone()).bad("one of the initrds is empty"));
    }
    match initrds {
        [] => Ok(None),
        [one] => Ok(Some(one.clone())),
        several => {
            let mut layout = Layout::new();
            let mut end = 0_u64;
            for initrd in several {
                layout.put(end, "initrd", initrd.clone());
                let padded = (end + initrd.len()).next_multiple_of(INITRD_ALIGNMENT);
                layout.put(
                    end + initrd.len(),
                    "padding",
                    Content::Zeros(padded - end - initrd.len()),
                );
                end = padded;
            }
            Ok(Some(layout.finish(end)?.into()))
        }
    }
}
