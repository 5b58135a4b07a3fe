//! Who has which role for which projects: `[[grant]]` in `people.toml`, which is no pipeline.

use std::path::Path;

use super::files::{Found, Text};
use super::reader::{File, Reader};
use super::value::{Checked, Value, boolean, line, one_of, parsed, some, wrong};
use super::{DefinitionErrors, Glob, Problem, Rights};
use crate::model::Role;

/// All grants, checked.
#[derive(Debug, Clone, Default)]
pub struct People {
    grants: Vec<Grant>,
}

/// A role for some projects, and who has it.
#[derive(Debug, Clone)]
struct Grant {
    role: Role,
    projects: Vec<Glob>,
    groups: Vec<Glob>,
    users: Vec<String>,
    everybody: bool,
}

impl People {
    /// Reads `people.toml` of this directory, or the shipped one where none is configured. A directory without the file
    /// grants nothing to anybody.
    ///
    /// # Errors
    /// Every problem of the file at once, by line.
    pub fn load(directory: Option<&Path>) -> Result<Self, DefinitionErrors> {
        let mut found = Found::gather(directory);
        let mut problems = std::mem::take(&mut found.problems);
        let people = Self::read(found.people.as_ref(), &mut problems);
        if problems.is_empty() {
            Ok(people)
        } else {
            problems.sort();
            Err(DefinitionErrors(problems))
        }
    }

    pub(super) fn read(text: Option<&Text>, problems: &mut Vec<Problem>) -> Self {
        let Some(text) = text else {
            return Self::default();
        };
        let file = File::new(text.path.clone(), &text.text);
        let mut grants = Vec::new();
        if let Some(table) = file.parse() {
            let mut top = file.reader(&table);
            grants.extend(top.optional_tables("grant").into_iter().filter_map(read_grant));
            top.finish();
        }
        problems.extend(file.into_problems());
        Self { grants }
    }

    /// What this person may, by his login and the full paths of his groups. Both are the same in upper and lower case,
    /// as GitLab has it.
    pub fn rights(&self, login: &str, groups: &[String]) -> Rights {
        let fits = |grant: &&Grant| {
            grant.everybody
                || grant.users.iter().any(|user| user.eq_ignore_ascii_case(login))
                || grant
                    .groups
                    .iter()
                    .any(|glob| groups.iter().any(|group| glob.matches(group)))
        };
        let fitting = self.grants.iter().filter(fits);
        fitting.fold(Rights::default(), |rights, grant| {
            rights.with(grant.role, grant.projects.clone())
        })
    }
}

fn read_grant(mut table: Reader<'_, '_>) -> Option<Grant> {
    let roles = Role::ALL.map(|role| (role.as_str(), role));
    let role = table.required("role", one_of(&roles));
    let projects = table.required("projects", some(parsed(Glob::project)));
    let groups = table.optional("groups", some(parsed(Glob::project)));
    let users = table.optional("users", some(login));
    let everybody = table.optional("everybody", boolean);
    if groups.is_none() && users.is_none() && everybody != Some(true) && !table.has("groups") && !table.has("users") {
        table.wrong("grants to nobody: name \"groups\" or \"users\", or say everybody = true");
    }
    table.finish();
    Some(Grant {
        role: role?,
        projects: projects?,
        groups: groups.unwrap_or_default(),
        users: users.unwrap_or_default(),
        everybody: everybody.unwrap_or_default(),
    })
}

fn login(value: &Value<'_>) -> Checked<String> {
    let login = line(value)?;
    let plain = |c: char| c.is_alphanumeric() || "_.-".contains(c);
    match login.chars().all(plain) {
        true => Ok(login),
        false => wrong(
            value,
            format!("{login:?} is no login: write it as in GitLab's address of the person, without '@'"),
        ),
    }
}

/// The patterns of a token's projects, as they are written on a command line or into a form.
///
/// # Errors
/// What is no pattern, and why.
pub fn project_patterns<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Vec<Glob>, super::BadGlob> {
    texts.into_iter().map(Glob::project).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (People, Vec<String>) {
        let text = Text {
            name: "people".to_owned(),
            path: "people.toml".to_owned(),
            text: text.to_owned(),
        };
        let mut problems = Vec::new();
        let people = People::read(Some(&text), &mut problems);
        (people, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_grant_fits_by_login_group_or_everybody() {
        let (people, problems) = read(
            r#"
            [[grant]]
            role = "viewer"
            projects = ["**"]
            everybody = true
            [[grant]]
            role = "release-manager"
            projects = ["payments/**"]
            groups = ["release/*"]
            users = ["Anna"]
            "#,
        );
        assert_eq!(problems, [""; 0]);
        let project = "payments/api".parse().expect("a path");
        let manager = [Role::Viewer, Role::ReleaseManager];
        let groups = |name: &str| vec![name.to_owned()];
        assert_eq!(people.rights("anna", &[]).on(&project), manager);
        assert_eq!(people.rights("ben", &groups("Release/oslo")).on(&project), manager);
        assert_eq!(people.rights("ben", &groups("release")).on(&project), [Role::Viewer]);
        assert_eq!(
            people.rights("ben", &groups("x/release/oslo")).on(&project),
            [Role::Viewer]
        );
    }

    #[test]
    fn all_that_is_wrong_is_told_with_its_place() {
        let (_, problems) = read(
            "[[grant]]\nrole = \"boss\"\nprojects = []\nusers = [\"@anna\"]\n[[grant]]\nrole = \"admin\"\n\
             projects = [\"**\"]\n[[grant]]\nrole = \"viewer\"\nproject = [\"**\"]\neverybody = true\n",
        );
        assert_eq!(
            problems,
            [
                "people.toml:2:8: grant.role: \"boss\" is none of \"viewer\", \"developer\", \"release-manager\", \"platform\", \"admin\"",
                "people.toml:3:12: grant.projects: the list is empty; it needs at least one element",
                "people.toml:4:10: grant.users: \"@anna\" is no login: write it as in GitLab's address of the person, without '@'",
                "people.toml:5:1: [grant] grants to nobody: name \"groups\" or \"users\", or say everybody = true",
                "people.toml:8:1: [grant] lacks the key \"projects\"",
                "people.toml:10:1: unknown key \"project\" in [grant]; did you mean \"projects\"?",
            ]
        );
    }
}
