//! The single integration binary.

mod engine_client;
mod engine_registry;
