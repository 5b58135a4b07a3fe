//! One pass over a Dockerfile gives all rules that it breaks, each with its lines.

use parse_dockerfile::{Command, HealthcheckArguments, Instruction};

use super::bases::Bases;
use super::copies::Copies;
use super::lines::{self, Line};
use super::report::Found;
use super::written::Written;
use super::{rules, secrets};
use crate::definition::ImageName;
use crate::model::Finding;

/// Shells whose `-c` is a command in shell form, however it is written.
const SHELLS: [&str; 5] = ["sh", "bash", "ash", "dash", "ksh"];
/// Labels that the service sets.
const RESERVED: [&str; 2] = ["dev.seaworthy.", "org.opencontainers.image."];

/// Variables that lead Tomcat to other web applications.
const ELSEWHERE: [&str; 2] = ["CATALINA_BASE", "CATALINA_HOME"];

/// What the house allows.
#[derive(Debug, Clone, Copy)]
pub struct House<'a> {
    /// What the last stage, the image itself, may stand on.
    pub last: &'a [ImageName],
    /// What all other stages may stand on and copy from.
    pub any: &'a [ImageName],
}

/// Judges the text of a Dockerfile; `path` names it in the finding.
///
/// # Errors
/// One finding with all rules that it breaks.
pub fn lint(text: &str, path: &str, house: House<'_>) -> Result<Written, Finding> {
    let text = lines::normal(text);
    let mut found = Found::new(path);
    let mut orders = Vec::new();
    for (line, directive) in lines::directives(&text) {
        found.add(&rules::DIRECTIVE, line, directive);
        orders.push(line);
    }
    // What else is wrong is judged as if they were not there.
    let text = lines::without(&text, &orders);
    let read = read(&text, &mut found);
    secrets::by_form(&text, &mut found);
    let written = read.and_then(|(file, lines)| judge(&text, &file, &lines, house, &mut found));
    match (found.finding(), written) {
        (Some(finding), _) => Err(finding),
        (None, Some(written)) => Ok(written),
        (None, None) => unreachable!("a file without a base has a finding"),
    }
}

/// The file as the library reads it, if the plain reader reads the same.
fn read<'t>(text: &'t str, found: &mut Found<'_>) -> Option<(parse_dockerfile::Dockerfile<'t>, Vec<Line>)> {
    if let Some((line, c)) = lines::odd_character(text) {
        found.add(
            &rules::UNREADABLE,
            line,
            format!("the character U+{:04X} is in it", u32::from(c)),
        );
        return None;
    }
    let lines = match lines::instructions(text) {
        Ok(lines) => lines,
        Err((line, why)) => {
            found.add(&rules::UNREADABLE, line, why);
            return None;
        }
    };
    let here_documents = lines
        .iter()
        .filter(|line| ["RUN", "COPY", "ADD"].contains(&line.name.as_str()) && line.rest.contains("<<"));
    let mut readable = true;
    for line in here_documents {
        found.add(&rules::HEREDOC, line.number, &line.rest);
        readable = false;
    }
    // Its lines are instructions to one reader and text to the other.
    if !readable {
        return None;
    }
    let file = match parse_dockerfile::parse(text) {
        Ok(file) => file,
        Err(error) => {
            found.add(&rules::UNREADABLE, error.line(), error.to_string());
            return None;
        }
    };
    let mut both = lines.iter().zip(&file.instructions);
    let differs = both.find(|(line, instruction)| kind(instruction) != line.name);
    if let Some((line, instruction)) = differs {
        let what = format!("two readers read {} and {} here", line.name, kind(instruction));
        found.add(&rules::UNREADABLE, line.number, what);
        return None;
    }
    if lines.len() != file.instructions.len() {
        let (ours, theirs) = (lines.len(), file.instructions.len());
        let what = format!("two readers read {ours} and {theirs} instructions");
        found.add(&rules::UNREADABLE, 1, what);
        return None;
    }
    Some((file, lines))
}

