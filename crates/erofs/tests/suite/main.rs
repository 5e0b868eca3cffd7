//! erofs from outside: tools that others wrote, Linux itself, and trees around every border.

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod independent;
#[cfg(test)]
mod mounted;
#[cfg(test)]
mod oracles;
#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod support;
