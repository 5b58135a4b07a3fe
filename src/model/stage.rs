//! The stages of the road, in their order. Adding one: a variant here, a file in `pipeline/stages`, a line of the recipe.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Invalid;

/// A stage of the road of a merge request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Fetch, check the head, merge into the target's tip.
    Checkout,
    /// Compile and run the unit tests.
    UnitTest,
    /// Pack the WAR and find it.
    Package,
    /// Check the WAR against the rules of the house.
    Check,
    /// Render the Dockerfile.
    Dockerfile,
    /// Build the image.
    Image,
    /// Start it once, as it would run.
    Boot,
    /// Push it to the QA registry and read the digest back.
    Push,
}

impl Stage {
    /// All stages in the order of the road.
    pub const ALL: [Self; 8] = [
        Self::Checkout,
        Self::UnitTest,
        Self::Package,
        Self::Check,
        Self::Dockerfile,
        Self::Image,
        Self::Boot,
        Self::Push,
    ];

    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Checkout => "checkout",
            Self::UnitTest => "unit_test",
            Self::Package => "package",
            Self::Check => "check",
            Self::Dockerfile => "dockerfile",
            Self::Image => "image",
            Self::Boot => "boot",
            Self::Push => "push",
        }
    }

    /// The name that a person reads.
    pub fn title(self) -> &'static str {
        match self {
            Self::Checkout => "Checkout",
            Self::UnitTest => "Unit test",
            Self::Package => "Package",
            Self::Check => "WAR check",
            Self::Dockerfile => "Dockerfile",
            Self::Image => "Image",
            Self::Boot => "Boot check",
            Self::Push => "Push",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Stage {
    type Err = Invalid;
    fn from_str(s: &str) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .find(|stage| stage.as_str() == s)
            .ok_or_else(|| Invalid {
                what: "stage",
                value: s.to_owned(),
                expected: "checkout, unit_test, package, check, dockerfile, image, boot or push",
            })
    }
}

/// How far a stage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageState {
    /// Working on it.
    Running,
    /// Done.
    Passed,
    /// The project is at fault.
    Failed,
    /// The world is at fault; tried again as long as attempts are left.
    Errored,
    /// Stopped by a person or a newer push.
    Cancelled,
}

impl StageState {
    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Errored => "errored",
            Self::Cancelled => "cancelled",
        }
    }
}

impl FromStr for StageState {
    type Err = Invalid;
    fn from_str(s: &str) -> Result<Self, Invalid> {
        [
            Self::Running,
            Self::Passed,
            Self::Failed,
            Self::Errored,
            Self::Cancelled,
        ]
        .into_iter()
        .find(|state| state.as_str() == s)
        .ok_or_else(|| Invalid {
            what: "stage state",
            value: s.to_owned(),
            expected: "running, passed, failed, errored or cancelled",
        })
    }
}
