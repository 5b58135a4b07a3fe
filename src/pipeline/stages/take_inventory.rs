//! Beside packaging: which libraries are in the WAR, is one of them banned, what is known to be wrong with them.

use std::path::PathBuf;

use tokio::task::JoinHandle;

use crate::advisories::{self, Vulnerable};
use crate::definition::Ban;
use crate::model::{Finding, Level, War};
use crate::pipeline::{Run, StageError};
use crate::sbom::{self, Entry, Limits, Sbom, SbomError};
use crate::store::builds;

/// Lines of evidence in a finding.
const LISTED: usize = 100;

/// Looking into the WAR, on a thread of its own: it takes as long as the other checks of the WAR.
pub(super) struct Inventory(JoinHandle<Result<Vec<Entry>, SbomError>>);

impl Inventory {
    /// Begins to look.
    pub(super) fn begin(run: &Run, file: PathBuf) -> Self {
        let scratch = run.workspace.results();
        Self(tokio::task::spawn_blocking(move || {
            sbom::read(&file, &scratch, Limits::default())
        }))
    }

    /// What there is; a banned library fails the build, known vulnerabilities do if the pipeline says so.
    pub(super) async fn end(self, run: &Run, war: &War) -> Result<Sbom, StageError> {
        let found = self.0.await;
        let found =
            found.map_err(|error| StageError::world(format!("looking for libraries in the WAR broke: {error}")))?;
        let entries = found.map_err(|error| match error {
            SbomError::Broken(why) => StageError::from(Finding::new(
                "war-broken",
                format!("{} {why}", war.path),
                "Unpack it on your desk (jar tf …) and look at the jars in WEB-INF/lib.",
            )),
            error @ SbomError::Io { .. } => StageError::world(format!("the worker's disk: {error}")),
        })?;
        let sbom = Sbom::new(war, entries);
        tell(run, &sbom);
        if let Some(finding) = banned(&sbom, &run.pipeline.bans) {
            return Err(finding.into());
        }
        let known = advisories::vulnerable(&run.parts.pool, &sbom.components()).await?;
        let Some((finding, worst)) = vulnerable(&sbom, &known) else {
            return Ok(sbom);
        };
        run.say(&format!("NOTE: {}", finding.title));
        for line in &finding.detail {
            run.say(&format!("      {line}"));
        }
        if run.pipeline.fail_from.is_some_and(|from| worst >= from) {
            return Err(finding.into());
        }
        let held = builds::add_remarks(&run.parts.pool, &run.claim, run.build.id, &[finding]).await?;
        if held { Ok(sbom) } else { Err(StageError::Stopped) }
    }
}

fn tell(run: &Run, sbom: &Sbom) {
    run.say(&format!(
        "{} libraries in the bill of materials",
        sbom.components().len()
    ));
    for entry in sbom.entries.iter().filter(|entry| entry.note.is_some()).take(LISTED) {
        run.say(&format!(
            "{}: {}",
            entry.path,
            entry.note.as_deref().unwrap_or_default()
        ));
    }
}

fn banned(sbom: &Sbom, bans: &[Ban]) -> Option<Finding> {
    let hits: Vec<(&Entry, &Ban)> = sbom
        .entries
        .iter()
        .filter_map(|entry| Some((entry, bans.iter().find(|ban| ban.library.selects(&entry.component))?)))
        .collect();
    let (first, _) = hits.first()?;
    let title = match hits.len() {
        1 => format!("{} is not allowed in this house", first.component.name()),
        count => format!(
            "{count} libraries are not allowed in this house, {} among them",
            first.component.name()
        ),
    };
    let line = |(entry, ban): &(&Entry, &Ban)| {
        format!(
            "{} ({}), banned as {}: {}",
            entry.component.name(),
            entry.path,
            ban.library,
            ban.reason
        )
    };
    Some(
        Finding::new(
            "banned-library",
            title,
            "`mvn dependency:tree` shows what brings a library in: give it another version in <dependencyManagement>, or exclude it.",
        )
        .with_detail(some(hits.iter().map(line).collect())),
    )
}

