//! A history that is small enough to count by hand.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{History, Moved, Produced, Rejected, count};
use crate::model::{Category, Digest, PromotionKind};
use crate::wire::{Median, Month};

fn at(text: &str) -> DateTime<Utc> {
    format!("{text}:00Z").parse().expect("a time")
}

fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

fn built(name: &str, application: &str, stack: &str, when: &str, merged: Option<&str>) -> Produced {
    Produced {
        digest: digest(name),
        application: application.to_owned(),
        stack: stack.to_owned(),
        base: format!("tomcat of {stack}"),
        at: at(when),
        merged_at: merged.map(at),
    }
}

fn moved(name: &str, replaced: Option<&str>, application: &str, environment: &str, when: &str) -> Moved {
    Moved {
        digest: digest(name),
        replaced: replaced.map(digest),
        kind: PromotionKind::Promotion,
        application: application.to_owned(),
        environment: environment.to_owned(),
        at: at(when),
    }
}

fn back(name: &str, replaced: &str, application: &str, when: &str) -> Moved {
    Moved {
        kind: PromotionKind::Rollback,
        ..moved(name, Some(replaced), application, "production", when)
    }
}

/// | digest | built | fate |
/// |---|---|---|
/// | a1 | September | production on 2 October; the period begins on 1 October, so it is not of it, but its deployment is |
/// | b1 | 5 October | merged 6 Oct 10:00, production 8 Oct 10:00 (48 h), rolled back 8 Oct 13:00 (3 h) |
/// | b2 | 10 October | merged 10 Oct 10:00, production 11 Oct 10:00 (24 h) |
/// | b3 | 20 October | pre-production, rejected there twice: functional and security |
/// | b4 | 25 October | pre-production, nothing decided |
/// | c1 | 2 November | merged 2 Nov 10:00, production 6 Nov 10:00 (96 h), rejected 7 Nov; mended by c2 on 8 Nov 10:00 (48 h) |
/// | c2 | 7 November | merged 8 Nov 08:00, production 8 Nov 10:00 (2 h) |
/// | c3 | 9 November | QA only |
fn history() -> History {
    History {
        produced: vec![
            built("a1", "basket", "tomcat9", "2026-09-20T10:00", Some("2026-10-01T10:00")),
            built("b1", "basket", "tomcat9", "2026-10-05T10:00", Some("2026-10-06T10:00")),
            built("b2", "basket", "tomcat10", "2026-10-10T09:00", Some("2026-10-10T10:00")),
            built("b3", "basket", "tomcat10", "2026-10-20T10:00", None),
            built("b4", "basket", "tomcat10", "2026-10-25T10:00", None),
            built(
                "c1",
                "harbour",
                "tomcat10",
                "2026-11-02T09:00",
                Some("2026-11-02T10:00"),
            ),
            built(
                "c2",
                "harbour",
                "tomcat10",
                "2026-11-07T09:00",
                Some("2026-11-08T08:00"),
            ),
            built("c3", "harbour", "tomcat10", "2026-11-09T09:00", None),
        ],
        moved: vec![
            moved("a1", None, "basket", "production", "2026-10-02T10:00"),
            moved("b1", None, "basket", "pre", "2026-10-07T10:00"),
            moved("b1", Some("a1"), "basket", "production", "2026-10-08T10:00"),
            back("a1", "b1", "basket", "2026-10-08T13:00"),
            moved("b2", Some("a1"), "basket", "production", "2026-10-11T10:00"),
            moved("b3", None, "basket", "pre", "2026-10-21T10:00"),
            moved("b4", None, "basket", "pre", "2026-10-26T10:00"),
            moved("c1", None, "harbour", "production", "2026-11-06T10:00"),
            moved("c2", Some("c1"), "harbour", "production", "2026-11-08T10:00"),
        ],
        rejected: [
            ("b3", Category::Functional),
            ("b3", Category::Security),
            ("c1", Category::Performance),
        ]
        .map(|(name, category)| Rejected {
            digest: digest(name),
            category,
            at: at("2026-11-07T10:00"),
        })
        .to_vec(),
    }
}

#[test]
fn the_figures_are_those_that_were_counted_by_hand() {
    // Six weeks.
    let (from, now) = (at("2026-10-01T00:00"), at("2026-11-12T00:00"));
    let quality = count(&history(), "production", from, now);
    let month = |month: &str, produced, decided, defective, rate| Month {
        month: month.to_owned(),
        produced,
        decided,
        defective,
        undecided: produced - decided,
        defect_rate: Some(rate),
    };
    // October: b1 rolled back, b2 good, b3 rejected; b4 open. November: c1 rejected, c2 good; c3 open.
    assert_eq!(
        quality.months,
        [month("2026-10", 4, 3, 2, 2.0 / 3.0), month("2026-11", 3, 2, 1, 0.5)]
    );
    let basket = &quality.applications[0];
    assert_eq!(
        (
            basket.name.as_str(),
            basket.produced,
            basket.promoted,
            basket.rejected,
            basket.rolled_back
        ),
        ("basket", 4, 4, 1, 1)
    );
    assert_eq!(
        basket.rejected_by_category,
        BTreeMap::from([(Category::Functional, 1), (Category::Security, 1)])
    );
    let harbour = &quality.applications[1];
    assert_eq!(
        (
            harbour.produced,
            harbour.promoted,
            harbour.rejected,
            harbour.rolled_back
        ),
        (3, 2, 1, 0)
    );
    let by_stack: Vec<_> = quality
        .stacks
        .iter()
        .map(|row| (row.name.as_str(), row.produced, row.decided, row.defective))
        .collect();
    assert_eq!(by_stack, [("tomcat10", 6, 4, 2), ("tomcat9", 1, 1, 1)]);
    assert_eq!(quality.bases.len(), 2);

    // a1 (24 h), b1 (48 h), b2 (24 h), c1 (96 h), c2 (2 h); the rollback is no deployment.
    let delivery = &quality.delivery;
    assert_eq!(delivery.deployments, 5);
    assert!(
        delivery
            .deployments_per_week
            .is_some_and(|rate| (rate - 5.0 / 6.0).abs() < 1e-9)
    );
    let hours = |hours: i64, of| Median {
        seconds: Some(hours * 3600),
        of,
    };
    assert_eq!(delivery.lead_time, hours(24, 5));
    // b1 (rolled back after 3 h) and c1 (rejected; c2 came 48 h later): 25.5 h in the middle.
    assert_eq!(
        (delivery.failed_deployments, delivery.change_failure_rate),
        (2, Some(0.4))
    );
    assert_eq!(delivery.recovery_time.of, 2);
    assert_eq!(delivery.recovery_time.seconds, Some(51 * 1800));
}

#[test]
fn nothing_gives_no_rate_instead_of_a_perfect_one() {
    let (from, now) = (at("2026-10-01T00:00"), at("2026-11-12T00:00"));
    let quality = count(&History::default(), "production", from, now);
    assert!(quality.months.is_empty() && quality.applications.is_empty());
    assert_eq!(quality.delivery.change_failure_rate, None);
    assert_eq!(quality.delivery.lead_time, Median { seconds: None, of: 0 });
}
