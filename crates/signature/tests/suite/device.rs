//! A device with RAUC, which is asked what it says of a signature.

use std::process::Command;

use crate::pki::World;

/// A manifest that RAUC reads.
pub(crate) const MANIFEST: &[u8] = b"[update]\ncompatible=test\n\n[bundle]\nformat=verity\n\
verity-hash=0000000000000000000000000000000000000000000000000000000000000000\n\
verity-salt=0000000000000000000000000000000000000000000000000000000000000000\n\
verity-size=4096\n\n[image.rootfs]\n\
sha256=0000000000000000000000000000000000000000000000000000000000000000\nsize=4096\nfilename=rootfs.img\n";

/// Debian 12's RAUC, which is asked about everything.
pub(crate) const RAUC: &str = "rauc";

/// A newer RAUC with a newer OpenSSL: what is good is good for it, too.
pub(crate) const NEWER_RAUC: &str = "rauc-newer";

/// What stands in a device's `system.conf` about its keyring.
pub(crate) struct Device<'a> {
    /// Its RAUC.
    pub(crate) rauc: &'a str,
    pub(crate) keyring: &'a str,
    pub(crate) purpose: &'a str,
    pub(crate) check_crl: bool,
    pub(crate) partial_chain: bool,
}

impl Device<'_> {
    /// Whether `rauc info` takes a bundle with this signature, at the time of signing. It does not look at the payload.
    pub(crate) fn takes(&self, world: &World, cms: &[u8]) -> bool {
        let len = (cms.len() as u64).to_be_bytes();
        let bundle = world.write("bundle", &[&[0; 12288][..], cms, &len].concat());
        let text = format!(
            "[system]\ncompatible=test\nbootloader=noop\n\n[keyring]\npath={}\ncheck-purpose={}\ncheck-crl={}\n\
             allow-partial-chain={}\nuse-bundle-signing-time=true\n",
            self.keyring, self.purpose, self.check_crl, self.partial_chain
        );
        let config = world.write("system.conf", text.as_bytes());
        let output = Command::new(self.rauc)
            .args(["-c", &config, "info", &bundle])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success()
                || said.contains("failed to load CA file")
                || said.contains("signature verification failed")
                || said.contains("is no valid CMS")
                || said.contains("verify X509"),
            "{output:?}"
        );
        output.status.success()
    }
}
