//! How good the images are, and how well they are delivered: counted from what is recorded, by published definitions.
//!
//! **Defect rate.** Of the distinct digests that were built in a month: those that were rejected or rolled back, over those
//! that were decided. Decided is what was rejected, rolled back, or reached the last environment; what is neither is shown
//! apart and counts for nothing.
//!
//! **Delivery**, by the definitions of DORA (DevOps Research and Assessment, "DORA's software delivery performance metrics",
//! dora.dev/guides/dora-metrics-four-keys): a *deployment* is a promotion that ended in the last environment; *lead time for
//! changes* is from the merge of the image to its first arrival there; *change failure rate* is the part of deployments whose
//! image was afterwards rolled back there or rejected; *recovery time* is from such a deployment to the end of the next one,
//! forward or back. Of times the median is given.

mod count;
mod read;

use chrono::{DateTime, Utc};

pub use count::count;

use crate::model::{Category, Digest, PromotionKind};

/// An image that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Produced {
    /// Its digest.
    pub digest: Digest,
    /// Name of the application.
    pub application: String,
    /// Name of the stack.
    pub stack: String,
    /// Its base image as the stack names it.
    pub base: String,
    /// When it reached the QA registry.
    pub at: DateTime<Utc>,
    /// When it became the trunk's, if it did.
    pub merged_at: Option<DateTime<Utc>>,
}

/// A promotion or a rollback that ended in all data centres.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// What arrived.
    pub digest: Digest,
    /// What it took the place of.
    pub replaced: Option<Digest>,
    /// Forward or back.
    pub kind: PromotionKind,
    /// Name of the application.
    pub application: String,
    /// Name of the environment.
    pub environment: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// Somebody said no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// To what.
    pub digest: Digest,
    /// Why.
    pub category: Category,
    /// When.
    pub at: DateTime<Utc>,
}

/// Everything that figures are made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// Images, each digest once.
    pub produced: Vec<Produced>,
    /// In the order of their ends.
    pub moved: Vec<Moved>,
    /// Rejections.
    pub rejected: Vec<Rejected>,
}

#[cfg(test)]
mod tests;
