//! Environments: where an image goes after QA, in which order, and what has to be true before. The keys are explained in
//! `pipelines/environments.toml`.

use std::time::Duration;

use super::files::Text;
use super::freeze::{Freezes, read_freeze, zone};
use super::reader::{File, Reader};
use super::value::{Checked, Value, boolean, integer, line, list, one_of, parsed, placed};
use super::{Problem, parse_duration};
use crate::model::{Level, PromotionKind, Reference, Role};

/// The environment that builds push to; its registry is the configuration's.
pub const FIRST: &str = "qa";

/// All environments, in the order of promotion; the first is [`FIRST`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environments(Vec<Environment>);

/// One environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Its name, for example `pre-production`.
    pub name: String,
    /// As pages call it.
    pub title: String,
    /// Its registries; none for the first.
    pub data_centres: Vec<DataCentre>,
    /// What has to be true before a promotion.
    pub gates: Gates,
    /// How many approvals a rollback needs.
    pub rollback_approvals: u8,
    /// Must the page's user type the last characters of the digest?
    pub confirm: bool,
    /// When nothing comes in.
    pub freezes: Freezes,
    /// Mail addresses of who approves and who answers for it: told of requests and of what became of them.
    pub recipients: Vec<String>,
}

/// A registry of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataCentre {
    /// Its name inside the environment.
    pub name: String,
    /// Host, port and path above the applications, for example `registry.dc1.example.com/apps`.
    pub repository: String,
    /// The tag there.
    pub tag: TagTemplate,
}

/// What has to be true before a promotion into an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gates {
    /// Only images that are the trunk's.
    pub merged: bool,
    /// Only what has reached the environment before.
    pub previous: bool,
    /// And has been there so long.
    pub minimum_time: Duration,
    /// How many people have to approve.
    pub approvals: u8,
    /// What they have to be.
    pub approved_by: Role,
    /// No open finding above this; `None`: findings do not matter.
    pub findings_up_to: Option<Ceiling>,
}

/// The most severe finding that may be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ceiling {
    /// None at all.
    Nothing,
    /// Findings of this level and below.
    UpTo(Level),
}

/// A tag with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagTemplate(String);

/// What a tag may be made of.
#[derive(Debug, Clone, Copy)]
pub struct TagParts<'a> {
    /// The tag in the QA registry.
    pub tag: &'a str,
    /// Number of the build.
    pub build: i64,
    /// The commit, shortened.
    pub commit: &'a str,
}

const PLACEHOLDERS: [&str; 3] = ["{tag}", "{build}", "{commit}"];

impl Default for Environments {
    /// The first environment alone: nothing is promoted.
    fn default() -> Self {
        Self(vec![Environment::first(FIRST.to_uppercase())])
    }
}

impl Environments {
    /// From the file, or the first environment alone where there is none. What is wrong is added to `problems`.
    pub(super) fn read(text: Option<&Text>, problems: &mut Vec<Problem>) -> Self {
        let Some(text) = text else {
            return Self::default();
        };
        let file = File::new(text.path.clone(), &text.text);
        let environments = read_all(&file);
        problems.extend(file.into_problems());
        environments
    }

    /// In the order of promotion.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Environment> {
        self.0.iter()
    }

    /// The environment of this name.
    pub fn get(&self, name: &str) -> Option<&Environment> {
        self.0.iter().find(|environment| environment.name == name)
    }

    /// The one before; `None` for the first and for unknown ones.
    pub fn before(&self, name: &str) -> Option<&Environment> {
        let at = self.0.iter().position(|environment| environment.name == name)?;
        self.0.get(at.checked_sub(1)?)
    }

    /// The one that images go to from this one.
    pub fn after(&self, name: &str) -> Option<&Environment> {
        let at = self.0.iter().position(|environment| environment.name == name)?;
        self.0.get(at + 1)
    }

    /// All names, for messages.
    pub fn names(&self) -> Vec<&str> {
        self.0.iter().map(|environment| environment.name.as_str()).collect()
    }
}

