//! All integration tests in one binary: one link step.

mod architecture;
mod dependencies;
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
mod resilience;
mod road;
mod secrets;
mod web;
mod webhook;
