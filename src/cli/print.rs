//! Builds and tables on a terminal. Whatever comes from outside (titles, messages, names) is stripped of escapes: a
//! merge request's title must not paint over what stands above it.

use std::io::{self, Write};

use chrono::Utc;

use crate::ansi::strip;
use crate::model::WarCheck;
use crate::wire::{BuildDetail, StageRun};

/// Rows below headings, as wide as their widest cell; the last column is not filled up.
pub(super) fn table(out: &mut (impl Write + ?Sized), headings: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| strip(cell).replace('\t', " ")).collect())
        .collect();
    let heading: Vec<String> = headings.iter().map(|text| (*text).to_owned()).collect();
    let all = || std::iter::once(&heading).chain(&rows);
    let width = |column: usize| {
        all()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..headings.len()).map(|column| width(column).unwrap_or(0)).collect();
    for row in all() {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// A text from outside on a line of its own.
pub(super) fn plain(text: &str) -> String {
    strip(text).replace(['\t', '\n'], " ")
}

/// A build: who, what, when, why.
pub(super) fn build(out: &mut impl Write, detail: &BuildDetail) -> io::Result<()> {
    let build = &detail.build;
    let mut lines = Lines { out };
    let state = build.state.as_str().replace('_', " ");
    lines.line("build", &format!("{} {state}", build.id))?;
    lines.line("", &build.url)?;
    let what = if build.iid.is_some() {
        "merge request"
    } else {
        "push to"
    };
    lines.line(what, &format!("{}  {}", build.full_mark(), build.title))?;
    lines.line("", &build.merge_request_url)?;
    let login = match build.author_username.as_str() {
        "" => String::new(),
        username => format!(" (@{username})"),
    };
    lines.line("author", &format!("{}{login}", build.author))?;
    lines.line("commit", &format!("{} of {}", build.head, build.source_branch))?;
    let tip = detail
        .target_tip
        .as_ref()
        .map(|tip| format!(" at {tip}"))
        .unwrap_or_default();
    if build.iid.is_some() {
        lines.line("merged into", &format!("{}{tip}", build.target_branch))?;
    }
    lines.maybe("tree", detail.merge_tree.as_ref().map(ToString::to_string))?;
    for (at, commit) in detail.commits.iter().enumerate() {
        let name = if at == 0 { "commits" } else { "" };
        lines.line(
            name,
            &format!("{} {} ({})", commit.sha.short(), commit.subject, commit.author),
        )?;
    }
    let began = match &detail.requested_by {
        Some(who) => format!("{} ({who})", build.trigger.as_str()),
        None => build.trigger.as_str().to_owned(),
    };
    lines.line(
        "begun by",
        &format!("{began}, {}", build.created_at.format("%Y-%m-%d %H:%M:%S UTC")),
    )?;
    lines.maybe("approved by", detail.approved_by.clone())?;
    lines.maybe("ended by", detail.ended_by.clone())?;
    let worker = detail
        .worker
        .as_deref()
        .map(|worker| format!(" on {worker}"))
        .unwrap_or_default();
    lines.line(
        "pipeline",
        &format!("{}, attempt {}{worker}", build.pipeline, build.attempt),
    )?;
    for run in &build.stages {
        lines.line(run.stage.as_str(), &stage(run))?;
    }
    if let Some(tests) = &detail.tests {
        let counts = tests.counts;
        lines.line(
            "tests",
            &format!(
                "{} run, {} failed, {} errors, {} skipped",
                counts.run, counts.failed, counts.errors, counts.skipped
            ),
        )?;
        for failure in &tests.failures {
            let message = failure.message.lines().next().unwrap_or_default();
            lines.line("", &format!("{}.{}: {message}", failure.class, failure.method))?;
        }
    }
    if let Some(image) = &detail.image {
        lines.line("image", &image.reference)?;
        lines.line("digest", image.digest.as_str())?;
        lines.line(
            "stack",
            &format!("{} on {}@{}", image.stack, image.base_name, image.base_digest),
        )?;
        lines.line(
            "WAR",
            &format!("{} ({} bytes) {}", image.war_path, image.war_bytes, image.war_sha256),
        )?;
        lines.line("servlet", &format!("{}: {}", image.servlet, image.servlet_evidence))?;
        lines.line(
            "Dockerfile",
            &format!(
                "{} lines, {}",
                image.dockerfile.lines().count(),
                image.dockerfile_sha256
            ),
        )?;
        lines.maybe("exception", image.exception.as_ref().map(ToString::to_string))?;
        lines.line("pushed", &image.pushed_at.format("%Y-%m-%d %H:%M:%S UTC").to_string())?;
    }
    for (at, choice) in detail.choices.iter().enumerate() {
        lines.line(if at == 0 { "choices" } else { "" }, &choice.to_string())?;
    }
    if let Some(finding) = &detail.finding {
        lines.line("finding", &finding.title)?;
        // The report of the WAR check follows, whole.
        let told_below = finding.rule == WarCheck::RULE && detail.war_check.is_some();
        for line in finding.detail.iter().filter(|_| !told_below) {
            lines.line("", line)?;
        }
        lines.line("what to do", &finding.help)?;
    }
    for remark in &detail.remarks {
        lines.line("remark", &format!("{} {}", remark.title, remark.help))?;
    }
    if let Some(check) = &detail.war_check {
        lines.line("WAR check", &check.summary())?;
        for line in check.lines() {
            lines.line("", &line)?;
        }
    }
    lines.maybe("error", detail.error.clone())?;
    for mail in &detail.mails {
        let what = match (&mail.refused, mail.sent) {
            (Some(refused), _) => format!("refused: {refused}"),
            (None, true) => "sent".to_owned(),
            (None, false) => "not yet sent".to_owned(),
        };
        lines.line("mail", &format!("{} {what}", mail.recipient))?;
    }
    for one in &detail.untaken {
        lines.line("GitLab", &format!("does not take {}: {}", one.what, one.why))?;
    }
    Ok(())
}

/// What the WAR check found, alone.
pub(super) fn findings(out: &mut impl Write, check: &WarCheck) -> io::Result<()> {
    writeln!(out, "{}", check.summary())?;
    for line in check.lines() {
        writeln!(out, "{}", strip(&line))?;
    }
    Ok(())
}

fn stage(run: &StageRun) -> String {
    let time = run.millis(Utc::now()) as f64 / 1000.0;
    let note = run.note.as_deref().unwrap_or_default();
    format!("{:<9} {time:>6.1} s  {note}", run.state.as_str())
}

/// Lines of a name and a value.
pub(super) struct Lines<'a, W: ?Sized> {
    pub(super) out: &'a mut W,
}

