//! Readers of what Maven makes: its console, its test reports, its archives. They look and judge, they run nothing.
//!
//! [`Console`] listens while Maven runs, [`surefire`] reads the reports it leaves, [`diagnose`](diagnose()) says from both why a
//! build is red, and [`war`] chooses the archive and looks into it. Everything read here was written by somebody else's
//! build: it may be cut off, huge or hostile, so every reader has limits and none of them fails on nonsense.

mod bytecode;
pub mod class_file;
mod console;
mod diagnose;
mod limits;
mod mojo;
mod notes;
pub mod range;
mod red_tests;
mod servlet;
pub mod surefire;
mod tame;
mod trace;
mod version;
pub mod war;
pub mod zip_guard;

pub use bytecode::{Bytecode, LibraryCode, Missing, java_of};
pub use console::{Console, Event, Phase};
pub use diagnose::{Ended, diagnose, unsupported_build, world_fault};
pub use mojo::{Module, Mojo};
pub use version::Version;
pub use war::{WarError, WarLimits};
