//! The nouns of the product. No IO, no async, no clock: everything here can be made in a test by hand.

mod advisory;
mod build;
mod choice;
mod component;
mod context_path;
mod finding;
mod ids;
mod image;
mod layer;
mod merge_request;
mod pins;
pub mod quantity;
mod reference;
pub mod rule;
mod stage;
mod test_report;
mod war;
mod war_check;

pub use advisory::{Advisory, Affected, Event, Level, advisory_name};
pub use build::{Build, BuildState, Trigger};
pub use choice::Choice;
pub use component::Component;
pub use context_path::ContextPath;
pub use finding::Finding;
pub use ids::{BuildId, DeliveryId, Digest, Fence, Invalid, ProjectId, ProjectPath, Sha};
pub use image::{BuiltImage, Dockerfile, PushedImage};
pub use layer::{Layer, is_snapshot};
pub use merge_request::{Commit, MergeRequest, Person};
pub use pins::Pins;
pub use reference::Reference;
pub use rule::{Rule, Severity};
pub use stage::{Stage, StageState};
pub use test_report::{TestCounts, TestFailure, TestReport, TestSuite};
pub use war::{ServletApi, ServletVersion, War};
pub use war_check::{Place, RuleReport, Waived, WaiverNote, WarCheck};
