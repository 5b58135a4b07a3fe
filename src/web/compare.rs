//! What changes from one image to another: commits, libraries, Dockerfile, labels, layers, findings.

use std::collections::{BTreeMap, BTreeSet};

use similar::TextDiff;
use sqlx::PgConnection;

use super::error::{Error, Result};
use super::people::{Caller, see};
use super::promoting::find;
use super::state::AppState;
use crate::gates::{Candidate, Finding, open_findings};
use crate::model::{BuildId, Component, ImageLayer, ProjectPath};
use crate::store::images::ImageRecord;
use crate::store::{builds, components, images, trunk};
use crate::wire::{BroughtCommit, Diff, FindingChange, LabelChange, LayerChange, LayerDiff, LibraryChange, Side};

/// Commits that are told at most.
const MOST_COMMITS: usize = 500;

/// Labels that differ between any two images: they say when and by whom, or repeat what is compared by itself.
const RESTLESS: [&str; 6] = [
    "org.opencontainers.image.created",
    "org.opencontainers.image.version",
    "org.opencontainers.image.revision",
    "dev.seaworthy.build",
    "dev.seaworthy.worker",
    "dev.seaworthy.dockerfile",
];

/// Compares two images, each named by digest, reference or build.
pub(super) async fn diff(state: &AppState, caller: &Caller, from: &str, to: &str) -> Result<Diff> {
    let mut db = state.pool.acquire().await?;
    let (from, to) = (find(&mut db, from).await?, find(&mut db, to).await?);
    see(caller, &from.project)?;
    see(caller, &to.project)?;
    let (old, new) = (image(&mut db, &from).await?, image(&mut db, &to).await?);
    let libraries = libraries(
        &components::of_image(&mut *db, from.build).await?,
        &components::of_image(&mut *db, to.build).await?,
    );
    let mut brought = trunk::builds_between(&mut *db, Some(from.build), to.build).await?;
    brought.push(to.build);
    brought.sort();
    let mut commits = Vec::new();
    for build in brought.into_iter().rev() {
        commits.extend(commits_of(state, &mut db, build, &to.project).await?);
    }
    let mut seen = BTreeSet::new();
    commits.retain(|commit: &BroughtCommit| seen.insert(commit.sha.as_str().to_owned()));
    commits.truncate(MOST_COMMITS);
    let findings = findings(
        &open_findings(&mut db, &state.definitions, &from).await?,
        &open_findings(&mut db, &state.definitions, &to).await?,
    );
    let dockerfile = TextDiff::from_lines(&old.dockerfile.text, &new.dockerfile.text)
        .unified_diff()
        .header(&from.image.digest.to_string(), &to.image.digest.to_string())
        .to_string();
    Ok(Diff {
        commits,
        libraries,
        labels: labels(&old.dockerfile.labels, &new.dockerfile.labels),
        dockerfile,
        layers: old
            .layers
            .as_deref()
            .zip(new.layers.as_deref())
            .map(|(from, to)| layers(from, to)),
        findings,
        from: side(from, &old),
        to: side(to, &new),
    })
}

async fn image(db: &mut PgConnection, candidate: &Candidate) -> Result<ImageRecord> {
    images::of_build(&mut *db, candidate.build)
        .await?
        .ok_or_else(|| Error::Internal(format!("the image of build {} is gone", candidate.build)))
}

fn side(candidate: Candidate, image: &ImageRecord) -> Side {
    Side {
        digest: candidate.image.digest,
        project: candidate.project,
        build: candidate.build,
        head: candidate.head,
        base: format!("{}@{}", image.dockerfile.base_name, image.dockerfile.base_digest),
        war_bytes: image.war_bytes,
        pushed_at: image.pushed_at,
    }
}

async fn commits_of(
    state: &AppState,
    db: &mut PgConnection,
    build: BuildId,
    project: &ProjectPath,
) -> Result<Vec<BroughtCommit>> {
    let gitlab = state.config.gitlab.url.trim_end_matches('/');
    let commits = builds::commits(&mut *db, build).await?;
    Ok(commits
        .into_iter()
        .map(|commit| BroughtCommit {
            url: format!("{gitlab}/{project}/-/commit/{}", commit.sha),
            sha: commit.sha,
            subject: commit.subject,
            author: commit.author_name,
            build,
        })
        .collect())
}

/// `group:artifact`, or what is known of a jar that says no group.
fn name(component: &Component) -> String {
    match (component.group.as_str(), component.package.as_str()) {
        ("", "") => component.artifact.clone(),
        ("", package) => format!("{} ({package})", component.artifact),
        (group, _) => format!("{group}:{}", component.artifact),
    }
}

fn libraries(from: &[Component], to: &[Component]) -> Vec<LibraryChange> {
    let versions = |components: &[Component]| {
        let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for component in components {
            all.entry(name(component))
                .or_default()
                .insert(component.version.clone());
        }
        all
    };
    let (from, to) = (versions(from), versions(to));
    let names: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    names
        .into_iter()
        .filter(|name| from.get(*name) != to.get(*name))
        .map(|name| LibraryChange {
            name: name.clone(),
            from: from.get(name).into_iter().flatten().cloned().collect(),
            to: to.get(name).into_iter().flatten().cloned().collect(),
        })
        .collect()
}

