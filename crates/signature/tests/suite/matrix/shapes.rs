//! Shapes of one signature: how its parts are written, in which order they are, and what else is there.

use super::shape::{
    CONTENT_TYPE, COUNTERSIGNATURE, DATA, MESSAGE_DIGEST, OCTETS, OCTETS_IN_PIECES, OID, RECEIPT_REQUEST,
    SEQUENCE, SHA_256, SHA_512, SIGNING_CERTIFICATE, SIGNING_CERTIFICATE_V2, Shape, Signed, UNKNOWN,
    attribute, der, digest, endless, inside, long,
};
use super::{Table, oracles, theirs};
use crate::case::Case;
use crate::pki::{CA, LEAF, VALID, World, key_file, openssl};

/// What makes a shape of a good signature.
type Change<'a> = &'a dyn Fn(&mut Shape);

/// Asks about shapes: what each is called, and how it is made of a good one.
fn ask(table: &mut Table, case: &Case, shapes: &[(&str, Change)]) {
    let good = Shape::new(&theirs(case));
    for (what, change) in shapes {
        let mut shape = good.clone();
        change(&mut shape);
        table.signatures(what, case, &[shape.sign(case.signer)]);
    }
}

/// The bytes of the content.
fn text(shape: &Shape) -> Vec<u8> {
    // Its length has two bytes.
    shape.content[4..].to_vec()
}

fn pieces(shape: &Shape) -> Vec<u8> {
    let text = text(shape);
    let pieces = text.chunks(100).map(|piece| der(OCTETS, &[piece]));
    pieces.collect::<Vec<_>>().concat()
}

#[test]
fn lengths() {
    if !oracles() {
        return;
    }
    let world = World::new();
    let root = world.root("Root");
    let leaf = world.leaf("Leaf", &root, LEAF);
    let case = Case::new(&world, &leaf, &[], &[&root]);
    let mut table = Table::of_chains();
    ask(
        &mut table,
        &case,
        &[
            ("as it is", &|_| {}),
            ("streamed", &|shape| {
                shape.outer = endless;
                shape.content = endless(OCTETS_IN_PIECES, &[&pieces(shape)]);
            }),
            ("streamed in no pieces", &|shape| {
                shape.content = endless(OCTETS_IN_PIECES, &[]);
            }),
            ("the content in pieces", &|shape| {
                shape.content = der(OCTETS_IN_PIECES, &[&pieces(shape)]);
            }),
            ("the content in pieces of pieces", &|shape| {
                shape.content = der(OCTETS_IN_PIECES, &[&der(OCTETS_IN_PIECES, &[&pieces(shape)])]);
            }),
            ("the content in pieces of another type", &|shape| {
                let piece = der(0x0c, &[&text(shape)]);
                shape.content = der(OCTETS_IN_PIECES, &[&piece]);
            }),
            ("the content without an end", &|shape| {
                shape.content = [&[OCTETS_IN_PIECES, 0x80][..], &pieces(shape)].concat();
            }),
            ("no ends", &|shape| shape.outer = endless),
            ("long lengths", &|shape| shape.outer = long),
            ("certificates without an end", &|shape| {
                shape.certificates_in = endless;
            }),
            ("a long length of certificates", &|shape| {
                shape.certificates_in = long;
            }),
            ("signers without an end", &|shape| shape.signers_in = endless),
            ("a long length of signers", &|shape| shape.signers_in = long),
            ("attributes without an end", &|shape| {
                shape.attributes_in = endless;
            }),
            ("a long length of attributes", &|shape| shape.attributes_in = long),
            ("a certificate without an end", &|shape| {
                let certificate = inside(&shape.certificates[0]).concat();
                shape.certificates[0] = endless(SEQUENCE, &[&certificate]);
            }),
            ("a certificate with a long length inside", &|shape| {
                let parts = inside(&shape.certificates[0]);
                let signed = long(SEQUENCE, &[&inside(&parts[0]).concat()]);
                shape.certificates[0] = der(SEQUENCE, &[&signed, &parts[1], &parts[2]]);
            }),
            ("a byte behind it", &|shape| shape.tail = vec![0]),
            ("another one behind it", &|shape| {
                shape.tail = der(SEQUENCE, &[b"\x05\0"]);
            }),
        ],
    );
    table.expect(include_str!("tables/lengths.txt"));
}

