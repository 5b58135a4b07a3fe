//! Who, what and why of an image: what its labels say.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::{BuildId, Digest, DockerfileException, ProjectId, ProjectPath, Sha, TestCounts, full_mark};

/// Everything that an image tells of itself, with neither database nor service at hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Name of the application.
    pub application: String,
    /// The image's tag, for example `mr-7-da156088-12` or `main-da156088-12`.
    pub version: String,
    /// The house, from the configuration; may be empty.
    pub vendor: String,
    /// When the image was made. Labels keep whole seconds.
    pub created: DateTime<Utc>,
    /// Address of the repository; credentials in it do not get into a label.
    pub source: String,
    /// Number of the build.
    pub build: BuildId,
    /// Name of the pipeline.
    pub pipeline: String,
    /// State of the pipeline's definition, see `Pipeline::hash`.
    pub pipeline_hash: Digest,
    /// Name of the stack.
    pub stack: String,
    /// Why that stack; empty for an image of an earlier version.
    pub stack_evidence: String,
    /// The merge request.
    pub merge_request: MergeRequestOrigin,
    /// How its unit tests ended.
    pub tests: TestCounts,
    /// What the WAR check found, counted: `2 warnings, 1 waived`. Empty in images that were made before there was one.
    pub findings: String,
    /// The waivers that held, separated by `; `; empty if there were none.
    pub waivers: String,
    /// Digest of the bill of materials that lies beside the image. Nothing in images that were made before there was one.
    pub sbom: Option<Digest>,
    /// The web application.
    pub war: WarOrigin,
    /// Was it started once before it was pushed?
    pub boot_check: bool,
    /// What the image stands on.
    pub base: BaseImage,
    /// Is the Dockerfile hand-written, and who allowed that? Nothing for a generated one.
    #[serde(default)]
    pub exception: Option<DockerfileException>,
    /// The Dockerfile, whole.
    pub dockerfile: String,
}

/// The merge request that an image was made from, or the push to the trunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeRequestOrigin {
    /// Path of the project.
    pub project: ProjectPath,
    /// Number of the project.
    pub project_id: ProjectId,
    /// Number inside the project; `None`: a push to the target branch.
    pub iid: Option<i64>,
    /// Its title.
    pub title: String,
    /// Address of its page.
    pub url: String,
    /// Name of who opened it; the mail address is nobody's business in an image.
    pub author: String,
    /// Login name of who opened it, may be empty.
    pub author_username: String,
    /// Newest commit of its branch.
    pub head: Sha,
    /// Branch that it shall be merged into.
    pub target_branch: String,
    /// Commit of that branch that it was merged with.
    pub target_tip: Sha,
    /// Tree of the merge result: what was built.
    pub merge_tree: Sha,
}

impl MergeRequestOrigin {
    /// What people call it: `shop/basket!7`, or `shop/basket main`.
    pub fn full_mark(&self) -> String {
        full_mark(&self.project, self.iid, &self.target_branch)
    }
}

/// The WAR in an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarOrigin {
    /// Where the build put it, in the project.
    pub path: String,
    /// Its checksum.
    pub sha256: Digest,
}

/// The base of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseImage {
    /// The name that the stack gives, not the mirror's.
    pub name: String,
    /// What that name meant.
    pub digest: Digest,
}

/// About a dozen lines for a terminal.
impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mr = &self.merge_request;
        let mut line = |name: &str, text: String| writeln!(f, "{name:<15}{}", plain(&text));
        let vendor = if self.vendor.is_empty() {
            String::new()
        } else {
            format!(" by {}", self.vendor)
        };
        line("image", format!("{} {}{vendor}", self.application, self.version))?;
        let what = if mr.iid.is_some() { "merge request" } else { "push to" };
        line(what, format!("{}  {}", mr.full_mark(), mr.title))?;
        line("", mr.url.clone())?;
        let login = if mr.author_username.is_empty() {
            String::new()
        } else {
            format!(" (@{})", mr.author_username)
        };
        line("author", format!("{}{login}", mr.author))?;
        line("commit", format!("{} of {}", mr.head, self.source))?;
        if mr.iid.is_some() {
            line("merged into", format!("{} at {}", mr.target_branch, mr.target_tip))?;
        }
        line("tree", mr.merge_tree.to_string())?;
        let tests = self.tests;
        line(
            "tests",
            format!(
                "{} run, {} failed, {} errors, {} skipped",
                tests.run, tests.failed, tests.errors, tests.skipped
            ),
        )?;
        if !self.findings.is_empty() {
            line("WAR check", self.findings.clone())?;
        }
        for waiver in self.waivers.split("; ").filter(|waiver| !waiver.is_empty()) {
            line("", waiver.to_owned())?;
        }
        line("boot check", if self.boot_check { "passed" } else { "none" }.to_owned())?;
        line("WAR", format!("{}  {}", self.war.path, self.war.sha256))?;
        if let Some(sbom) = &self.sbom {
            line("materials", sbom.to_string())?;
        }
        line("base", format!("{}@{}", self.base.name, self.base.digest))?;
        line(
            "built",
            format!(
                "{}, build {}, stack {}, pipeline {} ({})",
                self.created.format("%Y-%m-%d %H:%M:%S UTC"),
                self.build,
                self.stack,
                self.pipeline,
                &self.pipeline_hash.hex()[..12]
            ),
        )?;
        if !self.stack_evidence.is_empty() {
            line("why this stack", self.stack_evidence.clone())?;
        }
        if let Some(exception) = &self.exception {
            line("exception", exception.to_string())?;
        }
        let digest = Digest::of(self.dockerfile.as_bytes());
        write!(
            f,
            "{:<15}{} lines, {digest}",
            "Dockerfile",
            self.dockerfile.lines().count()
        )
    }
}

/// Labels come from whoever made the image: nothing in them may move a terminal's cursor.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
