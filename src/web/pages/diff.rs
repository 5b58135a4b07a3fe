//! `/diff`: what changes from one image to another.

use askama::Template;
use axum::extract::State;
use axum::response::Html;

use super::{Frame, rendered, words};
use crate::web::compare;
use crate::web::error::Result;
use crate::web::params::{DiffQuery, Params};
use crate::web::people::Caller;
use crate::web::state::AppState;
use crate::wire::Diff;

#[derive(Template)]
#[template(path = "diff.html")]
struct DiffPage {
    frame: Frame,
    diff: Diff,
}

impl DiffPage {
    fn size<N: Copy + TryInto<i64>>(&self, bytes: &N) -> String {
        words::bytes((*bytes).try_into().unwrap_or(i64::MAX))
    }

    fn versions(&self, versions: &[String]) -> String {
        match versions.is_empty() {
            true => "–".to_owned(),
            false => versions.join(", "),
        }
    }
}

pub(super) async fn show(
    State(state): State<AppState>,
    caller: Caller,
    Params(query): Params<DiffQuery>,
) -> Result<Html<String>> {
    rendered(&DiffPage {
        diff: compare::diff(&state, &caller, &query.from, &query.to).await?,
        frame: Frame::new(&caller, "environments"),
    })
}
