//! The gates themselves.

use chrono::{DateTime, Duration, Utc};

use super::{Facts, Finding, Times};
use crate::definition::{Ceiling, Environment, Environments};
use crate::model::{Gate, GateKind, Level, PromotionKind};

/// Findings that a sentence names; the rest is counted.
const NAMED: usize = 5;

/// All gates of the environment, in the order in which they are shown.
pub fn judge(kind: PromotionKind, environments: &Environments, environment: &Environment, facts: &Facts) -> Vec<Gate> {
    let gates = &environment.gates;
    let mut judged = Vec::new();
    if kind == PromotionKind::Promotion {
        let before = environments.before(&environment.name);
        judged.push(merged(gates.merged, facts));
        if let Some(before) = before {
            judged.push(previous(gates.previous, before, facts));
            if !gates.minimum_time.is_zero() {
                judged.push(minimum_time(gates.minimum_time, before, facts));
            }
        }
        judged.push(freeze(environment, facts.now));
        judged.push(findings(gates.findings_up_to, &facts.findings));
    }
    judged.push(rejection(facts));
    judged.push(approvals(kind, environment, facts));
    judged
}

/// Is this person one of those who wrote what the promotion brings? Commits name people by mail address, merge requests by
/// login.
pub fn is_author(facts: &Facts, login: &str, email: Option<&str>) -> bool {
    [Some(login), email]
        .into_iter()
        .flatten()
        .any(|name| facts.authors.contains(&name.to_lowercase()))
}

fn open(gate: GateKind, why: impl Into<String>) -> Gate {
    Gate {
        gate,
        open: true,
        why: why.into(),
        opens_at: None,
    }
}

fn closed(gate: GateKind, why: impl Into<String>, opens_at: Option<DateTime<Utc>>) -> Gate {
    Gate {
        gate,
        open: false,
        why: why.into(),
        opens_at,
    }
}

fn merged(wanted: bool, facts: &Facts) -> Gate {
    match facts.trunk.last() {
        Some(trunk) => open(
            GateKind::Merged,
            format!("it is the image of {} at {}", trunk.branch, trunk.tip.short()),
        ),
        None if !wanted => open(
            GateKind::Merged,
            "it is not the trunk's; this environment takes it all the same",
        ),
        None => closed(
            GateKind::Merged,
            "it is not merged: only images of the trunk leave QA. Merge the merge request; the image of the merged tree then \
             counts without another build",
            None,
        ),
    }
}

fn previous(wanted: bool, before: &Environment, facts: &Facts) -> Gate {
    let missing: Vec<&str> = facts
        .before
        .iter()
        .filter(|times| times.spans.is_empty())
        .map(|times| times.data_centre.as_str())
        .collect();
    if missing.is_empty() && !facts.before.is_empty() {
        return open(GateKind::Previous, format!("it reached {}", before.title));
    }
    if !wanted {
        return open(
            GateKind::Previous,
            format!(
                "it has not been in {}; this environment takes it all the same",
                before.title
            ),
        );
    }
    let why = if missing.len() == facts.before.len() {
        format!("it has not been in {0}: promote it to {0} first", before.title)
    } else {
        format!(
            "it has not been in all of {}: {} never had it; `seaworthy promote resume` finishes what began there",
            before.title,
            missing.join(", ")
        )
    };
    closed(GateKind::Previous, why, None)
}

fn minimum_time(least: std::time::Duration, before: &Environment, facts: &Facts) -> Gate {
    let least = Duration::from_std(least).unwrap_or(Duration::MAX);
    let spent = facts.before.iter().map(|times| spent(times, facts.now)).min();
    let spent = spent.unwrap_or(Duration::zero());
    let words = format!("it was in {} for {} of {}", before.title, short(spent), short(least));
    if spent >= least {
        return open(GateKind::MinimumTime, words);
    }
    let there = facts.before.iter().all(is_there);
    let opens_at = there.then(|| facts.now + (least - spent));
    let why = match opens_at {
        Some(at) => format!("{words}: that is reached at {}", at.format("%Y-%m-%d %H:%M UTC")),
        None => format!("{words}, and is not there now: promote it there again"),
    };
    closed(GateKind::MinimumTime, why, opens_at)
}

