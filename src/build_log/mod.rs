//! The log of a build: lines with numbers, kept in compressed pieces, head and tail only if it grows too long.
//!
//! [`Writer`] is the worker's side, [`decode`] the reader's. The number of a line is its place in the whole log and
//! never changes: pages, `Last-Event-ID` and the command line all go by it. Lines that were thrown away leave a piece
//! marked as dropped, so that the numbers stay honest.

mod line;
mod writer;

pub use line::{Entry, LogLine, decode};
pub use writer::Writer;
