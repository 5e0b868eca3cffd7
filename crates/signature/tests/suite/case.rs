//! A question about a chain: our verdict on it, openssl's, and that of a device with RAUC.

use std::process::Command;

use signature::{At, ChainEnd, Crl, CrlCheck, Error, Purpose, Time, Trust, Verified, sign, verify};

use crate::device::{Device, RAUC};
use crate::oracle::installed;
use crate::pki::{Party, World, now};

/// What is signed: the manifest of a bundle, so that RAUC can be asked too.
pub(crate) const CONTENT: &[u8] = crate::device::MANIFEST;

/// A good chain.
pub(crate) const OK: &str = "ok";

/// The same verdict for all purposes.
pub(crate) fn all(verdict: &str) -> [&str; 3] {
    [verdict; 3]
}

/// One question: who signs, what comes along, and who is trusted.
pub(crate) struct Case<'a> {
    pub(crate) world: &'a World,
    pub(crate) signer: &'a Party,
    pub(crate) between: Vec<&'a Party>,
    pub(crate) anchors: Vec<&'a Party>,
    pub(crate) end: ChainEnd,
    pub(crate) at: Time,
    pub(crate) crls: Option<&'a [(&'a str, &'a Crl)]>,
}

impl<'a> Case<'a> {
    pub(crate) fn new(
        world: &'a World,
        signer: &'a Party,
        between: &[&'a Party],
        anchors: &[&'a Party],
    ) -> Case<'a> {
        Case {
            world,
            signer,
            between: between.to_vec(),
            anchors: anchors.to_vec(),
            end: ChainEnd::Root,
            at: now(),
            crls: None,
        }
    }

    pub(crate) fn signature(&self) -> Vec<u8> {
        // Times are looked at apart from signing.
        sign(
            CONTENT,
            &self.signer.identity(&self.between),
            &self.signer.key(),
            Some(self.signed()),
        )
        .unwrap()
    }

    fn signed(&self) -> Time {
        let certificates = self.signer.identity(&self.between);
        let all = || std::iter::once(&certificates.certificate).chain(&certificates.intermediates);
        all().map(signature::Certificate::not_before).max().unwrap()
    }

    pub(crate) fn ours(&self, purpose: Purpose) -> Result<Verified, Error> {
        self.verify(&self.signature(), purpose)
    }

    /// Our verdict on some signature.
    pub(crate) fn verify(&self, der: &[u8], purpose: Purpose) -> Result<Verified, Error> {
        let trust = Trust {
            anchors: self.anchors.iter().map(|party| party.certificate()).collect(),
            crls: self
                .crls
                .unwrap_or_default()
                .iter()
                .map(|(_, crl)| (*crl).clone())
                .collect(),
            crl_check: self.crls.map_or(CrlCheck::Ignore, |_| CrlCheck::Require),
            purpose,
            at: At::Time(self.at),
            chain_end: self.end,
            ..Trust::default()
        };
        verify(der, &trust)
    }

    /// The keyring's file: the trusted certificates, and the lists of revoked ones behind them.
    fn keyring(&self) -> String {
        let mut trusted = Vec::new();
        for party in &self.anchors {
            trusted.extend(std::fs::read(&party.pem).unwrap());
        }
        for (name, _) in self.crls.unwrap_or_default() {
            trusted.extend(std::fs::read(self.world.path(&format!("{name}.crl"))).unwrap());
        }
        self.world.write("trusted", &trusted)
    }

    /// What a device says that has RAUC: it takes the time of signing for the present.
    pub(crate) fn device(&self, der: &[u8], purpose: Purpose) -> bool {
        self.device_with(RAUC, der, purpose)
    }

    /// What a device says that has this RAUC.
    pub(crate) fn device_with(&self, rauc: &str, der: &[u8], purpose: Purpose) -> bool {
        let device = Device {
            rauc,
            keyring: &self.keyring(),
            purpose: purpose.name(),
            check_crl: self.crls.is_some(),
            partial_chain: self.end == ChainEnd::Partial,
        };
        device.takes(self.world, der)
    }

    pub(crate) fn openssl(&self, der: &[u8], purpose: Purpose) -> bool {
        let signature = self.world.write("signature", der);
        let trusted = self.keyring();
        let mut command = Command::new("openssl");
        command
            .args(["cms", "-verify", "-binary", "-inform", "DER", "-in", &signature])
            .args([
                "-CAfile",
                &trusted,
                "-no-CApath",
                "-no-CAstore",
                "-purpose",
                purpose.name(),
            ])
            .args(["-attime", &self.at.seconds().to_string()]);
        if self.end == ChainEnd::Partial {
            command.arg("-partial_chain");
        }
        if self.crls.is_some() {
            command.args(["-crl_check", "-crl_check_all", "-extended_crl"]);
        }
        command.output().unwrap().status.success()
    }

    /// Our verdicts are these, and openssl's are the same for the purposes that it has.
    pub(crate) fn expect(&self, what: &str, verdicts: [&str; 3]) {
        for (purpose, expected) in [Purpose::SmimeSign, Purpose::CodeSign, Purpose::Any]
            .into_iter()
            .zip(verdicts)
        {
            self.expect_ours(what, purpose, expected);
            let der = self.signature();
            // Debian 12's has no codesign of its own, and RAUC's is another anyway.
            if purpose != Purpose::CodeSign {
                let theirs = self.openssl(&der, purpose);
                assert_eq!(theirs, expected == OK, "openssl on {what} for {purpose}");
            }
            if self.at == self.signed() && installed("rauc") {
                let device = self.device(&der, purpose);
                assert_eq!(device, expected == OK, "rauc on {what} for {purpose}");
            }
        }
    }

    /// Our verdicts are these; openssl is less strict, which this checks too.
    pub(crate) fn expect_stricter(&self, what: &str, verdict: &str) {
        self.expect_ours(what, Purpose::Any, verdict);
        assert!(
            self.openssl(&self.signature(), Purpose::Any),
            "openssl refuses {what} too"
        );
    }

    pub(crate) fn expect_ours(&self, what: &str, purpose: Purpose, expected: &str) {
        let verdict = match self.ours(purpose) {
            Ok(_) => OK.to_owned(),
            Err(error) => {
                assert_eq!(error.fault(), image::Fault::Untrusted, "{what}: {error}");
                let text = format!("{error:?}");
                text.split(' ').next().unwrap().to_owned()
            }
        };
        assert_eq!(
            verdict,
            expected,
            "{what} for {purpose}: {:?}",
            self.ours(purpose).err()
        );
    }
}
