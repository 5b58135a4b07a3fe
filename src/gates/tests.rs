//! Each gate with what opens and what closes it.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Facts, Finding, Times, judge};
use crate::definition::{Definitions, Environments};
use crate::model::{Category, Gate, GateKind, Level, PromotionKind, Sha};
use crate::store::promotions::Approval;
use crate::store::rejections::Rejection;
use crate::store::trunk::Trunk;

const FILE: &str = r#"
[[environment]]
name = "qa"

[[environment]]
name = "pre"
[[environment.registry]]
name = "dc1"
repository = "pre.example.com/apps"
[[environment.registry]]
name = "dc2"
repository = "pre2.example.com/apps"
[environment.gates]
approvals = 0

[[environment]]
name = "production"
title = "Production"
time_zone = "Europe/Paris"
rollback_approvals = 1
[[environment.registry]]
name = "dc1"
repository = "live.example.com/apps"
[environment.gates]
minimum_time = "24h"
approvals = 2
findings_up_to = "medium"
[[environment.freeze]]
reason = "End of the year"
from = 2026-12-18T18:00:00
until = 2027-01-04T08:00:00
"#;

fn environments() -> Environments {
    let directory = tempfile::tempdir().expect("a directory");
    copy(Path::new("pipelines/stacks"), &directory.path().join("stacks"));
    std::fs::copy("pipelines/default.toml", directory.path().join("default.toml")).expect("a pipeline");
    std::fs::write(directory.path().join("environments.toml"), FILE).expect("environments");
    let templates = BTreeSet::from(["tomcat".to_owned()]);
    let definitions = Definitions::load(Some(directory.path()), &templates).expect("good definitions");
    definitions.environments().clone()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("stacks") {
        let entry = entry.expect("an entry");
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
    }
}

fn now() -> DateTime<Utc> {
    "2026-11-27T12:00:00Z".parse().expect("a time")
}

/// An image that may go anywhere.
fn good() -> Facts {
    let since = now() - TimeDelta::hours(30);
    let times = |name: &str| Times {
        data_centre: name.to_owned(),
        spans: vec![(since, None)],
    };
    let approval = |person: &str| Approval {
        person: person.to_owned(),
        email: None,
        at: now(),
    };
    Facts {
        now: now(),
        trunk: vec![Trunk {
            branch: "main".to_owned(),
            tip: sha(),
            at: since,
        }],
        before: vec![times("dc1"), times("dc2")],
        approvals: vec![approval("carol"), approval("dave")],
        requested_by: "bob".to_owned(),
        authors: BTreeSet::from(["ada".to_owned(), "ada@example.com".to_owned()]),
        findings: vec![finding("x", Level::Medium)],
        rejections: Vec::new(),
    }
}

fn sha() -> Sha {
    "da1560886d4f094c3e6c9ef40349f7d38b5d27d7".parse().expect("a commit")
}

fn finding(name: &str, level: Level) -> Finding {
    Finding {
        name: name.to_owned(),
        level,
    }
}

fn to_production(facts: &Facts) -> Vec<Gate> {
    let all = environments();
    let production = all.get("production").expect("it is in the file");
    judge(PromotionKind::Promotion, &all, production, facts)
}

/// The one gate that is closed.
fn closed(facts: &Facts) -> Gate {
    let closed: Vec<Gate> = to_production(facts).into_iter().filter(|gate| !gate.open).collect();
    assert_eq!(closed.len(), 1, "{closed:#?}");
    closed.into_iter().next().expect("one")
}

#[test]
fn a_good_image_passes_every_gate() {
    let gates = to_production(&good());
    assert!(gates.iter().all(|gate| gate.open), "{gates:#?}");
    let kinds: Vec<GateKind> = gates.iter().map(|gate| gate.gate).collect();
    assert_eq!(kinds, GateKind::ALL);
}

#[test]
fn what_is_not_merged_stays() {
    let gate = closed(&Facts {
        trunk: Vec::new(),
        ..good()
    });
    assert_eq!(gate.gate, GateKind::Merged);
    assert!(gate.why.contains("not merged") && gate.opens_at.is_none(), "{gate:?}");
}

#[test]
fn no_environment_is_left_out() {
    let mut facts = good();
    facts.before[1].spans.clear();
    let gates = to_production(&facts);
    let closed: Vec<GateKind> = gates.iter().filter(|gate| !gate.open).map(|gate| gate.gate).collect();
    assert_eq!(closed, [GateKind::Previous, GateKind::MinimumTime]);
    assert!(gates[1].why.contains("dc2"), "{gates:?}");
    facts.before[0].spans.clear();
    assert!(
        to_production(&facts)[1].why.contains("promote it to pre first"),
        "{facts:?}"
    );
}

