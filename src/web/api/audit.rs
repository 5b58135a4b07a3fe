//! `/api/audit`: who decided what, as JSON lines.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;

use crate::store::audit;
use crate::web::error::{Error, Result};
use crate::web::params::{AuditQuery, Params};
use crate::web::state::AppState;

/// Rows that are read at once.
const ROWS: i64 = 500;

/// All rows behind `after`, in order; read as they are sent.
pub(super) async fn export(State(state): State<AppState>, Params(query): Params<AuditQuery>) -> Result<Response> {
    // The first rows before the answer begins: a database that is away is told as such.
    let first = lines(&state, query.after()?).await?;
    let rest = stream::try_unfold((state, Some(first)), |(state, now)| async move {
        let Some((text, last)) = now else { return Ok(None) };
        let next = match last {
            None => None,
            Some(last) => Some(lines(&state, last).await.map_err(std::io::Error::other)?),
        };
        Ok::<_, std::io::Error>(Some((Bytes::from(text), (state, next))))
    });
    let kind = HeaderValue::from_static("application/jsonl; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind)], Body::from_stream(rest)).into_response())
}

/// Some lines, and the number of the last row if more may follow.
async fn lines(state: &AppState, after: i64) -> Result<(String, Option<i64>)> {
    let rows = audit::after(&state.pool, after, ROWS).await?;
    let mut text = String::new();
    for row in &rows {
        let line = serde_json::to_string(row).map_err(|error| Error::Internal(format!("an audit row: {error}")))?;
        text.push_str(&line);
        text.push('\n');
    }
    let full = i64::try_from(rows.len()) == Ok(ROWS);
    Ok((text, rows.last().filter(|_| full).map(|row| row.seq)))
}
