//! FAT from outside: tools that others wrote, images that others made, and bytes that nobody would write.

mod hostile;
mod oracles;
mod others;
mod plans;
mod round_trip;
mod tools;
