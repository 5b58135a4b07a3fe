//! The mail about a build: rendered from the record when it is sent.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::path::Path;

use rust_embed::RustEmbed;
use serde_json::{Value, json};
use tera::Tera;

use super::outbox::{host_of, thread_id};
use super::{Notifier, NotifyError, words};
use crate::clients::mailer::Mail;
use crate::model::{BuildId, BuildState, StageState};
use crate::store::builds::BuildRecord;
use crate::store::{builds, images, logs, notices, stages};
use crate::{ansi, build_log};

/// Lines of the log that a mail about a red build ends with.
const LOG_LINES: usize = 50;
/// Failed tests that are shown with their messages.
const FAILURES: usize = 20;

/// The shipped `templates/email/`.
#[derive(RustEmbed)]
#[folder = "templates/email/"]
struct Shipped;

/// The three templates of a mail: `build.subject.tera`, `build.txt.tera`, `build.html.tera`.
#[derive(Debug, Clone)]
pub struct MailTemplates {
    tera: Tera,
}

impl MailTemplates {
    /// The shipped templates; a file of the same name in `directory` takes a shipped one's place. Each is tried with
    /// made-up values.
    ///
    /// # Errors
    /// A file that cannot be read, a mistake in a template.
    pub fn load(directory: Option<&Path>) -> Result<Self, NotifyError> {
        let mut texts = BTreeMap::new();
        for name in Shipped::iter().filter(|name| name.ends_with(".tera")) {
            if let Some(file) = Shipped::get(&name) {
                texts.insert(name.to_string(), String::from_utf8_lossy(&file.data).into_owned());
            }
        }
        if let Some(directory) = directory.filter(|directory| directory.exists()) {
            let wrong = |error: std::io::Error| NotifyError::Template(format!("{}: {error}", directory.display()));
            for entry in std::fs::read_dir(directory).map_err(wrong)? {
                let path = entry.map_err(wrong)?.path();
                if let Some(name) = path
                    .file_name()
                    .and_then(|name| name.to_str())
                    .filter(|name| name.ends_with(".tera"))
                {
                    texts.insert(name.to_owned(), std::fs::read_to_string(&path).map_err(wrong)?);
                }
            }
        }
        let mut tera = Tera::new();
        tera.autoescape_on([".html.tera"]);
        tera.add_raw_templates(texts)
            .map_err(|error| NotifyError::Template(chain(&error)))?;
        let templates = Self { tera };
        for result in ["passed", "failed", "errored"] {
            templates.render(&sample(result))?;
        }
        Ok(templates)
    }

    /// Subject, text and HTML.
    fn render(&self, values: &Value) -> Result<(String, String, String), NotifyError> {
        let context = tera::Context::from_serialize(values).map_err(|error| NotifyError::Template(chain(&error)))?;
        let one = |name: &str| {
            self.tera
                .render(name, &context)
                .map_err(|error| NotifyError::Template(format!("{name}: {}", chain(&error))))
        };
        let subject = one("build.subject.tera")?
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        Ok((subject, one("build.txt.tera")?, one("build.html.tera")?))
    }
}

