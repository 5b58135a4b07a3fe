//! `/api/images`: which images hold a library.

use axum::Json;
use axum::extract::State;

use crate::web::auth::Reader;
use crate::web::error::Result;
use crate::web::holders;
use crate::web::params::{ImageQuery, Params};
use crate::web::state::AppState;
use crate::wire::ImageList;

pub(super) async fn list(
    State(state): State<AppState>,
    _: Reader,
    Params(query): Params<ImageQuery>,
) -> Result<Json<ImageList>> {
    holders::holders(&state, &query.with()?, query.limit()?).await.map(Json)
}
