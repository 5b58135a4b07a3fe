//! The command line: one verb a file. `serve` is where everything is put together; the verbs for people speak to the
//! service over its API.

pub mod advisories;
pub mod assembly;
pub mod audit;
pub mod builds;
pub mod check;
pub mod client;
pub mod connect;
pub mod copy;
pub mod deliveries;
pub mod describe;
pub mod diff;
pub mod environments;
pub mod findings;
pub mod history;
pub mod images;
mod java_version;
mod layer_files;
pub mod logs;
pub mod plan;
mod plan_checks;
mod print;
pub mod promote;
pub mod quality;
mod reconcile;
pub mod reject;
pub mod reproduce;
pub mod rollback;
pub mod serve;
pub mod stacks;
pub mod token;
pub mod trace;
