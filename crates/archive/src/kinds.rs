//! What people take for tar archives, by the bytes that it begins with.

/// What a file seems to be that is no tar archive, in words that fit behind "it is".
pub(crate) fn of_magic(bytes: &[u8]) -> Option<&'static str> {
    let known: [(&[u8], &str); 24] = [
        (b"PK\x03\x04", "a zip archive"),
        (b"PK\x05\x06", "a zip archive"),
        (b"070701", "a cpio archive"),
        (b"070702", "a cpio archive"),
        (b"070707", "a cpio archive"),
        (b"\xc7\x71", "a cpio archive"),
        (
            b"!<arch>\ndebian-binary",
            "a Debian package, whose files `dpkg-deb --fsys-tarfile` has as a tar archive",
        ),
        (b"!<arch>\n", "an ar archive"),
        (b"\xed\xab\xee\xdb", "an RPM package"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        (b"Rar!\x1a\x07", "a rar archive"),
        (b"\x04\x22\x4d\x18", "compressed by lz4"),
        (b"LZIP", "compressed by lzip"),
        (b"\x5d\0\0", "compressed by lzma"),
        (b"\x89LZO\0\r\n\x1a\n", "compressed by lzop"),
        (b"\x1f\x9d", "compressed by compress"),
        (b"\x1f\x8b\x08", "compressed by gzip once more"),
        (b"\xfd7zXZ\0", "compressed by xz once more"),
        (b"\x28\xb5\x2f\xfd", "compressed by zstd once more"),
        (b"BZh", "compressed by bzip2 once more"),
        (b"hsqs", "a squashfs"),
        (b"\x0d\0\0\0\0\0\0\0nix-archive-1", "a NAR"),
        (b"\x7fELF", "a program"),
        (b"{", "JSON"),
    ];
    let mut known = known.into_iter();
    let (_, name) = known.find(|(magic, _)| bytes.starts_with(magic))?;
    Some(name)
}
