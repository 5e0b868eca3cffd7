//! What takes long to make and serves several tests: made once per test run, although each test is a process.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::demo::target;
use crate::tools::variable;

/// A folder that stays as it is until the value goes.
pub(crate) struct Shared {
    pub(crate) path: PathBuf,
    _lock: File,
}

/// The folder of a name, filled by the first test of this run that asks for it.
pub(crate) fn shared(name: &str, fill: impl FnOnce(&Path)) -> Shared {
    let run_id = variable("NEXTEST_RUN_ID").unwrap_or_else(|| std::process::id().to_string());
    let parent = target().join("e2e");
    fs::create_dir_all(&parent).unwrap();
    let (path, stamp) = (parent.join(name), parent.join(format!("{name}.run")));
    let made = || fs::read_to_string(&stamp).is_ok_and(|text| text == run_id);
    let lock = File::create(parent.join(format!("{name}.lock"))).unwrap();
    let mut fill = Some(fill);
    loop {
        lock.lock_shared().unwrap();
        if made() {
            return Shared { path, _lock: lock };
        }
        lock.unlock().unwrap();
        lock.lock().unwrap();
        if !made() {
            let fill = fill
                .take()
                .unwrap_or_else(|| panic!("another test run takes {name}"));
            drop(fs::remove_file(&stamp));
            drop(fs::remove_dir_all(&path));
            fs::create_dir(&path).unwrap();
            fill(&path);
            fs::write(&stamp, &run_id).unwrap();
        }
        lock.unlock().unwrap();
    }
}
