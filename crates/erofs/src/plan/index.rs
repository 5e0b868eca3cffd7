//! stub
use super::clusters::Map;
pub(super) fn len(_: &Map, _: u64, _: u64) -> u64 {
    0
}
pub(super) fn bytes(_: &Map, _: u64, _: u64) -> Vec<u8> {
    Vec::new()
}