impl Environment {
    fn first(title: String) -> Self {
        Self {
            name: FIRST.to_owned(),
            title,
            data_centres: Vec::new(),
            gates: Gates {
                merged: false,
                previous: false,
                minimum_time: Duration::ZERO,
                approvals: 0,
                approved_by: Role::ReleaseManager,
                findings_up_to: None,
            },
            rollback_approvals: 0,
            confirm: false,
            freezes: Freezes {
                zone: chrono_tz::UTC,
                windows: Vec::new(),
            },
            recipients: Vec::new(),
        }
    }

    /// How many people have to approve what comes in this way.
    pub fn approvals_for(&self, kind: PromotionKind) -> u8 {
        match kind {
            PromotionKind::Promotion => self.gates.approvals,
            PromotionKind::Rollback => self.rollback_approvals,
        }
    }

    /// Does anything come here by promotion? Not into the first.
    pub fn is_first(&self) -> bool {
        self.data_centres.is_empty()
    }
}

impl DataCentre {
    /// The repository of an application there.
    pub fn repository_of(&self, application: &str) -> String {
        format!("{}/{application}", self.repository)
    }
}

impl TagTemplate {
    fn parse(text: &str) -> Result<Self, String> {
        let template = Self(text.to_owned());
        let sample = template.fill(TagParts {
            tag: "mr-7-da156088-12",
            build: 12,
            commit: "da156088",
        });
        let fits = format!("registry.example.com/a:{sample}").parse::<Reference>().is_ok() && !sample.contains('/');
        if !fits || sample == "latest" {
            return Err(format!(
                "{text:?} gives no tag: write letters, digits, '.', '_', '-' and {}",
                PLACEHOLDERS.join(", ")
            ));
        }
        if sample == text {
            return Err(format!(
                "{text:?} would be the same tag for all images, and a tag is never overwritten: put one of {} into it",
                PLACEHOLDERS.join(", ")
            ));
        }
        Ok(template)
    }

    /// The tag of an image.
    pub fn fill(&self, parts: TagParts<'_>) -> String {
        self.0
            .replace("{tag}", parts.tag)
            .replace("{build}", &parts.build.to_string())
            .replace("{commit}", parts.commit)
    }
}

fn read_all(file: &File<'_>) -> Environments {
    let Some(table) = file.parse() else {
        return Environments(Vec::new());
    };
    let mut top = file.reader(&table);
    let mut environments: Vec<Environment> = Vec::new();
    let mut repositories: Vec<String> = Vec::new();
    for (at, mut table) in top.optional_tables("environment").into_iter().enumerate() {
        let name = table.required("name", placed(name));
        let here = name.as_ref().map(|(_, place)| place.clone());
        if at == 0 {
            if let Some((name, place)) = &name
                && name != FIRST
            {
                let message =
                    format!("name: the first environment is the one that builds push to and is called \"{FIRST}\"");
                table.report(place.clone(), message);
            }
            let title = table.optional("title", line);
            table.finish();
            environments.push(Environment::first(title.unwrap_or_else(|| FIRST.to_uppercase())));
            continue;
        }
        let read = read_environment(&mut table, name.map(|(name, _)| name));
        if let (Some(read), Some(here)) = (&read, here) {
            if environments.iter().any(|other| other.name == read.name) {
                table.report(
                    here.clone(),
                    format!("name: there are two environments \"{}\"", read.name),
                );
            }
            for centre in &read.data_centres {
                if repositories.contains(&centre.repository) {
                    let message = format!(
                        "the repository {} stands here twice: two environments in one place cannot hold different images",
                        centre.repository
                    );
                    table.report(here.clone(), message);
                }
                repositories.push(centre.repository.clone());
            }
        }
        table.finish();
        environments.extend(read);
    }
    if environments.is_empty() {
        top.report_here(format!(
            "no environment: the first [[environment]] is name = \"{FIRST}\", what follows it is where images are promoted to"
        ));
    }
    top.finish();
    Environments(environments)
}

