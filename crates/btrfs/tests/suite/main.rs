//! btrfs from outside: tools that others wrote, Linux itself, and trees around every border.

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod independent;
#[cfg(test)]
mod lies;
#[cfg(test)]
mod mounted;
#[cfg(test)]
mod oracles;
#[cfg(test)]
mod others;
#[cfg(test)]
mod outlooks;
#[cfg(test)]
mod plans;
#[cfg(test)]
mod reuse;
#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod shared_caches;
#[cfg(test)]
mod support;
#[cfg(test)]
mod written_once;
