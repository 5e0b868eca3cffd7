//! Small authorities, made with the openssl program.

use std::path::{Path, PathBuf};
use std::process::Command;

use signature::{Certificate, Crl, Identity, Key, Time};

/// When everything is signed.
pub(crate) const NOW: &str = "2027-01-01";

/// The kinds of keys that sign.
pub(crate) const KINDS: [&str; 5] = ["p256", "p384", "rsa2048", "rsa3072", "rsa4096"];

/// A validity around [`NOW`].
pub(crate) const VALID: (&str, &str) = ("20200101000000Z", "20400101000000Z");

/// What the certificates of authorities say.
pub(crate) const CA: &str = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n\
                             subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid";

/// What the certificates of signers say, unless a test is about it.
pub(crate) const LEAF: &str = "basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\n\
                               extendedKeyUsage=codeSigning,emailProtection\n\
                               subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid";

/// What lists of revoked certificates can say besides.
const CRL_SECTIONS: &str = "\
[critical-key]\nauthorityKeyIdentifier=critical,keyid\n\
[serial-key]\nauthorityKeyIdentifier=issuer:always\n\
[critical-number]\n2.5.29.20=critical,DER:020101\n\
[critical-alt]\nissuerAltName=critical,email:a@b.example\n\
[critical-odd]\n1.2.3.4=critical,ASN1:UTF8String:x\n\
[idp]\nissuingDistributionPoint=critical,@i\n[i]\nonlyuser=TRUE\n\
[idp-quiet]\nissuingDistributionPoint=@i\n\
[idp-ca]\nissuingDistributionPoint=critical,@cas\n[cas]\nonlyCA=TRUE\n\
[idp-attributes]\nissuingDistributionPoint=critical,@attributes\n[attributes]\nonlyAA=TRUE\n\
[idp-indirect]\nissuingDistributionPoint=critical,@indirect\n[indirect]\nindirectCRL=TRUE\n\
[idp-reasons]\nissuingDistributionPoint=critical,@reasons\n[reasons]\nonlysomereasons=keyCompromise\n\
[idp-name]\nissuingDistributionPoint=critical,@name\n[name]\nfullname=URI:http://a.example/\n\
[delta]\n2.5.29.27=DER:020101\n[delta-critical]\n2.5.29.27=critical,DER:020101\n\
[freshest]\nfreshestCRL=URI:http://a.example/\n";

/// A key that the tests come with.
pub(crate) fn key_file(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/{kind}.key"))
}

pub(crate) fn key(kind: &str) -> Key {
    Key::read(&std::fs::read(key_file(kind)).unwrap(), None).unwrap()
}

pub(crate) fn now() -> Time {
    NOW.parse().unwrap()
}

/// Runs a program that has to succeed.
pub(crate) fn run(program: &str, args: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {output:?}");
    output.stdout
}

pub(crate) fn openssl(args: &[&str]) -> Vec<u8> {
    run("openssl", args)
}

/// Somebody with a certificate.
#[derive(Clone)]
pub(crate) struct Party {
    pub(crate) name: String,
    pub(crate) key: PathBuf,
    pub(crate) pem: PathBuf,
}

impl Party {
    pub(crate) fn certificate(&self) -> Certificate {
        let bytes = std::fs::read(&self.pem).unwrap();
        Certificate::read_pem_or_der(&bytes, &self.name)
            .unwrap()
            .remove(0)
    }

    pub(crate) fn key(&self) -> Key {
        Key::read(&std::fs::read(&self.key).unwrap(), None).unwrap()
    }

    pub(crate) fn identity(&self, intermediates: &[&Party]) -> Identity {
        Identity {
            certificate: self.certificate(),
            intermediates: intermediates.iter().map(|party| party.certificate()).collect(),
        }
    }
}

/// A folder in which authorities work.
pub(crate) struct World {
    dir: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        World { dir }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> String {
        std::fs::write(self.path(name), bytes).unwrap();
        self.text(name)
    }

    /// A new key on P-256.
    pub(crate) fn new_key(&self, name: &str) -> PathBuf {
        let path = self.path(&format!("{name}.key"));
        let args = "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out";
        let mut args: Vec<&str> = args.split(' ').collect();
        args.push(path.to_str().unwrap());
        openssl(&args);
        path
    }

    /// A root.
    pub(crate) fn root(&self, name: &str) -> Party {
        self.issue(name, name, None, CA, VALID, None)
    }

    /// An authority below another.
    pub(crate) fn authority(&self, name: &str, issuer: &Party, extensions: &str) -> Party {
        self.issue(name, name, Some(issuer), extensions, VALID, None)
    }

    /// A signer with a key on P-256.
    pub(crate) fn leaf(&self, name: &str, issuer: &Party, extensions: &str) -> Party {
        self.issue(
            name,
            name,
            Some(issuer),
            extensions,
            VALID,
            Some(&key_file("p256")),
        )
    }

    /// A root whose name is made of other types of strings: a `string_mask` of openssl.
    pub(crate) fn issue_masked(
        &self,
        file: &str,
        name: &str,
        extensions: &str,
        key: Option<&Path>,
        mask: &str,
    ) -> Party {
        let text = format!("[req]\ndistinguished_name=dn\nstring_mask={mask}\n[dn]\n");
        self.write("req.cnf", text.as_bytes());
        let party = self.issue(file, name, None, extensions, VALID, key);
        std::fs::remove_file(self.path("req.cnf")).unwrap();
        party
    }

