//! Unified kernel images, and other programs that firmware starts: made, measured, signed.

use image::Content;
use signature::PublicKey;
use uki::{Options, PHASES, Parts, Policy, PolicyBy, Unsigned, Variable};
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::expand::{expand, whole};
use crate::parts::{Detail, Part, Planner, Squashing};
use crate::schema::{Efi, EfiSign, SecureBoot, Uki, UkiProfile};
use crate::trees::{Values, in_closure};
use crate::{Spec, outputs};

/// The most bytes that a signature adds: what a plan without keys shows.
const SIGNATURE_MOST: u64 = 16 << 10;
/// What the kernel is told when nothing else is said.
pub(crate) const USUAL_CMDLINE: &str = "init={toplevel}/init {kernel-params}";
/// The most bytes of a text.
const TEXT_MAX: u64 = 64 << 10;

/// What signs programs that firmware starts. Who plans has no keys.
pub trait EfiSigner: Sync {
    /// Signs the digest of a part, `uki.NAME` or `efi.NAME`: a CMS in DER. The answer is none where it is signed elsewhere,
    /// later.
    ///
    /// # Errors
    /// When it cannot be signed.
    fn sign(&self, part: &str, digest: &[u8; 32]) -> Result<Option<Vec<u8>>, signature::Error>;

    /// What says what PCR 11 will be, for a part that is measured.
    fn measurer(&self, part: &str) -> Option<Measurer<'_>>;

    /// The update of a variable, whose lists belong to `owner`; none where no key is at hand.
    ///
    /// # Errors
    /// When it cannot be signed.
    fn enroll(&self, variable: Variable, owner: Uuid) -> Result<Option<Vec<u8>>, uki::Error>;
}

/// A key that says what PCR 11 will be.
pub struct Measurer<'a> {
    /// The public key.
    pub key: PublicKey,
    /// The same as a file in PEM.
    pub pem: Vec<u8>,
    /// Where its signatures come from.
    pub by: PolicyBy<'a>,
}

/// Whether an image takes something from the toplevel.
pub(crate) fn needs_toplevel(uki: &Uki) -> bool {
    !uki.addon
        && (uki.linux.is_none() || uki.initrd.is_none() || uki.cmdline.is_none() || uki.os_release.is_none())
}

/// The variables of firmware that get updates, by the names of their parts: `secure-boot.PK`.
pub(crate) const VARIABLES: [Variable; 3] = [Variable::Pk, Variable::Kek, Variable::Db];

/// The parts that are updates of variables.
pub(crate) fn variables(spec: &Spec) -> impl Iterator<Item = String> {
    let all = spec.secure_boot.iter().flat_map(|_| VARIABLES);
    all.map(|variable| format!("secure-boot.{}", variable.name()))
}

/// The variable that a part is for.
pub(crate) fn variable(part: &str) -> Option<Variable> {
    let name = part.strip_prefix("secure-boot.")?;
    VARIABLES.into_iter().find(|variable| variable.name() == name)
}

