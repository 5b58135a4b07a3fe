//! A Dockerfile in two: what stays the same while the released libraries do, and the rest.
//!
//! Built in two steps, the second FROM what the first made, it gives the image that it gives in one. That is sure only for
//! instructions whose whole effect is in the image that they leave, so others are not divided: whoever builds does it in
//! one step then, which is right for every text.

use super::render::{CONTEXT_HOUSE, CONTEXT_LAYERS};
use crate::model::Layer;

/// Instructions that may stand in the first part. ARG and SHELL end with it or are read anew behind FROM; an ENTRYPOINT
/// in the second part takes away a CMD of the first.
const FIRST: [&str; 4] = ["USER", "WORKDIR", "RUN", "ENV"];

/// The two parts of a Dockerfile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Divided<'a> {
    /// Up to the COPY of the released libraries: a Dockerfile by itself, that needs files of the house and these libraries.
    pub foundation: &'a str,
    /// All behind it, which lacks a FROM and does not need the libraries.
    pub rest: &'a str,
}

/// Divides a Dockerfile, if both ways of building it give the same image.
pub fn divide(text: &str) -> Option<Divided<'_>> {
    // The first line would be the place of directives, which would have to be in both parts.
    if !text.starts_with("# ") || text.lines().next()?.contains('=') || text.contains("<<") {
        return None;
    }
    let libraries = format!("{CONTEXT_LAYERS}/{}/", Layer::Libraries.as_str());
    let mut at = None;
    for (number, instruction) in instructions(text).into_iter().enumerate() {
        let words = instruction.words;
        match (words.first()?.to_ascii_uppercase().as_str(), at) {
            ("FROM", None) if number == 0 && words.len() == 2 => {}
            (_, _) if number == 0 => return None,
            ("COPY", _) => match (source(&words)?, at) {
                (source, None) if source == libraries => at = Some(instruction.end),
                (source, _) if is_below(source, CONTEXT_HOUSE) => {}
                (source, Some(_)) if source != libraries && is_below(source, CONTEXT_LAYERS) => {}
                _ => return None,
            },
            // A mount can be of anything.
            _ if words.iter().any(|word| word.starts_with("--mount")) => return None,
            (name, None) if FIRST.contains(&name) => {}
            ("FROM" | "ADD" | "ONBUILD", Some(_)) | (_, None) => return None,
            (_, Some(_)) => {}
        }
    }
    let (foundation, rest) = text.split_at(at?);
    Some(Divided { foundation, rest })
}

struct Instruction<'a> {
    /// Its words, those of continued lines too.
    words: Vec<&'a str>,
    /// Where the text behind it begins.
    end: usize,
}

fn instructions(text: &str) -> Vec<Instruction<'_>> {
    let (mut all, mut words, mut end) = (Vec::new(), Vec::new(), 0);
    for line in text.split_inclusive('\n') {
        end += line.len();
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let continued = line.strip_suffix('\\');
        words.extend(continued.unwrap_or(line).split_whitespace());
        if continued.is_none() {
            let words = std::mem::take(&mut words);
            all.push(Instruction { words, end });
        }
    }
    all
}

/// The only source of a COPY from the context.
fn source<'a>(words: &[&'a str]) -> Option<&'a str> {
    let plain = |word: &&str| word.starts_with("--chown=") || word.starts_with("--chmod=");
    match words.iter().skip(1).filter(|word| !plain(word)).collect::<Vec<_>>()[..] {
        [source, _] if !source.starts_with("--") && !source.contains(['$', '*', '?', '[', '"', '\\']) => Some(source),
        _ => None,
    }
}

/// Does the path lie below this directory of the context, not climbing out of it?
fn is_below(path: &str, directory: &str) -> bool {
    let mut parts = path.trim_end_matches('/').split('/');
    let deep = directory == CONTEXT_HOUSE || path.trim_end_matches('/').contains('/');
    parts.next() == Some(directory) && deep && parts.all(|part| !matches!(part, "" | "." | ".."))
}
