//! FAT from outside: tools that others wrote, images that others made, and bytes that nobody would write.

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod oracles;
#[cfg(test)]
mod others;
#[cfg(test)]
mod plans;
#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod tools;
