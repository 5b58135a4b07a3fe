//! The command line: one verb a file. `serve` is where everything is put together; the verbs for people speak to the
//! service over its API.

pub mod advisories;
pub mod assembly;
pub mod builds;
pub mod check;
pub mod client;
pub mod connect;
pub mod deliveries;
pub mod describe;
pub mod images;
pub mod logs;
mod print;
pub mod serve;
pub mod token;
pub mod trace;
