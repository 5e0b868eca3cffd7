//! The libraries that make blocks, as Cargo.lock has them: what they write is a part of images, and so of keys.

/// zlib streams.
pub const LIBDEFLATE: &str = "libdeflate-sys 1.26.1";
/// xz streams.
pub const LIBLZMA: &str = "liblzma-sys 0.4.9";
/// LZ4 blocks: its package has the library inside.
pub const LIBLZ4: &str = "lzzzz 2.0.0";
/// zstd frames.
pub const LIBZSTD: &str = "zstd-sys 2.1.2+zstd.1.5.7";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_name_the_libraries_that_are_linked() {
        let lock = include_str!("../../../Cargo.lock");
        for library in [LIBDEFLATE, LIBLZMA, LIBLZ4, LIBZSTD] {
            let (name, version) = library.split_once(' ').unwrap();
            let package = format!("name = \"{name}\"\nversion = \"{version}\"\n");
            assert!(
                lock.contains(&package),
                "{library} is not what Cargo.lock has: name the new one here"
            );
        }
    }
}
