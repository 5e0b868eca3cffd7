//! Clients that do not keep to the protocol: each gets an error or loses its connection, and nobody else notices.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use nbd::Limits;

use crate::client::{Client, EINVAL, EPERM, INVALID, SIZE, TOO_BIG, UNKNOWN, UNSUP, World, text, wanted};

#[test]
fn unknown_flags_of_a_client() {
    let world = World::new();
    let mut client = world.greeted();
    client.say(&u32::MAX.to_be_bytes());
    assert!(client.is_closed());
    world.lives();
}

#[test]
fn an_option_that_is_none() {
    let world = World::new();
    let mut client = world.client();
    client.say(b"NOTAMAGI\0\0\0\0\0\0\0\0");
    assert!(client.is_closed());
    world.lives();
}

#[test]
fn options_of_any_length() {
    let world = World::new();
    let mut client = world.client();
    client.option(7, u32::MAX, &[]);
    assert!(client.is_closed());
    let mut client = world.client();
    client.option(7, (4 << 20) + 1, &[]);
    assert!(client.is_closed());
    // As long as it is worth to be read to its end.
    let mut client = world.client();
    assert_eq!(client.refusal(7, &vec![0; 4 << 20]), TOO_BIG);
    assert_eq!(client.refusal(7, &vec![0; (64 << 10) + 1]), TOO_BIG);
    assert_eq!(client.refusal(6, &vec![0; 64 << 10]), INVALID);
    client.option(1, (64 << 10) + 1, &[]);
    assert!(client.is_closed());
    world.lives();
}

#[test]
fn unknown_options() {
    let world = World::new();
    let mut client = world.client();
    // 5 is TLS, 11 are extended headers.
    for number in [0, 4, 5, 11, 77, u32::MAX] {
        assert_eq!(client.refusal(number, &[b'x'; 100]), UNSUP);
    }
    world.lives();
}

#[test]
fn data_where_there_is_none() {
    let world = World::new();
    let mut client = world.client();
    assert_eq!(client.refusal(3, b"x"), INVALID);
    assert_eq!(client.refusal(8, b"x"), INVALID);
}

#[test]
fn lengths_that_do_not_add_up() {
    let world = World::new();
    let mut client = world.client();
    let many = [&text(b"disk")[..], &[0xff, 0xff]].concat();
    let behind = [&wanted(b"disk", &[])[..], b"x"].concat();
    for data in [
        &b"\xff\xff\xff\xf0\0\0"[..],
        b"",
        b"\0\0\0",
        b"\0\0\0\x01",
        &many,
        &behind,
    ] {
        assert_eq!(client.refusal(6, data), INVALID, "{data:?}");
        assert_eq!(client.refusal(7, data), INVALID, "{data:?}");
    }
    client.ask(8, &[]);
    let count = |count: u32, rest: &[u8]| [&text(b"disk")[..], &count.to_be_bytes(), rest].concat();
    for data in [
        count(u32::MAX, &[]),
        count(1, b"\xff\xff\xff\xff"),
        count(0, b"x"),
        count(2, &text(b"base:")),
        vec![],
    ] {
        assert_eq!(client.refusal(9, &data), INVALID, "{data:?}");
        assert_eq!(client.refusal(10, &data), INVALID, "{data:?}");
    }
    world.lives();
}

#[test]
fn contexts_before_structured_replies() {
    let world = World::new();
    let mut client = world.client();
    for number in [9, 10] {
        assert_eq!(client.refusal(number, &[0; 8]), INVALID);
    }
}

#[test]
fn exports_that_are_not_there() {
    let world = World::new();
    let mut client = world.client();
    assert_eq!(client.refusal(6, &wanted(b"dis", &[])), UNKNOWN);
    assert_eq!(client.refusal(7, &wanted(&[0xff; 4097], &[])), UNKNOWN);
    client.ask(8, &[]);
    assert_eq!(client.refusal(10, &[&text(b"x")[..], &[0; 4]].concat()), UNKNOWN);
    client.option(1, 1, b"x");
    assert!(client.is_closed());
}

#[test]
fn too_many_options() {
    let world = World::new();
    let mut client = world.client();
    for _ in 0..64 {
        client.ask(3, &[]);
    }
    assert!(client.is_closed());
    world.lives();
}

/// What a request that cannot be is answered, in both kinds of replies, and the next one is answered as ever.
fn refused(world: &World, request: (u16, u16, u64, u32), payload: &[u8], error: u32) {
    let (command, flags, start, len) = request;
    for structured in [false, true] {
        let mut client = world.ready(structured);
        client.request(command, flags, start, len);
        client.say(payload);
        let found = if structured {
            let chunk = client.chunk().unwrap();
            assert!(chunk.is_last);
            chunk.error()
        } else {
            client.simple()
        };
        assert_eq!(found, Some(error), "{request:?}, structured: {structured}");
        client.request(0, 0, 0, 512);
        if structured {
            assert_eq!(client.chunk().unwrap().data.len(), 520);
        } else {
            assert_eq!(client.simple(), Some(0));
        }
    }
}

#[test]
fn reads_of_what_is_not_there() {
    let world = World::new();
    for (start, len) in [
        (1 << 40, 4096),
        (u64::MAX, 4096),
        (u64::MAX - 4095, 4096),
        (0, u32::MAX),
        (0, (32 << 20) + 1),
        (0, 0),
        (SIZE, 1),
        (SIZE, 0),
        (SIZE - 1, 2),
    ] {
        refused(&world, (0, 0, start, len), &[], EINVAL);
        // Of so many bytes, the status may be asked.
        if len != (32 << 20) + 1 {
            refused(&world, (7, 0, start, len), &[], EINVAL);
        }
    }
}

