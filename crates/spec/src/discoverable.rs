//! Partitions that systemd finds by their types and by halves of a root hash: data, their hash tree, and its signature
//! have to belong together, or the boot waits for something that never comes.
//! <https://uapi-group.org/specifications/specs/discoverable_partitions_specification/>

use std::collections::{BTreeMap, BTreeSet};

use disk::PartitionType;

use crate::error::{Error, Result};
use crate::schema::{Disk, Region, Table};
use crate::{Spec, root_signatures};

/// What a partition of a discoverable type holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Data,
    Tree,
    Signature,
}

/// A type with a partner for hash trees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Type {
    /// The type of the data, such as `root-arm64`.
    data: &'static str,
    holds: Holds,
}

impl Type {
    /// The type that a region says, if it is one of these.
    fn of(region: &Region) -> Option<Type> {
        let known = match PartitionType::parse(region.kind.as_deref()?).ok()? {
            PartitionType::Named(known) => known,
            PartitionType::Guid(guid) => disk::type_of_guid(guid)?,
            PartitionType::Mbr(_) => return None,
        };
        let name = known.name;
        if !name.starts_with("root-") && !name.starts_with("usr-") {
            return None;
        }
        let endings = [("-verity-sig", Holds::Signature), ("-verity", Holds::Tree)];
        let found = endings
            .into_iter()
            .find_map(|(ending, holds)| Some((name.strip_suffix(ending)?, holds)));
        let (data, holds) = found.unwrap_or((name, Holds::Data));
        Some(Type { data, holds })
    }

    /// Its name, and what it is for.
    fn name(self) -> String {
        let ending = match self.holds {
            Holds::Data => "",
            Holds::Tree => "-verity",
            Holds::Signature => "-verity-sig",
        };
        format!("{}{ending}", self.data)
    }
}

impl Holds {
    fn of(spec: &Spec, content: &str) -> Holds {
        if root_signatures::of(spec, content).is_some() {
            Holds::Signature
        } else if content.starts_with("verity.") {
            Holds::Tree
        } else {
            Holds::Data
        }
    }

    fn name(self) -> &'static str {
        match self {
            Holds::Data => "a file system",
            Holds::Tree => "a hash tree",
            Holds::Signature => "the signature of a root hash",
        }
    }
}

/// What a region is for by its type: `root` or `usr`; none for other types.
pub(crate) fn mount(region: &Region) -> Option<&'static str> {
    Type::of(region)?.data.split('-').next()
}

/// A region whose content is a part of this specification.
struct Placed<'a> {
    region: &'a Region,
    content: &'a str,
    holds: Holds,
    kind: Option<Type>,
}

impl Placed<'_> {
    fn misfit(&self, key: &str, problem: String, hint: String) -> Error {
        Error::Misfit {
            place: format!("disk.region {:?}.{key}", self.region.name),
            problem,
            hint,
        }
    }
}

/// Finds partitions that do not belong together.
pub(crate) fn check(disk: &Disk, spec: &Spec) -> Result<()> {
    if !matches!(disk.table.unwrap_or(Table::Gpt), Table::Gpt | Table::Hybrid) {
        return Ok(());
    }
    let placed = |region| {
        let region: &Region = region;
        let content = region.content.as_deref()?;
        Some(Placed {
            region,
            content,
            holds: Holds::of(spec, content),
            kind: Type::of(region),
        })
    };
    let regions: Vec<Placed> = disk.region.iter().filter_map(placed).collect();
    for one in &regions {
        check_type(one)?;
        match one.holds {
            Holds::Data => check_data(one, &regions, spec)?,
            Holds::Tree => check_partner(one, &tree_data(one.content, spec), "data", &regions)?,
            Holds::Signature => {
                let tree = one.content.strip_suffix(".signature").unwrap_or_default();
                check_partner(one, tree, "hash tree", &regions)?;
            }
        }
    }
    check_guids(&regions, spec)
}

/// The data that a tree is over.
fn tree_data(tree: &str, spec: &Spec) -> String {
    let key = tree.strip_prefix("verity.").unwrap_or(tree);
    spec.verity
        .get(key)
        .map_or(String::new(), |tree| tree.data.clone())
}

/// The trees over some data.
fn trees<'a>(data: &'a str, spec: &'a Spec) -> impl Iterator<Item = String> + 'a {
    let trees = spec.verity.iter().filter(move |(_, tree)| tree.data == data);
    trees.map(|(key, _)| format!("verity.{key}"))
}

/// A type for trees is none for data.
fn check_type(one: &Placed) -> Result<()> {
    let Some(kind) = one.kind.filter(|kind| kind.holds != one.holds) else {
        return Ok(());
    };
    let right = Type {
        holds: one.holds,
        ..kind
    };
    Err(one.misfit(
        "type",
        format!(
            "{} is for {}, and its content {} is {}",
            kind.name(),
            kind.holds.name(),
            one.content,
            one.holds.name()
        ),
        format!("say type = {:?}, or another content", right.name()),
    ))
}

