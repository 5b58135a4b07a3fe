//! All integration tests in one binary: one link step.

mod architecture;
mod boot;
mod dependencies;
mod dockerfiles;
mod engine_builders;
mod engine_client;
mod engine_registry;
mod findings;
mod git_client;
mod hooks;
mod house;
mod intake;
mod layers;
mod licences;
mod mutants;
mod notify;
mod outside_clients;
mod pages;
mod payloads;
mod plan;
mod resilience;
mod road;
mod runs;
mod secrets;
mod web;
mod webhook;