#[test]
fn writes() {
    let world = World::new();
    // What would be written looks like a request, and is none.
    let payload = [&0x2560_9513u32.to_be_bytes()[..], &[0; 508]].concat();
    refused(&world, (1, 0, 0, 512), &payload, EPERM);
    refused(&world, (1, 0, 0, 3 << 20), &vec![7; 3 << 20], EPERM);
    refused(&world, (1, 0xffff, u64::MAX, 4), b"past", EPERM);
    // Trim, and writing zeros.
    refused(&world, (4, 0, 0, 4096), &[], EPERM);
    refused(&world, (6, 0, 0, u32::MAX), &[], EPERM);
    let mut client = world.ready(false);
    client.request(1, 0, 0, u32::MAX);
    assert!(client.is_closed());
    world.lives();
}

#[test]
fn commands_and_flags_that_are_unknown() {
    let world = World::new();
    // Flush and cache, which nobody has announced.
    for command in [3, 5, 8, 99, u16::MAX] {
        refused(&world, (command, 0, 0, 0), &[], EINVAL);
    }
    refused(&world, (0, 0x8000, 0, 512), &[], EINVAL);
    refused(&world, (0, 8, 0, 512), &[], EINVAL);
    refused(&world, (7, 4, 0, 512), &[], EINVAL);
}

#[test]
fn a_request_that_is_none() {
    let world = World::new();
    let mut client = world.ready(true);
    client.say(&[1; 28]);
    assert!(client.is_closed());
    world.lives();
}

#[test]
fn a_status_that_was_not_agreed_on() {
    let world = World::new();
    let mut client = world.ready(false);
    client.request(7, 0, 0, 4096);
    assert_eq!(client.simple(), Some(EINVAL));
    let mut client = world.client();
    client.ask(8, &[]);
    client.ask(7, &wanted(b"", &[]));
    client.request(7, 0, 0, 4096);
    assert_eq!(client.chunk().unwrap().error(), Some(EINVAL));
}

const QUICK: Limits = Limits {
    connections: 4,
    handshake: Duration::from_millis(300),
};

fn quick() -> World {
    World::with(crate::client::image().into(), QUICK)
}

#[test]
fn a_silent_client() {
    let world = quick();
    let began = Instant::now();
    assert!(world.greeted().is_closed());
    assert!(world.client().is_closed());
    assert!(began.elapsed() >= 2 * QUICK.handshake);
    // Whoever has agreed on something may be silent.
    let mut client = world.ready(true);
    thread::sleep(2 * QUICK.handshake);
    client.request(0, 0, 0, 512);
    assert!(client.chunk().is_some());
}

/// Each byte in time, and all of them too late.
#[test]
fn a_client_that_dawdles() {
    let world = quick();
    let mut client = world.greeted();
    let began = Instant::now();
    let option = [&3u32.to_be_bytes()[..], b"IHAVEOPT\0\0\0\x03\0\0\0\0"].concat();
    for byte in option {
        thread::sleep(QUICK.handshake / 10);
        if client.0.write_all(&[byte]).is_err() {
            break;
        }
    }
    assert!(client.is_closed());
    assert!(began.elapsed() < 4 * QUICK.handshake);
}

#[test]
fn clients_that_leave() {
    let world = quick();
    // More than there are connections: each place is free again.
    for _ in 0..3 {
        for structured in [false, true] {
            let mut client = world.ready(structured);
            client.request(0, 0, 0, 32 << 20);
            client.bytes(1 << 16).unwrap();
            drop(client);
            let mut client = world.ready(structured);
            client.request(1, 0, 0, 1 << 20);
            drop(client);
        }
        drop(world.client());
        thread::sleep(QUICK.handshake);
    }
    world.lives();
}

/// The one waits for itself alone.
#[test]
fn a_client_that_does_not_read() {
    let world = World::new();
    let mut slow = world.ready(true);
    for _ in 0..20 {
        slow.request(0, 0, 0, 32 << 20);
    }
    for _ in 0..3 {
        world.lives();
    }
    assert_eq!(slow.chunk().unwrap().kind, 1);
}

#[test]
fn more_clients_than_there_is_room_for() {
    let world = quick();
    let mut inside: Vec<Client> = (0..QUICK.connections).map(|_| world.ready(true)).collect();
    let mut outside = Client(UnixStream::connect(world.socket()).unwrap());
    assert!(outside.is_closed());
    inside.pop();
    let end = Instant::now() + Duration::from_secs(10);
    let mut client = Client(UnixStream::connect(world.socket()).unwrap());
    while client.bytes(18).is_none() {
        assert!(Instant::now() < end, "no place gets free");
        thread::sleep(Duration::from_millis(10));
        client = Client(UnixStream::connect(world.socket()).unwrap());
    }
    drop(inside);
}

/// Noise, whole and behind a good beginning.
#[test]
fn garbage() {
    let world = World::new();
    let mut state = 1u64;
    let mut noise = |len: usize| -> Vec<u8> {
        (0..len)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                state.to_be_bytes()[0]
            })
            .collect()
    };
    for round in 0..300 {
        let mut client = match round % 3 {
            0 => world.greeted(),
            1 => world.client(),
            _ => world.ready(round % 2 == 0),
        };
        if round % 3 == 1 {
            let (number, data) = (u32::from(noise(1)[0] % 12), noise(round));
            client.option(number, u32::try_from(round).unwrap(), &data);
        }
        let _ = client.0.write_all(&noise(200));
    }
    world.lives();
}
