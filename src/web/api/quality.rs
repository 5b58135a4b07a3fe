//! `/api/quality`: how good the images are, and how well they are delivered.

use axum::Json;
use axum::extract::State;

use crate::web::error::Result;
use crate::web::figures;
use crate::web::params::{Params, QualityQuery};
use crate::web::state::AppState;
use crate::wire::Quality;

pub(super) async fn show(State(state): State<AppState>, Params(query): Params<QualityQuery>) -> Result<Json<Quality>> {
    figures::quality(&state, query.days()?).await.map(Json)
}
