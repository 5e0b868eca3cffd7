//! Linux mounts our images, and finds in them what the trees have.

use erofs::Profile;
use image::{NodeId, Tree};

use crate::support::{
    EVERYTHING, Mounted, all_options, assert_same, compressible, everything, is_possible, odd, options, plan,
    write,
};

#[test]
fn linux_reads_the_same() {
    if !is_possible("erofs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for (name, tree) in [("none", Tree::default()), ("odd", odd()), ("all", everything())] {
        let [path, folder] = ["image", "folder"].map(|kind| dir.path().join(format!("{name}-{kind}")));
        write(&plan(&tree, &options()).image, &path);
        let mounted = Mounted::new("erofs", &path, &folder, "loop,ro");
        assert_same(&image::scan(mounted.0, EVERYTHING).unwrap(), &tree);
    }
}

/// Whether this Linux reads the profile modern: since 6.15.
fn is_modern() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release
        .split(['.', '-'])
        .map_while(|part| part.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(6), Some(15))
}

/// What Linux decompresses is what was compressed.
#[test]
fn linux_decompresses_the_same() {
    if !is_possible("erofs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut tree = odd();
    tree.graft(NodeId::ROOT, b"compressible", compressible()).unwrap();
    let is_new = is_modern();
    for options in all_options() {
        if options.profile == Profile::Modern && !is_new {
            continue;
        }
        let name = format!(
            "{:?}-{:?}-{}",
            options.profile, options.compression, options.cluster
        );
        let [path, folder] = ["image", "folder"].map(|kind| dir.path().join(format!("{name}-{kind}")));
        write(&plan(&tree, &options).image, &path);
        let mounted = Mounted::new("erofs", &path, &folder, "loop,ro");
        let found = image::scan(mounted.0, EVERYTHING).unwrap();
        assert_same(&found, &tree);
    }
}