/// One finding for all, and the worst level.
fn vulnerable(sbom: &Sbom, known: &[Vulnerable]) -> Option<(Finding, Level)> {
    // One whose level nobody has told may be anything.
    let worst = known.iter().map(|one| one.level.unwrap_or(Level::Medium)).max()?;
    let mut libraries: Vec<_> = known.iter().map(|one| &one.component).collect();
    libraries.sort();
    libraries.dedup();
    let what = match (libraries.len(), known.len()) {
        (1, 1) => format!("{} has a known vulnerability", libraries[0].name()),
        (1, count) => format!("{} has {count} known vulnerabilities", libraries[0].name()),
        (libraries, count) => format!("{libraries} libraries have {count} known vulnerabilities"),
    };
    let line = |one: &Vulnerable| {
        let place = sbom.entries.iter().find(|entry| entry.component == one.component);
        let place = place.map(|entry| entry.path.as_str()).unwrap_or_default();
        let mended = match &one.fixed_in {
            Some(version) => format!("mended in {version}"),
            None => "not mended in any version".to_owned(),
        };
        let summary = match one.summary.as_str() {
            "" => String::new(),
            summary => format!(" {summary};"),
        };
        format!("{} ({place}): {};{summary} {mended}", one.component.name(), one.name)
    };
    let finding = Finding::new(
        "known-vulnerability",
        format!("{what}, {worst} at worst"),
        "Take the version in which it is mended: in the pom, or in <dependencyManagement> if another library brings it in (`mvn dependency:tree`).",
    )
    .with_detail(some(known.iter().map(line).collect()));
    Some((finding, worst))
}

fn some(mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(LISTED);
    lines.truncate(LISTED);
    if more > 0 {
        lines.push(format!("… and {more} more"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Component, Digest};
    use crate::sbom::Evidence;

    fn sbom(libraries: &[(&str, &str)]) -> Sbom {
        let entry = |(name, version): &(&str, &str)| {
            let (group, artifact) = name.split_once(':').expect("group:artifact");
            Entry {
                path: format!("WEB-INF/lib/{artifact}.jar"),
                component: Component {
                    group: group.to_owned(),
                    artifact: artifact.to_owned(),
                    version: (*version).to_owned(),
                    package: String::new(),
                },
                evidence: Evidence::PomProperties,
                sha256: String::new(),
                sha1: String::new(),
                note: None,
            }
        };
        Sbom {
            name: "shop.war".to_owned(),
            war: Digest::of(b""),
            entries: libraries.iter().map(entry).collect(),
        }
    }

    fn ban(library: &str) -> Ban {
        Ban {
            library: library.parse().expect("a selector"),
            reason: "Take a newer one.".to_owned(),
        }
    }

    #[test]
    fn a_ban_names_library_place_and_reason() {
        let bans = [ban("org.apache.logging.log4j:log4j-core<2.17.1"), ban("log4j:log4j")];
        let core = "org.apache.logging.log4j:log4j-core";
        assert_eq!(banned(&sbom(&[(core, "2.17.1"), ("a:b", "1")]), &bans), None);
        let finding = banned(&sbom(&[(core, "2.17.0")]), &bans).expect("banned");
        assert_eq!(finding.rule, "banned-library");
        assert_eq!(finding.title, format!("{core}:2.17.0 is not allowed in this house"));
        assert_eq!(
            finding.detail,
            [format!(
                "{core}:2.17.0 (WEB-INF/lib/log4j-core.jar), banned as {core}<2.17.1: Take a newer one."
            )]
        );
        let two = banned(&sbom(&[(core, "2.0"), ("log4j:log4j", "1.2.17")]), &bans).expect("banned");
        assert!(two.title.starts_with("2 libraries") && two.detail.len() == 2, "{two:?}");
    }

    #[test]
    fn vulnerabilities_are_one_remark_with_the_worst_level() {
        let sbom = sbom(&[("a:b", "1")]);
        let known = |name: &str, level, fixed_in: Option<&str>| Vulnerable {
            component: sbom.entries[0].component.clone(),
            name: name.to_owned(),
            level,
            summary: "It is bad".to_owned(),
            fixed_in: fixed_in.map(str::to_owned),
        };
        assert_eq!(vulnerable(&sbom, &[]), None);
        let (finding, worst) = vulnerable(&sbom, &[known("X-1", Some(Level::Low), Some("2"))]).expect("one");
        assert_eq!(
            (finding.title.as_str(), worst),
            ("a:b:1 has a known vulnerability, low at worst", Level::Low)
        );
        assert_eq!(
            finding.detail,
            ["a:b:1 (WEB-INF/lib/b.jar): X-1; It is bad; mended in 2"]
        );
        let two = [known("X-1", Some(Level::Low), Some("2")), known("X-2", None, None)];
        let (finding, worst) = vulnerable(&sbom, &two).expect("two");
        assert_eq!(worst, Level::Medium);
        assert!(finding.detail[1].ends_with("not mended in any version"), "{finding:?}");
    }
}
