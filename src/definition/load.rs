//! From the files to [`Definitions`]: each file by itself here, what needs several of them in `check`.

use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};
use std::path::Path;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeTable;

use super::boot::read_boot;
use super::check::{Overrides, StatedPipeline, resolve};
use super::files::{Found, Text};
use super::read_pipeline::{read_house_bans, read_pipeline};
use super::reader::{File, Reader, advice};
use super::value::{Checked, Value, boolean, integer, line, list, number, one_of, parsed, some, wrong};
use super::{
    Builder, DefinitionErrors, Definitions, Environments, ImageName, Limits, People, Problem, Runtime, Stack, Tests,
    inherit, parse_bytes, parse_duration,
};
use crate::model::{ServletApi, ServletVersion};

impl Definitions {
    /// Reads all files of `directory` (`*.toml` and `stacks/*.toml`), or the shipped ones where none is configured.
    ///
    /// `templates` are the names of the Dockerfile templates that exist (see `dockerfile::Templates::names`).
    ///
    /// # Errors
    /// Every problem of every file at once, by file and line.
    pub fn load(directory: Option<&Path>, templates: &BTreeSet<String>) -> Result<Self, DefinitionErrors> {
        let mut found = Found::gather(directory);
        let mut problems = std::mem::take(&mut found.problems);
        let stacks = read_stacks(&found.stacks, templates, &mut problems);
        let files: Vec<File<'_>> = found
            .pipelines
            .iter()
            .map(|text| File::new(text.path.clone(), &text.text))
            .collect();
        let mut pipelines: Vec<StatedPipeline> = files
            .iter()
            .zip(&found.pipelines)
            .filter_map(|(file, text)| read_pipeline(file, text))
            .collect();
        let house = found.bans.as_ref().map(|text| {
            let file = File::new(text.path.clone(), &text.text);
            let bans = read_house_bans(&file);
            problems.extend(file.into_problems());
            bans
        });
        let environments = Environments::read(found.environments.as_ref(), &mut problems);
        // Kept by the web, which loads them by itself; read here so that all files are checked at once.
        let _ = People::read(found.people.as_ref(), &mut problems);
        // Before the pipelines are put together: a waiver may name a ban of the house.
        for pipeline in &mut pipelines {
            pipeline.bans.extend(house.clone().unwrap_or_default());
        }
        let mut definitions = resolve(
            found.directory,
            stacks,
            pipelines,
            &files,
            &found.pipelines,
            &mut problems,
        );
        definitions.environments = environments;
        problems.extend(files.into_iter().flat_map(File::into_problems));
        if problems.is_empty() {
            Ok(definitions)
        } else {
            problems.sort();
            problems.dedup();
            Err(DefinitionErrors(problems))
        }
    }
}

/// All stacks by name. One that is there but wrong is still a name that pipelines may use: no second complaint about it.
fn read_stacks(
    texts: &[Text],
    templates: &BTreeSet<String>,
    problems: &mut Vec<Problem>,
) -> Vec<(String, Option<Stack>)> {
    let files: Vec<File<'_>> = texts
        .iter()
        .map(|text| File::new(text.path.clone(), &text.text))
        .collect();
    let names: Vec<String> = texts.iter().map(|text| text.name.clone()).collect();
    let tables = inherit::inherited(&files, &names, files.iter().map(File::parse).collect());
    let stacks = (0..files.len())
        .map(|at| {
            let read = tables[at]
                .as_ref()
                .and_then(|table| read_stack(&files[at], table, &names[at], templates));
            (names[at].clone(), read)
        })
        .collect();
    for (file, table) in files.iter().zip(&tables) {
        let Some(table) = table else { continue };
        let parent = table
            .get_ref()
            .get(inherit::KEY)
            .and_then(|name| name.get_ref().as_str());
        let parent = parent.and_then(|parent| names.iter().position(|name| name == parent));
        // What is wrong in the other file is said there.
        if parent.is_some_and(|parent| files[parent].is_wrong())
            && let Some(place) = inherit::place(table)
        {
            file.forget(place);
        }
    }
    problems.extend(files.into_iter().flat_map(File::into_problems));
    stacks
}

