//! The mail templates: shipped ones in the binary, a house's own in a directory.
//!
//! For each result there are `<result>.txt.tera` and `<result>.html.tera`, and one `subject.tera` for all; other files
//! are parts of these. HTML is escaped everywhere: there is no filter `safe`. Every template is rendered with made-up
//! builds before it is used.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::path::Path;

use rust_embed::RustEmbed;
use serde::Serialize;
use tera::{Context, Kwargs, State, Tera, TeraResult, Value};

use super::promotion_mail::PromotionView;
use super::view::View;
use super::{NotifyError, sample, words};

/// The shipped `templates/email/`.
#[derive(RustEmbed)]
#[folder = "templates/email/"]
struct Shipped;

/// Width of the plain text: what old mail programs show without breaking lines.
const WIDTH: usize = 78;

/// A rendered mail.
#[derive(Debug)]
pub(super) struct Rendered {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

/// All mail templates, parsed and tried.
#[derive(Debug, Clone)]
pub struct MailTemplates {
    tera: Tera,
    /// Without the house's own: when one of those fails with a real build, the news must not be lost.
    shipped: Tera,
}

impl MailTemplates {
    /// The shipped templates; a file of the same name in `directory` takes a shipped one's place, others come to them.
    ///
    /// # Errors
    /// A directory or file that cannot be read, a mistake in a template.
    pub fn load(directory: Option<&Path>) -> Result<Self, NotifyError> {
        let mut texts = BTreeMap::new();
        for name in Shipped::iter().filter(|name| name.ends_with(".tera")) {
            if let Some(file) = Shipped::get(&name) {
                texts.insert(name.to_string(), String::from_utf8_lossy(&file.data).into_owned());
            }
        }
        let shipped = parse(texts.clone(), "of the program")?;
        let mut templates = Self {
            tera: shipped.clone(),
            shipped,
        };
        if let Some(directory) = directory.filter(|directory| directory.exists()) {
            texts.extend(read(directory)?);
            templates.tera = parse(texts, &directory.display().to_string())?;
        }
        for view in sample::views() {
            render(&templates.tera, &view)?;
        }
        for view in sample::promotion_views() {
            render_promotion(&templates.tera, &view)?;
        }
        Ok(templates)
    }

    /// Subject, text and HTML.
    pub(super) fn render(&self, view: &View) -> Result<Rendered, NotifyError> {
        render(&self.tera, view).or_else(|error| {
            tracing::error!(build = view.build, %error, "the mail is written by the program's own template instead");
            render(&self.shipped, view)
        })
    }
}

impl MailTemplates {
    /// Subject, text and HTML of a mail about a promotion.
    pub(super) fn render_promotion(&self, view: &PromotionView) -> Result<Rendered, NotifyError> {
        render_promotion(&self.tera, view).or_else(|error| {
            tracing::error!(promotion = view.number, %error, "the mail is written by the program's own template instead");
            render_promotion(&self.shipped, view)
        })
    }
}

fn parse(texts: BTreeMap<String, String>, origin: &str) -> Result<Tera, NotifyError> {
    let mut tera = Tera::new();
    tera.autoescape_on([".html.tera"]);
    // Before the templates are added: the name is resolved while they are parsed.
    tera.register_filter("safe", |_: &Value, _: Kwargs, _: &State<'_>| -> TeraResult<Value> {
        Err(tera::Error::message(
            "the filter `safe` would let a stranger's text become HTML; take it away",
        ))
    });
    tera.register_filter(
        "wrap",
        |text: &str, arguments: Kwargs, _: &State<'_>| -> TeraResult<String> {
            Ok(wrap(text, arguments.get::<usize>("indent")?.unwrap_or(0)))
        },
    );
    tera.add_raw_templates(texts)
        .map_err(|error| NotifyError::Template(format!("{origin}: {}", chain(&error))))?;
    Ok(tera)
}

fn read(directory: &Path) -> Result<Vec<(String, String)>, NotifyError> {
    let fail = |path: &Path, error| NotifyError::Template(format!("{}: cannot be read: {error}", path.display()));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(|error| fail(directory, error))? {
        let path = entry.map_err(|error| fail(directory, error))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if !name.starts_with('.') && name.ends_with(".tera") {
            let text = std::fs::read_to_string(&path).map_err(|error| fail(&path, error))?;
            files.push((name.to_owned(), text));
        }
    }
    Ok(files)
}

fn render(tera: &Tera, view: &View) -> Result<Rendered, NotifyError> {
    render_as(tera, view, "subject.tera", view.result)
}

fn render_promotion(tera: &Tera, view: &PromotionView) -> Result<Rendered, NotifyError> {
    render_as(tera, view, "promotion_subject.tera", "promotion")
}

fn render_as(tera: &Tera, view: &impl Serialize, subject: &str, name: &str) -> Result<Rendered, NotifyError> {
    let context =
        Context::from_serialize(view).map_err(|error| NotifyError::Template(format!("values: {}", chain(&error))))?;
    let one = |name: &str| {
        tera.render(name, &context)
            .map_err(|error| NotifyError::Template(format!("{name}: {}", chain(&error))))
    };
    let text = one(&format!("{name}.txt.tera"))?;
    Ok(Rendered {
        subject: words::one_line(&one(subject)?, 250),
        text: tidy(&text),
        html: one(&format!("{name}.html.tera"))?,
    })
}

/// No blanks at ends of lines, never two empty lines, so that templates may be laid out to be read.
fn tidy(text: &str) -> String {
    let mut tidy = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.trim().lines().map(str::trim_end) {
        empty = if line.is_empty() { empty + 1 } else { 0 };
        if empty < 2 {
            tidy.push_str(line);
            // The mark before a signature (RFC 3676, section 4.3) is the one line that ends with a blank.
            tidy.push_str(if line == "--" { " \n" } else { "\n" });
        }
    }
    tidy
}

/// Running text broken between words; all lines but the first begin with `indent` blanks, and the first stands behind
/// as many characters.
fn wrap(text: &str, indent: usize) -> String {
    let mut wrapped = String::with_capacity(text.len() + 16);
    let mut column = indent;
    for (n, word) in text.split_whitespace().enumerate() {
        let length = word.chars().count();
        if n > 0 && column + 1 + length > WIDTH {
            wrapped.push('\n');
            wrapped.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        } else if n > 0 {
            wrapped.push(' ');
            column += 1;
        }
        wrapped.push_str(word);
        column += length;
    }
    wrapped
}

/// The template engine hides the reason below a general message: show all of it.
fn chain(error: &tera::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

#[cfg(test)]
#[path = "templates_tests.rs"]
mod tests;
