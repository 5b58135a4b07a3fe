//! One `pom.xml`: what it says, before anything is inherited or interpolated.

use super::arguments::Arguments;
use super::xml::{self, Element};

/// A POM in the repository.
#[derive(Debug, Clone)]
pub(super) struct Pom {
    /// Path in the repository, for example `web/pom.xml`.
    pub(super) file: String,
    /// Directory in the repository; empty for the root.
    pub(super) directory: String,
    project: Element,
}

/// The parent that a POM names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parent {
    pub(super) group: String,
    pub(super) artifact: String,
    pub(super) version: String,
    /// Where Maven looks for it first; `None` if the POM says that it is not in the repository.
    pub(super) path: Option<String>,
}

impl Pom {
    /// Reads the text of a POM.
    ///
    /// # Errors
    /// One line that says why this is no POM.
    pub(super) fn parse(file: &str, text: &str) -> Result<Self, String> {
        let project = xml::parse(text)?;
        if project.name != "project" {
            return Err(format!("its root element is <{}>, not <project>", project.name));
        }
        Ok(Self {
            file: file.to_owned(),
            directory: file.rsplit_once('/').map_or("", |(directory, _)| directory).to_owned(),
            project,
        })
    }

    pub(super) fn text(&self, path: &[&str]) -> Option<&str> {
        self.project.text_at(path)
    }

    pub(super) fn artifact(&self) -> &str {
        self.text(&["artifactId"]).unwrap_or_default()
    }

    pub(super) fn packaging(&self) -> &str {
        self.text(&["packaging"]).unwrap_or("jar")
    }

    pub(super) fn parent(&self) -> Option<Parent> {
        let parent = self.project.child("parent")?;
        let text = |name: &str| parent.text_at(&[name]).unwrap_or_default().to_owned();
        Some(Parent {
            group: text("groupId"),
            artifact: text("artifactId"),
            version: text("version"),
            path: match parent.child("relativePath") {
                // An empty element says: look in the repositories, not in the directory above.
                Some(path) if path.text.trim().is_empty() => None,
                Some(path) => Some(path.text.trim().to_owned()),
                None => Some("../pom.xml".to_owned()),
            },
        })
    }

    /// Does a profile add modules, whether it is active or not?
    pub(super) fn has_modules_in_profiles(&self) -> bool {
        self.project
            .list(&["profiles"])
            .iter()
            .any(|profile| profile.child("modules").is_some() || profile.child("subprojects").is_some())
    }

    /// The project itself and its active profiles, what wins first.
    ///
    /// A profile is active if the arguments name it, if a property that they give activates it, or by default where no
    /// other profile of this POM is active (Maven, "Introduction to Build Profiles").
    pub(super) fn sections(&self, arguments: &Arguments) -> Vec<&Element> {
        let profiles = self.project.list(&["profiles"]);
        let mut active: Vec<&Element> = profiles.iter().filter(|profile| named(profile, arguments)).collect();
        if active.is_empty() {
            active = profiles
                .iter()
                .filter(|profile| profile.text_at(&["activation", "activeByDefault"]) == Some("true"))
                .collect();
        }
        // The last profile wins over the ones before, each over the project.
        active.reverse();
        active.push(&self.project);
        active
    }
}

fn named(profile: &Element, arguments: &Arguments) -> bool {
    let id = profile.text_at(&["id"]).unwrap_or("default");
    if arguments.profiles.iter().any(|name| name == id) {
        return true;
    }
    let property = |path: &str| profile.text_at(&["activation", "property", path]);
    // `!` turns either around: active if the property is not given, or has another value.
    property("name").is_some_and(|name| match name.strip_prefix('!') {
        Some(name) => !arguments.properties.contains_key(name),
        None => match (arguments.properties.get(name), property("value")) {
            (Some(given), Some(wanted)) => match wanted.strip_prefix('!') {
                Some(unwanted) => given != unwanted,
                None => given == wanted,
            },
            (Some(_), None) => true,
            (None, Some(wanted)) => wanted.starts_with('!'),
            (None, None) => false,
        },
    })
}
