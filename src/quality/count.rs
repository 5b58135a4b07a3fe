//! The counting itself: pure.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::{History, Moved, Produced};
use crate::model::{Category, Digest, PromotionKind};
use crate::wire::{DeliveryFigures, Median, Month, Quality, QualityRow};

/// Counts the images that were built, and the deployments that ended, from `from` on; `last` is the name of the last
/// environment. What became of an image counts whenever it happened.
pub fn count(history: &History, last: &str, from: DateTime<Utc>, now: DateTime<Utc>) -> Quality {
    let produced: Vec<&Produced> = history.produced.iter().filter(|image| image.at >= from).collect();
    let fate = Fate::of(history, last);
    Quality {
        from,
        until: now,
        last_environment: last.to_owned(),
        months: months(&produced, &fate),
        applications: rows(&produced, &fate, |image| &image.application),
        stacks: rows(&produced, &fate, |image| &image.stack),
        bases: rows(&produced, &fate, |image| &image.base),
        delivery: delivery(history, &fate, last, from, now),
    }
}

/// What became of each digest.
struct Fate<'a> {
    rejected: BTreeMap<&'a Digest, BTreeSet<Category>>,
    rolled_back: BTreeSet<&'a Digest>,
    promoted: BTreeSet<&'a Digest>,
    arrived: BTreeSet<&'a Digest>,
}

impl<'a> Fate<'a> {
    fn of(history: &'a History, last: &str) -> Self {
        let mut rejected: BTreeMap<&Digest, BTreeSet<Category>> = BTreeMap::new();
        for rejection in &history.rejected {
            rejected
                .entry(&rejection.digest)
                .or_default()
                .insert(rejection.category);
        }
        let forward = |moved: &&Moved| moved.kind == PromotionKind::Promotion;
        Self {
            rejected,
            rolled_back: history
                .moved
                .iter()
                .filter(|moved| moved.kind == PromotionKind::Rollback)
                .filter_map(|moved| moved.replaced.as_ref())
                .collect(),
            promoted: history
                .moved
                .iter()
                .filter(forward)
                .map(|moved| &moved.digest)
                .collect(),
            arrived: history
                .moved
                .iter()
                .filter(forward)
                .filter(|moved| moved.environment == last)
                .map(|moved| &moved.digest)
                .collect(),
        }
    }

    fn is_defective(&self, digest: &Digest) -> bool {
        self.rejected.contains_key(digest) || self.rolled_back.contains(digest)
    }

    fn is_decided(&self, digest: &Digest) -> bool {
        self.is_defective(digest) || self.arrived.contains(digest)
    }
}

fn months(produced: &[&Produced], fate: &Fate<'_>) -> Vec<Month> {
    let mut months: BTreeMap<String, Month> = BTreeMap::new();
    for image in produced {
        let name = image.at.format("%Y-%m").to_string();
        let month = months.entry(name.clone()).or_insert_with(|| Month {
            month: name,
            produced: 0,
            decided: 0,
            defective: 0,
            undecided: 0,
            defect_rate: None,
        });
        month.produced += 1;
        if fate.is_decided(&image.digest) {
            month.decided += 1;
        } else {
            month.undecided += 1;
        }
        month.defective += i64::from(fate.is_defective(&image.digest));
    }
    let mut months: Vec<Month> = months.into_values().collect();
    for month in &mut months {
        month.defect_rate = ratio(month.defective, month.decided);
    }
    months
}

fn rows<'a>(produced: &[&'a Produced], fate: &Fate<'_>, name: impl Fn(&'a Produced) -> &'a String) -> Vec<QualityRow> {
    let mut rows: BTreeMap<&String, QualityRow> = BTreeMap::new();
    for image in produced {
        let row = rows.entry(name(image)).or_insert_with(|| QualityRow {
            name: name(image).clone(),
            produced: 0,
            promoted: 0,
            rejected: 0,
            rejected_by_category: BTreeMap::new(),
            rolled_back: 0,
            decided: 0,
            defective: 0,
            defect_rate: None,
        });
        row.produced += 1;
        row.promoted += i64::from(fate.promoted.contains(&image.digest));
        row.rolled_back += i64::from(fate.rolled_back.contains(&image.digest));
        row.decided += i64::from(fate.is_decided(&image.digest));
        row.defective += i64::from(fate.is_defective(&image.digest));
        if let Some(categories) = fate.rejected.get(&image.digest) {
            row.rejected += 1;
            for category in categories {
                *row.rejected_by_category.entry(*category).or_default() += 1;
            }
        }
    }
    let mut rows: Vec<QualityRow> = rows.into_values().collect();
    for row in &mut rows {
        row.defect_rate = ratio(row.defective, row.decided);
    }
    rows
}

fn delivery(
    history: &History,
    fate: &Fate<'_>,
    last: &str,
    from: DateTime<Utc>,
    now: DateTime<Utc>,
) -> DeliveryFigures {
    let merged: BTreeMap<&Digest, DateTime<Utc>> = history
        .produced
        .iter()
        .filter_map(|image| Some((&image.digest, image.merged_at?)))
        .collect();
    // All that ever arrived in the last environment, in order: a recovery may follow a deployment of long ago.
    let arrivals: Vec<&Moved> = history.moved.iter().filter(|moved| moved.environment == last).collect();
    let mut deployments = 0;
    let mut failures = 0;
    let (mut lead, mut recovery) = (Vec::new(), Vec::new());
    let mut seen = BTreeSet::new();
    for (at, arrival) in arrivals.iter().enumerate() {
        let first = seen.insert(&arrival.digest);
        if arrival.kind == PromotionKind::Rollback || arrival.at < from {
            continue;
        }
        deployments += 1;
        if let (true, Some(merged)) = (first, merged.get(&arrival.digest)) {
            lead.push(arrival.at - *merged);
        }
        let next = arrivals[at + 1..]
            .iter()
            .find(|next| next.application == arrival.application);
        let rolled_back = next.is_some_and(|next| {
            next.kind == PromotionKind::Rollback && next.replaced.as_ref() == Some(&arrival.digest)
        });
        if rolled_back || fate.rejected.contains_key(&arrival.digest) {
            failures += 1;
            recovery.extend(next.map(|next| next.at - arrival.at));
        }
    }
    let weeks = (now - from).num_seconds() as f64 / (7.0 * 86_400.0);
    DeliveryFigures {
        deployments,
        deployments_per_week: (weeks > 0.0).then(|| f64::from(i32::try_from(deployments).unwrap_or(i32::MAX)) / weeks),
        lead_time: median(lead),
        failed_deployments: failures,
        change_failure_rate: ratio(failures, deployments),
        recovery_time: median(recovery),
    }
}

fn ratio(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The middle one; of an even number, the mean of the two in the middle.
fn median(mut times: Vec<TimeDelta>) -> Median {
    times.sort();
    let count = times.len();
    let middle = match count {
        0 => None,
        n if n % 2 == 1 => Some(times[n / 2]),
        n => Some((times[n / 2 - 1] + times[n / 2]) / 2),
    };
    Median {
        seconds: middle.map(|time| time.num_seconds()),
        of: i64::try_from(count).unwrap_or(i64::MAX),
    }
}
