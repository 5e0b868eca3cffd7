//! What images say of themselves.

use std::collections::BTreeMap;

use inspect::{Inside, Work};
use serde_json::Value;

use super::entries::OptionEntry;
use crate::look;

/// What is compared by itself, or follows from the bytes.
const ELSEWHERE: [&str; 9] = [
    "size",
    "format",
    "partitions",
    "images",
    "signature",
    "inside",
    "outputs",
    "problems",
    "note",
];

/// What two things say of themselves, and differs.
pub(super) fn options(a: &Inside, b: &Inside, work: &Work) -> inspect::Result<Vec<OptionEntry>> {
    let about = |inside: &Inside| -> inspect::Result<Value> { look::about(inside, work, false) };
    Ok(differences("", &about(a)?, &about(b)?))
}

/// The keys of two objects whose values differ.
pub(super) fn differences(prefix: &str, a: &Value, b: &Value) -> Vec<OptionEntry> {
    let keys = |value: &Value| -> BTreeMap<String, String> {
        let object = value.as_object().into_iter().flatten();
        let known = object.filter(|(key, _)| !ELSEWHERE.contains(&key.as_str()));
        known.map(|(key, value)| (key.clone(), plain(value))).collect()
    };
    let (before, mut after) = (keys(a), keys(b));
    let mut options = Vec::new();
    let mut put = |key: &str, before: Option<String>, after: Option<String>| {
        if before != after {
            let name = format!("{prefix}{}", key.replace('_', " "));
            options.push(OptionEntry { name, before, after });
        }
    };
    for (key, value) in before {
        let other = after.remove(&key);
        put(&key, Some(value), other);
    }
    for (key, value) in after {
        put(&key, None, Some(value));
    }
    options
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
