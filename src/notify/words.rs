//! How results are said: the same words in mail, note and commit status.

use std::time::Duration;

use crate::model::{BuildState, TestReport};
use crate::store::builds::BuildRecord;

/// One line that says how a build stands.
pub(super) fn in_short(record: &BuildRecord) -> String {
    let build = &record.build;
    match build.state {
        BuildState::AwaitingApproval => "from a fork: waits for approval".to_owned(),
        BuildState::Queued => match &build.error {
            Some(error) => format!("waits for another attempt: {error}"),
            None => "waits for a worker".to_owned(),
        },
        BuildState::Running => format!("running on {}", build.worker.as_deref().unwrap_or("a worker")),
        BuildState::Passed => {
            let tests = record.tests.as_ref().map(tests).unwrap_or_default();
            format!("passed: {tests}, image is in the QA registry")
        }
        BuildState::Failed => match &build.finding {
            Some(finding) => finding.title.clone(),
            None => "failed".to_owned(),
        },
        BuildState::Errored => {
            format!(
                "not the project's fault: {}",
                build.error.as_deref().unwrap_or("the build could not be done")
            )
        }
        BuildState::Cancelled => match &record.ended_by {
            Some(by) => format!("cancelled by {by}"),
            None => "cancelled".to_owned(),
        },
        BuildState::Superseded => match &record.ended_by {
            Some(by) => format!("superseded by {by}"),
            None => "superseded by a newer push".to_owned(),
        },
    }
}

/// "14 tests, 1 skipped".
pub(super) fn tests(report: &TestReport) -> String {
    let counts = report.counts;
    let mut text = match counts.run {
        0 => "no test was executed".to_owned(),
        1 => "1 test".to_owned(),
        n => format!("{n} tests"),
    };
    let red = counts.failed + counts.errors;
    if red > 0 {
        text.push_str(&format!(", {red} failed"));
    }
    if counts.skipped > 0 {
        text.push_str(&format!(", {} skipped", counts.skipped));
    }
    text
}

/// "1 min 23 s", "4.2 s".
pub(super) fn duration(time: Duration) -> String {
    match time.as_secs() {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        s @ 60..3600 => format!("{} min {} s", s / 60, s % 60),
        s => format!("{} h {} min", s / 3600, s % 3600 / 60),
    }
}

/// How long the build's last attempt took.
pub(super) fn took(record: &BuildRecord) -> Option<String> {
    let build = &record.build;
    let time = (build.finished_at? - build.started_at?).to_std().ok()?;
    Some(duration(time))
}

/// The state in capitals, for subjects.
pub(super) fn shout(state: BuildState) -> &'static str {
    match state {
        BuildState::Passed => "PASSED",
        BuildState::Failed => "FAILED",
        BuildState::Errored => "ERROR",
        BuildState::Cancelled => "CANCELLED",
        BuildState::Superseded => "SUPERSEDED",
        BuildState::AwaitingApproval => "WAITS FOR APPROVAL",
        BuildState::Queued => "QUEUED",
        BuildState::Running => "RUNNING",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        assert_eq!(duration(Duration::from_millis(4210)), "4.2 s");
        assert_eq!(duration(Duration::from_secs(83)), "1 min 23 s");
        assert_eq!(duration(Duration::from_secs(3_720)), "1 h 2 min");
    }
}
