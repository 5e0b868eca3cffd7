//! What tells firmware whose programs to start: updates of its variables, which it takes from anybody as long as it has no
//! owner, and from its owner afterwards. systemd-boot hands them on (`loader/keys/auto/NAME.auth`).
//!
//! ```text
//!  time │ length, 0x0200, 0x0ef1, PKCS#7 │ SignedData │ list │ list │ …
//!                                              ▲         type X.509, sizes, owner, certificate
//!                                              └─ over name ‖ vendor ‖ attributes ‖ time ‖ lists
//! ```
//!
//! UEFI 2.10, 8.2.2 and 32.4.1. PK signs itself and KEK, a key of KEK signs db.

use signature::{Certificate, Identity, Signer, Time};
use uuid::{Uuid, uuid};

use crate::{Error, Result};

/// `EFI_CERT_X509_GUID`.
const X509: Uuid = uuid!("a5c059a1-94e4-4aa7-87b5-ab155c2bf072");
/// `EFI_CERT_TYPE_PKCS7_GUID`.
const PKCS7: Uuid = uuid!("4aafd29d-68df-49ee-8aa9-347d375665a7");
/// `EFI_GLOBAL_VARIABLE`.
const GLOBAL: Uuid = uuid!("8be4df61-93ca-11d2-aa0d-00e098032b8c");
/// `EFI_IMAGE_SECURITY_DATABASE_GUID`.
const DATABASE: Uuid = uuid!("d719b2cb-3d3a-4596-a3bc-dad00e67656f");
/// Non-volatile, for boot services and for the system, authenticated by time.
const ATTRIBUTES: u32 = 0x27;
/// `WIN_CERT_TYPE_EFI_GUID`.
const CERTIFICATE_KIND: u16 = 0x0ef1;
/// Bytes of a list before its first certificate, and of that before its DER.
const LIST_HEAD: usize = 28;
const OWNER: usize = 16;
/// Bytes of what stands before a `SignedData`, without the time.
const CERTIFICATE_HEAD: usize = 24;

/// A variable of firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variable {
    /// The platform's owner.
    Pk,
    /// Who may change `db`.
    Kek,
    /// Whose programs start.
    Db,
}

impl Variable {
    /// As firmware names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Variable::Pk => "PK",
            Variable::Kek => "KEK",
            Variable::Db => "db",
        }
    }

    fn vendor(self) -> Uuid {
        match self {
            Variable::Pk | Variable::Kek => GLOBAL,
            Variable::Db => DATABASE,
        }
    }
}

/// The lists of certificates that a variable is to hold, each for `owner`.
///
/// # Errors
/// When a certificate is too long.
pub fn certificates_list(certificates: &[Certificate], owner: Uuid) -> Result<Vec<u8>> {
    let mut lists = Vec::new();
    for certificate in certificates {
        let der = certificate.der();
        lists.extend(X509.to_bytes_le());
        lists.extend(narrow(LIST_HEAD + OWNER + der.len())?.to_le_bytes());
        lists.extend(0_u32.to_le_bytes());
        lists.extend(narrow(OWNER + der.len())?.to_le_bytes());
        lists.extend(owner.to_bytes_le());
        lists.extend(der);
    }
    Ok(lists)
}

/// The signed update of a variable. Firmware takes only updates that are later than what it has.
///
/// # Errors
/// When the key is not the certificate's, or the signer fails.
pub fn variable_update(
    variable: Variable,
    lists: &[u8],
    time: Time,
    identity: &Identity,
    signer: &dyn Signer,
) -> Result<Vec<u8>> {
    let time = efi_time(time);
    let mut signed: Vec<u8> = variable
        .name()
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    signed.extend(variable.vendor().to_bytes_le());
    signed.extend(ATTRIBUTES.to_le_bytes());
    signed.extend(time);
    signed.extend(lists);
    let der = signature::sign_bare(&signed, identity, signer)?;
    let data = signature::signed_data(&der).ok_or_else(|| Error::NoSigning {
        what: variable.name().into(),
        problem: "its signature has no signed data".into(),
    })?;
    let mut update = time.to_vec();
    update.extend(narrow(CERTIFICATE_HEAD + data.len())?.to_le_bytes());
    update.extend(crate::format::REVISION.to_le_bytes());
    update.extend(CERTIFICATE_KIND.to_le_bytes());
    update.extend(PKCS7.to_bytes_le());
    update.extend(data);
    update.extend(lists);
    Ok(update)
}

fn narrow(len: usize) -> Result<u32> {
    u32::try_from(len).map_err(|_| Error::TooLarge(len as u64))
}

/// `EFI_TIME`; firmware wants everything below the second to be zero.
fn efi_time(time: Time) -> [u8; 16] {
    let (year, fields) = time.calendar();
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&year.to_le_bytes());
    bytes[2..7].copy_from_slice(&fields);
    bytes
}
