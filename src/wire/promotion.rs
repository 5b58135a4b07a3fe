//! Promotions, environments and what is where.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::{BuildId, Category, Digest, Gate, ProjectPath, PromotionId, PromotionKind, PromotionState};

/// Body of `POST /api/promotions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromotionOrder {
    /// A digest, its first 12 digits or more, a reference as it was pushed, or a build's number.
    pub image: String,
    /// Name of the environment.
    pub environment: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// Only say what would be done, and which gates are open.
    #[serde(default)]
    pub dry_run: bool,
}

/// Body of `POST /api/rollbacks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollbackOrder {
    /// Name of the application.
    pub application: String,
    /// Name of the environment.
    pub environment: String,
    /// Why.
    pub reason: String,
}

/// Body of `POST /api/rejections`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RejectionOrder {
    /// As in a promotion.
    pub image: String,
    /// What is wrong with it.
    pub category: Category,
    /// In words.
    pub reason: String,
}

/// Body of `POST /api/promotions/{id}/cancel`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CancelOrder {
    /// Why.
    pub reason: String,
}

/// What a promotion would do: the answer to a dry run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outlook {
    /// Name of the application.
    pub application: String,
    /// Path of its project.
    pub project: ProjectPath,
    /// What would be copied.
    pub digest: Digest,
    /// The build that made it.
    pub build: BuildId,
    /// Where to.
    pub environment: String,
    /// The digest that is there now, if all data centres hold the same.
    pub replaces: Option<Digest>,
    /// `repository:tag` in each data centre.
    pub copies: Vec<Target>,
    /// As they stand now.
    pub gates: Vec<Gate>,
    /// Would a request be taken? Approvals may still be missing.
    pub allowed: bool,
}

/// Where an image would go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Name of the data centre.
    pub data_centre: String,
    /// `repository:tag` there.
    pub reference: String,
}

/// Answer to `POST /api/promotions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PromotionAnswer {
    /// It was asked for.
    Ordered(PromotionDone),
    /// A dry run.
    Outlook(Outlook),
}

/// Answer to an order about a promotion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromotionDone {
    /// What was done, a sentence.
    pub message: String,
    /// Which promotion.
    pub promotion: Option<PromotionId>,
    /// Where to look now.
    pub url: String,
}

/// `GET /api/promotions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromotionList {
    /// Newest first.
    pub promotions: Vec<Promotion>,
    /// Path of the next page, if there is one.
    pub next: Option<String>,
}

/// A promotion in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promotion {
    /// Its number.
    pub id: PromotionId,
    /// Address of its page.
    pub url: String,
    /// Forward or back.
    pub kind: PromotionKind,
    /// Name of the application.
    pub application: String,
    /// Path of its project.
    pub project: ProjectPath,
    /// The build that made the image.
    pub build: BuildId,
    /// What is copied.
    pub digest: Digest,
    /// Where to.
    pub environment: String,
    /// The digest that was there when it was asked for.
    pub replaces: Option<Digest>,
    /// Who asked.
    pub requested_by: String,
    /// On what grounds.
    pub reason: String,
    /// Where it is.
    pub state: PromotionState,
    /// What it waits for, or what went wrong.
    pub why: Option<String>,
    /// When it was asked for.
    pub requested_at: DateTime<Utc>,
    /// When the copy began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// `GET /api/promotions/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromotionDetail {
    /// What the list shows too.
    #[serde(flatten)]
    pub promotion: Promotion,
    /// As they stand now; empty once it has ended.
    pub gates: Vec<Gate>,
    /// Who said yes.
    pub approvals: Vec<Approval>,
    /// How far the copy to each data centre is.
    pub copies: Vec<Copy>,
}

/// Somebody who said yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Login name.
    pub person: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// How far the copy to one data centre is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copy {
    /// Name of the data centre.
    pub data_centre: String,
    /// `repository:tag` there.
    pub reference: String,
    /// `waiting`, `copying`, `there` or `failed`.
    pub state: String,
    /// Bytes of blobs in all.
    pub total: i64,
    /// Of them, sent by this promotion.
    pub sent: i64,
    /// Of them, there already or mounted.
    pub skipped: i64,
    /// What went wrong.
    pub error: Option<String>,
    /// When this was so.
    pub at: DateTime<Utc>,
}

/// `GET /api/environments`: what is where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Board {
    /// In the order of promotion.
    pub environments: Vec<Environment>,
    /// By name.
    pub applications: Vec<ApplicationRow>,
}

/// An environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Its name.
    pub name: String,
    /// As people call it.
    pub title: String,
    /// Its data centres with their repositories; none for the first.
    pub data_centres: Vec<DataCentre>,
    /// Until when nothing comes in, if it is frozen now.
    pub frozen_until: Option<DateTime<Utc>>,
    /// Why it is frozen.
    pub frozen_because: Option<String>,
}

/// A data centre of an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataCentre {
    /// Its name.
    pub name: String,
    /// Registry with the path above the applications.
    pub repository: String,
}

/// An application, and what of it is in each environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplicationRow {
    /// Its name.
    pub application: String,
    /// Path of its project.
    pub project: Option<ProjectPath>,
    /// What is where.
    pub placements: Vec<Placement>,
}

/// A digest in a data centre of an environment. In QA there is one for the newest image of the trunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// Name of the environment.
    pub environment: String,
    /// Name of the data centre.
    pub data_centre: String,
    /// What is there.
    pub digest: Digest,
    /// The build that made it.
    pub build: BuildId,
    /// `repository:tag`.
    pub reference: String,
    /// What brought it; none in QA.
    pub promotion: Option<PromotionId>,
    /// Who asked for that, or pushed.
    pub by: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Until when; none: it is there now.
    pub until: Option<DateTime<Utc>>,
}

/// `GET /api/history/{application}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Name of the application.
    pub application: String,
    /// Newest first.
    pub placements: Vec<Placement>,
}