fn read_environment(table: &mut Reader<'_, '_>, name: Option<String>) -> Option<Environment> {
    let title = table.optional("title", line);
    let time_zone = table.optional("time_zone", parsed(zone)).unwrap_or(chrono_tz::UTC);
    let recipients = table.optional("recipients", list(line)).unwrap_or_default();
    let confirm = table.optional("confirm_digest", boolean).unwrap_or(false);
    let rollback_approvals = table.optional("rollback_approvals", integer(0..=9)).unwrap_or(0);
    let gates = match table.optional_table("gates") {
        Some(table) => read_gates(table),
        None => Gates::default(),
    };
    let windows = table
        .optional_tables("freeze")
        .into_iter()
        .filter_map(read_freeze)
        .collect();
    let tables = table.optional_tables("registry");
    if tables.is_empty() {
        table.report_here(
            "an environment has at least one [[environment.registry]] with name (of the data centre) and repository"
                .to_owned(),
        );
    }
    let all = tables.len();
    let data_centres: Vec<DataCentre> = tables.into_iter().filter_map(read_data_centre).collect();
    for (at, centre) in data_centres.iter().enumerate() {
        if data_centres[..at].iter().any(|other| other.name == centre.name) {
            table.report_here(format!(
                "two registries of one environment are called \"{}\"",
                centre.name
            ));
        }
    }
    let name = name?;
    (all > 0 && data_centres.len() == all).then(|| Environment {
        title: title.unwrap_or_else(|| name.clone()),
        name,
        data_centres,
        gates,
        rollback_approvals,
        confirm,
        freezes: Freezes {
            zone: time_zone,
            windows,
        },
        recipients,
    })
}

impl Default for Gates {
    /// As strict as it can be without a number that only the house knows.
    fn default() -> Self {
        Self {
            merged: true,
            previous: true,
            minimum_time: Duration::ZERO,
            approvals: 1,
            approved_by: Role::ReleaseManager,
            findings_up_to: None,
        }
    }
}

fn read_gates(mut table: Reader<'_, '_>) -> Gates {
    let default = Gates::default();
    let gates = Gates {
        merged: table.optional("merged", boolean).unwrap_or(default.merged),
        previous: table.optional("previous", boolean).unwrap_or(default.previous),
        minimum_time: table
            .optional("minimum_time", parsed(parse_duration))
            .unwrap_or(default.minimum_time),
        approvals: table.optional("approvals", integer(0..=9)).unwrap_or(default.approvals),
        approved_by: table
            .optional("approved_by", parsed(str::parse::<Role>))
            .unwrap_or(default.approved_by),
        findings_up_to: table
            .optional(
                "findings_up_to",
                one_of(&[
                    ("any", None),
                    ("none", Some(Ceiling::Nothing)),
                    ("low", Some(Ceiling::UpTo(Level::Low))),
                    ("medium", Some(Ceiling::UpTo(Level::Medium))),
                    ("high", Some(Ceiling::UpTo(Level::High))),
                ]),
            )
            .unwrap_or(default.findings_up_to),
    };
    table.finish();
    gates
}

fn read_data_centre(mut table: Reader<'_, '_>) -> Option<DataCentre> {
    let name = table.required("name", name);
    let repository = table.required("repository", parsed(repository));
    let tag = table.optional("tag", parsed(TagTemplate::parse));
    table.finish();
    Some(DataCentre {
        name: name?,
        repository: repository?,
        tag: tag.unwrap_or_else(|| TagTemplate("{tag}".to_owned())),
    })
}

/// Lower-case letters, digits and `-`: it stands in addresses and commands.
fn name(value: &Value<'_>) -> Checked<String> {
    parsed(|text: &str| {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if (1..=40).contains(&text.len()) && text.chars().all(fits) && !text.starts_with('-') {
            Ok(text.to_owned())
        } else {
            Err(format!(
                "{text:?} is no name: write lower-case letters, digits and '-', at most 40"
            ))
        }
    })(value)
}

fn repository(text: &str) -> Result<String, String> {
    let trimmed = text.trim_end_matches('/');
    let whole = format!("{trimmed}/application");
    match whole.parse::<Reference>() {
        // A path of Docker's own registry is completed; here it would be a mistake that nobody sees.
        Ok(reference) if reference.to_string() == format!("{whole}:latest") => Ok(trimmed.to_owned()),
        _ => Err(format!(
            "{text:?} is no registry with its path: write for example registry.example.com/apps"
        )),
    }
}
