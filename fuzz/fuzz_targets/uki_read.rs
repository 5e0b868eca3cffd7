//! Programs that firmware starts, stubs, kernels, and descriptions of hardware, from anywhere.
#![no_main]

use image::Content;
use libfuzzer_sys::fuzz_target;
use uki::{Hardware, Options, Parts, PolicySignatures, Program, Unsigned};

/// Much more than a file can grow by: each of its sections by its alignment, which has a limit.
const MORE: u64 = 16 << 20;

fuzz_target!(|data: &[u8]| {
    let file = Content::from(data);
    if let Ok(program) = Program::read(&file, "file") {
        for (_, section) in &program.sections {
            fuzz::head(section, 1 << 20).expect("bytes that the headers have");
        }
    }
    let _ = uki::signatures(&file, "file");
    let _ = uki::uname(&file);
    if let Ok(unsigned) = Unsigned::read(file.clone(), "file") {
        let again = Unsigned::read(file.clone(), "file").expect("as before");
        assert_eq!(unsigned.digest(), again.digest());
    }
    for linux in [None, Some(file.clone())] {
        let base = Parts {
            cmdline: Some(Content::from(&b"quiet"[..])),
            initrds: vec![Content::from(&b"initrd"[..])],
            linux,
            ..Parts::default()
        };
        let options = Options {
            base,
            ..Options::default()
        };
        if let Ok(planned) = uki::plan(&file, &options, None) {
            let image = Content::from(planned.image);
            assert!(
                image.len() <= 2 * data.len() as u64 + MORE,
                "{} bytes",
                image.len()
            );
            let program = Program::read(&image, "image").expect("what was made of it");
            let cmdline = program.sections.iter().find(|(name, _)| name == b".cmdline");
            let (_, cmdline) = cmdline.expect("what was put into it");
            assert_eq!(cmdline.to_vec().expect("its bytes"), b"quiet");
        }
    }
    let _ = Hardware::read(data, "file").map(|one| uki::hardware_ids(&[one.clone(), one]));
    let _ = PolicySignatures::read(data);
});
