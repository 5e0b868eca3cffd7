//! Binary caches that are made by hand: what is fetched, what is refused, and what goes wrong on the way.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod elsewhere;
mod failures;
mod made;
mod server;
mod sources;