fn chain(error: &tera::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

impl Notifier {
    pub(super) async fn send_mail(&self, id: i64) -> Result<(), NotifyError> {
        let Some(row) = notices::unsent_mail(&self.pool, id).await? else {
            return Ok(());
        };
        let Some(record) = builds::get(&self.pool, row.build).await? else {
            return Ok(());
        };
        let values = self.values(&record).await?;
        let (subject, text, html) = self.templates.render(&values)?;
        let host = host_of(&self.public_url);
        let mr = &record.build.merge_request;
        let mail = Mail {
            to: row.recipient,
            subject,
            text,
            html,
            message_id: row.message_id,
            thread: Some(thread_id(mr, &host)),
            headers: vec![
                (
                    "List-Id",
                    format!("<{}.seaworthy.{host}>", mr.project.as_str().replace('/', ".")),
                ),
                ("X-Seaworthy-Build", record.build.id.to_string()),
                ("X-Seaworthy-Result", record.build.state.as_str().to_owned()),
            ],
        };
        let refused = match self.mailer.send(&mail).await {
            Ok(()) => None,
            Err(error) if error.is_transient() => return Err(error.into()),
            Err(error) => {
                tracing::warn!(mail = id, to = mail.to, %error, "the mail is refused for good");
                Some(error.to_string())
            }
        };
        notices::mail_done(&self.pool, id, refused.as_deref()).await?;
        Ok(())
    }

    /// Everything that the templates may use.
    async fn values(&self, record: &BuildRecord) -> Result<Value, NotifyError> {
        let build = &record.build;
        let id = build.id;
        let image = images::of_build(&self.pool, id).await?;
        let all_stages = stages::of_build(&self.pool, id).await?;
        let last: Vec<_> = all_stages
            .iter()
            .filter(|stage| stage.attempt == build.attempt)
            .collect();
        let stage_rows: Vec<Value> = last
            .iter()
            .map(|stage| {
                let time = stage.finished_at.and_then(|end| (end - stage.started_at).to_std().ok());
                json!({
                    "title": stage.stage.title(),
                    "state": stage.state.as_str(),
                    "note": stage.note.clone().unwrap_or_default(),
                    "time": time.map(words::duration).unwrap_or_default(),
                })
            })
            .collect();
        let at = last
            .iter()
            .find(|stage| !matches!(stage.state, StageState::Passed))
            .map(|stage| stage.stage.title());
        let log = if build.state == BuildState::Passed {
            Vec::new()
        } else {
            self.last_lines(id).await?
        };
        let failures: Vec<Value> = record
            .tests
            .iter()
            .flat_map(|tests| &tests.failures)
            .take(FAILURES)
            .map(|failure| {
                json!({
                    "class": failure.class,
                    "method": failure.method,
                    "kind": failure.kind,
                    "message": ansi::strip(&failure.message),
                    "trace": failure.trace.iter().take(8).collect::<Vec<_>>(),
                })
            })
            .collect();
        let red = record.tests.as_ref().map_or(0, |tests| tests.failures.len());
        let mr = &build.merge_request;
        Ok(json!({
            "result": build.state.as_str(),
            "shout": words::shout(build.state),
            "application": mr.project.name(),
            "project": mr.project.as_str(),
            "iid": mr.iid,
            "title": mr.title,
            "mr_url": mr.url,
            "author": mr.author.name,
            "build": id.0,
            "url": format!("{}/builds/{id}", self.public_url),
            "head": mr.head.as_str(),
            "short": mr.head.short(),
            "source_branch": mr.source_branch,
            "target_branch": mr.target_branch,
            "target_tip": build.target_tip.as_ref().map(|tip| tip.short()).unwrap_or_default(),
            "tests": record.tests.as_ref().map(words::tests).unwrap_or_default(),
            "took": words::took(record).unwrap_or_default(),
            "attempts": build.attempt,
            "stage": at.unwrap_or_default(),
            "stages": stage_rows,
            "finding": finding(build.finding.as_ref()),
            "error": build.error.clone().unwrap_or_default(),
            "remarks": record.remarks.iter().map(|remark| finding(Some(remark))).collect::<Vec<_>>(),
            "failures": failures,
            "more_failures": red.saturating_sub(FAILURES),
            "image": image.as_ref().map(|image| image.pushed.reference.clone()).unwrap_or_default(),
            "digest": image.as_ref().map(|image| image.pushed.digest.to_string()).unwrap_or_default(),
            "pinned": image.as_ref().map(|image| image.pushed.pinned()).unwrap_or_default(),
            "stack": image.as_ref().map(|image| image.dockerfile.stack.clone()).unwrap_or_default(),
            "base": image.as_ref().map(|image| image.dockerfile.base_name.clone()).unwrap_or_default(),
            "log": log,
        }))
    }

    /// The last lines of the log, without colours.
    async fn last_lines(&self, id: BuildId) -> Result<Vec<String>, NotifyError> {
        let outline = logs::outline(&self.pool, id).await?;
        let after = outline.last().map_or(0, |chunk| chunk.last_seq - LOG_LINES as i64);
        let mut lines = Vec::new();
        for chunk in logs::read(&self.pool, id, after, i64::MAX).await? {
            let entries = build_log::decode(&chunk).map_err(sqlx::Error::Io)?;
            for entry in entries {
                if let build_log::Entry::Line(line) = entry {
                    lines.push(ansi::strip(&line.text).into_owned());
                }
            }
        }
        Ok(lines.split_off(lines.len().saturating_sub(LOG_LINES)))
    }
}

fn finding(finding: Option<&crate::model::Finding>) -> Value {
    match finding {
        Some(finding) => json!({
            "rule": finding.rule,
            "title": finding.title,
            "detail": finding.detail.iter().take(100).collect::<Vec<_>>(),
            "help": finding.help,
        }),
        None => json!({ "rule": "", "title": "", "detail": [], "help": "" }),
    }
}

/// Values of a made-up build, with every field that a real one has.
fn sample(result: &str) -> Value {
    json!({
        "result": result, "shout": result.to_uppercase(), "application": "basket", "project": "shop/basket", "iid": 7,
        "title": "Add a discount", "mr_url": "https://gitlab.example.com/shop/basket/-/merge_requests/7",
        "author": "Ada Example", "build": 12, "url": "https://ci.example.com/builds/12",
        "head": "da1560886d4f094c3e6c9ef40349f7d38b5d27d7", "short": "da156088", "source_branch": "discount",
        "target_branch": "main", "target_tip": "0a1b2c3d", "tests": "14 tests, 1 skipped", "took": "42.0 s", "attempts": 1,
        "stage": "Unit test",
        "stages": [{ "title": "Checkout", "state": "passed", "note": "16 files", "time": "0.4 s" }],
        "finding": { "rule": "tests-failed", "title": "1 of 14 tests failed", "detail": ["a"], "help": "Mend it." },
        "error": "the registry does not answer", "remarks": [{ "rule": "r", "title": "t", "detail": [], "help": "h" }],
        "failures": [{ "class": "a.B", "method": "c", "kind": "AssertionError", "message": "m", "trace": ["at a.B.c"] }],
        "more_failures": 3, "image": "registry.example.com/qa/basket:mr-7-da156088-12", "digest": "sha256:00",
        "pinned": "registry.example.com/qa/basket@sha256:00", "stack": "tomcat10", "base": "tomcat:10.1",
        "log": ["one", "two"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_texts_stay_texts() {
        let templates = MailTemplates::load(None).expect("the shipped templates are right");
        let mut values = sample("failed");
        values["title"] = json!("<script>alert(1)</script>\r\nBcc: evil@example.com");
        values["failures"][0]["message"] = json!("expected <1> but was <2> & more");
        values["log"] = json!(["<img src=x>"]);
        let (subject, text, html) = templates.render(&values).expect("rendered");
        assert!(
            !subject.contains('\n') && subject.starts_with("FAILED basket !7"),
            "{subject:?}"
        );
        assert!(text.contains("expected <1> but was <2> & more"), "{text}");
        assert!(!html.contains("<script>") && !html.contains("<img"), "{html}");
        assert!(html.contains("&lt;script&gt;"), "{html}");
    }

    #[test]
    fn each_result_says_what_counts() {
        let templates = MailTemplates::load(None).expect("the shipped templates are right");
        let (_, passed, _) = templates.render(&sample("passed")).expect("rendered");
        assert!(
            passed.contains("registry.example.com/qa/basket@sha256:00") && !passed.contains("Last lines"),
            "{passed}"
        );
        let (_, failed, _) = templates.render(&sample("failed")).expect("rendered");
        assert!(
            failed.contains("Unit test") && failed.contains("a.B.c") && failed.contains("Mend it."),
            "{failed}"
        );
        let (_, errored, _) = templates.render(&sample("errored")).expect("rendered");
        assert!(
            errored.contains("not the project's fault") && errored.contains("does not answer"),
            "{errored}"
        );
    }
}
