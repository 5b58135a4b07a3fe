//! How an image is tried before it is pushed, and what it may ask for meanwhile. The keys are explained in
//! `pipelines/stacks/tomcat10.toml` ([boot]) and `pipelines/default.toml` ([[service]]).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::ImageName;
use super::check::BootOverrides;
use super::load::{size, time, variable};
use super::reader::Reader;
use super::stack::seconds;
use super::value::{Checked, Value, boolean, line, list, parsed, wrong};

/// Bytes below which no Tomcat, and no database, starts.
const LEAST_MEMORY: u64 = 32 << 20;
/// The longest that a start may take.
const LONGEST: u64 = 3600;

/// The boot check of an image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Boot {
    /// Is it done at all?
    pub check: bool,
    /// Path inside the application that is asked; every answer below 500 will do.
    pub path: String,
    /// Bytes of memory that the container gets.
    pub memory: u64,
    /// From the start of the container to the answer; in seconds where it is serialised.
    #[serde(serialize_with = "seconds")]
    pub time: Duration,
    /// Variables of the container, besides the image's.
    pub environment: BTreeMap<String, String>,
}

/// A program that tests and boot check may talk to, in a container beside theirs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Service {
    /// Its name on the build's network.
    pub name: String,
    /// What it is started from.
    pub image: ImageName,
    /// Arguments in place of the image's own; empty for those.
    pub command: Vec<String>,
    /// Its variables.
    pub environment: BTreeMap<String, String>,
    /// A command, run in the container, that ends with 0 when it may be used. Empty: the image's own health check.
    pub health: Vec<String>,
    /// Bytes of memory.
    pub memory: u64,
    /// How long it may take until it may be used; in seconds where it is serialised.
    #[serde(serialize_with = "seconds")]
    pub time: Duration,
}

pub(super) fn read_boot(mut table: Reader<'_, '_>) -> Option<Boot> {
    let check = table.required("check", boolean);
    let path = table.required("path", http_path);
    let memory = table.required("memory", size(LEAST_MEMORY));
    let time = table.required("time", time(1..=LONGEST));
    let environment = read_environment(&mut table);
    table.finish();
    Some(Boot {
        check: check?,
        path: path?,
        memory: memory?,
        time: time?,
        environment,
    })
}

pub(super) fn read_boot_overrides(mut table: Reader<'_, '_>) -> BootOverrides {
    let overrides = BootOverrides {
        check: table.optional("check", boolean),
        path: table.optional("path", http_path),
        memory: table.optional("memory", size(LEAST_MEMORY)),
        time: table.optional("time", time(1..=LONGEST)),
        environment: read_environment(&mut table),
    };
    table.finish();
    overrides
}

/// `[[service]]`, each name once.
pub(super) fn read_services(top: &mut Reader<'_, '_>) -> Vec<Service> {
    let mut services: Vec<Service> = Vec::new();
    for mut table in top.optional_tables("service") {
        let taken: Vec<String> = services.iter().map(|service| service.name.clone()).collect();
        let name = table.required("name", |value: &Value<'_>| host_name(value, &taken));
        let image = table.required("image", parsed(ImageName::parse));
        let command = table.optional("command", list(line)).unwrap_or_default();
        let environment = read_environment(&mut table);
        let health = table.optional("health", list(line)).unwrap_or_default();
        let memory = table.required("memory", size(LEAST_MEMORY));
        let time = table.required("time", time(1..=LONGEST));
        table.finish();
        services.extend((|| {
            Some(Service {
                name: name?,
                image: image?,
                command,
                environment,
                health,
                memory: memory?,
                time: time?,
            })
        })());
    }
    services
}

fn read_environment(table: &mut Reader<'_, '_>) -> BTreeMap<String, String> {
    let Some(mut environment) = table.optional_table("environment") else {
        return BTreeMap::new();
    };
    let entries = environment.entries(|name, value| variable(name, value, None));
    environment.finish();
    entries.into_iter().collect()
}

/// What stands in a request behind the host: visible characters without a fragment (RFC 9112, section 3.2.1).
fn http_path(value: &Value<'_>) -> Checked<String> {
    let path = line(value)?;
    match path.starts_with('/') && path.chars().all(|c| c.is_ascii_graphic() && !"\"#'`\\$".contains(c)) {
        true => Ok(path),
        false => wrong(value, format!("{path:?} is no path like \"/health\"")),
    }
}

/// A name by which a container is found (RFC 1123), that no other one has.
fn host_name(value: &Value<'_>, taken: &[String]) -> Checked<String> {
    let name = line(value)?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.len() > 63 || !name.chars().all(plain) || name.starts_with('-') || name.ends_with('-') {
        return wrong(
            value,
            format!("{name:?} is no host name of lower-case letters, digits and '-', like \"postgres\""),
        );
    }
    // The names of the containers that talk to it.
    if taken.contains(&name) || name == "build" || name == "application" || name == "localhost" {
        return wrong(value, format!("the name \"{name}\" is taken; choose another one"));
    }
    Ok(name)
}