#[test]
fn orders_and_numbers() {
    if !oracles() {
        return;
    }
    let world = World::new();
    let root = world.root("Root");
    let between = world.authority("Between", &root, CA);
    let leaf = world.leaf("Leaf", &between, LEAF);
    let name = "/O=Test/CN=Leaf";
    let namesake = world.issue(
        "namesake",
        name,
        Some(&root),
        LEAF,
        VALID,
        Some(&key_file("p384")),
    );
    let namesake = namesake.certificate().der().to_vec();
    let case = Case::new(&world, &leaf, &[&between], &[&root]);
    let mut table = Table::of_chains();
    let sha256_null = der(SEQUENCE, &[&der(OID, &[SHA_256]), b"\x05\0"]);
    ask(
        &mut table,
        &case,
        &[
            ("certificates in order", &|shape| shape.certificates.sort()),
            ("certificates in the other order", &|shape| {
                shape.certificates.sort();
                shape.certificates.reverse();
            }),
            ("each certificate twice", &|shape| {
                shape.certificates.extend_from_within(..);
            }),
            ("a certificate of the same name first", &|shape| {
                shape.certificates.insert(0, namesake.clone());
            }),
            ("a certificate of an attribute", &|shape| {
                shape.certificates.push(b"\xa1\x02\x30\0".to_vec());
            }),
            ("no certificates", &|shape| shape.certificates.clear()),
            ("a certificate that is none", &|shape| {
                shape.certificates.push(b"\x30\0".to_vec());
            }),
            ("version 3", &|shape| shape.version = 3),
            ("version 0", &|shape| shape.version = 0),
            ("version 3 of the signer", &|shape| shape.signer_version = 3),
            ("two digests", &|shape| shape.digests.push(digest(SHA_512))),
            ("two digests in the other order", &|shape| {
                shape.digests.insert(0, digest(SHA_512));
            }),
            ("the digest twice", &|shape| shape.digests.extend_from_within(..)),
            ("a digest with a NULL", &|shape| {
                shape.digests = vec![sha256_null.clone()];
            }),
            ("another digest", &|shape| shape.digests = vec![digest(SHA_512)]),
            ("an unknown digest besides", &|shape| {
                shape.digests.push(digest(UNKNOWN));
            }),
            ("no digest", &|shape| shape.digests.clear()),
            ("the issuer in capital letters", &|shape| {
                let at = shape
                    .signer_id
                    .windows(7)
                    .position(|name| name == b"Between")
                    .unwrap();
                shape.signer_id[at..at + 7].copy_from_slice(b"BETWEEN");
            }),
            ("another serial number", &|shape| {
                *shape.signer_id.last_mut().unwrap() ^= 1;
            }),
            ("lists of revoked certificates", &|shape| {
                shape.lists = b"\xa1\0".to_vec();
            }),
            ("attributes that are not signed", &|shape| {
                shape.unsigned = der(0xa1, &[&attribute(UNKNOWN, &[b"\x05\0"])]);
            }),
            ("another type of content", &|shape| {
                shape.content_type = der(OID, &[UNKNOWN]);
            }),
        ],
    );
    table.expect(include_str!("tables/orders.txt"));
}

#[test]
fn attributes() {
    if !oracles() {
        return;
    }
    let world = World::new();
    let root = world.root("Root");
    let leaf = world.leaf("Leaf", &root, LEAF);
    let case = Case::new(&world, &leaf, &[], &[&root]);
    let mut table = Table::of_chains();
    ask(
        &mut table,
        &case,
        &[
            ("in order", &|shape| shape.attributes.sort()),
            ("in another order", &|shape| shape.attributes.reverse()),
            ("in another order than they were signed", &|shape| {
                shape.attributes.sort();
                shape.attributes.reverse();
                shape.signed = Signed::Sorted;
            }),
            ("no content type", &|shape| {
                shape
                    .attributes
                    .retain(|one| !one.windows(9).any(|name| name == CONTENT_TYPE));
            }),
            ("no digest", &|shape| {
                shape
                    .attributes
                    .retain(|one| !one.windows(9).any(|name| name == MESSAGE_DIGEST));
            }),
            ("another content type besides", &|shape| {
                shape
                    .attributes
                    .push(attribute(CONTENT_TYPE, &[&der(OID, &[UNKNOWN])]));
            }),
            ("another content type", &|shape| {
                shape
                    .attributes
                    .retain(|one| !one.windows(9).any(|name| name == CONTENT_TYPE));
                shape
                    .attributes
                    .push(attribute(CONTENT_TYPE, &[&der(OID, &[UNKNOWN])]));
            }),
            ("a content type of another type", &|shape| {
                shape
                    .attributes
                    .retain(|one| !one.windows(9).any(|name| name == CONTENT_TYPE));
                shape
                    .attributes
                    .push(attribute(CONTENT_TYPE, &[&der(OCTETS, &[DATA])]));
            }),
        ],
    );
    numbers_of_attributes(&mut table, &case);
    for (what, value) in [
        ("a text", &b"\x0c\x01x"[..]),
        ("bytes", b"\x04\x01x"),
        ("a number", b"\x02\x01\x05"),
        ("a longer number", b"\x02\x02\0\x05"),
        ("a set", b"\x31\0"),
        ("a sequence of what is none", b"\x30\x02\x0c\x05"),
        ("bits", b"\x03\x02\0\xff"),
        ("bits, of which one counts", b"\x03\x02\x07\xff"),
        ("characters of two bytes in one", b"\x1e\x01x"),
        ("nothing", b"\x05\0"),
        ("nothing with a byte", b"\x05\x01x"),
        ("true", b"\x01\x01\x01"),
        ("a name of nothing", b"\x06\0"),
        ("a text without an end", b"\x2c\x80\x0c\x01x\0\0"),
        ("a time", b"\x17\x0d270101000000Z"),
        ("no time", b"\x17\x01x"),
        ("a part of something else", b"\xa0\x02\x05\0"),
        ("a long tag", b"\x1f\x81\x01\0"),
    ] {
        let what = format!("unknown ones: {what}");
        let add: Change = &|shape| shape.attributes.push(attribute(UNKNOWN, &[value]));
        ask(&mut table, &case, &[(&what, add)]);
    }
    table.expect(include_str!("tables/attributes.txt"));
}

