//! Figures of quality, counted when somebody asks.

use chrono::TimeDelta;

use super::error::{Error, Result};
use super::state::AppState;
use crate::definition::FIRST;
use crate::quality::{History, count};
use crate::wire::Quality;

/// The figures of so many days until now.
pub(super) async fn quality(state: &AppState, days: i64) -> Result<Quality> {
    let mut db = state.pool.acquire().await?;
    let now = crate::store::now(&mut *db).await?;
    let history = History::read(&mut db).await?;
    let last = state
        .definitions
        .environments()
        .iter()
        .next_back()
        .map_or(FIRST, |last| last.name.as_str());
    let from = TimeDelta::try_days(days).and_then(|days| now.checked_sub_signed(days));
    let from = from.ok_or_else(|| Error::Invalid(format!("days={days}: that is before all times")))?;
    Ok(count(&history, last, from, now))
}