impl Planner<'_> {
    /// Makes the update of a variable.
    pub(crate) fn enroll(&mut self, variable: Variable, secure_boot: &SecureBoot) -> Result<Part> {
        let name = format!("secure-boot.{}", variable.name());
        let owner = match &secure_boot.owner {
            None => self.gathered.seed.part("secure-boot").uuid("owner"),
            Some(text) => text.parse().map_err(|_| Error::BadValue {
                place: "secure-boot.owner".into(),
                problem: format!("{text:?} is no GUID"),
            })?,
        };
        let failed = |source| Error::Uki {
            part: name.clone(),
            source,
        };
        let update = match self.work.efi {
            Some(efi) => efi.enroll(variable, owner).map_err(failed)?,
            None => None,
        };
        let estimate = matches!(self.work.squashing, Squashing::Estimate);
        let is_signed = update.is_some();
        let content = match update {
            Some(update) => Content::from(update),
            None if self.work.efi.is_none() => Content::Zeros(SIGNATURE_MOST),
            None => {
                return Err(Error::Misfit {
                    place: name,
                    problem: "needs its key, and the build has none".into(),
                    hint: "an update that was made elsewhere is a file: name it in `files` in place of this part".into(),
                });
            }
        };
        Ok(Part {
            files: vec![(format!("{}.auth", variable.name()), content.clone())],
            name,
            content,
            detail: Detail::Efi {
                signed: is_signed,
                estimate,
            },
            spool: None,
        })
    }

    /// Makes a unified kernel image.
    pub(crate) fn uki(&mut self, key: &str, uki: &Uki) -> Result<Part> {
        let name = format!("uki.{key}");
        let failed = |source| Error::Uki {
            part: name.clone(),
            source,
        };
        let stub = self.source(&uki.stub, &format!("{name}.stub"))?;
        let mut options = Options {
            base: self.parts_of(&name, uki)?,
            sbat: uki.sbat.clone(),
            ..Options::default()
        };
        for (number, profile) in uki.profiles.iter().enumerate() {
            let place = format!("{name}.profiles[{number}]");
            options.profiles.push(self.profile(&place, profile)?);
        }
        let measurer = match (&uki.measure, self.work.efi) {
            (Some(_), Some(efi)) => efi.measurer(&name),
            _ => None,
        };
        let phases = uki.measure.as_ref().and_then(|measure| measure.phases.clone());
        let policy = measurer.as_ref().map(|measurer| Policy {
            key: &measurer.key,
            by: measurer.by,
            phases: phases.unwrap_or_else(|| PHASES.map(str::to_string).to_vec()),
        });
        options.base.pcr_key = measurer
            .as_ref()
            .map(|measurer| Content::from(measurer.pem.clone()));
        let mut planned = uki::plan(&stub, &options, policy.as_ref()).map_err(failed)?;
        let is_estimate = matches!(self.work.squashing, Squashing::Estimate);
        let lacks_key = uki.measure.is_some() && measurer.is_none();
        if lacks_key || is_estimate && has_estimates(uki) {
            for profile in &mut planned.profiles {
                profile.pcr11.clear();
            }
        }
        let (file, unsigned) = outputs::efi(key, uki.file.as_ref());
        let image = Content::from(planned.image);
        let is_measured = planned.unsigned_policies.is_none();
        // Nobody signs an image that is not complete.
        let signed = if is_measured {
            self.signed(&name, image, uki.sign.as_ref())?
        } else {
            Signed::later(image)
        };
        let mut files = vec![(signed.name(file, unsigned), signed.content.clone())];
        let policies = planned.unsigned_policies.map(Content::from);
        files.extend(policies.map(|text| (outputs::policies(key), text)));
        Ok(Part {
            files,
            name,
            content: signed.content,
            detail: Detail::Uki {
                machine: planned.machine.to_string(),
                stub: planned.stub,
                profiles: planned.profiles,
                signed: signed.is_done,
                measured: is_measured,
                estimate: is_estimate && (uki.sign.is_some() || uki.measure.is_some()),
            },
            spool: None,
        })
    }

    /// Signs another program that firmware starts.
    pub(crate) fn efi(&mut self, key: &str, efi: &Efi) -> Result<Part> {
        let name = format!("efi.{key}");
        let content = self.source(&efi.source, &format!("{name}.source"))?;
        let signed = self.signed(&name, content, Some(&efi.sign))?;
        let (file, unsigned) = outputs::efi(key, efi.file.as_ref());
        let is_signed = signed.is_done == Some(true);
        Ok(Part {
            files: vec![(signed.name(file, unsigned), signed.content.clone())],
            name,
            content: signed.content,
            detail: Detail::Efi {
                signed: is_signed,
                estimate: matches!(self.work.squashing, Squashing::Estimate),
            },
            spool: None,
        })
    }

    /// A program with its signature, if it gets one.
    fn signed(&self, name: &str, content: Content, sign: Option<&EfiSign>) -> Result<Signed> {
        if sign.is_none() {
            return Ok(Signed {
                content,
                is_done: None,
                is_left: false,
            });
        }
        let failed = |source| Error::Uki {
            part: name.to_string(),
            source,
        };
        let Some(efi) = self.work.efi else {
            let len = content.len() + SIGNATURE_MOST;
            let is_estimate = matches!(self.work.squashing, Squashing::Estimate);
            return Ok(Signed {
                content: if is_estimate { Content::Zeros(len) } else { content },
                is_done: Some(false),
                is_left: false,
            });
        };
        let program = Unsigned::read(content.clone(), name).map_err(failed)?;
        let signature = efi.sign(name, program.digest());
        match signature.map_err(|error| failed(error.into()))? {
            Some(der) => Ok(Signed {
                content: program.attach(&der).map_err(failed)?.into(),
                is_done: Some(true),
                is_left: false,
            }),
            None => Ok(Signed::later(content)),
        }
    }

    /// What all profiles share: as it is said, or as the toplevel has it.
    fn parts_of(&mut self, name: &str, uki: &Uki) -> Result<Parts> {
        let usual =
            |said: &Option<String>, usual: &str| said.clone().or((!uki.addon).then(|| usual.to_string()));
        let initrd = uki.initrd.as_ref().map(|sources| sources.0.clone());
        let initrd = initrd.unwrap_or_else(|| usual(&None, "{initrd}").into_iter().collect());
        let mut parts = Parts {
            linux: self.optional(usual(&uki.linux, "{kernel}").as_ref(), &format!("{name}.linux"))?,
            initrds: self.sources(&initrd, &format!("{name}.initrd"))?,
            cmdline: self.text_of(
                usual(&uki.cmdline, USUAL_CMDLINE).as_ref(),
                &format!("{name}.cmdline"),
            )?,
            os_release: self.os_release(
                usual(&uki.os_release, "{toplevel}/etc/os-release").as_ref(),
                &format!("{name}.os-release"),
            )?,
            uname: self.text_of(uki.uname.as_ref(), &format!("{name}.uname"))?,
            device_tree: self.optional(uki.dtb.as_ref(), &format!("{name}.dtb"))?,
            device_trees: self.sources(&uki.dtbauto, &format!("{name}.dtbauto"))?,
            hardware_ids: match &uki.hwids {
                Some(source) => Some(self.hardware_ids(source, &format!("{name}.hwids"))?),
                None => None,
            },
            firmware: {
                let place = format!("{name}.efifw");
                let all = uki.efifw.iter().map(|source| self.firmware(source, &place));
                all.collect::<Result<_>>()?
            },
            splash: self.optional(uki.splash.as_ref(), &format!("{name}.splash"))?,
            microcode: self.optional(uki.microcode.as_ref(), &format!("{name}.microcode"))?,
            profile: uki
                .profile
                .as_ref()
                .map(|profile| profile_text(&profile.id, profile.title.as_ref())),
            ..Parts::default()
        };
        if parts.uname.is_none() {
            let found = parts.linux.as_ref().and_then(uki::uname);
            parts.uname = found.map(|name| Content::from(name.into_bytes()));
        }
        for (section, source) in &uki.sections {
            let content = self.source(source, &format!("{name}.sections.{section:?}"))?;
            parts.others.push((section.clone(), content));
        }
        Ok(parts)
    }

    fn profile(&mut self, place: &str, profile: &UkiProfile) -> Result<Parts> {
        let initrd = profile.initrd.as_ref().map(|sources| sources.0.clone());
        Ok(Parts {
            profile: Some(profile_text(&profile.id, profile.title.as_ref())),
            cmdline: self.text_of(profile.cmdline.as_ref(), &format!("{place}.cmdline"))?,
            initrds: self.sources(&initrd.unwrap_or_default(), &format!("{place}.initrd"))?,
            device_tree: self.optional(profile.dtb.as_ref(), &format!("{place}.dtb"))?,
            os_release: self.os_release(profile.os_release.as_ref(), &format!("{place}.os-release"))?,
            ..Parts::default()
        })
    }

    /// What the system calls itself: lines are the text itself, and no source has several.
    fn os_release(&mut self, said: Option<&String>, place: &str) -> Result<Option<Content>> {
        match said {
            Some(text) if text.contains('\n') => self.text_of(said, place),
            _ => self.optional(said, place),
        }
    }

    /// A text with its values.
    fn text_of(&mut self, text: Option<&String>, place: &str) -> Result<Option<Content>> {
        let Some(text) = text else { return Ok(None) };
        let text = expand(text, place, |key| Values::text(self, key, place))?;
        if text.len() as u64 > TEXT_MAX {
            return Err(Error::BadValue {
                place: place.to_string(),
                problem: format!("{} bytes, the limit is {TEXT_MAX}", text.len()),
            });
        }
        Ok((!text.is_empty()).then(|| Content::from(text.into_bytes())))
    }

    fn optional(&mut self, source: Option<&String>, place: &str) -> Result<Option<Content>> {
        source.map(|source| self.source(source, place)).transpose()
    }

    pub(crate) fn sources(&mut self, sources: &[String], place: &str) -> Result<Vec<Content>> {
        sources.iter().map(|source| self.source(source, place)).collect()
    }

    /// The bytes of a source: another part, a file in the closure, or one of the host.
    pub(crate) fn source(&mut self, source: &str, place: &str) -> Result<Content> {
        if let Some(key) = whole(source)
            && let Some(content) = Values::part(self, key, place)?
        {
            return Ok(content);
        }
        let source = expand(source, place, |key| Values::text(self, key, place))?;
        if in_closure(&source, &self.gathered.closure) {
            let id = self.gathered.find(&source, place)?;
            return self.gathered.content(id).cloned().ok_or_else(|| Error::BadValue {
                place: place.to_string(),
                problem: format!("{source} is no file"),
            });
        }
        Content::host_file(self.work.folder.join(&source)).map_err(|source| Error::Tree {
            part: place.to_string(),
            source,
        })
    }
}

