//! What the mail templates may use: texts that are ready to be shown, and nothing that must be looked up or computed.
//!
//! The names of the fields are the interface to templates that a house writes itself: they may be added to, never
//! changed. Everything that comes from strangers is free of control characters; lines are lists, one text a line.

use serde::Serialize;

use super::check_view::CheckView;
use super::outbox::Links;
use super::words::{self, clean, cut, one_line};
use crate::model::{BuildState, Commit, Finding, StageState, TestFailure, TestReport, WarCheck, mark};
use crate::store::builds::BuildRecord;
use crate::store::images::ImageRecord;
use crate::store::stages::StageRecord;

/// Failed tests that are shown with their messages.
const FAILURES: usize = 20;
/// Lines of a test's message, and of its trace.
const MESSAGE: usize = 12;
const TRACE: usize = 8;
/// Lines of a finding's evidence.
const DETAIL: usize = 100;
const COMMITS: usize = 10;
/// Characters of one line: a minified file in a log would fill the mail.
const WIDTH: usize = 400;

/// A build as it stands in a mail.
#[derive(Debug, Clone, Serialize)]
pub(super) struct View {
    /// `passed`, `failed` or `errored`: the name of the template.
    pub(super) result: &'static str,
    /// The same in capitals.
    pub(super) shout: &'static str,
    /// The whole in one line, for what mail programs show beside the subject.
    pub(super) summary: String,
    pub(super) application: String,
    pub(super) project: String,
    /// Number of the merge request; none of a push to the trunk.
    pub(super) iid: Option<i64>,
    /// `!7`, or of a push to the trunk the branch.
    pub(super) mark: String,
    pub(super) title: String,
    pub(super) author: String,
    pub(super) build: i64,
    /// Page of the build.
    pub(super) url: String,
    /// Page of the merge request, of a push that of its commit; empty if it is no web address.
    pub(super) merge_request_url: String,
    pub(super) source_branch: String,
    pub(super) target_branch: String,
    pub(super) head: String,
    pub(super) short_head: String,
    /// Empty before checkout.
    pub(super) target_tip: String,
    /// Newest first.
    pub(super) commits: Vec<CommitView>,
    pub(super) more_commits: usize,
    pub(super) pipeline: String,
    pub(super) attempts: i32,
    /// Empty where no worker began.
    pub(super) worker: String,
    /// Time of the last attempt.
    pub(super) took: String,
    /// Of the last attempt.
    pub(super) stages: Vec<StageView>,
    /// The stage that ended the build; empty if it passed.
    pub(super) stage: String,
    pub(super) tests: Option<TestsView>,
    pub(super) image: Option<ImageView>,
    pub(super) finding: Option<FindingView>,
    pub(super) failures: Vec<FailureView>,
    pub(super) more_failures: usize,
    /// What the world did wrong.
    pub(super) error: String,
    pub(super) remarks: Vec<FindingView>,
    /// What the WAR check found; missing where it found nothing that a mail tells.
    pub(super) check: Option<CheckView>,
    /// The last lines of the log; empty if the build passed.
    pub(super) log: Vec<String>,
    /// The mail's sender is not known here, the service is: its host.
    pub(super) host: String,
}

/// A commit between target and head.
#[derive(Debug, Clone, Serialize)]
pub(super) struct CommitView {
    pub(super) short: String,
    pub(super) subject: String,
    pub(super) author: String,
}

/// A stage of the last attempt.
#[derive(Debug, Clone, Serialize)]
pub(super) struct StageView {
    pub(super) title: &'static str,
    /// `passed`, `failed`, `errored`, `running` or `cancelled`.
    pub(super) state: &'static str,
    pub(super) note: String,
    /// Empty while it runs.
    pub(super) time: String,
}

/// What the tests said.
#[derive(Debug, Clone, Serialize)]
pub(super) struct TestsView {
    /// "14 tests, 1 skipped".
    pub(super) summary: String,
    pub(super) run: u32,
    /// Failures and errors.
    pub(super) red: u32,
    pub(super) skipped: u32,
    pub(super) time: String,
}

