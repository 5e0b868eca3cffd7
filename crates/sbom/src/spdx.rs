//! SPDX 2.3 as JSON ([specification](https://spdx.github.io/spdx-spec/v2.3/)).
//!
//! Files are packages whose purpose is `FILE`: what SPDX calls a file has to have a SHA-1, which vouches for nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use data_encoding::HEXLOWER;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::error::Result;
use crate::identifiers::{encoded, is_mail};
use crate::licences::Licence;
use crate::model::{Bill, File, Package};
use crate::time::rfc3339;

/// What nobody has said.
const UNKNOWN: &str = "NOASSERTION";
/// What the document calls itself.
const DOCUMENT: &str = "SPDXRef-DOCUMENT";
/// What it calls the product.
const PRODUCT: &str = "SPDXRef-Product";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "SPDX' names")]
struct Document<'a> {
    spdx_version: &'static str,
    data_license: &'static str,
    #[serde(rename = "SPDXID")]
    id: &'static str,
    name: &'a str,
    document_namespace: String,
    creation_info: CreationInfo,
    comment: &'static str,
    packages: Vec<Entry<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    has_extracted_licensing_infos: Vec<ExtractedLicence<'a>>,
    relationships: Vec<Relationship<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CreationInfo {
    created: String,
    creators: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    #[serde(rename = "SPDXID")]
    id: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    version_info: &'a str,
    supplier: String,
    download_location: &'static str,
    files_analyzed: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checksums: Vec<Checksum>,
    #[serde(skip_serializing_if = "Option::is_none")]
    homepage: Option<&'a str>,
    license_concluded: &'static str,
    license_declared: String,
    copyright_text: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'a str>,
    #[serde(skip_serializing_if = "String::is_empty")]
    comment: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_refs: Vec<ExternalRef>,
    primary_package_purpose: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Checksum {
    algorithm: &'static str,
    checksum_value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "SPDX' names")]
struct ExternalRef {
    reference_category: &'static str,
    reference_type: &'static str,
    reference_locator: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExtractedLicence<'a> {
    license_id: String,
    extracted_text: String,
    name: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    see_alsos: Vec<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "SPDX' names")]
struct Relationship<'a> {
    spdx_element_id: &'a str,
    relationship_type: &'static str,
    related_spdx_element: &'a str,
}

/// What the document says of itself, which has no field.
const COMMENT: &str = "Packages are store paths of Nix: their checksums are those of their NARs (nix-archive-1), and DEPENDS_ON \
     leads to the store paths that their bytes name. Packages whose purpose is FILE are files beside them.";

/// The bill as a document of SPDX. The end of its namespace derives from the seed and from all else that it says.
///
/// # Errors
/// When it cannot be written down.
pub fn spdx(bill: &Bill) -> Result<Vec<u8>> {
    let ids = Ids::new(bill);
    let licences = references(bill);
    let mut packages = vec![product(bill)];
    packages.extend(
        bill.packages
            .iter()
            .map(|package| entry(package, &ids, &licences)),
    );
    packages.extend(bill.files.iter().map(|file| file_entry(file, &ids)));
    let mut document = Document {
        spdx_version: "SPDX-2.3",
        data_license: "CC0-1.0",
        id: DOCUMENT,
        name: &bill.name,
        document_namespace: String::new(),
        creation_info: CreationInfo {
            created: rfc3339(bill.time),
            creators: creators(bill),
        },
        comment: COMMENT,
        packages,
        has_extracted_licensing_infos: licences.iter().map(extracted).collect(),
        relationships: relationships(bill, &ids),
    };
    let digest = HEXLOWER.encode(&Sha256::digest(serde_json::to_vec(&document)?));
    let id = bill.seed.part("sbom.spdx").uuid(&digest);
    document.document_namespace = format!("https://spdx.org/spdxdocs/{}-{id}", encoded(&bill.name));
    let mut text = serde_json::to_vec_pretty(&document)?;
    text.push(b'\n');
    Ok(text)
}

