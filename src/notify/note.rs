//! The one note on a merge request, edited in place: newest build first.

use std::fmt::Write as _;

use super::{Notifier, NotifyError, words};
use crate::model::{BuildState, Digest, ProjectId};
use crate::store::builds::{self, BuildRecord};
use crate::store::images::{self, ImageRecord};
use crate::store::notices;

/// Earlier builds that are listed below the newest one.
const EARLIER: usize = 5;

impl Notifier {
    pub(super) async fn write_note(&self, project: ProjectId, iid: i64) -> Result<(), NotifyError> {
        let known = builds::of_merge_request(&self.pool, project, iid).await?;
        let mut records = Vec::new();
        for build in known.iter().take(1 + EARLIER) {
            records.extend(builds::get(&self.pool, build.id).await?);
        }
        let Some(newest) = records.first() else { return Ok(()) };
        let image = images::of_build(&self.pool, newest.build.id).await?;
        let body = body(&records, image.as_ref(), &self.public_url);
        let sum = Digest::of(body.as_bytes());
        let (note, told) = notices::told_note(&self.pool, project, iid).await?.unwrap_or_default();
        if told.as_deref() == Some(sum.as_str()) {
            return Ok(());
        }
        let marker = format!("<!-- seaworthy:{project}!{iid} -->");
        let (note, refused) = match self.gitlab.upsert_note(project, iid, note, &marker, &body).await {
            Ok(note) => (Some(note), None),
            Err(error) if error.is_transient() => return Err(error.into()),
            Err(error) => {
                tracing::warn!(%project, iid, %error, "GitLab does not take the note");
                (note, Some(error.to_string()))
            }
        };
        notices::set_told_note(&self.pool, project, iid, note, Some(sum.as_str()), refused.as_deref()).await?;
        Ok(())
    }
}

fn body(records: &[BuildRecord], image: Option<&ImageRecord>, public_url: &str) -> String {
    let mut text = String::new();
    let Some((newest, earlier)) = records.split_first() else {
        return text;
    };
    let build = &newest.build;
    let link = |id| format!("[build {id}]({public_url}/builds/{id})");
    let head = build.merge_request.head.as_str();
    let mut line = |content: String| {
        text.push_str(&content);
        text.push('\n');
    };
    line(format!(
        "{} **{}** – {} of {head}",
        emoji(build.state),
        words::shout(build.state),
        link(build.id)
    ));
    line(String::new());
    match (&build.finding, build.state) {
        (Some(finding), BuildState::Failed) => {
            line(format!("{}.", plain(&finding.title)));
            if !finding.detail.is_empty() {
                line(String::new());
                line(code(&finding.detail, 20));
            }
            line(String::new());
            line(plain(&finding.help));
        }
        _ => line(format!("{}.", plain(&words::in_short(newest)))),
    }
    if let Some(image) = image {
        line(String::new());
        line(format!("- Image: `{}`", image.pushed.reference));
        line(format!("- Digest: `{}`", image.pushed.digest));
    }
    if let Some(took) = words::took(newest) {
        line(format!("- Took {took}"));
    }
    for remark in &newest.remarks {
        line(format!("- Note: {}", plain(&remark.title)));
    }
    if !earlier.is_empty() {
        let mut rows = "\n| build | commit | result |\n|---|---|---|".to_owned();
        for record in earlier {
            let build = &record.build;
            let short = build.merge_request.head.short();
            let result = plain(&words::in_short(record)).replace('|', "\\|");
            // Writing to a String cannot fail.
            let _ = write!(rows, "\n| {} | {short} | {result} |", link(build.id));
        }
        line(rows);
    }
    text
}

fn emoji(state: BuildState) -> &'static str {
    match state {
        BuildState::Passed => ":white_check_mark:",
        BuildState::Failed => ":x:",
        BuildState::Errored => ":warning:",
        BuildState::Cancelled | BuildState::Superseded => ":no_entry_sign:",
        BuildState::AwaitingApproval => ":raised_hand:",
        BuildState::Queued | BuildState::Running => ":hourglass:",
    }
}

/// Strangers' text as text: no mention (`@all`), no quick action (`/merge`), no HTML, no formatting, on one line.
fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.split_whitespace().collect::<Vec<_>>().join(" ").chars() {
        match c {
            // A zero-width space breaks references (@, #, !, ~, %, &, $) without being seen.
            '@' | '~' | '#' | '!' | '%' | '&' | '$' => safe.extend([c, '\u{200b}']),
            '<' => safe.push_str("&lt;"),
            '*' | '_' | '`' | '[' | ']' | '|' | '\\' | '>' => safe.extend(['\\', c]),
            c if c.is_control() => {}
            c => safe.push(c),
        }
    }
    // Only at the begin of a line does a slash mean something.
    if safe.starts_with('/') {
        format!("\u{200b}{safe}")
    } else {
        safe
    }
}

/// Lines as a code block that they cannot leave.
fn code(lines: &[String], most: usize) -> String {
    let mut shown: Vec<String> = lines
        .iter()
        .take(most)
        .flat_map(|line| line.lines())
        .map(str::to_owned)
        .collect();
    shown.truncate(2 * most);
    let longest = shown
        .iter()
        .map(|line| line.chars().filter(|c| *c == '`').count())
        .max()
        .unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    if lines.len() > most {
        shown.push(format!("… and {} more", lines.len() - most));
    }
    format!("{fence}text\n{}\n{fence}", shown.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_text_commands_nothing() {
        assert_eq!(plain("/merge now"), "\u{200b}/merge now");
        assert_eq!(plain("hi @all\n/close"), "hi @\u{200b}all /close");
        assert_eq!(plain("<b>`x`</b>"), "&lt;b\\>\\`x\\`&lt;/b\\>");
    }

    #[test]
    fn code_stays_inside_its_fence() {
        let block = code(&["a ```` b".to_owned(), "/merge".to_owned()], 20);
        assert!(
            block.starts_with("`````text\n") && block.ends_with("\n`````"),
            "{block}"
        );
    }
}
