//! Nix: closures, registrations and NAR hashes.
