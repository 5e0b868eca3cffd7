//! Clients that keep to the protocol: old ones with simple replies, and new ones.

use std::os::unix::fs::FileExt;
use std::sync::LazyLock;

use image::{Content, Image, Layout, ReadAt};
use nbd::Limits;

use crate::client::{Client, EINVAL, EIO, EOVERFLOW, MIB, SIZE, World, image, text, wanted};

/// What the image has there.
fn expected(start: u64, len: usize) -> Vec<u8> {
    static IMAGE: LazyLock<Image> = LazyLock::new(image);
    let mut bytes = vec![0; len];
    IMAGE.read_exact_at(&mut bytes, start).unwrap();
    bytes
}

/// Puts chunks together, which have to cover a range in order.
fn read(client: &mut Client, flags: u16, start: u64, len: u32) -> (Vec<u8>, Vec<u16>) {
    client.request(0, flags, start, len);
    let (mut bytes, mut kinds) = (Vec::new(), Vec::new());
    for chunk in client.chunks() {
        let place = u64::from_be_bytes(chunk.data[..8].try_into().unwrap());
        assert_eq!(place, start + bytes.len() as u64);
        kinds.push(chunk.kind);
        match chunk.kind {
            1 => bytes.extend(&chunk.data[8..]),
            2 => {
                let len = u32::from_be_bytes(chunk.data[8..].try_into().unwrap());
                bytes.resize(bytes.len() + len as usize, 0);
            }
            kind => panic!("a chunk of type {kind}"),
        }
    }
    assert_eq!(bytes.len(), len as usize);
    (bytes, kinds)
}

#[test]
fn exports_are_listed_and_described() {
    let world = World::new();
    let mut client = world.client();
    assert_eq!(client.ask(3, &[]), [(2, text(b"disk")), (1, vec![])]);
    let all = client.ask(6, &wanted(b"disk", &[1, 2, 3, 99]));
    let flags = 0x0183u16.to_be_bytes();
    let sizes = [1u32, 4096, 32 << 20].map(u32::to_be_bytes).concat();
    let of = |kind: u16, bytes: &[u8]| (3, [&kind.to_be_bytes(), bytes].concat());
    let size = [&SIZE.to_be_bytes()[..], &flags].concat();
    let expected = [
        of(0, &size),
        of(1, b"disk"),
        of(2, b"a planned image"),
        of(3, &sizes),
        (1, vec![]),
    ];
    assert_eq!(all, expected);
    // What INFO says, GO says again.
    assert_eq!(client.ask(7, &wanted(b"", &[])), [of(0, &size), (1, vec![])]);
    client.request(0, 0, 0, 512);
    assert_eq!(client.simple(), Some(0));
}

#[test]
fn contexts_are_agreed_on_by_their_whole_names() {
    let world = World::new();
    let mut client = world.client();
    client.ask(8, &[]);
    let context = (4, [&1u32.to_be_bytes(), &b"base:allocation"[..]].concat());
    let asked = |queries: &[&[u8]]| {
        let mut data = text(b"disk");
        data.extend(u32::try_from(queries.len()).unwrap().to_be_bytes());
        data.extend(queries.iter().flat_map(|query| text(query)));
        data
    };
    let ack = (1, vec![]);
    let cases: [&[&[u8]]; 3] = [&[], &[b"base:"], &[b"other:x", b"base:allocation"]];
    for queries in cases {
        assert_eq!(client.ask(9, &asked(queries)), [context.clone(), ack.clone()]);
    }
    assert_eq!(client.ask(9, &asked(&[b"other:"])), std::slice::from_ref(&ack));
    assert_eq!(
        client.ask(10, &asked(&[b"base:allocation"])),
        [context, ack.clone()]
    );
    // Of a later one nothing is left, and neither is of the one before.
    assert_eq!(client.ask(10, &asked(&[b"base:"])), [ack]);
    client.ask(7, &wanted(b"disk", &[]));
    client.request(7, 0, 0, 4096);
    assert_eq!(client.chunk().unwrap().error(), Some(EINVAL));
}

#[test]
fn old_clients_read() {
    let world = World::new();
    let mut client = world.greeted();
    // No flag beside fixed newstyle, so zeros come behind size and flags.
    client.say(&1u32.to_be_bytes());
    client.option(1, 4, b"disk");
    let answer = client.bytes(8 + 2 + 124).unwrap();
    assert_eq!(answer[..8], SIZE.to_be_bytes());
    for (start, len) in [
        (0, 512),
        (40 * MIB - 7, 1000),
        (50 * MIB, 4096),
        (SIZE - 1, 1),
        (5, 3_000_001),
    ] {
        client.request(0, 0, start, len);
        assert_eq!(client.simple(), Some(0));
        assert_eq!(client.bytes(len as usize).unwrap(), expected(start, len as usize));
    }
    client.request(2, 0, 0, 0);
    assert!(client.is_closed());
    let mut client = world.client();
    client.option(1, 0, b"");
    assert_eq!(client.bytes(10).unwrap()[..8], SIZE.to_be_bytes());
    client.request(0, 0, 0, 4);
    assert_eq!(client.simple(), Some(0));
    assert_eq!(client.bytes(4).unwrap(), expected(0, 4));
}

