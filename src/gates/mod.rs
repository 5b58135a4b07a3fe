//! May this digest go into this environment? [`gather`] asks for what the database knows, [`judge`] decides: pure, so that a
//! dry run, a page and the worker that copies come to the same answer.

mod facts;
mod judge;

pub use facts::{Candidate, Facts, Finding, Target, Times, candidate, gather, open_findings};
pub use judge::{is_author, judge};

#[cfg(test)]
mod tests;
