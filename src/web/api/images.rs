//! `/api/images`: which images hold a library.

use axum::Json;
use axum::extract::State;

use crate::web::error::Result;
use crate::web::holders;
use crate::web::params::{ImageQuery, Params};
use crate::web::people::Caller;
use crate::web::state::AppState;
use crate::wire::ImageList;

pub(super) async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Params(query): Params<ImageQuery>,
) -> Result<Json<ImageList>> {
    holders::holders(&state, &caller, &query.with()?, query.limit()?)
        .await
        .map(Json)
}
