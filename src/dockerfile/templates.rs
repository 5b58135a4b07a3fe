//! The Dockerfile templates: shipped ones in the binary, a house's own in a directory.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as _;
use std::path::Path;

use rust_embed::RustEmbed;
use tera::{Kwargs, State, Tera, TeraResult, Value};

use super::escape::{Capped, check_context, escape};

/// The shipped `templates/dockerfile/`.
#[derive(RustEmbed)]
#[folder = "templates/dockerfile/"]
struct Shipped;

/// What marks a template that a stack can name; other `.tera` files are parts, to be included.
const ENDING: &str = ".Dockerfile.tera";

/// No Dockerfile of a template comes near; an endless loop does.
const LIMIT: usize = 256 * 1024;

/// BuildKit reads lines with a buffer of this size and refuses longer ones.
const LINE_LIMIT: usize = 65_535;

/// All Dockerfile templates, parsed.
#[derive(Debug, Clone)]
pub struct Templates {
    tera: Tera,
    /// Where each file came from, for messages.
    origins: BTreeMap<String, String>,
}

/// A file of the house in the image, as a template's directory has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HouseFile {
    /// Its path in the image, without the leading `/`.
    pub path: String,
    /// Its content.
    pub text: String,
}

impl HouseFile {
    /// Is it a program? A script says so in its first line.
    pub fn is_program(&self) -> bool {
        self.text.starts_with("#!")
    }
}

/// A template or a value that makes no Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: {reason}")]
pub struct RenderError {
    /// Path of the template's file, or of the directory.
    pub origin: String,
    /// The whole chain of causes; line, column and the line itself where the template engine knows them.
    pub reason: String,
}

impl Templates {
    /// The shipped templates; a file of the same name in `directory` takes a shipped one's place, others come to them.
    ///
    /// # Errors
    /// A directory or file that cannot be read, a syntax error, an include that does not exist.
    pub fn load(directory: Option<&Path>) -> Result<Self, RenderError> {
        let mut texts = BTreeMap::new();
        let mut origins = BTreeMap::new();
        for name in Shipped::iter().filter(|name| name.ends_with(".tera")) {
            let Some(file) = Shipped::get(&name) else {
                continue;
            };
            origins.insert(name.to_string(), format!("templates/dockerfile/{name}"));
            texts.insert(name.to_string(), String::from_utf8_lossy(&file.data).into_owned());
        }
        if let Some(directory) = directory {
            for (name, path, text) in read(directory, "")? {
                origins.insert(name.clone(), path);
                texts.insert(name, text);
            }
        }
        let mut tera = Tera::new();
        // The empty suffix is the suffix of every name: there is no template in here that is not escaped.
        tera.autoescape_on([""]);
        tera.set_escape_fn(escape);
        // Before the templates are added: the name is resolved while they are parsed.
        tera.register_filter("safe", |_: &Value, _: Kwargs, _: &State<'_>| -> TeraResult<Value> {
            Err(tera::Error::message(
                "the filter `safe` would let a value become an instruction; take it away",
            ))
        });
        tera.register_filter("json", |value: &Value, _: Kwargs, _: &State<'_>| -> TeraResult<Value> {
            let json =
                serde_json::to_string(value).map_err(|error| tera::Error::chain("not to be written as JSON", error))?;
            Ok(Value::safe_string(&json))
        });
        tera.add_raw_templates(texts).map_err(|error| RenderError {
            origin: directory.map_or_else(
                || "templates/dockerfile".to_owned(),
                |directory| directory.display().to_string(),
            ),
            reason: chain(&error),
        })?;
        Ok(Self { tera, origins })
    }

    /// The names that a stack can use as `template`.
    pub fn names(&self) -> BTreeSet<String> {
        self.origins
            .keys()
            .filter_map(|name| name.strip_suffix(ENDING))
            .filter(|name| !name.contains('/'))
            .map(str::to_owned)
            .collect()
    }

    /// Renders one template over a context that is an object of texts, numbers, booleans, and lists of them.
    pub(super) fn fill(&self, name: &str, values: &serde_json::Value) -> Result<String, RenderError> {
        let (origin, text) = self.text_of(&format!("{name}{ENDING}"), values)?;
        check_text(&text).map_err(|reason| RenderError { origin, reason })?;
        Ok(text)
    }

    /// Renders the files of the directory that is named like a template, in the order of their paths.
    pub(super) fn files(&self, name: &str, values: &serde_json::Value) -> Result<Vec<HouseFile>, RenderError> {
        let mut files = Vec::new();
        for file in self.origins.keys() {
            let Some(path) = file
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('/'))
                .and_then(|rest| rest.strip_suffix(".tera"))
            else {
                continue;
            };
            files.push(HouseFile {
                path: path.to_owned(),
                text: self.text_of(file, values)?.1,
            });
        }
        Ok(files)
    }

    /// One template rendered, and where it came from.
    fn text_of(&self, file: &str, values: &serde_json::Value) -> Result<(String, String), RenderError> {
        let origin = self.origins.get(file).cloned().unwrap_or_else(|| file.to_owned());
        let fail = |reason: String| RenderError {
            origin: origin.clone(),
            reason,
        };
        check_context("", values).map_err(fail)?;
        let context = tera::Context::from_serialize(values).map_err(|error| fail(chain(&error)))?;
        let mut out = Capped::new(LIMIT);
        self.tera
            .render_to(file, &context, &mut out)
            .map_err(|error| fail(chain(&error)))?;
        let text = String::from_utf8(out.into_bytes()).map_err(|error| fail(error.to_string()))?;
        Ok((origin, text))
    }
}

/// The rules that a template of the house could break, whatever its values are.
fn check_text(text: &str) -> Result<(), String> {
    // Only a first line that is a plain comment is surely no parser directive (`# escape=`, `# syntax=`).
    let first = text.lines().next().unwrap_or_default();
    if !first.starts_with("# ") || first.contains('=') {
        return Err(format!(
            "the first line is {first:?}; it must be a comment without '=', because others can change how the file is read"
        ));
    }
    for (i, line) in text.split('\n').enumerate() {
        if line.len() > LINE_LIMIT {
            return Err(format!("line {} has {} bytes, {LINE_LIMIT} at most", i + 1, line.len()));
        }
        if let Some(c) = line.chars().find(|c| c.is_control() && *c != '\t') {
            return Err(format!(
                "line {} has the control character U+{:04X} in it",
                i + 1,
                u32::from(c)
            ));
        }
    }
    Ok(())
}

/// The templates of a directory and those below it: name, path, text.
fn read(directory: &Path, prefix: &str) -> Result<Vec<(String, String, String)>, RenderError> {
    let fail = |path: &Path, error: std::io::Error| RenderError {
        origin: path.display().to_string(),
        reason: format!("cannot be read: {error}"),
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(|error| fail(directory, error))? {
        let path = entry.map_err(|error| fail(directory, error))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            files.extend(read(&path, &format!("{prefix}{name}/"))?);
            continue;
        }
        if !name.ends_with(".tera") {
            continue;
        }
        let text = std::fs::read_to_string(&path).map_err(|error| fail(&path, error))?;
        files.push((format!("{prefix}{name}"), path.display().to_string(), text));
    }
    Ok(files)
}

/// The template engine hides the reason of a refused value below a general message: show all of it.
fn chain(error: &tera::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
