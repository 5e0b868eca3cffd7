//! btrfs from outside: tools that others wrote, Linux itself, and trees around every border.
#![expect(clippy::unwrap_used, reason = "functions of tests")]

#[cfg(test)]
mod mounted;
#[cfg(test)]
mod oracles;
#[cfg(test)]
mod plans;
#[cfg(test)]
mod support;
