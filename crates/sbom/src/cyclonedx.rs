//! CycloneDX 1.6 as JSON ([ECMA-424](https://cyclonedx.org/docs/1.6/json/)).

use std::borrow::Cow;
use std::collections::BTreeSet;

use data_encoding::HEXLOWER;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::error::Result;
use crate::identifiers::is_mail;
use crate::licences::Licence;
use crate::model::{Bill, File, Package};
use crate::time::rfc3339;

/// What the product is called inside the document.
const PRODUCT: &str = "product";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    bom_format: &'static str,
    spec_version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial_number: Option<String>,
    version: u32,
    metadata: Metadata<'a>,
    components: Vec<Component<'a>>,
    dependencies: Vec<Dependency<'a>>,
    compositions: Vec<Composition<'a>>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    timestamp: String,
    tools: Tools<'a>,
    component: Component<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    manufacturer: Option<Organization<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    supplier: Option<Organization<'a>>,
}

#[derive(Serialize)]
struct Tools<'a> {
    components: Vec<Component<'a>>,
}

#[derive(Clone, Serialize)]
struct Organization<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    url: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    contact: Vec<Contact<'a>>,
}

#[derive(Clone, Serialize)]
struct Contact<'a> {
    email: &'a str,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Component<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "bom-ref", skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    supplier: Option<Organization<'a>>,
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hashes: Vec<Hash>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    licenses: Vec<LicenceChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpe: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purl: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_references: Vec<ExternalReference<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    properties: Vec<Property>,
}

#[derive(Serialize)]
struct Hash {
    alg: &'static str,
    content: String,
}

#[derive(Serialize)]
struct LicenceChoice<'a> {
    license: LicenceEntry<'a>,
}

#[derive(Serialize)]
struct LicenceEntry<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
}

#[derive(Serialize)]
struct ExternalReference<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    url: &'a str,
}

#[derive(Serialize)]
struct Property {
    name: &'static str,
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dependency<'a> {
    #[serde(rename = "ref")]
    reference: String,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    depends_on: BTreeSet<Cow<'a, str>>,
}

#[derive(Serialize)]
struct Composition<'a> {
    aggregate: &'static str,
    dependencies: Vec<Cow<'a, str>>,
}

/// The bill as a document of CycloneDX. Its serial number derives from the seed and from all else that it says.
///
/// # Errors
/// When it cannot be written down.
pub fn cyclonedx(bill: &Bill) -> Result<Vec<u8>> {
    let mut document = Document {
        schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
        bom_format: "CycloneDX",
        spec_version: "1.6",
        serial_number: None,
        version: 1,
        metadata: metadata(bill),
        components: bill
            .packages
            .iter()
            .map(package)
            .chain(bill.files.iter().map(file))
            .collect(),
        dependencies: dependencies(bill),
        compositions: compositions(bill),
    };
    let digest = HEXLOWER.encode(&Sha256::digest(serde_json::to_vec(&document)?));
    let id = bill.seed.part("sbom.cyclonedx").uuid(&digest);
    document.serial_number = Some(id.urn().to_string());
    let mut text = serde_json::to_vec_pretty(&document)?;
    text.push(b'\n');
    Ok(text)
}

fn metadata(bill: &Bill) -> Metadata<'_> {
    let maker = bill.supplier.as_deref().map(|name| {
        let contact = bill.contact.as_deref();
        Organization {
            name,
            url: contact.filter(|contact| !is_mail(contact)).into_iter().collect(),
            contact: contact
                .filter(|contact| is_mail(contact))
                .map(|email| Contact { email })
                .into_iter()
                .collect(),
        }
    });
    let kiln = Component {
        kind: "application",
        name: "kiln",
        version: env!("CARGO_PKG_VERSION"),
        ..Component::default()
    };
    let product = Component {
        kind: "firmware",
        reference: Some(PRODUCT.to_string()),
        supplier: maker.clone(),
        name: &bill.name,
        version: bill.version.as_deref().unwrap_or_default(),
        ..Component::default()
    };
    Metadata {
        timestamp: rfc3339(bill.time),
        tools: Tools {
            components: vec![kiln],
        },
        component: product,
        manufacturer: maker.clone(),
        supplier: maker,
    }
}

