//! `/api/diff`: what changes from one image to another.

use axum::Json;
use axum::extract::State;

use crate::web::compare;
use crate::web::error::Result;
use crate::web::params::{DiffQuery, Params};
use crate::web::people::Caller;
use crate::web::state::AppState;
use crate::wire::Diff;

pub(super) async fn show(
    State(state): State<AppState>,
    caller: Caller,
    Params(query): Params<DiffQuery>,
) -> Result<Json<Diff>> {
    compare::diff(&state, &caller, &query.from, &query.to).await.map(Json)
}
