//! From stack and application to the text of a Dockerfile.

use serde_json::json;

use super::{RenderError, Templates};
use crate::definition::{Definitions, Stack};
use crate::model::{Digest, Invalid, Layer, Reference};

/// Directory of the build context with one directory a layer, and in each the application's directory.
pub const CONTEXT_LAYERS: &str = "layers";

/// The application's directory, below Tomcat's `webapps`: one web application, at `/`.
pub const WEBAPP: &str = "ROOT";

/// File of the build context with the Dockerfile itself.
pub const CONTEXT_DOCKERFILE: &str = "Dockerfile";

/// Where the Dockerfile lies in the image.
pub const IMAGE_DOCKERFILE: &str = "/usr/share/seaworthy/Dockerfile";

/// What varies between two applications of one stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerfileInput {
    /// Name of the application.
    pub application: String,
    /// What it is built on.
    pub base: PinnedBase,
    /// The layers that are not empty, in their order.
    pub layers: Vec<Layer>,
}

/// The name of a base image that cannot mean another one tomorrow: `repository:tag@sha256:…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedBase(String);

impl PinnedBase {
    /// Pins the name under which the base is pulled (behind a mirror: the mirror's) by the digest that its tag has now.
    ///
    /// # Errors
    /// A text that is no name of an image, or one that has another digest already.
    pub fn new(pulled: &str, digest: &Digest) -> Result<Self, String> {
        let reference: Reference = pulled.parse().map_err(|error: Invalid| error.to_string())?;
        match reference.digest() {
            Some(other) if other != digest.as_str() => {
                Err(format!("{pulled:?} is pinned to another digest than {digest}"))
            }
            Some(_) => Ok(Self(reference.to_string())),
            None => Ok(Self(format!("{}@{digest}", reference))),
        }
    }

    /// As it stands behind FROM.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The Dockerfile of this application on this stack.
///
/// # Errors
/// A value that is refused, or a template that is wrong for these values.
pub fn render(templates: &Templates, stack: &Stack, input: &DockerfileInput) -> Result<String, RenderError> {
    let runtime = &stack.runtime;
    let values = json!({
        "application": input.application,
        "base": input.base.as_str(),
        "stack": stack.name,
        "stack_title": stack.title,
        "ports": runtime.ports,
        "http_port": runtime.ports.first(),
        "log_directory": runtime.log_directory,
        "user": runtime.user,
        "java_options": runtime.java_options,
        "layers": input.layers.iter().map(|layer| format!("{CONTEXT_LAYERS}/{}", layer.as_str())).collect::<Vec<_>>(),
        "webapp": WEBAPP,
    });
    templates.fill(&runtime.template, &values)
}

impl Templates {
    /// Renders every stack's template once with made-up values: a broken template is found when the service starts, not
    /// when somebody waits for a build.
    ///
    /// # Errors
    /// All that fail.
    pub fn check(&self, definitions: &Definitions) -> Result<(), Vec<RenderError>> {
        let digest = Digest::of(b"");
        let errors: Vec<RenderError> = definitions
            .stacks()
            .filter_map(|stack| {
                let origin = || format!("stack {}", stack.name);
                let tried = PinnedBase::new(
                    stack.runtime.image.as_str().split('@').next().unwrap_or_default(),
                    &digest,
                )
                .map_err(|reason| RenderError {
                    origin: origin(),
                    reason,
                })
                .and_then(|base| {
                    render(
                        self,
                        stack,
                        &DockerfileInput {
                            application: "application".to_owned(),
                            base,
                            layers: vec![Layer::Libraries, Layer::Classes],
                        },
                    )
                });
                tried.err()
            })
            .collect();
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}
