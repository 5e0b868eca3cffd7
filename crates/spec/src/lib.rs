//! The specification file and its lowering to plans.