/// Who finds data by a root hash looks for their tree, too.
fn check_data(one: &Placed, regions: &[Placed], spec: &Spec) -> Result<()> {
    let Some(kind) = one.kind else { return Ok(()) };
    let trees: Vec<String> = trees(one.content, spec).collect();
    let Some(tree) = trees.first() else { return Ok(()) };
    if regions
        .iter()
        .any(|region| trees.iter().any(|tree| region.content == tree))
    {
        return Ok(());
    }
    let wanted = Type {
        holds: Holds::Tree,
        ..kind
    };
    Err(one.misfit(
        "content",
        format!("{} has the hash tree {tree}, and no region of the disk has that", one.content),
        format!(
            "add a region with content = {tree:?} and type = {:?}; if the tree lies elsewhere, say type = \"linux\"",
            wanted.name()
        ),
    ))
}

/// A tree belongs to data, and a signature to a tree, for the same place and architecture.
fn check_partner(one: &Placed, partner: &str, what: &str, regions: &[Placed]) -> Result<()> {
    let Some(kind) = one.kind else { return Ok(()) };
    let mut partners = regions
        .iter()
        .filter(|region| region.content == partner)
        .peekable();
    let Some(first) = partners.peek().copied() else {
        return Err(one.misfit(
            "content",
            format!(
                "{} is beside no region with its {what}, which is {partner}",
                one.content
            ),
            format!("add a region with content = {partner:?}, or take this one out"),
        ));
    };
    if partners.any(|partner| partner.kind.is_none_or(|partner| partner.data == kind.data)) {
        return Ok(());
    }
    let found = first.kind.map_or(String::new(), Type::name);
    let right = first.kind.map(|partner| Type {
        data: partner.data,
        ..kind
    });
    Err(one.misfit(
        "type",
        format!(
            "{} does not belong to the {found} of the region {:?}, which has its {what}",
            kind.name(),
            first.region.name
        ),
        format!("say type = {:?}", right.unwrap_or(kind).name()),
    ))
}

/// A GUID that follows from a root hash is one partition's.
fn check_guids(regions: &[Placed], spec: &Spec) -> Result<()> {
    let hashed: BTreeSet<&str> = spec.verity.values().map(|tree| tree.data.as_str()).collect();
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for one in regions {
        let derives = one.holds == Holds::Tree
            || (hashed.contains(one.content) && trees(one.content, spec).count() == 1);
        if !derives || one.region.kind.is_none() || one.region.guid.is_some() {
            continue;
        }
        if let Some(first) = seen.insert(one.content, &one.region.name) {
            return Err(one.misfit(
                "guid",
                format!(
                    "it and {first:?} both have {}, and would both have the GUID that follows from its root hash",
                    one.content
                ),
                "say guid for one of them, which is not found by the root hash then".into(),
            ));
        }
    }
    Ok(())
}

/// Other names of the architectures that types have.
const ARCHITECTURES: [(&str, &str); 14] = [
    ("aarch64", "arm64"),
    ("amd64", "x86-64"),
    ("arm32", "arm"),
    ("armhf", "arm"),
    ("armv6l", "arm"),
    ("armv7l", "arm"),
    ("i386", "x86"),
    ("i486", "x86"),
    ("i586", "x86"),
    ("i686", "x86"),
    ("loong64", "loongarch64"),
    ("powerpc64le", "ppc64-le"),
    ("ppc64el", "ppc64-le"),
    ("x86_64", "x86-64"),
];

/// What is wrong with a type that looks like a discoverable one, and is none.
pub(crate) fn unknown(kind: &str, place: &str) -> Option<Error> {
    let mount = ["root", "usr"].into_iter().find(|mount| {
        kind.strip_prefix(mount)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    })?;
    let rest = kind.strip_prefix(mount)?.trim_start_matches('-');
    let ending = ["-verity-sig", "-verity"]
        .into_iter()
        .find(|ending| rest.ends_with(ending) || rest == &ending[1..]);
    let said = rest.strip_suffix(ending.unwrap_or_default()).unwrap_or("");
    let ending = ending.unwrap_or_default();
    let known: Vec<&str> = architectures(mount).collect();
    if let Some((_, right)) = ARCHITECTURES.iter().find(|(other, _)| *other == said) {
        return Some(Error::Unknown {
            place: place.to_owned(),
            what: format!("partition type {kind:?}"),
            hint: Some(format!("did you mean \"{mount}-{right}{ending}\"?")),
        });
    }
    // A misspelt one is found as all names are.
    if !said.is_empty()
        && known
            .iter()
            .any(|known| strsim::damerau_levenshtein(said, known) <= 2)
    {
        return None;
    }
    let (problem, way) = if said.is_empty() {
        (
            format!("{kind:?} says no architecture, without which nothing is found"),
            format!("say which, such as \"{mount}-x86-64{ending}\": there are "),
        )
    } else {
        (
            format!("{kind:?}: there are no discoverable partitions for the architecture {said:?}"),
            "say type = \"linux\", and the partition in the kernel's command line (root=PARTUUID=…); types there are for "
                .to_owned(),
        )
    };
    Some(Error::Misfit {
        place: place.to_owned(),
        problem,
        hint: way + &known.join(", "),
    })
}

/// The architectures of a mount's types.
fn architectures(mount: &str) -> impl Iterator<Item = &'static str> {
    let names = disk::TYPES.iter().map(|known| known.name);
    let data = names.filter(|name| !name.ends_with("-verity") && !name.ends_with("-verity-sig"));
    data.filter_map(move |name| name.strip_prefix(mount)?.strip_prefix('-'))
}