/// What the document calls store paths and files: letters, digits, dots and dashes, each name once.
struct Ids {
    packages: BTreeMap<String, String>,
    files: BTreeMap<String, String>,
}

impl Ids {
    fn new(bill: &Bill) -> Ids {
        let mut used: BTreeSet<String> = BTreeSet::from([DOCUMENT.into(), PRODUCT.into()]);
        let mut named = |text: &str| {
            let plain = |character: char| character.is_ascii_alphanumeric() || character == '.';
            let text: String = text
                .chars()
                .map(|character| if plain(character) { character } else { '-' })
                .collect();
            let first = format!("SPDXRef-{text}");
            let mut id = first.clone();
            let mut number = 2_u64;
            while !used.insert(id.clone()) {
                id = format!("{first}-{number}");
                number += 1;
            }
            id
        };
        let mut ids = Ids {
            packages: BTreeMap::new(),
            files: BTreeMap::new(),
        };
        for package in &bill.packages {
            let base = package.path.rsplit('/').next().unwrap_or_default();
            ids.packages.insert(package.path.clone(), named(base));
        }
        for file in &bill.files {
            ids.files
                .insert(file.place.clone(), named(&format!("File-{}", file.place)));
        }
        ids
    }

    fn package(&self, path: &str) -> &str {
        self.packages.get(path).map_or(UNKNOWN, String::as_str)
    }

    fn file(&self, file: &File) -> &str {
        self.files.get(&file.place).map_or(UNKNOWN, String::as_str)
    }
}

/// Licences that are not on the list, by what the document calls them.
type References<'a> = BTreeMap<String, &'a Licence>;

fn references(bill: &Bill) -> References<'_> {
    let all: BTreeSet<&Licence> = bill
        .packages
        .iter()
        .flat_map(|package| &package.about.licences)
        .collect();
    let mut references = References::new();
    for licence in all {
        if let Licence::Other { name, .. } = licence {
            let first = Licence::reference(name);
            let mut id = first.clone();
            let mut number = 2_u64;
            while references.contains_key(&id) {
                id = format!("{first}-{number}");
                number += 1;
            }
            references.insert(id, licence);
        }
    }
    references
}

fn extracted<'a>((id, licence): (&String, &&'a Licence)) -> ExtractedLicence<'a> {
    let (name, url) = match licence {
        Licence::Known(id) => (*id, None),
        Licence::Other { name, url } => (name.as_str(), url.as_deref()),
    };
    let mut text = format!("The package's metadata name this licence {name:?} and have no text of it.");
    if let Some(url) = url {
        let _ = write!(text, " See {url}.");
    }
    ExtractedLicence {
        license_id: id.clone(),
        extracted_text: text,
        name,
        see_alsos: url.into_iter().collect(),
    }
}

fn creators(bill: &Bill) -> Vec<String> {
    let tool = format!("Tool: kiln-{}", env!("CARGO_PKG_VERSION"));
    [tool].into_iter().chain(supplier(bill)).collect()
}

/// Who makes the product, as SPDX writes it.
fn supplier(bill: &Bill) -> Option<String> {
    let name = bill.supplier.as_ref()?;
    let mail = bill.contact.as_ref().filter(|contact| is_mail(contact));
    Some(match mail {
        Some(mail) => format!("Organization: {name} ({mail})"),
        // What is in brackets at the end would be an address.
        None if name.ends_with(')') => format!("Organization: {name} ()"),
        None => format!("Organization: {name}"),
    })
}

fn product(bill: &Bill) -> Entry<'_> {
    let page = bill.contact.as_deref().filter(|contact| !is_mail(contact));
    Entry {
        id: PRODUCT,
        version_info: bill.version.as_deref().unwrap_or_default(),
        supplier: supplier(bill).unwrap_or_else(|| UNKNOWN.into()),
        homepage: page,
        primary_package_purpose: "FIRMWARE",
        ..unnamed(&bill.name)
    }
}

