//! The Dockerfile and the labels of an image: made here, and read back here.
//!
//! Pure: text in, text out. The pipeline renders and labels, `seaworthy describe` reads the labels of an image that it
//! finds in a registry, and both share the names of the labels, so that what is written can be read. Only data varies
//! in a Dockerfile; it is checked before rendering and escaped while rendering, so no value can become an instruction.

mod description;
mod divide;
mod embed;
mod escape;
mod labels;
mod render;
mod templates;

pub use description::{BaseImage, Description, MergeRequestOrigin, WarOrigin};
pub use divide::{Divided, divide};
pub use labels::{DescribeError, describe, labels};
pub use render::{
    BaseSays, CONTEXT_DOCKERFILE, CONTEXT_HOUSE, CONTEXT_LAYERS, DockerfileInput, IMAGE_DOCKERFILE, PinnedBase,
    Rendered, WEBAPPS, render,
};
pub use templates::{HouseFile, RenderError, Templates};

#[cfg(test)]
mod tests;