/// The image in the registry.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ImageView {
    /// Its name with tag.
    pub(super) reference: String,
    pub(super) digest: String,
    /// `repository@sha256:…`.
    pub(super) pinned: String,
    pub(super) stack: String,
    pub(super) base: String,
    pub(super) war: String,
    pub(super) war_size: String,
    /// Who allowed a hand-written Dockerfile, why and until when; empty for a generated one.
    pub(super) exception: String,
}

/// A finding or a remark.
#[derive(Debug, Clone, Serialize)]
pub(super) struct FindingView {
    pub(super) rule: String,
    pub(super) title: String,
    pub(super) detail: Vec<String>,
    pub(super) help: String,
}

/// A failed test.
#[derive(Debug, Clone, Serialize)]
pub(super) struct FailureView {
    pub(super) class: String,
    /// Class without its package.
    pub(super) short_class: String,
    /// Empty if set-up or tear-down of the class failed.
    pub(super) method: String,
    pub(super) kind: String,
    pub(super) message: Vec<String>,
    pub(super) trace: Vec<String>,
}

/// Everything that is known of a build.
pub(super) struct Known<'a> {
    pub(super) record: &'a BuildRecord,
    pub(super) stages: &'a [StageRecord],
    pub(super) image: Option<&'a ImageRecord>,
    pub(super) commits: &'a [Commit],
    /// As [`log_lines`] gives them.
    pub(super) log: Vec<String>,
}

impl View {
    pub(super) fn new(known: Known<'_>, links: &Links) -> Self {
        let record = known.record;
        let build = &record.build;
        let mr = &build.merge_request;
        let (failures, more_failures) = record.tests.as_ref().map(failures).unwrap_or_default();
        let last: Vec<_> = known
            .stages
            .iter()
            .filter(|stage| stage.attempt == build.attempt)
            .collect();
        let end = last.iter().find(|stage| stage.state != StageState::Passed);
        let stage = end.filter(|_| build.state != BuildState::Passed);
        let check = record.war_check.as_ref().and_then(CheckView::new);
        let mut finding = build.finding.as_ref().map(FindingView::new);
        if let Some(finding) = &mut finding {
            without_repetition(finding, &failures);
            // The report beside it says all of it.
            if finding.rule == WarCheck::RULE && check.is_some() {
                finding.detail.clear();
            }
        }
        let host = &links.host;
        Self {
            result: build.state.as_str(),
            shout: words::shout(build.state),
            summary: one_line(&words::in_short(record), WIDTH),
            application: known
                .image
                .map_or_else(|| mr.project.name().to_owned(), |image| image.application.clone()),
            project: mr.project.to_string(),
            iid: mr.iid,
            mark: one_line(&mark(mr.iid, &mr.target_branch), 200),
            title: one_line(&mr.title, 200),
            author: one_line(&mr.author.name, 100),
            build: build.id.0,
            url: links.build(build.id),
            merge_request_url: web_address(&mr.url),
            source_branch: one_line(&mr.source_branch, 200),
            target_branch: one_line(&mr.target_branch, 200),
            head: mr.head.to_string(),
            short_head: mr.head.short().to_owned(),
            target_tip: build
                .target_tip
                .as_ref()
                .map(|tip| tip.short().to_owned())
                .unwrap_or_default(),
            commits: known.commits.iter().take(COMMITS).map(CommitView::new).collect(),
            more_commits: known.commits.len().saturating_sub(COMMITS),
            pipeline: build.pipeline.clone(),
            attempts: build.attempt,
            worker: one_line(build.worker.as_deref().unwrap_or_default(), 100),
            took: words::took(record).unwrap_or_default(),
            stages: last.iter().map(|stage| StageView::new(stage)).collect(),
            stage: stage.map(|stage| stage.stage.title().to_owned()).unwrap_or_default(),
            tests: record.tests.as_ref().map(TestsView::new),
            image: known.image.map(ImageView::new),
            finding,
            failures,
            more_failures,
            error: one_line(build.error.as_deref().unwrap_or_default(), 1000),
            remarks: record.remarks.iter().map(FindingView::new).collect(),
            check,
            log: known.log,
            host: host.clone(),
        }
    }
}

