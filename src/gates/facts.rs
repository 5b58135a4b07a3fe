//! What has to be known of an image before it may go on.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::definition::{Definitions, Environment, Environments, FIRST, LibraryWaiver, Pipeline, TagParts};
use crate::model::{BuildId, Level, ProjectPath, PromotionId, PushedImage, Severity, Sha};
use crate::store::promotions::{self, Approval};
use crate::store::rejections::{self, Rejection};
use crate::store::trunk::{self, Trunk};
use crate::store::{Result, StoreError, builds, findings, images, placements};

/// The image that shall go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Name of the application.
    pub application: String,
    /// Path of its project.
    pub project: ProjectPath,
    /// In the QA registry; its digest is what is copied.
    pub image: PushedImage,
    /// The build that made it.
    pub build: BuildId,
    /// The pipeline that it was built by, whose waivers count.
    pub pipeline: String,
    /// The commit.
    pub head: Sha,
}

/// Where an image goes in one data centre.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Name of the data centre.
    pub data_centre: String,
    /// Host and path there.
    pub repository: String,
    /// The tag there.
    pub tag: String,
}

impl Candidate {
    /// Where it goes in each data centre of an environment.
    pub fn targets(&self, environment: &Environment) -> Vec<Target> {
        let parts = TagParts {
            tag: self.image.tag(),
            build: self.build.0,
            commit: self.head.short(),
        };
        let centres = environment.data_centres.iter();
        centres
            .map(|centre| Target {
                data_centre: centre.name.clone(),
                repository: centre.repository_of(&self.application),
                tag: centre.tag.fill(parts),
            })
            .collect()
    }
}

/// Everything that the gates look at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// By the database's clock.
    pub now: DateTime<Utc>,
    /// The trunk's tips that the image is of.
    pub trunk: Vec<Trunk>,
    /// When it was and is in each data centre of the environment before; for QA, since it was pushed.
    pub before: Vec<Times>,
    /// Who approved.
    pub approvals: Vec<Approval>,
    /// Who asked for it.
    pub requested_by: String,
    /// Logins and mail addresses of who wrote what this promotion brings, in lower case.
    pub authors: BTreeSet<String>,
    /// What is known to be wrong with it.
    pub findings: Vec<Finding>,
    /// Who said no.
    pub rejections: Vec<Rejection>,
}

/// When a digest was in a data centre.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Times {
    /// Name of the data centre.
    pub data_centre: String,
    /// From, until; the last one may go on.
    pub spans: Vec<(DateTime<Utc>, Option<DateTime<Utc>>)>,
}

/// Something that is wrong with an image and not waived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// An advisory or a rule of the WAR check.
    pub name: String,
    /// How bad.
    pub level: Level,
}

/// The image that a build made.
///
/// # Errors
/// The database is away.
pub async fn candidate(db: &mut PgConnection, build: BuildId) -> Result<Option<Candidate>> {
    let Some(record) = builds::get(&mut *db, build).await? else {
        return Ok(None);
    };
    let Some(image) = images::of_build(&mut *db, build).await? else {
        return Ok(None);
    };
    let mr = record.build.merge_request;
    Ok(Some(Candidate {
        application: image.application,
        project: mr.project,
        image: image.pushed,
        build,
        pipeline: record.build.pipeline,
        head: mr.head,
    }))
}

