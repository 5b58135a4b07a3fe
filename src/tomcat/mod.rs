//! What Tomcat prints, understood: whether it came up, and why not.

mod console;
mod dump;

pub use console::{Console, Trouble};
