//! Figures of quality and delivery. What each means stands in the documentation of `crate::quality`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::Category;

/// `GET /api/quality`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Images that were built, and deployments that ended, from here on are counted.
    pub from: DateTime<Utc>,
    /// The moment of counting.
    pub until: DateTime<Utc>,
    /// The environment that counts as the goal.
    pub last_environment: String,
    /// By the month in which images were built (UTC).
    pub months: Vec<Month>,
    /// By application.
    pub applications: Vec<QualityRow>,
    /// By stack.
    pub stacks: Vec<QualityRow>,
    /// By base image.
    pub bases: Vec<QualityRow>,
    /// Delivery into the last environment.
    pub delivery: DeliveryFigures,
}

/// Images that were built in one month.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Month {
    /// `2026-11`.
    pub month: String,
    /// Distinct digests.
    pub produced: i64,
    /// Of them, rejected, rolled back, or in the last environment.
    pub decided: i64,
    /// Of them, rejected or rolled back.
    pub defective: i64,
    /// Of them, neither.
    pub undecided: i64,
    /// `defective` ÷ `decided`; none if nothing is decided.
    pub defect_rate: Option<f64>,
}

/// Images of one application, stack or base.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QualityRow {
    /// Of what.
    pub name: String,
    /// Distinct digests.
    pub produced: i64,
    /// Of them, promoted into any environment.
    pub promoted: i64,
    /// Of them, rejected.
    pub rejected: i64,
    /// Of them, rejected for this; one may be rejected twice.
    pub rejected_by_category: BTreeMap<Category, i64>,
    /// Of them, rolled back.
    pub rolled_back: i64,
    /// As in [`Month`].
    pub decided: i64,
    /// As in [`Month`].
    pub defective: i64,
    /// As in [`Month`].
    pub defect_rate: Option<f64>,
}

/// The four keys of DORA.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveryFigures {
    /// Promotions that ended in the last environment.
    pub deployments: i64,
    /// The same in a week, on average.
    pub deployments_per_week: Option<f64>,
    /// From the merge to the first arrival.
    pub lead_time: Median,
    /// Deployments whose image was rolled back there or rejected.
    pub failed_deployments: i64,
    /// `failed_deployments` ÷ `deployments`.
    pub change_failure_rate: Option<f64>,
    /// From a failed deployment to the end of the next one, forward or back.
    pub recovery_time: Median,
}

/// A median, and of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Median {
    /// In seconds; none if there is nothing to count.
    pub seconds: Option<i64>,
    /// How many times it is the median of.
    pub of: i64,
}