fn labels(from: &BTreeMap<String, String>, to: &BTreeMap<String, String>) -> Vec<LabelChange> {
    let names: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    names
        .into_iter()
        .filter(|name| from.get(*name) != to.get(*name))
        .filter(|name| !RESTLESS.iter().any(|restless| name.starts_with(restless)))
        .map(|name| LabelChange {
            name: name.clone(),
            from: from.get(name).cloned(),
            to: to.get(name).cloned(),
        })
        .collect()
}

fn layers(from: &[ImageLayer], to: &[ImageLayer]) -> LayerDiff {
    // An image may name one blob twice; it is stored and sent once.
    let once = |layers: &[ImageLayer]| {
        let mut seen = BTreeSet::new();
        let first = layers.iter().filter(|layer| seen.insert(layer.digest.clone())).cloned();
        first.collect::<Vec<_>>()
    };
    let (from, to) = (once(from), once(to));
    let has = |layers: &[ImageLayer], layer: &ImageLayer| layers.iter().any(|other| other.digest == layer.digest);
    let (shared, came): (Vec<_>, Vec<_>) = to.iter().cloned().partition(|layer| has(&from, layer));
    let went = from.iter().filter(|layer| !has(&to, layer)).cloned();
    let change = |layer: ImageLayer, new| LayerChange {
        digest: layer.digest,
        bytes: layer.bytes,
        made_by: layer.made_by,
        new,
    };
    LayerDiff {
        shared: shared.len(),
        shared_bytes: shared.iter().map(|layer| layer.bytes).sum(),
        changes: went
            .map(|layer| change(layer, false))
            .chain(came.into_iter().map(|layer| change(layer, true)))
            .collect(),
    }
}

fn findings(from: &[Finding], to: &[Finding]) -> Vec<FindingChange> {
    let change = |finding: &Finding, new| FindingChange {
        name: finding.name.clone(),
        level: finding.level,
        new,
    };
    let came = to
        .iter()
        .filter(|finding| !from.contains(finding))
        .map(|finding| change(finding, true));
    let went = from
        .iter()
        .filter(|finding| !to.contains(finding))
        .map(|finding| change(finding, false));
    let mut changes: Vec<FindingChange> = came.chain(went).collect();
    changes.sort_by(|a, b| b.level.cmp(&a.level).then_with(|| a.name.cmp(&b.name)));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library(group: &str, artifact: &str, version: &str) -> Component {
        Component {
            group: group.to_owned(),
            artifact: artifact.to_owned(),
            version: version.to_owned(),
            package: String::new(),
        }
    }

    #[test]
    fn a_layer_is_counted_once_and_told_where_it_differs() {
        let layer = |name: &str, bytes| ImageLayer {
            digest: crate::model::Digest::of(name.as_bytes()),
            bytes,
            made_by: format!("COPY {name}"),
        };
        let (base, jars, old, new) = (layer("base", 100), layer("jars", 60), layer("old", 5), layer("new", 6));
        let diff = layers(
            &[base.clone(), jars.clone(), jars.clone(), old],
            &[base, jars.clone(), new.clone(), jars, new],
        );
        assert_eq!((diff.shared, diff.shared_bytes), (2, 160));
        let told: Vec<_> = diff
            .changes
            .iter()
            .map(|change| (change.made_by.as_str(), change.bytes, change.new))
            .collect();
        assert_eq!(told, [("COPY old", 5, false), ("COPY new", 6, true)]);
    }

    #[test]
    fn what_stays_is_not_told() {
        let from = [
            library("a", "stays", "1"),
            library("a", "grows", "1"),
            library("a", "goes", "1"),
            library("b", "two", "1"),
        ];
        let to = [
            library("a", "stays", "1"),
            library("a", "grows", "2"),
            library("", "comes", "1"),
            library("b", "two", "1"),
            library("b", "two", "2"),
        ];
        let changes: Vec<(String, String, String)> = libraries(&from, &to)
            .into_iter()
            .map(|change| (change.name, change.from.join(" "), change.to.join(" ")))
            .collect();
        let expected = [
            ("a:goes", "1", ""),
            ("a:grows", "1", "2"),
            ("b:two", "1", "1 2"),
            ("comes", "", "1"),
        ];
        assert_eq!(
            changes,
            expected.map(|(name, from, to)| (name.to_owned(), from.to_owned(), to.to_owned()))
        );
        let text = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect()
        };
        let old = text(&[
            ("org.opencontainers.image.created", "1"),
            ("dev.seaworthy.stack", "tomcat9"),
        ]);
        let new = text(&[
            ("org.opencontainers.image.created", "2"),
            ("dev.seaworthy.stack", "tomcat10"),
        ]);
        let changes = labels(&old, &new);
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].name, "dev.seaworthy.stack");
    }
}
