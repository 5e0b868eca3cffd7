use super::*;

#[test]
fn a_file_that_changes_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let original = || {
        std::fs::write(&path, b"four").unwrap();
        let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(then)
            .unwrap();
    };
    original();
    let planned = || Content::host_file(&path).unwrap();
    let changed = |content: &Content| matches!(content.to_vec(), Err(Error::Changed { planned: 4, .. }));
    let content = planned();
    assert_eq!(content.to_vec().unwrap(), b"four");
    for bytes in [&b"five!"[..], b"two"] {
        std::fs::write(&path, bytes).unwrap();
        assert!(changed(&content), "another length");
    }
    std::fs::write(&path, b"FOUR").unwrap();
    assert!(changed(&content), "other bytes of the same length");
    original();
    let content = planned();
    std::fs::rename(&path, dir.path().join("kept")).unwrap();
    std::fs::copy(dir.path().join("kept"), &path).unwrap();
    assert!(changed(&content), "another file with the same bytes");
    original();
    let content = planned();
    let mut reader = content.reader().unwrap();
    std::fs::write(&path, b"fo").unwrap();
    assert!(matches!(
        reader.fill(&mut [0; 4]),
        Err(Error::Changed { found: 2, .. })
    ));
    let content = planned();
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(dir.path().join("kept"), &path).unwrap();
    assert!(content.reader().is_err(), "a link in its place");
}

#[test]
fn reads_beyond_the_end_fail() {
    let content = Content::from(&b"abc"[..]);
    assert!(content.read_exact_at(&mut [0; 2], 2).is_err());
    assert!(content.read_exact_at(&mut [0; 1], u64::MAX).is_err());
}

/// A part of a file says which file, and not what it is in memory.
#[test]
fn errors_of_parts_name_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    std::fs::write(&path, b"0123456789").unwrap();
    let part = |source: Arc<dyn ReadAt>| Content::Span {
        source,
        start: 2,
        len: 8,
    };
    let said = |content: &Content| content.to_vec().unwrap_err().to_string();
    let whole = Arc::new(Content::host_file(&path).unwrap());
    let deep = part(Arc::new(part(whole.clone())));
    let open = part(Arc::new(File::open(&path).unwrap()));
    std::fs::write(&path, b"01").unwrap();
    let changed = format!(
        "{}: changed after it was planned: 10 bytes then, 2 bytes now",
        path.display()
    );
    for content in [&*whole, &part(whole.clone())] {
        assert_eq!(said(content), changed);
    }
    let short = |what: &str| format!("{what}: cannot be read: failed to fill whole buffer");
    assert_eq!(said(&open), short(&path.display().to_string()));
    assert!(
        said(&deep).starts_with(&path.display().to_string()),
        "{}",
        said(&deep)
    );
    std::fs::remove_file(&path).unwrap();
    assert_eq!(
        said(&part(whole.clone())),
        format!(
            "{}: cannot be read: No such file or directory (os error 2)",
            path.display()
        )
    );
    let nameless = part(Arc::new(tempfile::tempfile().unwrap()));
    assert_eq!(said(&nameless), short("a temporary file"));
}
