//! The single integration binary.

mod engine_client;
mod engine_registry;
//! All integration tests in one binary: one link step.

mod git_client;
