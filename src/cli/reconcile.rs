//! `seaworthy images reconcile`: what a registry really holds, beside what is recorded.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::assembly;
use crate::clients::certificates::Certificates;
use crate::clients::registry::Registry;
use crate::config::Config;
use crate::definition::FIRST;
use crate::store::{self, images, placements};

/// Questions that a registry is asked at once.
const AT_ONCE: usize = 16;

/// What is recorded of one registry.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Recorded {
    /// `repository:tag` with the digest that it had when it was written.
    ever: BTreeMap<String, String>,
    /// The names that must be there now.
    now: Vec<String>,
}

/// A difference between the registry and the record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Difference {
    /// It is there, and nothing is recorded of it.
    Unrecorded { name: String, digest: String },
    /// It must be there, and is not.
    Missing { name: String, digest: String },
    /// The name means another image than the one that is recorded.
    Different {
        name: String,
        recorded: String,
        found: String,
    },
}

/// # Errors
/// A registry or the database is away.
pub async fn run(config: &Config, environment: &str, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let (_, definitions) = assembly::definitions(config)?;
    let environments = definitions.environments();
    let Some(environment) = environments.get(environment) else {
        bail!(
            "there is no environment {environment:?}; there are {}",
            environments.names().join(", ")
        );
    };
    let pool = store::connect(&config.database.url, 4)?;
    let certificates = Certificates::load(config.tls.ca_file.as_deref())?;
    let registry = Registry::new(config, &certificates);
    let mut places = Vec::new();
    if environment.name == FIRST {
        let ever: BTreeMap<String, String> = images::names(&pool)
            .await?
            .into_iter()
            .map(|(name, digest)| (name, digest.to_string()))
            .collect();
        let now = ever.keys().cloned().collect();
        let recorded = Recorded { ever, now };
        places.push((FIRST.to_owned(), config.registry.repository.clone(), recorded));
    } else {
        let filter = placements::Filter {
            environment: Some(&environment.name),
            ..Default::default()
        };
        let all = placements::list(&pool, filter).await?;
        for centre in &environment.data_centres {
            let mut recorded = Recorded::default();
            for placement in all.iter().filter(|placement| placement.data_centre == centre.name) {
                if placement.until.is_none() {
                    recorded.now.push(placement.reference.clone());
                }
                recorded
                    .ever
                    .insert(placement.reference.clone(), placement.digest.to_string());
            }
            places.push((centre.name.clone(), centre.repository.clone(), recorded));
        }
    }
    let mut good = true;
    for (name, repository, recorded) in places {
        let mut found = inventory(&registry, &repository).await?;
        if let Some(libraries) = config.registry.libraries_repository() {
            found.retain(|name, _| !name.starts_with(&format!("{libraries}:")));
        }
        let differences = compare(&recorded, &found);
        writeln!(
            out,
            "{} {name} {repository}: {} tags found, {} recorded, {} differences",
            environment.name,
            found.len(),
            recorded.ever.len(),
            differences.len()
        )?;
        for difference in &differences {
            writeln!(out, "  {}", words(difference))?;
        }
        good &= differences.is_empty();
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Every tag below a repository, with its digest.
async fn inventory(registry: &Registry, below: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let (host, path) = below.split_once('/').unwrap_or((below, ""));
    let catalogue = registry.catalogue(host).await.context("the catalogue cannot be read")?;
    let ours = catalogue.into_iter().filter(|repository| {
        path.is_empty() || repository.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
    });
    let lists: Vec<Vec<String>> = stream::iter(ours)
        .map(|repository| async move {
            let name = format!("{host}/{repository}");
            let tags = registry.tags(&name).await?;
            anyhow::Ok(tags.into_iter().map(|tag| format!("{name}:{tag}")).collect())
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    stream::iter(lists.into_iter().flatten())
        .map(|name| async move {
            let digest = registry.digest(&name).await?;
            // Removed between the list and the question.
            anyhow::Ok(digest.map(|digest| (name, digest.to_string())))
        })
        .buffer_unordered(AT_ONCE)
        .try_filter_map(|found| async move { Ok(found) })
        .try_collect()
        .await
}

/// What differs, sorted. Names of documents that lie beside images (`sha256-<hex>`, "Referrers Tag Schema") belong to
/// their images; what was there once and is gone was cleaned up.
fn compare(recorded: &Recorded, found: &BTreeMap<String, String>) -> Vec<Difference> {
    let beside = |name: &str| {
        let tag = name.rsplit(':').next().unwrap_or_default();
        let digest = tag.strip_prefix("sha256-").map(|hex| format!("sha256:{hex}"));
        digest.is_some_and(|digest| found.values().any(|known| *known == digest))
    };
    let mut differences = Vec::new();
    for (name, digest) in found {
        match recorded.ever.get(name) {
            Some(known) if known == digest => {}
            Some(known) => differences.push(Difference::Different {
                name: name.clone(),
                recorded: known.clone(),
                found: digest.clone(),
            }),
            None if beside(name) => {}
            None => differences.push(Difference::Unrecorded {
                name: name.clone(),
                digest: digest.clone(),
            }),
        }
    }
    for name in recorded.now.iter().filter(|name| !found.contains_key(*name)) {
        differences.push(Difference::Missing {
            name: name.clone(),
            digest: recorded.ever.get(name).cloned().unwrap_or_default(),
        });
    }
    differences.sort();
    differences
}

fn words(difference: &Difference) -> String {
    match difference {
        Difference::Unrecorded { name, digest } => {
            format!("UNRECORDED {name} is {digest}: this service did not write it; find out who did, or remove it")
        }
        Difference::Missing { name, digest } => {
            format!("MISSING    {name} is recorded as {digest}: promote it again, it finds out by itself what to copy")
        }
        Difference::Different { name, recorded, found } => {
            format!("DIFFERENT  {name} is {found}, and {recorded} was written: somebody moved the tag")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_difference_is_named() {
        let ever = [
            ("r/a:1", "sha256:11"),
            ("r/a:2", "sha256:22"),
            ("r/a:3", "sha256:33"),
            ("r/a:0", "sha256:00"),
        ];
        let recorded = Recorded {
            ever: ever.map(|(name, digest)| (name.to_owned(), digest.to_owned())).into(),
            now: vec!["r/a:1".to_owned(), "r/a:3".to_owned()],
        };
        let found = [
            ("r/a:1", "sha256:11"),
            ("r/a:2", "sha256:99"),
            ("r/b:9", "sha256:44"),
            ("r/a:sha256-11", "sha256:55"),
            ("r/a:sha256-77", "sha256:66"),
        ];
        let found = found.map(|(name, digest)| (name.to_owned(), digest.to_owned())).into();
        let text: Vec<String> = compare(&recorded, &found).iter().map(words).collect();
        let begins: Vec<String> = text
            .iter()
            .map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(
            begins,
            [
                "UNRECORDED r/a:sha256-77",
                "UNRECORDED r/b:9",
                "MISSING r/a:3",
                "DIFFERENT r/a:2"
            ]
        );
    }
}
