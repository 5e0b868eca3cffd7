//! A cache's segments are copied to where others find them.

use std::io::Read;
use std::sync::{Mutex, PoisonError};

use remote::{Options, Remote};

use crate::folder::{Cache, object};
use crate::upkeep::{Damage, Listed, Usage};
use crate::{Error, Look, folder, upkeep};

/// How many segments are sent at once.
const THREADS: usize = 8;

/// What was copied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pushed {
    /// Where to, without what is secret of the address.
    pub to: String,
    /// The segments that were sent.
    pub sent: Usage,
    /// Those that were there already.
    pub present: Usage,
    /// Those that are not sent because they are damaged.
    pub damaged: Vec<Damage>,
}

impl Cache {
    /// Sends every sound segment to an address that does not have it; `look` is asked about its blocks. `seen` hears of
    /// each segment's bytes; when it answers false, the rest is not sent.
    ///
    /// # Errors
    /// When the address makes no sense or takes nothing, or the cache's folder cannot be listed.
    pub fn push(
        &self,
        address: &str,
        options: &Options,
        look: Look,
        seen: &(dyn Fn(u64) -> bool + Sync),
    ) -> Result<Pushed, Error> {
        let remote = Remote::open(address, options)?;
        let waiting = Mutex::new(self.entries()?.into_iter());
        let pushed = Mutex::new(Ok(Pushed {
            to: remote.address().to_string(),
            ..Pushed::default()
        }));
        let lock = || pushed.lock().unwrap_or_else(PoisonError::into_inner);
        let work = || {
            loop {
                let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some(entry) = next.filter(|_| lock().is_ok()) else {
                    return;
                };
                let one = push(&remote, &entry, look);
                let mut all = lock();
                match (&mut *all, one) {
                    (Ok(all), Ok(One::Sent)) => all.sent.add(entry.len),
                    (Ok(all), Ok(One::Present)) => all.present.add(entry.len),
                    (Ok(all), Ok(One::Damaged(problem))) => all.damaged.push(Damage {
                        path: entry.path,
                        problem,
                    }),
                    (Ok(_), Ok(One::Gone)) | (Err(_), _) => {}
                    (all, Err(error)) => *all = Err(error),
                }
                drop(all);
                if !seen(entry.len) {
                    return;
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                let spawned = std::thread::Builder::new().spawn_scoped(scope, work);
                spawned.map_err(Error::NoThread)?;
            }
            Ok::<_, Error>(())
        })?;
        pushed.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What has become of one segment.
enum One {
    Sent,
    Present,
    Damaged(String),
    /// Somebody has removed it meanwhile.
    Gone,
}

fn push(remote: &Remote, entry: &Listed, look: Look) -> Result<One, Error> {
    let key = match upkeep::key(&entry.path) {
        Ok(key) => key,
        Err(problem) => return Ok(One::Damaged(problem)),
    };
    let object = object(&key);
    if remote.has(&object)? {
        return Ok(One::Present);
    }
    match upkeep::check(&entry.path, look) {
        Ok(()) => {}
        Err(None) => return Ok(One::Gone),
        Err(Some(problem)) => return Ok(One::Damaged(problem)),
    }
    let open = || Ok(Box::new(folder::open(&entry.path)?) as Box<dyn Read>);
    remote.put(&object, entry.len, &open)?;
    Ok(One::Sent)
}
