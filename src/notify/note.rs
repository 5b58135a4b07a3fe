//! The one note on a merge request, edited in place: newest build first, a few earlier ones below.

use std::fmt::Write as _;

use sqlx::PgTransaction;

use super::markdown::{block, plain};
use super::outbox::Links;
use super::{Notifier, NotifyError, is_final, words};
use crate::model::{BuildState, Digest, Finding, ProjectId};
use crate::store::builds::{self, BuildRecord};
use crate::store::images::{self, ImageRecord};
use crate::store::notices;
use crate::store::placements::{self, Placement};
use crate::store::trunk::{self, Trunk};

/// Earlier builds that are listed below the newest one.
const EARLIER: usize = 5;
/// Lines of evidence: the whole of it is on the build's page.
const DETAIL: usize = 40;

impl Notifier {
    pub(super) async fn write_note(
        &self,
        mut tx: PgTransaction<'_>,
        project: ProjectId,
        iid: i64,
    ) -> Result<(), NotifyError> {
        let known = builds::of_merge_request(&mut *tx, project, iid).await?;
        let mut records = Vec::new();
        for build in known.iter().take(1 + EARLIER) {
            records.extend(builds::get(&mut *tx, build.id).await?);
        }
        let Some((newest, earlier)) = records.split_first() else {
            return Ok(());
        };
        let image = images::of_build(&mut *tx, newest.build.id).await?;
        let trunk = trunk::of_build(&mut *tx, newest.build.id).await?;
        let places = match &image {
            Some(image) => self.places(&placements::list(&mut *tx, there(&image.pushed.digest)).await?),
            None => Vec::new(),
        };
        let body = body(newest, earlier, image.as_ref(), &trunk, &places, &self.links);
        let sum = Digest::of(body.as_bytes());
        let (note, told) = notices::told_note(&mut *tx, project, iid).await?.unwrap_or_default();
        if told.as_deref() == Some(sum.as_str()) {
            return Ok(());
        }
        let marker = format!("<!-- seaworthy:{project}!{iid} -->");
        let (note, refused) = match self.gitlab.upsert_note(project, iid, note, &marker, &body).await {
            Ok(note) => (Some(note), None),
            Err(error) if !is_final(&error) => return Err(error.into()),
            Err(error) => {
                tracing::warn!(%project, iid, %error, "GitLab does not take the note");
                (note, Some(error.to_string()))
            }
        };
        notices::set_told_note(&mut *tx, project, iid, note, Some(sum.as_str()), refused.as_deref()).await?;
        Ok(tx.commit().await?)
    }
}

impl Notifier {
    /// `In Production since 2026-11-27 08:15 UTC, 2 of 2 data centres`, in the order of promotion.
    fn places(&self, placements: &[Placement]) -> Vec<String> {
        self.environments
            .iter()
            .filter_map(|environment| {
                let here: Vec<&Placement> = placements
                    .iter()
                    .filter(|placement| placement.environment == environment.name)
                    .collect();
                let since = here.iter().map(|placement| placement.since).max()?;
                Some(format!(
                    "In {} since {}, {} of {} data centres",
                    plain(&environment.title),
                    since.format("%Y-%m-%d %H:%M UTC"),
                    here.len(),
                    environment.data_centres.len()
                ))
            })
            .collect()
    }
}

/// Where a digest is now.
fn there(digest: &Digest) -> placements::Filter<'_> {
    placements::Filter {
        digest: Some(digest),
        now: true,
        ..Default::default()
    }
}

/// No line of it begins with a stranger's word: that is where Markdown and quick actions look.
fn body(
    newest: &BuildRecord,
    earlier: &[BuildRecord],
    image: Option<&ImageRecord>,
    trunk: &[Trunk],
    places: &[String],
    links: &Links,
) -> String {
    let build = &newest.build;
    let mut parts = vec![format!(
        "{} **{}** · [build {}]({}) of {}",
        emoji(build.state),
        words::shout(build.state),
        build.id,
        links.build(build.id),
        build.merge_request.head
    )];
    match (&build.finding, build.state) {
        (Some(found), BuildState::Failed) => parts.extend(finding(found)),
        (_, BuildState::Queued | BuildState::Running | BuildState::Passed) => {}
        _ => parts.push(format!("**{}**", plain(&words::in_short(newest)))),
    }
    let mut facts = facts(newest, image, trunk);
    facts.extend(places.iter().map(|place| format!("- {place}")));
    if !facts.is_empty() {
        parts.push(facts.join("\n"));
    }
    for remark in &newest.remarks {
        parts.push(format!("Note: {}. {}", plain(&remark.title), plain(&remark.help)));
    }
    if !earlier.is_empty() {
        parts.push(table(earlier, links));
    }
    parts.join("\n\n")
}