/// Gathers the facts about a candidate on its way into an environment; `promotion` is the one that was asked for, if it is.
///
/// # Errors
/// The database is away.
pub async fn gather(
    db: &mut PgConnection,
    definitions: &Definitions,
    environment: &Environment,
    candidate: &Candidate,
    promotion: Option<PromotionId>,
) -> Result<Facts> {
    let now = crate::store::now(&mut *db).await?;
    let (approvals, requested_by) = match promotion {
        None => (Vec::new(), String::new()),
        Some(id) => {
            let stored = promotions::get(&mut *db, id).await?.ok_or(StoreError::RowNotFound)?;
            (promotions::approvals(&mut *db, id).await?, stored.requested_by)
        }
    };
    Ok(Facts {
        now,
        trunk: trunk::of_build(&mut *db, candidate.build).await?,
        before: before(&mut *db, definitions.environments(), environment, candidate).await?,
        approvals,
        requested_by,
        authors: authors(&mut *db, environment, candidate).await?,
        findings: open_findings(&mut *db, definitions, candidate).await?,
        rejections: rejections::of_digest(&mut *db, &candidate.image.digest).await?,
    })
}

async fn before(
    db: &mut PgConnection,
    environments: &Environments,
    environment: &Environment,
    candidate: &Candidate,
) -> Result<Vec<Times>> {
    let Some(before) = environments.before(&environment.name) else {
        return Ok(Vec::new());
    };
    if before.is_first() {
        let pushed = images::of_build(&mut *db, candidate.build).await?;
        return Ok(pushed
            .map(|image| Times {
                data_centre: FIRST.to_owned(),
                spans: vec![(image.pushed_at, None)],
            })
            .into_iter()
            .collect());
    }
    let times = placements::times(&mut *db, &candidate.image.digest, &before.name).await?;
    Ok(before
        .data_centres
        .iter()
        .map(|centre| Times {
            data_centre: centre.name.clone(),
            spans: times
                .iter()
                .filter(|(name, ..)| *name == centre.name)
                .map(|(_, since, until)| (*since, *until))
                .collect(),
        })
        .collect())
}

/// Whoever wrote a commit of the image itself, or of what was merged since the image that is in the environment now.
async fn authors(db: &mut PgConnection, environment: &Environment, candidate: &Candidate) -> Result<BTreeSet<String>> {
    let filter = placements::Filter {
        environment: Some(&environment.name),
        application: Some(&candidate.application),
        now: true,
        ..Default::default()
    };
    let there = placements::list(&mut *db, filter).await?;
    let since = there.iter().map(|placement| placement.build).min();
    let mut builds = trunk::builds_between(&mut *db, since, candidate.build).await?;
    builds.push(candidate.build);
    builds::authors(&mut *db, &builds).await
}

/// Advisories that match the image's libraries now, and what its WAR check said; the worst first. What the pipeline waives
/// today is not open.
///
/// # Errors
/// The database is away.
pub async fn open_findings(
    db: &mut PgConnection,
    definitions: &Definitions,
    candidate: &Candidate,
) -> Result<Vec<Finding>> {
    let today = crate::store::now(&mut *db).await?.date_naive();
    let waivers = definitions
        .pipeline(&candidate.pipeline)
        .map_or(&[][..], |pipeline: &Pipeline| &pipeline.library_waivers);
    let known = findings::vulnerabilities(&mut *db, candidate.build).await?;
    let mut open: Vec<Finding> = known
        .into_iter()
        .filter(|known| {
            let covers = |waiver: &LibraryWaiver| waiver.covers_advisory(&known.component, &known.names);
            !waivers.iter().any(|waiver| waiver.holds(today) && covers(waiver))
        })
        .map(|known| Finding {
            level: Level::assumed(known.level),
            name: known.id,
        })
        .collect();
    let check = findings::war_check(&mut *db, candidate.build).await?;
    open.extend(check.into_iter().flat_map(|check| check.rules).filter_map(|rule| {
        let level = match rule.severity {
            Severity::Off => return None,
            Severity::Note => Level::Low,
            Severity::Warning => Level::Medium,
            Severity::Error => Level::High,
        };
        (rule.count > 0).then_some(Finding { name: rule.rule, level })
    }));
    open.sort_by(|a, b| b.level.cmp(&a.level).then_with(|| a.name.cmp(&b.name)));
    // One advisory may be about several libraries.
    open.dedup();
    Ok(open)
}
