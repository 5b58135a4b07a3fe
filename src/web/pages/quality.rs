//! `/quality`: the yardstick.

use askama::Template;
use axum::extract::State;
use axum::response::Html;

use super::{Frame, rendered, words};
use crate::web::error::Result;
use crate::web::figures;
use crate::web::params::{Params, QualityQuery};
use crate::web::people::Caller;
use crate::web::state::AppState;
use crate::wire::{Median, Quality, QualityRow};

#[derive(Template)]
#[template(path = "quality.html")]
struct QualityPage {
    frame: Frame,
    days: i64,
    quality: Quality,
}

impl QualityPage {
    fn tables(&self) -> [(&'static str, &[QualityRow]); 3] {
        [
            ("Application", &self.quality.applications),
            ("Stack", &self.quality.stacks),
            ("Base image", &self.quality.bases),
        ]
    }

    fn percent(&self, rate: &Option<f64>) -> String {
        rate.map_or("–".to_owned(), |rate| format!("{:.1} %", rate * 100.0))
    }

    fn per_week(&self) -> String {
        let rate = self.quality.delivery.deployments_per_week;
        rate.map_or(String::new(), |rate| format!(", {rate:.1} a week"))
    }

    fn time(&self, median: &Median) -> String {
        match median.seconds {
            None => "–".to_owned(),
            Some(seconds) => format!("{} (median of {})", words::duration(seconds * 1000), median.of),
        }
    }
}

pub(super) async fn show(
    State(state): State<AppState>,
    caller: Caller,
    Params(query): Params<QualityQuery>,
) -> Result<Html<String>> {
    let days = query.days()?;
    rendered(&QualityPage {
        frame: Frame::new(&caller, "quality"),
        days,
        quality: figures::quality(&state, days).await?,
    })
}