/// For how long in all.
fn spent(times: &Times, now: DateTime<Utc>) -> Duration {
    let spans = times.spans.iter().map(|(from, until)| until.unwrap_or(now) - *from);
    spans.fold(Duration::zero(), |sum, span| sum + span)
}

fn is_there(times: &Times) -> bool {
    times.spans.iter().any(|(_, until)| until.is_none())
}

fn freeze(environment: &Environment, now: DateTime<Utc>) -> Gate {
    match environment.freezes.at(now) {
        None => open(GateKind::Freeze, "nothing is frozen"),
        Some(frozen) => {
            let local = frozen.until.with_timezone(&environment.freezes.zone);
            closed(
                GateKind::Freeze,
                format!(
                    "{} is frozen until {}: {}",
                    environment.title,
                    local.format("%Y-%m-%d %H:%M %Z"),
                    frozen.reason
                ),
                Some(frozen.until),
            )
        }
    }
}

fn findings(ceiling: Option<Ceiling>, findings: &[Finding]) -> Gate {
    let most = match ceiling {
        None => {
            return open(
                GateKind::Findings,
                format!(
                    "{} open; this environment does not look at them",
                    count(findings.len(), "finding")
                ),
            );
        }
        Some(Ceiling::Nothing) => None,
        Some(Ceiling::UpTo(level)) => Some(level),
    };
    let above: Vec<&Finding> = findings
        .iter()
        .filter(|finding| most.is_none_or(|most| finding.level > most))
        .collect();
    let allowed = most.map_or("none".to_owned(), |most| format!("up to {}", words(most)));
    if above.is_empty() {
        return open(
            GateKind::Findings,
            format!(
                "{} open, none too severe (allowed: {allowed})",
                count(findings.len(), "finding")
            ),
        );
    }
    let named: Vec<String> = above
        .iter()
        .take(NAMED)
        .map(|finding| format!("{} ({})", finding.name, words(finding.level)))
        .collect();
    let more = match above.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    closed(
        GateKind::Findings,
        format!(
            "{} too severe (allowed: {allowed}): {}{more}. Mend them and promote the new image, or have them waived",
            count(above.len(), "open finding"),
            named.join(", ")
        ),
        None,
    )
}

fn rejection(facts: &Facts) -> Gate {
    match facts.rejections.first() {
        None => open(GateKind::Rejection, "nobody has rejected it"),
        Some(rejection) => closed(
            GateKind::Rejection,
            format!(
                "{} rejected it on {} ({}): {}. Promote the image of a later commit",
                rejection.person,
                rejection.at.format("%Y-%m-%d"),
                rejection.category,
                rejection.reason
            ),
            None,
        ),
    }
}

fn approvals(kind: PromotionKind, environment: &Environment, facts: &Facts) -> Gate {
    let needed = usize::from(environment.approvals_for(kind));
    let counted: Vec<&str> = facts
        .approvals
        .iter()
        .filter(|approval| approval.person != facts.requested_by)
        .filter(|approval| {
            kind == PromotionKind::Rollback || !is_author(facts, &approval.person, approval.email.as_deref())
        })
        .map(|approval| approval.person.as_str())
        .collect();
    let by = match counted.is_empty() {
        true => String::new(),
        false => format!(" ({})", counted.join(", ")),
    };
    let role = environment.gates.approved_by;
    if needed == 0 {
        return open(GateKind::Approvals, "no approval is needed");
    }
    let words = format!("{} of {} by a {role}{by}", counted.len(), count(needed, "approval"));
    if counted.len() >= needed {
        return open(GateKind::Approvals, words);
    }
    closed(
        GateKind::Approvals,
        format!("{words}; neither who asked for it nor who wrote a commit in it counts"),
        None,
    )
}

fn words(level: Level) -> &'static str {
    level.as_str()
}

fn count(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        n => format!("{n} {noun}s"),
    }
}

/// `2d 3h`, `5h 10m`, `3m`, `12s`: two units at most.
fn short(duration: Duration) -> String {
    let seconds = duration.num_seconds().max(0);
    let units = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")];
    let mut left = seconds;
    let mut parts = Vec::new();
    for (size, name) in units {
        if left >= size {
            parts.push(format!("{}{name}", left / size));
            left %= size;
        }
    }
    match parts.is_empty() {
        true => "0s".to_owned(),
        false => parts[..parts.len().min(2)].join(" "),
    }
}
