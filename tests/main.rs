//! All integration tests in one binary: one link step.

mod engine_builders;
mod engine_client;
mod engine_registry;
mod git_client;
mod hooks;
mod intake;
mod mutants;
mod payloads;
mod webhook;