fn finding(finding: &Finding) -> Vec<String> {
    let mut parts = vec![format!("**{}**", plain(&finding.title))];
    if !finding.detail.is_empty() {
        parts.push(block(&finding.detail, DETAIL));
    }
    if !finding.help.is_empty() {
        parts.push(format!("What to do: {}", plain(&finding.help)));
    }
    parts
}

fn facts(record: &BuildRecord, image: Option<&ImageRecord>, trunk: &[Trunk]) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(image) = image {
        facts.push(format!("- Image: `{}`", image.pushed.reference));
        facts.push(format!("- Digest: `{}`", image.pushed.digest));
        if let Some(exception) = &image.dockerfile.exception {
            facts.push(format!("- Exception: {}", plain(&exception.to_string())));
        }
    }
    for tip in trunk {
        facts.push(format!("- Image of the trunk: {} at {}", plain(&tip.branch), tip.tip));
    }
    if let Some(report) = &record.tests {
        facts.push(format!("- Tests: {}", words::tests(report)));
    }
    if let Some(check) = &record.war_check {
        facts.push(format!("- WAR check: {}", check.summary()));
    }
    if let Some(tip) = &record.build.target_tip {
        let target = plain(&record.build.merge_request.target_branch);
        facts.push(format!("- Merged into: {target} at {tip}"));
    }
    if let Some(took) = words::took(record) {
        facts.push(format!("- Took: {took}"));
    }
    facts
}

fn table(earlier: &[BuildRecord], links: &Links) -> String {
    let mut rows = "| Earlier | Commit | Result | |\n|---|---|---|---|".to_owned();
    for record in earlier {
        let build = &record.build;
        // Writing to a String cannot fail.
        let _ = write!(
            rows,
            "\n| [build {}]({}) | {} | {} {} | {} |",
            build.id,
            links.build(build.id),
            build.merge_request.head.short(),
            emoji(build.state),
            words::shout(build.state).to_lowercase(),
            plain(&words::cut(&words::in_short(record), 120))
        );
    }
    rows
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::sample;

    #[test]
    fn the_newest_build_comes_first_and_tells_what_to_do() {
        let links = Links::new("https://ci.example.com");
        let newest = sample::record(BuildState::Failed);
        let earlier = [
            sample::record(BuildState::Passed),
            sample::record(BuildState::Superseded),
        ];
        let text = body(&newest, &earlier, None, &[], &[], &links);
        assert!(
            text.starts_with(":x: **FAILED** · [build 12](https://ci.example.com/builds/12) of da15"),
            "{text}"
        );
        assert!(text.contains("\nWhat to do: Run the tests"), "{text}");
        assert!(text.contains("| :white\\_check\\_mark: passed |") || text.contains("| :white_check_mark: passed |"));
        let image = sample::image();
        let merged = Trunk {
            branch: "main".to_owned(),
            tip: earlier[0].build.merge_request.head.clone(),
            at: earlier[0].build.created_at,
        };
        let places = ["In Production since 2026-11-27 08:15 UTC, 2 of 2 data centres".to_owned()];
        let text = body(&earlier[0], &[], Some(&image), &[merged], &places, &links);
        assert!(
            text.contains("\n- In Production since 2026-11-27 08:15 UTC, 2 of 2"),
            "{text}"
        );
        assert!(text.contains("- Image of the trunk: main at da15"), "{text}");
        assert!(text.contains(&format!("- Digest: `{}`", image.pushed.digest)), "{text}");
        assert!(text.contains("- Tests: 14 tests"), "{text}");
        assert!(
            text.contains("- Exception: hand-written docker/Dockerfile, until 1970-01-01"),
            "{text}"
        );
    }

    #[test]
    fn no_line_begins_with_a_strangers_word() {
        let links = Links::new("https://ci.example.com");
        let mut record = sample::record(BuildState::Failed);
        let hostile = "/merge\n/approve @all <script>";
        let found = Finding::new("r", hostile, hostile).with_detail([hostile.to_owned(), "```\n/close".to_owned()]);
        record.build.finding = Some(found.clone());
        record.remarks = vec![found];
        record.build.merge_request.target_branch = "/lock".into();
        let mut errored = sample::record(BuildState::Errored);
        errored.build.error = Some(hostile.into());
        let text = body(&record, &[errored.clone()], None, &[], &[], &links)
            + "\n"
            + &body(&errored, &[], None, &[], &[], &links);
        for line in text.lines() {
            assert!(!line.trim_start().starts_with('/'), "{line:?} in {text}");
        }
        let (fence, outside): (Vec<_>, Vec<_>) = text.split("````").enumerate().partition(|(n, _)| n % 2 == 1);
        assert_eq!(fence.len(), 1, "{text}");
        assert!(
            outside
                .iter()
                .all(|(_, part)| !part.contains("@all") && !part.contains('<')),
            "{text}"
        );
    }
}
