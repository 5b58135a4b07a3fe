//! From stack and application to the text of a Dockerfile.

use serde_json::json;

use super::templates::HouseFile;
use super::{RenderError, Templates};
use crate::definition::{Definitions, Stack};
use crate::model::{Digest, Invalid, Layer, Reference};

/// Directory of the build context with one directory a layer, and in each the application's directory.
pub const CONTEXT_LAYERS: &str = "layers";

/// File of the build context with the Dockerfile itself, for the builder.
pub const CONTEXT_DOCKERFILE: &str = "Dockerfile";

/// Directory of the build context with the files of the house, at the paths that they have in the image.
pub const CONTEXT_HOUSE: &str = "house";

/// Where Tomcat looks for web applications.
pub const WEBAPPS: &str = "/usr/local/tomcat/webapps";

/// Where the Dockerfile lies in the image.
pub const IMAGE_DOCKERFILE: &str = "/usr/share/seaworthy/Dockerfile";

/// What varies between two applications of one stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerfileInput {
    /// Name of the application.
    pub application: String,
    /// What it is built on.
    pub base: PinnedBase,
    /// What the base says by itself.
    pub base_says: BaseSays,
    /// The layers that are not empty, in their order.
    pub layers: Vec<Layer>,
    /// The application's directory below Tomcat's `webapps`, in each of the layers.
    pub webapp: String,
    /// What the health check asks for: a path of the server.
    pub health_path: String,
}

/// What the configuration of a base image says, which need not be said again; empty where it says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BaseSays {
    /// Who its process runs as, if not root.
    pub user: String,
    /// Its working directory.
    pub working_dir: String,
    /// The signal by which it is stopped.
    pub stop_signal: String,
}

/// What is made from a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The Dockerfile.
    pub text: String,
    /// The files of the house, the Dockerfile among them, by their paths.
    pub files: Vec<HouseFile>,
    /// Directories that are made beside them, without the leading `/`.
    pub directories: Vec<String>,
}

impl Rendered {
    /// Takes a hand-written Dockerfile in place of the rendered one; the files of the house stay.
    pub fn replace_dockerfile(&mut self, text: String) {
        for file in &mut self.files {
            if IMAGE_DOCKERFILE.trim_start_matches('/') == file.path {
                file.text.clone_from(&text);
            }
        }
        self.text = text;
    }
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

/// The Dockerfile of this application on this stack, with the files that it copies besides the application.
///
/// # Errors
/// A value that is refused, or a template that is wrong for these values.
pub fn render(templates: &Templates, stack: &Stack, input: &DockerfileInput) -> Result<Rendered, RenderError> {
    let runtime = &stack.runtime;
    let values = json!({
        "application": input.application,
        "base": input.base.as_str(),
        "stack": stack.name,
        "stack_title": stack.title,
        "ports": runtime.ports,
        "http_port": runtime.ports.first(),
        "log_directory": runtime.log_directory,
        "config_directory": runtime.config_directory,
        "touched": with_parents(&runtime.log_directory),
        "base_user": input.base_says.user,
        "base_working_dir": input.base_says.working_dir,
        "base_stop_signal": input.base_says.stop_signal,
        "time_zone": runtime.time_zone,
        "drain_ms": u64::try_from(runtime.drain.as_millis()).unwrap_or(u64::MAX),
        "health_path": input.health_path,
        "house": CONTEXT_HOUSE,
        "user": runtime.user,
        "java_options": runtime.java_options,
        "layers": input.layers.iter().map(|layer| format!("{CONTEXT_LAYERS}/{}", layer.as_str())).collect::<Vec<_>>(),
        "webapp": input.webapp,
    });
    let text = templates.fill(&runtime.template, &values)?;
    let mut files = templates.files(&runtime.template, &values)?;
    files.push(HouseFile {
        path: IMAGE_DOCKERFILE.trim_start_matches('/').to_owned(),
        text: text.clone(),
    });
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let webapps = format!("{WEBAPPS}/{}", input.webapp);
    let directories = [webapps.as_str(), &runtime.config_directory];
    Ok(Rendered {
        text,
        files,
        directories: directories.map(|path| path.trim_start_matches('/').to_owned()).to_vec(),
    })
}

/// A directory and all above it but the root, the outermost first.
fn with_parents(path: &str) -> Vec<&str> {
    let above = path.match_indices('/').skip(1).map(|(at, _)| &path[..at]);
    above.chain([path]).collect()
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
                            base_says: BaseSays::default(),
                            layers: vec![Layer::Libraries, Layer::Classes],
                            webapp: "ROOT".to_owned(),
                            health_path: "/".to_owned(),
                        },
                    )
                });
                tried.err()
            })
            .collect();
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}
