//! Signatures: keys, certificates, CMS, and whom to trust.