fn read_stack(
    file: &File<'_>,
    table: &Spanned<DeTable<'_>>,
    name: &str,
    templates: &BTreeSet<String>,
) -> Option<Stack> {
    let mut top = file.reader(table);
    let title = top.required("title", line);
    let servlet = top.required(
        "servlet",
        one_of(&[("javax", ServletApi::Javax), ("jakarta", ServletApi::Jakarta)]),
    );
    let servlet_version = top.required("servlet_version", |value: &Value<'_>| {
        let version: ServletVersion = parsed(str::parse)(value)?;
        match servlet {
            Some(servlet) if version.api() != servlet => wrong(
                value,
                format!(
                    "\"{version}\" is a version of {}.servlet, and servlet says \"{}\"",
                    version.api().as_str(),
                    servlet.as_str()
                ),
            ),
            _ => Ok(version),
        }
    });
    let jdk = top.required("jdk", integer(8..=99));
    let builder = top.required_table("builder").and_then(|table| read_builder(table, jdk));
    let runtime = top
        .required_table("runtime")
        .and_then(|table| read_runtime(table, templates));
    let limits = top
        .required_table("limits")
        .and_then(|table| read_limits(table, true).complete());
    let tests = top.required_table("tests").and_then(|mut table| {
        let required = table.required("required", boolean);
        table.finish();
        Some(Tests { required: required? })
    });
    let boot = top.required_table("boot").and_then(read_boot);
    // Followed already, see `inherit`.
    let _ = top.optional(inherit::KEY, line);
    top.finish();
    Some(Stack {
        name: name.to_owned(),
        title: title?,
        servlet: servlet?,
        servlet_version: servlet_version?,
        builder: builder?,
        runtime: runtime?,
        limits: limits?,
        tests: tests?,
        boot: boot?,
    })
}

fn read_builder(mut table: Reader<'_, '_>, jdk: Option<u8>) -> Option<Builder> {
    let image = table.required("image", parsed(ImageName::parse));
    let command = table.required("command", some(line));
    let jvm_flags = table.optional("jvm_flags", list(flag)).unwrap_or_default();
    let reserved = jdk.filter(|_| !jvm_flags.is_empty()).map(Builder::flags_variable);
    let environment = table.optional_table("environment").map(|mut table| {
        let entries = table.entries(|name, value| variable(name, value, reserved));
        table.finish();
        entries.into_iter().collect()
    });
    table.finish();
    Some(Builder {
        image: image?,
        jdk: jdk?,
        command: command?,
        environment: environment.unwrap_or_default(),
        jvm_flags,
    })
}

fn read_runtime(mut table: Reader<'_, '_>, templates: &BTreeSet<String>) -> Option<Runtime> {
    let image = table.required("image", parsed(ImageName::parse));
    let template = table.required("template", |value: &Value<'_>| {
        let name = line(value)?;
        if templates.contains(&name) {
            return Ok(name);
        }
        let valid: Vec<String> = templates.iter().cloned().collect();
        wrong(
            value,
            format!("there is no template {name:?}; {}", advice(&name, &valid)),
        )
    });
    let ports = table.required("ports", some(integer(1..=u16::MAX)));
    let log_directory = table.required("log_directory", absolute_path);
    let config_directory = table.required("config_directory", absolute_path);
    let time_zone = table.required("time_zone", time_zone);
    let drain = table.required("drain", time(1..=600));
    let user = table.required("user", integer(1..=u32::MAX - 1));
    let java_options = table.optional("java_options", list(flag)).unwrap_or_default();
    let technology = one_of(&[("EJB", "EJB"), ("JSF", "JSF"), ("CDI", "CDI"), ("JMS", "JMS")]);
    let provides: Vec<&str> = table.optional("provides", list(technology)).unwrap_or_default();
    table.finish();
    Some(Runtime {
        image: image?,
        template: template?,
        ports: ports?,
        log_directory: log_directory?,
        config_directory: config_directory?,
        time_zone: time_zone?,
        drain: drain?,
        user: user?,
        java_options,
        provides: provides.into_iter().map(str::to_owned).collect(),
    })
}

