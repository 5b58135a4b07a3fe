//! A project before and after its build: what its POMs ask for, which builder and which stack it gets, and why.
//!
//! Looks and judges, runs nothing: [`survey`] reads the source tree; [`builder`], [`candidates`] and [`runtime`] take what
//! it found, what is known of the WAR, and the pipeline's stacks, and say what is chosen with the evidence, or the finding. Both the road and
//! `seaworthy plan` use it, so that the plan is what the road does. Files were written by somebody else: sizes, numbers
//! and depths are bounded.

mod arguments;
mod choose;
mod jdk;
mod outlook;
mod pom;
mod reactor;
mod survey;
mod xml;

pub use arguments::Arguments;
pub use choose::{Candidates, ChosenBuilder, ChosenStack, builder, candidates, chosen_builder, runtime};
pub use jdk::Ask;
pub use outlook::{Possible, possible};
pub use survey::{Survey, WarModule, survey};

#[cfg(test)]
mod tests;
