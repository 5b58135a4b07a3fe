//! A Dockerfile that a project wrote itself, for the rare case that a pipeline allows: read from the merge result, judged by
//! the rules of the house, its bases pinned.
//!
//! What the builder does must be what was judged. So the text is read twice, by a library and by a plain reader of lines
//! (`lines.rs`), and what both do not read alike is refused; so is all that only some builders understand. No value that
//! matters (base, user, path) may be a variable. What cannot be seen in a text (what RUN does) is looked for in the image that
//! comes of it, see `pipeline/stages/inspect_image.rs`.

mod bases;
mod copies;
mod files;
mod lines;
mod lint;
mod report;
mod rules;
mod secrets;
mod take;
mod written;

pub use files::RepositoryFile;
pub use take::{Taken, ending, expired, take};
pub use written::Written;

/// Directory of the build context with the files of the repository that the pipeline names, below their paths there.
pub const CONTEXT_FILES: &str = "files";

/// Name of the finding about a Dockerfile that breaks rules.
pub const RULE: &str = "dockerfile-rules";

#[cfg(test)]
mod tests;
