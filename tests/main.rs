//! All integration tests in one binary: one link step.

mod architecture;
mod engine_builders;
mod engine_client;
mod engine_registry;
mod findings;
mod git_client;
mod house;
mod licences;
mod outside_clients;
mod payloads;
mod resilience;
mod road;
mod secrets;