impl<W: Write + ?Sized> Lines<'_, W> {
    pub(super) fn line(&mut self, name: &str, value: &str) -> io::Result<()> {
        let value = strip(value).replace('\n', " ");
        writeln!(self.out, "{}", format!("{name:<15}{value}").trim_end())
    }

    /// Values of one name, a line each; nothing if there are none.
    pub(super) fn list(&mut self, name: &str, values: &[String]) -> io::Result<()> {
        for (at, value) in values.iter().enumerate() {
            self.line(if at == 0 { name } else { "" }, value)?;
        }
        Ok(())
    }

    fn maybe(&mut self, name: &str, value: Option<String>) -> io::Result<()> {
        value.map_or(Ok(()), |value| self.line(name, &value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_fit_and_escapes_do_not_pass() {
        let mut out = Vec::new();
        let rows = [
            vec!["7".to_owned(), "shop/basket".to_owned(), "A \x1b[2Jtitle".to_owned()],
            vec!["12".to_owned(), "b/c".to_owned(), String::new()],
        ];
        table(&mut out, &["build", "project", "title"], &rows).expect("memory");
        let text = String::from_utf8(out).expect("a text");
        assert_eq!(
            text,
            "build  project      title\n7      shop/basket  A title\n12     b/c\n"
        );
    }

    #[test]
    fn a_report_has_each_rule_once_and_its_places_below() {
        let report = |rule: &crate::model::Rule| crate::model::RuleReport {
            rule: rule.id.to_owned(),
            severity: rule.severity,
            title: rule.title.to_owned(),
            why: rule.why.to_owned(),
            mend: rule.mend.to_owned(),
            count: 2,
            places: vec![crate::model::Place {
                path: "WEB-INF/\x1b[2Jx".to_owned(),
                what: "what".to_owned(),
            }],
            waived: Vec::new(),
            expired: Vec::new(),
        };
        let all = crate::model::rule::RULES;
        let check = WarCheck {
            rules: all.iter().map(|rule| report(rule)).collect(),
        };
        let mut out = Vec::new();
        findings(&mut out, &check).expect("memory");
        let text = String::from_utf8(out).expect("a text");
        assert!(
            text.starts_with("5 errors, 18 warnings\nERROR class-version (2): Classes are newer"),
            "{text}"
        );
        for rule in all {
            assert_eq!(text.matches(&format!(" {} (2): ", rule.id)).count(), 1, "{text}");
        }
        assert_eq!(
            text.matches("\n  WEB-INF/x: what\n  … and 1 more\n  Why: ").count(),
            all.len(),
            "{text}"
        );
    }
}