fn package(package: &Package) -> Component<'_> {
    let about = &package.about;
    let mut purls = package.purls().into_iter();
    let purl = purls.next();
    let mut properties = vec![property("nix:store_path", &package.path)];
    properties.extend(package.output.iter().map(|output| property("nix:output", output)));
    let size = package.nar_size.map(|size| size.to_string());
    properties.extend(size.iter().map(|size| property("nix:nar_size", size)));
    properties.extend(purls.map(|purl| property("kiln:purl", &purl)));
    if !package.is_whole {
        properties.push(property("kiln:extent", "files"));
    }
    Component {
        kind: if package.is_package() {
            "application"
        } else {
            "file"
        },
        reference: Some(package.path.clone()),
        name: &package.name,
        version: &package.version,
        description: about.description.as_deref(),
        hashes: package.nar_hash.iter().map(sha256).collect(),
        licenses: about.licences.iter().map(licence).collect(),
        cpe: about.cpe.as_deref(),
        purl,
        external_references: about
            .homepages
            .iter()
            .map(|url| ExternalReference { kind: "website", url })
            .collect(),
        properties,
        ..Component::default()
    }
}

fn file(file: &File) -> Component<'_> {
    Component {
        kind: "file",
        reference: Some(file_reference(file)),
        name: &file.place,
        hashes: vec![sha256(&file.sha256)],
        properties: vec![property("kiln:size", &file.len.to_string())],
        ..Component::default()
    }
}

fn file_reference(file: &File) -> String {
    format!("file:{}", file.place)
}

fn property(name: &'static str, value: &str) -> Property {
    let value = value.to_string();
    Property { name, value }
}

fn sha256(digest: &[u8; 32]) -> Hash {
    Hash {
        alg: "SHA-256",
        content: HEXLOWER.encode(digest),
    }
}

fn licence(licence: &Licence) -> LicenceChoice<'_> {
    let license = match licence {
        Licence::Known(id) => LicenceEntry {
            id: Some(id),
            name: None,
            url: None,
        },
        Licence::Other { name, url } => LicenceEntry {
            id: None,
            name: Some(name),
            url: url.as_deref(),
        },
    };
    LicenceChoice { license }
}

/// The product depends on its roots and files, a package on what it refers to, a file on the package that it is of.
fn dependencies(bill: &Bill) -> Vec<Dependency<'_>> {
    let roots = bill.roots.iter().map(|root| root.as_str().into());
    let files = bill.files.iter().map(|file| file_reference(file).into());
    let product = Dependency {
        reference: PRODUCT.to_string(),
        depends_on: roots.chain(files).collect(),
    };
    let packages = bill.packages.iter().map(|package| Dependency {
        reference: package.path.clone(),
        depends_on: package.others().into_iter().map(Into::into).collect(),
    });
    let files = bill.files.iter().map(|file| Dependency {
        reference: file_reference(file),
        depends_on: file.origin.iter().map(|origin| origin.as_str().into()).collect(),
    });
    [product].into_iter().chain(packages).chain(files).collect()
}

/// Which dependencies are all that there are, and of which nobody knows.
fn compositions(bill: &Bill) -> Vec<Composition<'_>> {
    let (known, unknown): (Vec<&Package>, Vec<&Package>) = bill
        .packages
        .iter()
        .partition(|package| package.references.is_some());
    let of = |aggregate, packages: Vec<&'_ Package>| Composition {
        aggregate,
        dependencies: packages
            .into_iter()
            .map(|package| package.path.clone().into())
            .collect(),
    };
    let all = [of("complete", known), of("unknown", unknown)];
    all.into_iter()
        .filter(|composition| !composition.dependencies.is_empty())
        .collect()
}