#[test]
fn the_time_counts_where_it_was_shortest_and_adds_up() {
    let mut facts = good();
    facts.before[1].spans = vec![(now() - TimeDelta::hours(5), None)];
    let gate = closed(&facts);
    assert_eq!(gate.gate, GateKind::MinimumTime);
    assert_eq!(gate.opens_at, Some(now() + TimeDelta::hours(19)));
    assert!(gate.why.contains("5h of 1d"), "{gate:?}");
    // It was there before, went and came back.
    let earlier = (now() - TimeDelta::hours(60), Some(now() - TimeDelta::hours(40)));
    facts.before[1].spans.insert(0, earlier);
    assert!(to_production(&facts).iter().all(|gate| gate.open));
    // It was there, not long enough, and is gone: no time will open this.
    facts.before[1].spans = vec![(now() - TimeDelta::hours(60), Some(now() - TimeDelta::hours(50)))];
    let gate = closed(&facts);
    assert!(
        gate.opens_at.is_none() && gate.why.contains("promote it there again"),
        "{gate:?}"
    );
}

#[test]
fn a_freeze_says_until_when_in_its_own_time() {
    let gate = closed(&Facts {
        now: "2026-12-24T12:00:00Z".parse().expect("a time"),
        ..good()
    });
    assert_eq!(gate.gate, GateKind::Freeze);
    assert_eq!(gate.opens_at, "2027-01-04T07:00:00Z".parse().ok());
    assert_eq!(
        gate.why,
        "Production is frozen until 2027-01-04 08:00 CET: End of the year"
    );
}

#[test]
fn findings_that_are_too_severe_are_named() {
    let mut facts = good();
    facts.findings = (0..7).map(|n| finding(&format!("GHSA-{n}"), Level::High)).collect();
    let gate = closed(&facts);
    assert_eq!(gate.gate, GateKind::Findings);
    assert!(
        gate.why
            .starts_with("7 open findings too severe (allowed: up to medium): GHSA-0 (high)"),
        "{gate:?}"
    );
    assert!(gate.why.contains("and 2 more"), "{gate:?}");
}

#[test]
fn a_rejection_is_for_ever_also_for_a_rollback() {
    let mut facts = good();
    facts.rejections = vec![Rejection {
        digest: crate::model::Digest::of(b"x"),
        application: "basket".to_owned(),
        environment: "pre".to_owned(),
        person: "eve".to_owned(),
        category: Category::Functional,
        reason: "prices are wrong".to_owned(),
        at: now(),
    }];
    let gate = closed(&facts);
    assert_eq!(gate.gate, GateKind::Rejection);
    assert!(
        gate.why.contains("eve") && gate.why.contains("prices are wrong"),
        "{gate:?}"
    );
    let all = environments();
    let production = all.get("production").expect("it is in the file");
    let back = judge(PromotionKind::Rollback, &all, production, &facts);
    assert!(back.iter().any(|gate| gate.gate == GateKind::Rejection && !gate.open));
}

#[test]
fn neither_requester_nor_author_counts_as_an_approver() {
    let approval = |person: &str, email: Option<&str>| Approval {
        person: person.to_owned(),
        email: email.map(str::to_owned),
        at: now(),
    };
    for second in [
        approval("bob", None),
        approval("Ada", None),
        approval("al", Some("ADA@example.com")),
    ] {
        let mut facts = good();
        facts.approvals[1] = second;
        let gate = closed(&facts);
        assert_eq!(gate.gate, GateKind::Approvals);
        assert!(
            gate.why.contains("1 of 2 approvals by a release manager (carol)"),
            "{gate:?}"
        );
    }
}

#[test]
fn a_rollback_waits_for_its_own_approvals_alone() {
    let all = environments();
    let production = all.get("production").expect("it is in the file");
    let mut facts = Facts {
        now: "2026-12-24T12:00:00Z".parse().expect("a time"),
        trunk: Vec::new(),
        ..good()
    };
    facts.approvals.truncate(1);
    let gates = judge(PromotionKind::Rollback, &all, production, &facts);
    assert!(gates.iter().all(|gate| gate.open), "{gates:#?}");
    facts.approvals.clear();
    let gates = judge(PromotionKind::Rollback, &all, production, &facts);
    assert!(gates.iter().any(|gate| gate.gate == GateKind::Approvals && !gate.open));
}
