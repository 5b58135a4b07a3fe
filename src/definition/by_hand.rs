//! `[dockerfile_exception]`: the permission to bring a Dockerfile of one's own. The keys are explained in
//! `pipelines/default.toml`.

use serde::Serialize;

use super::reader::Reader;
use super::value::{Checked, Value, date, line, list, parsed, wrong};
use super::{Glob, ImageName};
use crate::model::DockerfileException;

/// A project whose image is made from a Dockerfile in its repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ByHand {
    /// Who allowed it, why, and until when.
    pub allowed: DockerfileException,
    /// Files of the repository that it may copy.
    pub files: Vec<Glob>,
    /// Images that it may stand on or copy from, beside the stack's own.
    pub approved_bases: Vec<ImageName>,
}

pub(super) fn read_exception(mut table: Reader<'_, '_>) -> Option<ByHand> {
    let path = table.required("path", file);
    let reason = table.required("reason", line);
    let owner = table.required("owner", line);
    let last_day = table.required("last_day", date);
    let files = table.optional("files", list(parsed(Glob::file))).unwrap_or_default();
    let approved_bases = table.optional("approved_bases", list(parsed(ImageName::parse)));
    table.finish();
    Some(ByHand {
        allowed: DockerfileException {
            path: path?,
            reason: reason?,
            owner: owner?,
            last_day: last_day?,
        },
        files,
        approved_bases: approved_bases.unwrap_or_default(),
    })
}

/// One file in the repository.
fn file(value: &Value<'_>) -> Checked<String> {
    let path = line(value)?;
    match Glob::file(&path) {
        Ok(glob) if glob.is_plain() => Ok(path),
        Ok(_) => wrong(value, format!("{path:?} is a pattern; the Dockerfile is one file")),
        Err(error) => wrong(value, error.to_string()),
    }
}
