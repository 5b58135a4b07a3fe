//! The command line: one verb a file. `serve` is where everything is put together.

pub mod check;
pub mod connect;
pub mod serve;
