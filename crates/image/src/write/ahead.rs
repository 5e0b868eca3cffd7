//! Reading goes on while what was read is written.

use std::io;
use std::sync::mpsc::sync_channel;

use super::pieces::Piece;
use crate::error::{Error, Result};

/// How many pieces may be read and not be written yet.
const AHEAD: usize = 3;

/// Reads pieces on a thread of its own and puts them, in order, on this one. Either one's error ends both, and that of `put`
/// comes first.
///
/// # Errors
/// Outside, when a thread cannot be made or fails; inside, those of `read` and `put`.
pub(super) fn ahead(
    read: impl FnOnce(&mut dyn FnMut(Piece) -> Result<()>) -> Result<()> + Send,
    mut put: impl FnMut(Piece) -> Result<()>,
) -> io::Result<Result<()>> {
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(AHEAD);
        let read = move || read(&mut |piece| sender.send(piece).map_err(|_| Error::Cancelled));
        let reader = std::thread::Builder::new().spawn_scoped(scope, read)?;
        // The reader's next piece finds nobody who would take it once this ends.
        let done = receiver.into_iter().try_for_each(&mut put);
        let read = reader
            .join()
            .map_err(|_| io::Error::other("the thread that reads failed"))?;
        Ok(done.and(read))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(len: u64) -> Piece {
        Piece::Hole(len)
    }

    #[test]
    fn pieces_keep_their_order_and_either_side_can_fail() {
        let all = |hand: &mut dyn FnMut(Piece) -> Result<()>| (1..=100).try_for_each(|len| hand(piece(len)));
        let mut lens = Vec::new();
        let put = |piece: Piece| {
            lens.push(piece.len());
            Ok(())
        };
        ahead(all, put).unwrap().unwrap();
        assert!(lens.into_iter().eq(1..=100));
        let refuse = |piece: Piece| {
            if piece.len() < 5 {
                return Ok(());
            }
            let source = io::ErrorKind::StorageFull.into();
            Err(Error::Write {
                path: "full".into(),
                source,
            })
        };
        assert!(matches!(ahead(all, refuse).unwrap(), Err(Error::Write { .. })));
        let fail = |hand: &mut dyn FnMut(Piece) -> Result<()>| {
            hand(piece(1))?;
            Err(Error::Changed {
                path: "changed".into(),
                planned: 1,
                found: 2,
            })
        };
        assert!(matches!(
            ahead(fail, |_| Ok(())).unwrap(),
            Err(Error::Changed { .. })
        ));
    }
}