/// A package of which nothing is known but its name.
fn unnamed(name: &str) -> Entry<'_> {
    Entry {
        id: UNKNOWN,
        name,
        version_info: "",
        supplier: UNKNOWN.into(),
        download_location: UNKNOWN,
        files_analyzed: false,
        checksums: Vec::new(),
        homepage: None,
        license_concluded: UNKNOWN,
        license_declared: UNKNOWN.into(),
        copyright_text: UNKNOWN,
        summary: None,
        comment: String::new(),
        external_refs: Vec::new(),
        primary_package_purpose: "OTHER",
    }
}

fn entry<'a>(package: &'a Package, ids: &'a Ids, licences: &References) -> Entry<'a> {
    let about = &package.about;
    let external = |reference_category, reference_type, reference_locator| ExternalRef {
        reference_category,
        reference_type,
        reference_locator,
    };
    let purls = package.purls().into_iter();
    let mut external_refs: Vec<ExternalRef> = purls
        .map(|purl| external("PACKAGE-MANAGER", "purl", purl))
        .collect();
    let cpe = about.cpe.clone();
    external_refs.extend(cpe.map(|cpe| external("SECURITY", "cpe23Type", cpe)));
    let mut comment = package.path.clone();
    if !package.is_whole {
        comment.push_str(": files of it are in the product, and not the whole");
    }
    Entry {
        id: ids.package(&package.path),
        version_info: &package.version,
        checksums: package.nar_hash.iter().map(checksum).collect(),
        homepage: about.homepages.first().map(String::as_str),
        license_declared: declared(&about.licences, licences),
        summary: about.description.as_deref(),
        comment,
        external_refs,
        primary_package_purpose: if package.is_package() {
            "APPLICATION"
        } else {
            "OTHER"
        },
        ..unnamed(&package.name)
    }
}

fn file_entry<'a>(file: &'a File, ids: &'a Ids) -> Entry<'a> {
    Entry {
        id: ids.file(file),
        checksums: vec![checksum(&file.sha256)],
        comment: format!("{} bytes", file.len),
        primary_package_purpose: "FILE",
        ..unnamed(&file.place)
    }
}

fn checksum(digest: &[u8; 32]) -> Checksum {
    Checksum {
        algorithm: "SHA256",
        checksum_value: HEXLOWER.encode(digest),
    }
}

/// All licences of a package, as an expression.
fn declared(licences: &[Licence], references: &References) -> String {
    let names: Vec<&str> = licences
        .iter()
        .filter_map(|licence| match licence {
            Licence::Known(id) => Some(*id),
            other @ Licence::Other { .. } => references
                .iter()
                .find(|(_, known)| **known == other)
                .map(|(id, _)| id.as_str()),
        })
        .collect();
    if names.is_empty() {
        return UNKNOWN.into();
    }
    names.join(" AND ")
}

fn relationships<'a>(bill: &'a Bill, ids: &'a Ids) -> Vec<Relationship<'a>> {
    let mut all = Vec::new();
    let mut add = |one, kind, other| {
        all.push(Relationship {
            spdx_element_id: one,
            relationship_type: kind,
            related_spdx_element: other,
        });
    };
    add(DOCUMENT, "DESCRIBES", PRODUCT);
    for root in &bill.roots {
        add(PRODUCT, "DEPENDS_ON", ids.package(root));
    }
    for package in &bill.packages {
        let id = ids.package(&package.path);
        if package.is_whole {
            add(PRODUCT, "CONTAINS", id);
        }
        if package.references.is_none() {
            add(id, "DEPENDS_ON", UNKNOWN);
        }
        for reference in package.others() {
            add(id, "DEPENDS_ON", ids.package(reference));
        }
    }
    for file in &bill.files {
        add(PRODUCT, "CONTAINS", ids.file(file));
        if let Some(origin) = &file.origin {
            add(ids.package(origin), "CONTAINS", ids.file(file));
        }
    }
    all
}