/// How often attributes are there, and with how many values.
fn numbers_of_attributes(table: &mut Table, case: &Case) {
    let (one, two) = (&b"\x02\x01\x01"[..], &b"\x02\x01\x02"[..]);
    let empty = &b"\x30\0"[..];
    for (what, name) in [
        ("content types", CONTENT_TYPE),
        ("digests", MESSAGE_DIGEST),
        ("countersignatures", COUNTERSIGNATURE),
        ("requests of receipts", RECEIPT_REQUEST),
        ("signing certificates", SIGNING_CERTIFICATE),
        ("signing certificates, version 2", SIGNING_CERTIFICATE_V2),
        ("unknown ones", UNKNOWN),
    ] {
        let mut ask = |number: &str, change: &dyn Fn(&mut Shape)| {
            ask(table, case, &[(&format!("{what}: {number}"), change)]);
        };
        let known = name == CONTENT_TYPE || name == MESSAGE_DIGEST;
        if !known {
            ask("one", &|shape| shape.attributes.push(attribute(name, &[empty])));
            ask("two", &|shape| {
                shape.attributes.push(attribute(name, &[empty]));
                shape.attributes.push(attribute(name, &[one]));
            });
            ask("one of no values", &|shape| {
                shape.attributes.push(attribute(name, &[]));
            });
            ask("one of two values", &|shape| {
                shape.attributes.push(attribute(name, &[one, two]));
            });
            ask("one of two values in the other order", &|shape| {
                shape.attributes.push(attribute(name, &[two, one]));
            });
            continue;
        }
        ask("two values", &|shape| {
            for own in &mut shape.attributes {
                if own.windows(name.len()).any(|part| part == name) {
                    let value = inside(&inside(own)[1]).remove(0);
                    *own = attribute(name, &[&value, &value]);
                }
            }
        });
        ask("twice", &|shape| {
            let own = shape
                .attributes
                .iter()
                .find(|own| own.windows(name.len()).any(|part| part == name));
            let own = own.unwrap().clone();
            shape.attributes.push(own);
        });
    }
}

/// Signatures that openssl makes with other options.
#[test]
fn options() {
    if !oracles() {
        return;
    }
    let world = World::new();
    let root = world.root("Root");
    let mut table = Table::of_chains();
    for (kind, options) in [
        ("p256", "-stream -indef"),
        ("p256", "-keyid"),
        ("p256", "-cades"),
        ("p256", "-nocerts"),
        ("p256", "-md sha1"),
        ("p256", "-md sha224"),
        ("p256", "-md sha384"),
        ("p256", "-md sha512"),
        ("p256", "-econtent_type 1.2.3.4"),
        ("rsa2048", "-stream -indef"),
        ("rsa2048", "-keyopt rsa_padding_mode:pss"),
        (
            "rsa2048",
            "-keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:-1",
        ),
        (
            "rsa2048",
            "-keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:20",
        ),
        (
            "rsa2048",
            "-keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:-1 -keyopt rsa_mgf1_md:sha512",
        ),
    ] {
        let leaf = world.issue("leaf", "Leaf", Some(&root), LEAF, VALID, Some(&key_file(kind)));
        let case = Case::new(&world, &leaf, &[], &[&root]);
        let content = world.write("content", crate::case::CONTENT);
        let out = world.text("made");
        let line = "cms -sign -binary -nodetach -nosmimecap -outform DER";
        let mut arguments: Vec<&str> = line.split(' ').collect();
        let (pem, key) = (leaf.pem.to_str().unwrap(), leaf.key.to_str().unwrap());
        arguments.extend(["-in", &content, "-out", &out, "-signer", pem, "-inkey", key]);
        arguments.extend(options.split(' '));
        openssl(&arguments);
        let made = std::fs::read(&out).unwrap();
        table.signatures(&format!("{kind} {options}"), &case, &[made]);
    }
    table.expect(include_str!("tables/options.txt"));
}
