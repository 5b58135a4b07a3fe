//! The single integration binary.

mod engine_client;