/// Lines of a log as they stand in a mail.
pub(super) fn log_lines<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    lines.into_iter().map(shown).collect()
}

fn shown(line: &str) -> String {
    cut(clean(line).trim_end(), WIDTH)
}

fn shown_lines<'a>(texts: impl IntoIterator<Item = &'a String>, most: usize) -> Vec<String> {
    texts
        .into_iter()
        .flat_map(|text| text.lines())
        .take(most)
        .map(shown)
        .collect()
}

/// GitLab's own address of the page; a link that begins otherwise is not one to be clicked.
fn web_address(url: &str) -> String {
    let web = url.starts_with("https://") || url.starts_with("http://");
    if web {
        one_line(url, 1000).replace(' ', "%20")
    } else {
        String::new()
    }
}

fn failures(report: &TestReport) -> (Vec<FailureView>, usize) {
    let shown = report.failures.iter().take(FAILURES).map(FailureView::new).collect();
    (shown, report.failures.len().saturating_sub(FAILURES))
}

/// The finding about red tests lists them as well; beside the list of failures only what is new in it is shown.
fn without_repetition(finding: &mut FindingView, failures: &[FailureView]) {
    if finding.rule == "tests-failed" && !failures.is_empty() {
        finding.detail.retain(|line| {
            !line.starts_with(' ') && !line.starts_with('…') && !failures.iter().any(|f| line.starts_with(&f.class))
        });
    }
}

impl CommitView {
    fn new(commit: &Commit) -> Self {
        Self {
            short: commit.sha.short().to_owned(),
            subject: one_line(&commit.subject, 120),
            author: one_line(&commit.author_name, 80),
        }
    }
}

impl StageView {
    fn new(record: &StageRecord) -> Self {
        let time = record
            .finished_at
            .and_then(|end| (end - record.started_at).to_std().ok());
        Self {
            title: record.stage.title(),
            state: record.state.as_str(),
            note: one_line(record.note.as_deref().unwrap_or_default(), 120),
            time: time.map(words::duration).unwrap_or_default(),
        }
    }
}

impl TestsView {
    fn new(report: &TestReport) -> Self {
        Self {
            summary: words::tests(report),
            run: report.counts.run,
            red: report.counts.failed + report.counts.errors,
            skipped: report.counts.skipped,
            time: words::duration(std::time::Duration::from_millis(report.millis)),
        }
    }
}

impl ImageView {
    fn new(image: &ImageRecord) -> Self {
        Self {
            reference: image.pushed.reference.clone(),
            digest: image.pushed.digest.to_string(),
            pinned: image.pushed.pinned(),
            stack: image.dockerfile.stack.clone(),
            base: image.dockerfile.base_name.clone(),
            war: one_line(&image.war_path, 200),
            war_size: words::size(image.war_bytes),
            exception: image
                .dockerfile
                .exception
                .as_ref()
                .map(|exception| one_line(&exception.to_string(), 500))
                .unwrap_or_default(),
        }
    }
}

impl FindingView {
    fn new(finding: &Finding) -> Self {
        Self {
            rule: finding.rule.clone(),
            title: one_line(&finding.title, 500),
            detail: shown_lines(&finding.detail, DETAIL),
            help: one_line(&finding.help, 1000),
        }
    }
}

impl FailureView {
    fn new(failure: &TestFailure) -> Self {
        let class = one_line(&failure.class, 200);
        Self {
            short_class: class.rsplit('.').next().unwrap_or(&class).to_owned(),
            class,
            method: one_line(&failure.method, 200),
            kind: one_line(&failure.kind, 200),
            message: shown_lines([&failure.message], MESSAGE),
            trace: shown_lines(&failure.trace, TRACE)
                .iter()
                .map(|line| line.trim_start().to_owned())
                .collect(),
        }
    }
}
