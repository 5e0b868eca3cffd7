//! What planning promises: sizes, limits, and the same bytes every time.
