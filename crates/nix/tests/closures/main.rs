//! Closures in small stores that are made by hand: what is read, checked and refused.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod check;
mod fixture;
mod graph;
mod read;
mod sizes;
