//! One module per outside system. Each is a concrete struct with an injected address, tested against the real thing.

pub mod engine;