fn judge(
    text: &str,
    file: &parse_dockerfile::Dockerfile<'_>,
    lines: &[Line],
    house: House<'_>,
    found: &mut Found<'_>,
) -> Option<Written> {
    let numbers: Vec<usize> = lines.iter().map(|line| line.number).collect();
    let bases = Bases::judge(text, file, &numbers, &house, found);
    let last = bases.stages.len().checked_sub(1)?;
    let chain = bases.chain(last);
    let in_image = |at: usize| chain.iter().any(|stage| bases.stages[*stage].range.contains(&at));
    let (mut copies, mut user, mut healthy) = (Copies::default(), None, false);
    // An instruction counts in the order of the stages, and a stage stands on an earlier one.
    for (at, (line, instruction)) in lines.iter().zip(&file.instructions).enumerate() {
        match instruction {
            Instruction::From(_) => {}
            Instruction::Add(_) => found.add(&rules::ADD, line.number, &line.rest),
            Instruction::Copy(copy) => copies.judge(copy, line.number, in_image(at), found),
            Instruction::Run(run) => {
                for option in &run.options {
                    let value = option.value.as_ref().map(|value| format!("={}", value.value));
                    let what = format!("--{}{}", option.name.value, value.unwrap_or_default());
                    found.add(&rules::RUN_FLAG, line.number, what);
                }
            }
            Instruction::Cmd(cmd) => command(&cmd.arguments, line, found),
            Instruction::Entrypoint(entry) => command(&entry.arguments, line, found),
            Instruction::Healthcheck(check) => match &check.arguments {
                HealthcheckArguments::Cmd { arguments, .. } => {
                    command(arguments, line, found);
                    healthy |= in_image(at);
                }
                HealthcheckArguments::None { .. } => {
                    healthy = false;
                    found.add(&rules::HEALTH, line.number, "HEALTHCHECK NONE");
                }
                _ => found.add(&rules::UNREADABLE, line.number, &line.name),
            },
            Instruction::Onbuild(_) => found.add(&rules::ONBUILD, line.number, &line.rest),
            Instruction::Env(_) => {
                secrets::by_name(line, found);
                for (name, value) in secrets::pairs(&line.rest) {
                    // Tomcat would look elsewhere than where the application is looked for.
                    if ELSEWHERE.contains(&name.as_str()) {
                        found.add(&rules::APPLICATION, line.number, format!("ENV {name}={value}"));
                    }
                }
            }
            Instruction::Arg(_) => secrets::by_name(line, found),
            Instruction::Label(_) => {
                secrets::by_name(line, found);
                for (key, _) in secrets::pairs(&line.rest) {
                    let lower = key.to_ascii_lowercase();
                    if key.contains('$') || RESERVED.iter().any(|reserved| lower.starts_with(reserved)) {
                        found.add(&rules::LABEL, line.number, key);
                    }
                }
            }
            Instruction::User(_) if in_image(at) => user = Some(line),
            Instruction::User(_)
            | Instruction::Expose(_)
            | Instruction::Maintainer(_)
            | Instruction::Shell(_)
            | Instruction::Stopsignal(_)
            | Instruction::Volume(_)
            | Instruction::Workdir(_) => {}
            _ => found.add(&rules::UNREADABLE, line.number, format!("{} is not known", line.name)),
        }
    }
    let from = numbers.get(bases.stages[last].range.start).copied().unwrap_or(1);
    match user {
        None => found.add(&rules::USER, from, "the last stage has no USER"),
        Some(line) if !is_ordinary(&line.rest) => found.add(&rules::USER, line.number, format!("USER {}", line.rest)),
        Some(_) => {}
    }
    if !healthy {
        found.add(&rules::HEALTH, from, "the last stage has no HEALTHCHECK");
    }
    copies.finish(from, found);
    let below = chain.last().copied().unwrap_or(last);
    let base = bases.stages[below].image.clone()?;
    Some(Written {
        text: text.to_owned(),
        images: bases.named,
        base,
    })
}

/// A list, whose first element is not a shell that is told what to do.
fn command(command: &Command<'_>, line: &Line, found: &mut Found<'_>) {
    let words: Vec<&str> = match command {
        Command::Exec(words) => words.value.iter().map(|word| word.value.as_ref()).collect(),
        _ => {
            found.add(&rules::EXEC, line.number, format!("{} {}", line.name, line.rest));
            return;
        }
    };
    // `sh -c "exec …"` makes room for the application.
    if let [shell, flag, script, ..] = words.as_slice()
        && SHELLS.contains(&shell.rsplit('/').next().unwrap_or(shell))
        && flag.starts_with('-')
        && !script.trim_start().starts_with("exec ")
        && line.name != "HEALTHCHECK"
    {
        found.add(&rules::EXEC, line.number, format!("{} {}", line.name, line.rest));
    }
}

/// `10001`, `10001:0`: numbers, and the first one not root's.
fn is_ordinary(user: &str) -> bool {
    let number = |text: &str| {
        text.bytes()
            .all(|c| c.is_ascii_digit())
            .then(|| text.parse::<u32>().ok())
            .flatten()
    };
    let (user, group) = user.split_once(':').unwrap_or((user, "0"));
    number(user).is_some_and(|user| user > 0) && number(group).is_some()
}

fn kind(instruction: &Instruction<'_>) -> &'static str {
    match instruction {
        Instruction::Add(_) => "ADD",
        Instruction::Arg(_) => "ARG",
        Instruction::Cmd(_) => "CMD",
        Instruction::Copy(_) => "COPY",
        Instruction::Entrypoint(_) => "ENTRYPOINT",
        Instruction::Env(_) => "ENV",
        Instruction::Expose(_) => "EXPOSE",
        Instruction::From(_) => "FROM",
        Instruction::Healthcheck(_) => "HEALTHCHECK",
        Instruction::Label(_) => "LABEL",
        Instruction::Maintainer(_) => "MAINTAINER",
        Instruction::Onbuild(_) => "ONBUILD",
        Instruction::Run(_) => "RUN",
        Instruction::Shell(_) => "SHELL",
        Instruction::Stopsignal(_) => "STOPSIGNAL",
        Instruction::User(_) => "USER",
        Instruction::Volume(_) => "VOLUME",
        Instruction::Workdir(_) => "WORKDIR",
        _ => "something else",
    }
}
