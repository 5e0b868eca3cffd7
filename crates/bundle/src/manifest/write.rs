//! Manifests become text, byte for byte as `GLib` writes key files.

use std::fmt::Write as _;

use data_encoding::HEXLOWER;

use super::{Image, Manifest};

pub(super) fn write(manifest: &Manifest) -> String {
    let mut groups = vec![update(manifest), bundle(manifest)];
    if let Some(handler) = &manifest.handler {
        let mut group = Group::new("handler");
        group.text("filename", &handler.filename);
        group.optional("args", handler.args.as_deref());
        groups.push(group);
    }
    if let Some(hooks) = &manifest.hooks {
        let mut group = Group::new("hooks");
        group.text("filename", &hooks.filename);
        group.list("hooks", &hooks.hooks);
        groups.push(group);
    }
    groups.extend(manifest.images.iter().map(image));
    for (label, values) in &manifest.meta {
        let mut group = Group::new(&format!("meta.{label}"));
        for (key, value) in values {
            group.text(key, value);
        }
        groups.push(group);
    }
    let texts: Vec<String> = groups.into_iter().map(|group| group.0).collect();
    texts.join("\n")
}

fn update(manifest: &Manifest) -> Group {
    let mut group = Group::new("update");
    group.text("compatible", &manifest.compatible);
    group.optional("version", manifest.version.as_deref());
    group.optional("description", manifest.description.as_deref());
    group.optional("build", manifest.build.as_deref());
    group.optional("min-rauc-version", manifest.min_rauc_version.as_deref());
    group
}

fn bundle(manifest: &Manifest) -> Group {
    let mut group = Group::new("bundle");
    group.text("format", "verity");
    if let Some(verity) = &manifest.verity {
        group.text("verity-hash", &HEXLOWER.encode(&verity.hash));
        group.text("verity-salt", &HEXLOWER.encode(&verity.salt));
        group.text("verity-size", &verity.size.to_string());
    }
    group
}

fn image(image: &Image) -> Group {
    let mut group = Group::new(&format!("image.{}", image.slot));
    group.optional("type", image.kind.as_deref());
    if let Some(filename) = &image.filename {
        group.text("sha256", &HEXLOWER.encode(&image.sha256));
        group.text("size", &image.size.to_string());
        group.text("filename", filename);
    }
    group.list("hooks", &image.hooks);
    group.list("adaptive", &image.adaptive);
    group
}

/// A group's lines.
struct Group(String);

impl Group {
    fn new(name: &str) -> Group {
        Group(format!("[{name}]\n"))
    }

    fn text(&mut self, key: &str, value: &str) {
        let _ = writeln!(self.0, "{key}={}", escaped(value));
    }

    fn optional(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    fn list(&mut self, key: &str, values: &[String]) {
        if values.is_empty() {
            return;
        }
        let _ = write!(self.0, "{key}=");
        for value in values {
            let _ = write!(self.0, "{};", escaped(value).replace(';', "\\;"));
        }
        self.0.push('\n');
    }
}

/// Spaces and tabs count only after something else; line breaks and backslashes are never themselves.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut leading = true;
    for character in value.chars() {
        match character {
            ' ' if leading => text.push_str("\\s"),
            '\t' if leading => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\\' => text.push_str("\\\\"),
            other => text.push(other),
        }
        leading &= matches!(character, ' ' | '\t');
    }
    text
}
