//! From a pipeline's file to what it states; the keys are explained in `pipelines/default.toml`.

use super::Glob;
use super::ban::{Ban, read_bans, read_vulnerabilities};
use super::boot::{read_boot_overrides, read_services};
use super::by_hand::read_exception;
use super::check::StatedPipeline;
use super::checks::read_checks;
use super::files::Text;
use super::load::read_limits;
use super::reader::File;
use super::value::{Checked, Value, boolean, integer, line, list, parsed, placed, some, wrong};
use crate::model::ContextPath;

/// Bans of the whole house stand in a file of their own.
pub(super) fn read_house_bans(file: &File<'_>) -> Vec<Ban> {
    let Some(table) = file.parse() else {
        return Vec::new();
    };
    let mut top = file.reader(&table);
    let bans = read_bans(&mut top);
    top.finish();
    bans
}

pub(super) fn read_pipeline(file: &File<'_>, text: &Text) -> Option<StatedPipeline> {
    let table = file.parse()?;
    let mut top = file.reader(&table);
    let projects = top.required("projects", some(placed(parsed(Glob::project))));
    let priority = top
        .optional("priority", integer(-1_000_000..=1_000_000))
        .unwrap_or_default();
    let stacks = top.required("stacks", some(placed(line)));
    let recipients = top.optional("recipients", list(address)).unwrap_or_default();
    let war = top.optional("war", parsed(Glob::file));
    let stack = top.optional("stack", placed(line));
    let jdk = top.optional("jdk", placed(integer(8..=99)));
    let default_jdk = top.optional("default_jdk", integer(8..=99)).unwrap_or(17);
    let profiles = top.optional("profiles", list(profile)).unwrap_or_default();
    let limits = top
        .optional_table("limits")
        .map(|table| read_limits(table, false))
        .unwrap_or_default();
    let required = top.optional_table("tests").and_then(|mut table| {
        let required = table.optional("required", boolean);
        table.finish();
        required
    });
    let context_path = top.optional("context_path", parsed(str::parse::<ContextPath>));
    let boot = top.optional_table("boot").map(read_boot_overrides).unwrap_or_default();
    let services = read_services(&mut top);
    let (checks, library_waivers) = read_checks(&mut top);
    let bans = read_bans(&mut top);
    let fail_from = read_vulnerabilities(&mut top);
    let by_hand = top.optional_table("dockerfile_exception").and_then(read_exception);
    top.finish();
    Some(StatedPipeline {
        name: text.name.clone(),
        projects: projects.unwrap_or_default(),
        priority,
        stacks: stacks.unwrap_or_default(),
        recipients,
        war,
        stack,
        jdk,
        default_jdk,
        profiles,
        limits,
        tests_required: required,
        context_path: context_path.unwrap_or_default(),
        boot,
        services,
        checks,
        bans,
        fail_from,
        library_waivers,
        by_hand,
    })
}

/// A name of a Maven profile, fit for a list after `-P`.
fn profile(value: &Value<'_>) -> Checked<String> {
    let profile = line(value)?;
    match profile.contains(|c: char| c.is_whitespace() || c == ',') || profile.starts_with(['-', '!', '+', '?']) {
        true => wrong(value, format!("{profile:?} is not the name of one profile")),
        false => Ok(profile),
    }
}

fn address(value: &Value<'_>) -> Checked<String> {
    let address = line(value)?;
    match address.parse::<lettre::Address>() {
        Ok(_) => Ok(address),
        Err(error) => wrong(value, format!("{address:?} is no mail address: {error}")),
    }
}
