//! What is copied where: only from the three directories of the context, and of the application all of it and nothing else.

use std::collections::BTreeSet;

use parse_dockerfile::{CopyInstruction, Source};

use super::CONTEXT_FILES;
use super::report::Found;
use super::rules;
use crate::dockerfile::{CONTEXT_HOUSE, CONTEXT_LAYERS, WEBAPPS};
use crate::model::Layer;

/// What the copies of the stages that make the image have brought so far.
#[derive(Default)]
pub(super) struct Copies {
    layers: BTreeSet<Layer>,
}

impl Copies {
    /// Looks at one COPY; `in_image`: is it part of what becomes the image?
    pub(super) fn judge(&mut self, copy: &CopyInstruction<'_>, line: usize, in_image: bool, found: &mut Found<'_>) {
        let option = |name: &str| copy.options.iter().find(|option| option.name.value == name);
        let Some(target) = destination(&copy.dest.value) else {
            found.add(
                &rules::COPY,
                line,
                format!("{} is no plain absolute path", copy.dest.value),
            );
            return;
        };
        let in_webapps = in_image && (target == WEBAPPS || target.starts_with(&format!("{WEBAPPS}/")));
        if option("from").is_some() {
            for source in copy.src.iter().filter_map(path) {
                if !is_plain(source) {
                    found.add(&rules::COPY, line, format!("{source} is no plain path"));
                }
            }
            if in_webapps {
                found.add(
                    &rules::APPLICATION,
                    line,
                    format!("{target} is filled from another stage or image"),
                );
            }
            return;
        }
        for source in copy.src.iter().filter_map(path) {
            let Some(parts) = parts(source) else {
                found.add(&rules::COPY, line, format!("{source} is no plain path"));
                continue;
            };
            match parts.as_slice() {
                [CONTEXT_LAYERS, layer] if in_image => {
                    let layers = named(layer);
                    if layers.is_empty() {
                        found.add(
                            &rules::COPY,
                            line,
                            format!("there is no layer {layer}; there are {}", all_layers()),
                        );
                    }
                    if target != WEBAPPS {
                        found.add(
                            &rules::APPLICATION,
                            line,
                            format!("layers go to {WEBAPPS}/, not to {target}"),
                        );
                    }
                    for flag in ["chown", "chmod"] {
                        let value = option(flag).and_then(|option| option.value.as_ref());
                        if let Some(value) = value
                            && !(flag == "chown" && is_root(&value.value))
                        {
                            let what = format!(
                                "--{flag}={}: the application belongs to root, who alone may change it",
                                value.value
                            );
                            found.add(&rules::APPLICATION, line, what);
                        }
                    }
                    self.layers.extend(layers);
                }
                [CONTEXT_LAYERS, ..] if in_image => {
                    found.add(
                        &rules::APPLICATION,
                        line,
                        format!("{source} is a part of a layer, or not one by one"),
                    );
                }
                [CONTEXT_LAYERS | CONTEXT_HOUSE | CONTEXT_FILES, ..] => {
                    if in_webapps {
                        found.add(&rules::APPLICATION, line, format!("{source} goes to {target}"));
                    }
                }
                _ => found.add(&rules::COPY, line, format!("{source} is not in the context")),
            }
        }
    }

    /// Says which layers are missing in the image.
    pub(super) fn finish(self, line: usize, found: &mut Found<'_>) {
        let missing: Vec<String> = Layer::ALL
            .into_iter()
            .filter(|layer| !self.layers.contains(layer))
            .map(|layer| format!("{CONTEXT_LAYERS}/{}/", layer.as_str()))
            .collect();
        if !missing.is_empty() {
            let what = format!(
                "not copied: {} (one that is empty today may have files tomorrow)",
                missing.join(", ")
            );
            found.add(&rules::APPLICATION, line, what);
        }
    }
}

fn path<'a>(source: &'a Source<'_>) -> Option<&'a str> {
    match source {
        Source::Path(path) => Some(&path.value),
        // Told by its own rule.
        _ => None,
    }
}

/// Nothing in it that a builder replaces or takes away.
fn is_plain(path: &str) -> bool {
    !path.is_empty()
        && !path.contains(['$', '"', '\'', '\\', '?', '[', ']'])
        && !path.split('/').any(|part| part == "..")
}

/// The parts of a path in the context.
fn parts(source: &str) -> Option<Vec<&str>> {
    is_plain(source).then(|| {
        source
            .split('/')
            .filter(|part| !part.is_empty() && *part != ".")
            .collect()
    })
}

/// An absolute path without what says nothing.
fn destination(written: &str) -> Option<String> {
    if !is_plain(written) || !written.starts_with('/') || written.contains('*') {
        return None;
    }
    let parts: Vec<&str> = parts(written)?;
    Some(format!("/{}", parts.join("/")))
}

fn named(layer: &str) -> Vec<Layer> {
    Layer::ALL
        .into_iter()
        .filter(|one| layer == "*" || one.as_str() == layer)
        .collect()
}

fn all_layers() -> String {
    Layer::ALL.map(Layer::as_str).join(", ")
}

fn is_root(owner: &str) -> bool {
    matches!(owner, "0" | "0:0" | "root" | "root:root")
}
