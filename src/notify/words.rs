//! How results are said: the same words in mail, note and commit status; and how strangers' words are made harmless.

use std::time::Duration;

use crate::ansi;
use crate::model::{BuildId, BuildState, Digest, TestReport};
use crate::store::builds::BuildRecord;

/// One line that says how a build stands.
pub(super) fn in_short(record: &BuildRecord) -> String {
    let build = &record.build;
    let text = match build.state {
        BuildState::AwaitingApproval => "from a fork: waits until somebody with rights approves it".to_owned(),
        BuildState::Queued => match &build.error {
            Some(error) => format!("not your fault: {error}; will be tried again"),
            None => "waits for a worker".to_owned(),
        },
        BuildState::Running if build.attempt > 1 => format!("running, attempt {}", build.attempt),
        BuildState::Running => "running".to_owned(),
        BuildState::Passed => match &record.tests {
            Some(report) => format!("{}; the image is in the QA registry", tests(report)),
            None => "the image is in the QA registry".to_owned(),
        },
        BuildState::Failed => match &build.finding {
            Some(finding) => finding.title.clone(),
            None => "failed".to_owned(),
        },
        BuildState::Errored => {
            let error = build.error.as_deref().unwrap_or("the build could not be done");
            format!("not your fault: {error}")
        }
        BuildState::Cancelled => match &record.ended_by {
            Some(by) => format!("cancelled by {by}"),
            None => "cancelled".to_owned(),
        },
        BuildState::Superseded => match &record.ended_by {
            // The build that came instead is written like this.
            Some(by) => format!("superseded by {}", by.replacen('#', "build ", 1)),
            None => "superseded by a newer push".to_owned(),
        },
    };
    one_line(&text, 1000)
}

/// One line for a commit whose tree that build has tested.
pub(super) fn tested_in(build: BuildId, digest: &Digest) -> String {
    format!("the tree that build {build} tested; its image is this commit's: {digest}")
}

/// Strangers' text on one line of at most `most` characters: no escape sequences, control characters, or signs that
/// turn the direction of what follows.
pub(super) fn one_line(text: &str, most: usize) -> String {
    let mut line = String::with_capacity(text.len().min(most));
    let mut count = 0;
    for word in text.lines().flat_map(|line| words(line).collect::<Vec<_>>()) {
        let word = if line.is_empty() { word } else { format!(" {word}") };
        count += word.chars().count();
        line.push_str(&word);
        if count > most {
            return cut(&line, most);
        }
    }
    line
}

fn words(line: &str) -> impl Iterator<Item = String> {
    clean(line)
        .split_whitespace()
        .map(str::to_owned)
        .collect::<Vec<_>>()
        .into_iter()
}

/// One line of strangers' text with its spaces kept, made harmless as [`one_line`] does.
pub(super) fn clean(line: &str) -> String {
    ansi::strip(line)
        .replace('\t', "    ")
        .chars()
        .filter(|c| !c.is_control() && !turns_direction(*c))
        .collect()
}

/// At most `most` characters, the last one being `…` where something is missing.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => {
            let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
            short.push('…');
            short
        }
    }
}

/// Unicode's explicit directional formatting: it makes a text look like another.
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// "1 place", "2 places".
pub(super) fn plural(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}

/// "14 tests, 1 skipped".
pub(super) fn tests(report: &TestReport) -> String {
    let counts = report.counts;
    let mut text = match counts.run {
        0 => "no tests".to_owned(),
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
    if report.flaky > 0 {
        text.push_str(&format!(", {} only when run again", report.flaky));
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

/// "12.4 MB".
pub(super) fn size(bytes: i64) -> String {
    match bytes {
        ..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
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
    fn durations_and_sizes_read_well() {
        assert_eq!(duration(Duration::from_millis(4210)), "4.2 s");
        assert_eq!(duration(Duration::from_secs(83)), "1 min 23 s");
        assert_eq!(duration(Duration::from_secs(3_720)), "1 h 2 min");
        assert_eq!(size(12_360_000), "12.4 MB");
    }

    #[test]
    fn strangers_text_comes_on_one_harmless_line() {
        assert_eq!(one_line(" a\r\nBcc: x\u{1b}[31m \u{202e}b\0 ", 80), "a Bcc: x b");
        assert_eq!(one_line("abc def", 5), "abc …");
        assert_eq!(one_line("abc", 3), "abc");
        assert_eq!(clean("\tat x.Y"), "    at x.Y");
    }

    #[test]
    fn a_status_tells_whose_fault_it_is() {
        let mut record = crate::notify::sample::record(BuildState::Errored);
        record.build.error = Some("registry.example.com does not answer".into());
        assert_eq!(
            in_short(&record),
            "not your fault: registry.example.com does not answer"
        );
        record.build.state = BuildState::Queued;
        assert!(in_short(&record).ends_with("; will be tried again"));
        record.build.state = BuildState::Superseded;
        record.ended_by = Some("#13".into());
        assert_eq!(in_short(&record), "superseded by build 13");
    }
}
