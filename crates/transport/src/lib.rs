//! How images travel: compressed, and with block maps.