#[test]
fn holes_are_told_and_not_sent() {
    let world = World::new();
    let mut client = world.ready(true);
    let (bytes, kinds) = read(&mut client, 0, 39 * MIB, 12 << 20);
    assert_eq!(bytes, expected(39 * MIB, 12 << 20));
    assert_eq!(kinds, [1, 2, 1, 2]);
    // In one chunk, with the zeros in it.
    let (bytes, kinds) = read(&mut client, 4, 39 * MIB, 12 << 20);
    assert_eq!(bytes, expected(39 * MIB, 12 << 20));
    assert_eq!(kinds, [1]);
    let (bytes, _) = read(&mut client, 0, 3, 32 << 20);
    assert_eq!(bytes, expected(3, 32 << 20));
    client.request(0, 4, 0, (32 << 20) + 1);
    assert_eq!(client.chunk().unwrap().error(), Some(EOVERFLOW));
}

/// The lengths and states that a block status tells.
fn status(client: &mut Client, flags: u16, start: u64, len: u32) -> Vec<(u32, u32)> {
    client.request(7, flags, start, len);
    let chunk = client.chunk().unwrap();
    assert!(chunk.is_last && chunk.kind == 5 && chunk.data[..4] == 1u32.to_be_bytes());
    let word = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap());
    chunk.data[4..]
        .chunks(8)
        .map(|extent| (word(&extent[..4]), word(&extent[4..])))
        .collect()
}

#[test]
fn data_and_holes_are_known_without_reading() {
    let world = World::new();
    let mut client = world.ready(true);
    let mib = 1 << 20;
    let all = [(40 * mib, 0), (10 * mib, 3), (4096, 0), (14 * mib - 4096, 3)];
    assert_eq!(status(&mut client, 0, 0, 64 * mib), all);
    assert_eq!(status(&mut client, 8, 0, 64 * mib), [(40 * mib, 0)]);
    assert_eq!(status(&mut client, 0, 40 * MIB - 1, 2), [(1, 0), (1, 3)]);
    // As many extents as are told at once, and no more.
    let mut layout = Layout::new();
    for number in 0..10_000 {
        layout.put(number * 8192, "a", &b"a"[..]);
    }
    let world = World::with(layout.finish(10_000 * 8192).unwrap().into(), Limits::default());
    let mut client = world.ready(true);
    assert_eq!(status(&mut client, 0, 0, 10_000 * 8192).len(), 4096);
}

/// Never other bytes than those that were planned.
#[test]
fn a_file_that_has_changed_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, vec![7; 3 << 20]).unwrap();
    let mut layout = Layout::new();
    layout.put(MIB, "file", Content::host_file(&path).unwrap());
    let world = World::with(layout.finish(8 * MIB).unwrap().into(), Limits::default());
    let mut client = world.ready(true);
    let (bytes, _) = read(&mut client, 0, 0, 8 << 20);
    assert!(bytes[1 << 20..4 << 20].iter().all(|byte| *byte == 7));
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.write_at(b"longer than before", 3 << 20).unwrap();
    client.request(0, 0, 0, 8 << 20);
    let chunks = client.chunks();
    let [hole, error] = &chunks[..] else {
        panic!("{chunks:?}")
    };
    assert_eq!((hole.kind, error.error()), (2, Some(EIO)));
    assert_eq!(error.data[6..], MIB.to_be_bytes());
    client.request(0, 4, MIB, 2 << 20);
    assert_eq!(client.chunk().unwrap().error(), Some(EIO));
    // The connection goes on, and so do simple replies.
    client.request(0, 0, 5 * MIB, 4096);
    assert_eq!(client.chunk().unwrap().kind, 2);
    let mut client = world.ready(false);
    client.request(0, 0, MIB, 4096);
    assert_eq!(client.simple(), Some(EIO));
    client.request(0, 0, 0, 4096);
    assert_eq!(client.simple(), Some(0));
    assert_eq!(client.bytes(4096), Some(vec![0; 4096]));
    // In the middle of a reply there is no room for an error.
    client.request(0, 0, 0, 8 << 20);
    assert_eq!(client.simple(), Some(0));
    assert_eq!(client.bytes(8 << 20), None);
}