    /// Issues a certificate with `openssl ca`, with the issuer's name and key, or the own ones for a root.
    pub(crate) fn issue(
        &self,
        file: &str,
        name: &str,
        issuer: Option<&Party>,
        extensions: &str,
        (start, end): (&str, &str),
        key: Option<&Path>,
    ) -> Party {
        let key = key.map_or_else(|| self.new_key(file), Path::to_owned);
        let party = Party {
            name: name.to_owned(),
            key,
            pem: self.path(&format!("{file}.pem")),
        };
        let csr = self.text("csr");
        let subject = if name.starts_with('/') {
            name.to_owned()
        } else {
            format!("/O=Test/CN={name}")
        };
        let (key, pem) = (party.key.to_str().unwrap(), party.pem.to_str().unwrap());
        let mut args = vec![
            "req", "-new", "-utf8", "-key", key, "-subj", &subject, "-out", &csr,
        ];
        let masked = self.text("req.cnf");
        if self.path("req.cnf").exists() {
            args.extend(["-config", &masked]);
        }
        openssl(&args);
        let config = self.config();
        let extensions = self.write("extensions", format!("[x]\n{extensions}\n").as_bytes());
        let mut args = vec![
            "ca", "-batch", "-notext", "-config", &config, "-in", &csr, "-out", pem,
        ];
        args.extend([
            "-startdate",
            start,
            "-enddate",
            end,
            "-extfile",
            &extensions,
            "-extensions",
            "x",
            "-utf8",
        ]);
        match issuer {
            None => args.extend(["-selfsign", "-keyfile", key]),
            Some(issuer) => {
                args.extend([
                    "-keyfile",
                    issuer.key.to_str().unwrap(),
                    "-cert",
                    issuer.pem.to_str().unwrap(),
                ]);
            }
        }
        openssl(&args);
        party
    }

    fn config(&self) -> String {
        let dir = self.dir.path().display();
        if !self.path("index").exists() {
            self.write("index", b"");
            self.write("index.attr", b"unique_subject = no\n");
        }
        let text = format!(
            "[ca]\ndefault_ca=d\n[d]\ndatabase={dir}/index\nnew_certs_dir={dir}\nrand_serial=yes\ndefault_md=sha256\n\
             policy=p\nunique_subject=no\nemail_in_dn=yes\npreserve=yes\ncrlnumber={dir}/crlnumber\n\
             [p]\nC=optional\nO=optional\nOU=optional\nCN=optional\nemailAddress=optional\n\
             [v2]\nauthorityKeyIdentifier=keyid\n{CRL_SECTIONS}"
        );
        self.write("ca.cnf", text.as_bytes())
    }

    /// The list of those that an issuer has revoked: of version 1, or with the extensions of a section.
    pub(crate) fn crl(
        &self,
        file: &str,
        issuer: &Party,
        revoked: &[&Party],
        section: Option<&str>,
        (start, end): (&str, &str),
    ) -> Crl {
        let config = self.config();
        // A list has all that the folder's database has revoked, so each gets a database of its own.
        self.write("index", b"");
        self.write("crlnumber", b"01\n");
        let (key, pem) = (issuer.key.to_str().unwrap(), issuer.pem.to_str().unwrap());
        for party in revoked {
            let revoke = party.pem.to_str().unwrap();
            openssl(&[
                "ca", "-config", &config, "-keyfile", key, "-cert", pem, "-revoke", revoke,
            ]);
        }
        if section.is_none() {
            // With a number, it would have an extension and so version 2.
            let text = std::fs::read_to_string(self.path("ca.cnf")).unwrap();
            let without: Vec<&str> = text
                .lines()
                .filter(|line| !line.starts_with("crlnumber"))
                .collect();
            self.write("ca.cnf", without.join("\n").as_bytes());
        }
        let out = self.text(&format!("{file}.crl"));
        let mut args = vec![
            "ca", "-config", &config, "-keyfile", key, "-cert", pem, "-gencrl", "-out", &out,
        ];
        args.extend(["-crl_lastupdate", start, "-crl_nextupdate", end]);
        args.extend(section.iter().flat_map(|section| ["-crlexts", section]));
        openssl(&args);
        let lists = Crl::read_pem_or_der(&std::fs::read(&out).unwrap(), file).unwrap();
        lists.into_iter().next().unwrap()
    }

    /// The list of an issuer that has revoked somebody for a reason.
    pub(crate) fn crl_for(&self, file: &str, issuer: &Party, revoked: &Party, reason: &str) -> Crl {
        let config = self.config();
        self.write("index", b"");
        self.write("crlnumber", b"01\n");
        let (key, pem) = (issuer.key.to_str().unwrap(), issuer.pem.to_str().unwrap());
        let out = self.text(&format!("{file}.crl"));
        let line = ["ca", "-config", &config, "-keyfile", key, "-cert", pem];
        let revoke = ["-revoke", revoked.pem.to_str().unwrap(), "-crl_reason", reason];
        openssl(&[&line[..], &revoke].concat());
        let dates = ["-crl_lastupdate", VALID.0, "-crl_nextupdate", VALID.1];
        openssl(&[&line[..], &dates, &["-gencrl", "-crlexts", "v2", "-out", &out]].concat());
        let lists = Crl::read_pem_or_der(&std::fs::read(&out).unwrap(), file).unwrap();
        lists.into_iter().next().unwrap()
    }
}
