//! Known vulnerabilities: read from files in the Open Source Vulnerability format ([`osv`], [`read_source`]), kept in Postgres
//! ([`import()`]), and matched with the libraries of images, whichever of the two comes later ([`record`], [`import()`]).
//!
//! Nothing here asks a network: a house imports what it has fetched, and a build sees what was imported.

mod affects;
mod import;
mod matching;
pub mod osv;
mod source;

pub use affects::{affects, fixed_in};
pub use import::{Imported, import};
pub use matching::{Vulnerable, record, vulnerable};
pub use source::{Source, SourceError, read_source};
