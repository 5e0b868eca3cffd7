//! Planning: parts become an image.

use image::{Content, Image};

use crate::append::append;
use crate::format::NX_COMPAT;
use crate::measure::{Hashed, pcr11, takes_firmware};
use crate::policy::{self, Policy, PolicyBy};
use crate::sections::{Parts, Section};
use crate::stub::Stub;
use crate::{Error, Machine, Pe, Result, sbat};

/// The most profiles, with the one that all others build on.
const PROFILES_MAX: usize = 256;

/// What an image is made of.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What all profiles share, or the whole image where there are none.
    pub base: Parts,
    /// Further profiles, each with a `profile` of its own. A section of theirs stands in place of the one that all share.
    pub profiles: Vec<Parts>,
    /// The image's own lines of SBAT, below the first; what is usual when not given.
    pub sbat: Option<String>,
}

/// A planned image.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The file.
    pub image: Image,
    /// What it is for.
    pub machine: Machine,
    /// What its stub calls itself.
    pub stub: Option<String>,
    /// Its sections besides the stub's, in order.
    pub sections: Vec<Section>,
    /// What the profiles are called, and what PCR 11 will be: one for all images without profiles.
    pub profiles: Vec<Profile>,
    /// The policies that are signed elsewhere: `.pcrsig` of all profiles, without signatures.
    pub unsigned_policies: Option<Vec<u8>>,
}

/// A profile of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its id; none when it has no name.
    pub id: Option<String>,
    /// PCR 11 (SHA-256) when the stub has measured it, before the first phase. Where the stub chooses among device
    /// trees, there is one for each, and with firmware to choose from, one more for each of these.
    pub pcr11: Vec<[u8; 32]>,
}

/// Plans an image. With a policy, it has the signatures of what PCR 11 will be.
///
/// # Errors
/// When stub and kernel do not fit together, a part makes no sense or does not fit, or cannot be read.
pub fn plan(stub: &Content, options: &Options, policy: Option<&Policy>) -> Result<Planned> {
    let stub = Stub::read(stub)?;
    let base = &options.base;
    let kernel = base
        .linux
        .as_ref()
        .map(|linux| kernel(&stub, linux))
        .transpose()?;
    check_cmdline(&stub, base)?;
    if options.profiles.len() >= PROFILES_MAX {
        return Err(profile_error(format!(
            "{} of them, the limit is {PROFILES_MAX}",
            options.profiles.len() + 1
        )));
    }
    let mut shared = base.sections()?;
    if shared.is_empty() {
        return Err(Error::BadSection {
            section: ".linux".into(),
            problem: "neither a kernel nor anything else is given".into(),
        });
    }
    let mut files = Vec::new();
    if let (Some(kernel), Some(linux)) = (&kernel, &base.linux) {
        files.push((&stub.pe, Content::from(stub.bytes.clone())));
        files.push((kernel, linux.clone()));
    }
    let files: Vec<(&Pe, &Content)> = files.iter().map(|(pe, content)| (*pe, content)).collect();
    let text = sbat::text(&files, options.sbat.as_deref(), kernel.is_none())?;
    shared.push(Section::new(".sbat", text));
    shared.extend(base.profile_section()?);
    // What does not fit is said before anything is read.
    append(&stub, &shared, true)?;
    let mut planning = Planning {
        major: stub.major(),
        policy: policy.filter(|_| kernel.is_some()),
        sections: Vec::new(),
        profiles: Vec::new(),
        unsigned: Vec::new(),
    };
    planning.add(&shared, &[], base.profile.as_ref())?;
    let shared: Vec<Hashed> = shared.iter().map(Hashed::of).collect::<Result<_>>()?;
    for profile in &options.profiles {
        check_cmdline(&stub, profile)?;
        let mut own: Vec<Section> = profile.profile_section()?.into_iter().collect();
        if own.is_empty() {
            return Err(profile_error("a profile without a name".into()));
        }
        own.extend(profile.sections()?);
        planning.add(&own, &shared, profile.profile.as_ref())?;
    }
    let executes_no_data =
        kernel.is_none_or(|kernel| kernel.optional.dll_characteristics.get() & NX_COMPAT != 0);
    Ok(Planned {
        image: append(&stub, &planning.sections, executes_no_data)?,
        machine: stub.pe.machine(),
        stub: stub.version,
        sections: planning.sections,
        profiles: planning.profiles,
        unsigned_policies: (!planning.unsigned.is_empty()).then(|| policy::text(&planning.unsigned)),
    })
}

