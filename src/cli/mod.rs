//! The command line: one verb a file. `serve` is where everything is put together; the verbs for people speak to the
//! service over its API.

pub mod advisories;
pub mod assembly;
pub mod builds;
pub mod check;
pub mod client;
pub mod connect;
pub mod copy;
pub mod deliveries;
pub mod describe;
pub mod findings;
pub mod images;
mod java_version;
mod layer_files;
pub mod logs;
pub mod plan;
mod plan_checks;
mod print;
pub mod reproduce;
pub mod serve;
pub mod stacks;
pub mod token;
pub mod trace;
