//! One module per outside system. Each is a concrete struct with an injected address, tested against the real thing.

pub mod engine;
//! One client per outside system. They know nothing of stages, queue or database.

pub mod git;
//! One client per outside system. They know nothing of stages, queue or database.

pub mod certificates;