/// Whether something in an image is known only when file systems are made.
fn has_estimates(uki: &Uki) -> bool {
    let is_estimate = |text: &String| ["{fs.", "{verity."].iter().any(|part| text.contains(part));
    texts(uki).any(is_estimate)
}

/// All texts of an image that may hold values, or are one.
pub(crate) fn texts(uki: &Uki) -> impl Iterator<Item = &String> {
    let one = [
        &uki.linux,
        &uki.cmdline,
        &uki.os_release,
        &uki.uname,
        &uki.dtb,
        &uki.hwids,
        &uki.splash,
        &uki.microcode,
    ];
    let initrds = uki.initrd.iter().flat_map(|initrds| &initrds.0);
    let profiles = uki.profiles.iter().flat_map(|profile| {
        let texts = [&profile.cmdline, &profile.dtb, &profile.os_release];
        let initrds = profile.initrd.iter().flat_map(|initrds| &initrds.0);
        texts.into_iter().flatten().chain(initrds)
    });
    std::iter::once(&uki.stub)
        .chain(one.into_iter().flatten())
        .chain(initrds)
        .chain(profiles)
        .chain(&uki.dtbauto)
        .chain(&uki.efifw)
        .chain(uki.sections.values())
}

/// A program, and whether it has the signature that it shall have.
struct Signed {
    content: Content,
    is_done: Option<bool>,
    /// Whether somebody has to sign it elsewhere.
    is_left: bool,
}

impl Signed {
    fn later(content: Content) -> Signed {
        Signed {
            content,
            is_done: Some(false),
            is_left: true,
        }
    }

    /// What its output is called.
    fn name(&self, file: String, unsigned: String) -> String {
        if self.is_left { unsigned } else { file }
    }
}

fn profile_text(id: &str, title: Option<&String>) -> Content {
    let title = title.map_or_else(String::new, |title| format!("TITLE={title}\n"));
    Content::from(format!("ID={id}\n{title}").into_bytes())
}