fn profile_error(problem: String) -> Error {
    Error::BadSection {
        section: ".profile".into(),
        problem,
    }
}

/// What has been planned so far.
struct Planning<'a> {
    major: Option<u32>,
    policy: Option<&'a Policy<'a>>,
    sections: Vec<Section>,
    profiles: Vec<Profile>,
    /// Entries of `.pcrsig` that are signed elsewhere.
    unsigned: Vec<String>,
}

impl Planning<'_> {
    /// Adds a profile: its own sections, and what it has from others.
    fn add(&mut self, own: &[Section], shared: &[Hashed], profile: Option<&Content>) -> Result<()> {
        let mut all: Vec<Hashed> = own.iter().map(Hashed::of).collect::<Result<_>>()?;
        let is_own = |name: &str| own.iter().any(|section| section.name == name);
        all.extend(shared.iter().filter(|section| !is_own(&section.name)).cloned());
        let values = self.values(&all);
        self.sections.extend(own.iter().cloned());
        if let Some(policy) = self.policy {
            let entries = policy::entries(&values, policy)?;
            if matches!(policy.by, PolicyBy::Later) {
                self.unsigned.extend(entries);
            } else {
                let text = Content::from(policy::text(&entries));
                self.sections.push(Section::new(".pcrsig", text));
            }
        }
        self.profiles.push(Profile {
            id: profile.map(id).transpose()?.flatten(),
            pcr11: values,
        });
        Ok(())
    }

    /// What PCR 11 can be: for each device tree to choose from without firmware, and with each firmware.
    fn values(&self, all: &[Hashed]) -> Vec<[u8; 32]> {
        let count = |name: &str| all.iter().filter(|section| section.name == name).count();
        let firmware = if takes_firmware(self.major) {
            count(".efifw")
        } else {
            0
        };
        let mut values = Vec::new();
        for tree in 0..count(".dtbauto").max(1) {
            let sections = with_one(all, ".dtbauto", Some(tree));
            for chosen in std::iter::once(None).chain((0..firmware).map(Some)) {
                values.push(pcr11(&with_one(&sections, ".efifw", chosen), self.major));
            }
        }
        values
    }
}

/// The sections with one of those that have this name, or with none.
fn with_one(all: &[Hashed], name: &str, chosen: Option<usize>) -> Vec<Hashed> {
    let mut number = 0..;
    let is_wanted = |section: &&Hashed| section.name != name || number.next() == chosen;
    all.iter().filter(is_wanted).cloned().collect()
}

/// The id that a profile's text has.
fn id(text: &Content) -> Result<Option<String>> {
    let text = String::from_utf8_lossy(&text.to_vec()?).into_owned();
    let id = text.lines().find_map(|line| line.strip_prefix("ID="));
    Ok(id.map(|id| id.trim_matches('"').to_string()))
}

/// Reads a kernel, and checks that the stub can start it.
fn kernel(stub: &Stub, linux: &Content) -> Result<Pe> {
    let kernel = Pe::read(linux, "the kernel").map_err(|error| match error {
        Error::NoPe { what, problem } => Error::NoPe {
            what,
            problem: format!("{problem}; firmware starts only kernels that are PE files and not compressed (vmlinuz, Image)"),
        },
        error => error,
    })?;
    let (own, wanted) = (kernel.machine(), stub.pe.machine());
    if !own.is_like(wanted) {
        return Err(Error::Machines {
            stub: wanted.to_string(),
            kernel: own.to_string(),
        });
    }
    Ok(kernel)
}

/// Checks that the kernel takes a command line of that length.
fn check_cmdline(stub: &Stub, parts: &Parts) -> Result<()> {
    let Some(cmdline) = &parts.cmdline else {
        return Ok(());
    };
    // COMMAND_LINE_SIZE of Linux, less its final zero byte.
    let limit = match stub.pe.machine().efi_name() {
        Some("arm" | "riscv64") => 1023,
        Some("loongarch64") => 4095,
        _ => 2047,
    };
    if cmdline.len() <= limit {
        return Ok(());
    }
    Err(Error::BadSection {
        section: ".cmdline".into(),
        problem: format!("{} bytes, the kernel takes {limit}", cmdline.len()),
    })
}
