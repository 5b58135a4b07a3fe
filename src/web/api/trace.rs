//! `/api/trace/{what}`: where something is from.

use axum::Json;
use axum::extract::{Path, State};

use crate::web::error::Result;
use crate::web::people::Caller;
use crate::web::state::AppState;
use crate::web::trace as tracing_back;
use crate::wire::BuildDetail;

pub(super) async fn trace(
    State(state): State<AppState>,
    caller: Caller,
    Path(what): Path<String>,
) -> Result<Json<Vec<BuildDetail>>> {
    tracing_back::trace(&state, &caller, &what).await.map(Json)
}