pub(super) fn read_limits(mut table: Reader<'_, '_>, required: bool) -> Overrides {
    const MIB: u64 = 1 << 20;
    fn get<T>(
        table: &mut Reader<'_, '_>,
        required: bool,
        key: &str,
        check: impl Fn(&Value<'_>) -> Checked<T>,
    ) -> Option<T> {
        if required {
            table.required(key, check)
        } else {
            table.optional(key, check)
        }
    }
    let limits = Overrides {
        // Below this no JVM with Maven starts; the engine's own floor is 6 MiB.
        memory: get(&mut table, required, "memory", size(128 * MIB)),
        cpus: get(&mut table, required, "cpus", number(0.1..=1024.0)),
        pids: get(&mut table, required, "pids", integer(32..=4_000_000)),
        disk: get(&mut table, required, "disk", size(64 * MIB)),
        time: get(&mut table, required, "time", |value: &Value<'_>| {
            let time = parsed(parse_duration)(value)?;
            if time < Duration::from_secs(1) {
                wrong(value, "must be at least \"1s\"")
            } else {
                Ok(time)
            }
        }),
        log: get(&mut table, required, "log", size(64 << 10)),
        output: get(&mut table, required, "output", size(MIB)),
        output_files: get(&mut table, required, "output_files", integer(10..=10_000_000)),
    };
    table.finish();
    limits
}

impl Overrides {
    /// All of them, if all are there.
    fn complete(self) -> Option<Limits> {
        Some(Limits {
            memory: self.memory?,
            cpus: self.cpus?,
            pids: self.pids?,
            disk: self.disk?,
            time: self.time?,
            log: self.log?,
            output: self.output?,
            output_files: self.output_files?,
        })
    }
}

pub(super) fn size(least: u64) -> impl Fn(&Value<'_>) -> Checked<u64> {
    move |value| match parsed(parse_bytes)(value)? {
        small if small < least => wrong(value, format!("must be at least \"{}KiB\"", least >> 10)),
        bytes => Ok(bytes),
    }
}

/// A flag of a JVM: the variables that carry them are split at white space, without any quoting that all JDKs share.
fn flag(value: &Value<'_>) -> Checked<String> {
    let flag = line(value)?;
    let bad = |c: char| c.is_whitespace() || "\"'`\\$".contains(c);
    match flag.starts_with('-') && !flag.contains(bad) {
        true => Ok(flag),
        false => wrong(
            value,
            format!("{flag:?} is not one flag: it begins with '-' and has no blanks, quotes, '\\' or '$'"),
        ),
    }
}

pub(super) fn variable(name: &str, value: &Value<'_>, reserved: Option<&'static str>) -> Checked<String> {
    let good = !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit());
    if !good || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return wrong(value, format!("{name:?} is no name of a variable"));
    }
    if reserved == Some(name) {
        return wrong(
            value,
            format!("{name} is made from builder.jvm_flags; put the flags there"),
        );
    }
    match value.get_ref().as_str() {
        // Empty is a value of its own.
        Some("") => Ok(String::new()),
        _ => line(value),
    }
}

fn absolute_path(value: &Value<'_>) -> Checked<String> {
    let path = line(value)?;
    let mut parts = path.split('/');
    let absolute = parts.next() == Some("");
    let clean = parts.all(|part| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    });
    match absolute && clean {
        true => Ok(path),
        false => wrong(
            value,
            format!("{path:?} is no absolute path of letters, digits, '.', '_', '-', like \"/var/log/tomcat\""),
        ),
    }
}

/// A length of time within these seconds.
pub(super) fn time(seconds: RangeInclusive<u64>) -> impl Fn(&Value<'_>) -> Checked<Duration> {
    move |value| {
        let time = parsed(parse_duration)(value)?;
        let (least, most) = (
            Duration::from_secs(*seconds.start()),
            Duration::from_secs(*seconds.end()),
        );
        match (least..=most).contains(&time) {
            true => Ok(time),
            false => wrong(
                value,
                format!("must be from \"{}s\" to \"{}s\"", seconds.start(), seconds.end()),
            ),
        }
    }
}

/// A name of the time zone database, whose list is the JDK's.
fn time_zone(value: &Value<'_>) -> Checked<String> {
    let name = line(value)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_+-".contains(c);
    match name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(plain) {
        true => Ok(name),
        false => wrong(
            value,
            format!("{name:?} is no time zone like \"UTC\" or \"Europe/Oslo\""),
        ),
    }
}

/// A value with its byte offsets in the file.
pub(super) type Placed<T> = (T, Range<usize>);
