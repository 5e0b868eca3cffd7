//! RAUC bundles: manifests, payloads, signatures, and their verification.
