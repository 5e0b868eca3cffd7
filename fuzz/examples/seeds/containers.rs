//! Small disks in containers.

use container::{Compression, Format, Options, Work};
use fuzz::sparse::Sparse;
use fuzz::trees::noise;
use image::{Layout, Seed, Silent};

use super::Seeds;

/// One of each that is read, with the byte that says which one it is, its checksums kept right.
pub(crate) fn containers() -> Seeds {
    let mut layout = Layout::new();
    layout.put(0, "table", noise(600, 4));
    layout.put(700_000, "file", vec![b'x'; 3000]);
    let image = layout.finish(1 << 20)?;
    let work = Work {
        folder: &std::env::temp_dir(),
        threads: 1,
        progress: &Silent,
    };
    let mut seeds = Vec::new();
    for (flags, format, compression) in [
        (0, Format::Qcow2, None),
        (0, Format::Qcow2, Some(Compression::Zstd)),
        (0, Format::Qcow2, Some(Compression::Zlib)),
        (1, Format::Vhd, None),
        (2, Format::VhdFixed, None),
        (3, Format::Vhdx, None),
        (4, Format::Vdi, None),
        (5, Format::Vmdk, None),
        (5, Format::VmdkStream, None),
    ] {
        let options = Options {
            compression,
            ..Options::new(format, "disk", Seed::new(b"seed"))
        };
        let planned = container::plan(&image, &options, &work)?;
        let mut seed = vec![flags | 8];
        seed.extend(Sparse::describe(&planned.image));
        seeds.push(seed);
    }
    Ok(seeds)
}
