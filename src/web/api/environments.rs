//! `/api/environments`, `/api/history/{application}`: what is where, and was.

use axum::Json;
use axum::extract::{Path, State};

use crate::web::board;
use crate::web::error::Result;
use crate::web::people::Caller;
use crate::web::state::AppState;
use crate::wire::{Board, History};

pub(super) async fn board(State(state): State<AppState>, caller: Caller) -> Result<Json<Board>> {
    board::board(&state, &caller).await.map(Json)
}

pub(super) async fn history(
    State(state): State<AppState>,
    caller: Caller,
    Path(application): Path<String>,
) -> Result<Json<History>> {
    board::history(&state, &caller, &application).await.map(Json)
}
