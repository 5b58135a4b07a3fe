//! On what the stages stand, and from what they copy.

use std::ops::Range;

use parse_dockerfile::{Dockerfile, FromInstruction, Instruction, UnescapedString};

use super::lint::House;
use super::report::Found;
use super::rules;
use crate::definition::ImageName;

/// A stage of the build.
#[derive(Debug)]
pub(super) struct Stage {
    /// Its name in small letters.
    pub(super) name: Option<String>,
    /// The stage that it stands on, if it is no image.
    pub(super) on: Option<usize>,
    /// The approved image that it stands on.
    pub(super) image: Option<ImageName>,
    /// Its instructions, FROM included.
    pub(super) range: Range<usize>,
}

/// All that the file says of bases.
pub(super) struct Bases {
    pub(super) stages: Vec<Stage>,
    /// Where approved images are named.
    pub(super) named: Vec<(Range<usize>, ImageName)>,
}

impl Bases {
    /// Looks at FROM and `COPY --from`.
    pub(super) fn judge(
        text: &str,
        file: &Dockerfile<'_>,
        numbers: &[usize],
        house: &House<'_>,
        found: &mut Found<'_>,
    ) -> Self {
        let mut bases = Self {
            stages: Vec::new(),
            named: Vec::new(),
        };
        let begins: Vec<usize> = (0..file.instructions.len())
            .filter(|at| matches!(file.instructions[*at], Instruction::From(_)))
            .collect();
        for (nth, begin) in begins.iter().copied().enumerate() {
            let end = begins.get(nth + 1).copied().unwrap_or(file.instructions.len());
            let Instruction::From(from) = &file.instructions[begin] else {
                continue;
            };
            let last = nth + 1 == begins.len();
            let stage = bases.stage(text, from, numbers[begin], begin..end, house, last, found);
            bases.stages.push(stage);
        }
        for (at, instruction) in file.instructions.iter().enumerate() {
            if let Instruction::Copy(copy) = instruction {
                for option in copy.options.iter().filter(|option| option.name.value == "from") {
                    match &option.value {
                        Some(value) => bases.copied(text, value, at, numbers[at], house, found),
                        None => found.add(&rules::BASE, numbers[at], "--from without a value"),
                    }
                }
            }
        }
        bases.named.sort_by_key(|(place, _)| place.start);
        bases
    }

    #[expect(clippy::too_many_arguments, reason = "one caller, and each is another thing")]
    fn stage(
        &mut self,
        text: &str,
        from: &FromInstruction<'_>,
        line: usize,
        range: Range<usize>,
        house: &House<'_>,
        last: bool,
        found: &mut Found<'_>,
    ) -> Stage {
        let name = from.as_.as_ref().map(|(_, name)| name.value.to_ascii_lowercase());
        if let Some(name) = &name
            && !is_stage_name(name)
        {
            found.add(&rules::UNREADABLE, line, format!("{name:?} is no name of a stage"));
        }
        if let Some(flag) = from.options.first() {
            found.add(&rules::BASE, line, format!("FROM has the flag --{}", flag.name.value));
        }
        let wanted = from.image.value.to_ascii_lowercase();
        let on = self
            .stages
            .iter()
            .position(|stage| stage.name.as_deref() == Some(&wanted));
        let mut image = None;
        if on.is_none() {
            let approved = if last { house.last } else { house.any };
            image = self.approved(text, &from.image, line, approved, found);
        } else if last && let Some(below) = on {
            // It stands on an image in the end, and that one is what it runs on.
            let below = self.chain(below).last().copied().unwrap_or(below);
            if let Some(base) = &self.stages[below].image
                && !house.last.contains(base)
            {
                found.add(
                    &rules::BASE,
                    line,
                    format!("the last stage stands on {base}; {}", one_of(house.last)),
                );
            }
        }
        Stage { name, on, image, range }
    }

    /// The stages that this one stands on, itself first.
    pub(super) fn chain(&self, stage: usize) -> Vec<usize> {
        // A stage stands on earlier ones only.
        std::iter::successors(Some(stage), |at| self.stages[*at].on).collect()
    }

    fn copied(
        &mut self,
        text: &str,
        value: &UnescapedString<'_>,
        at: usize,
        line: usize,
        house: &House<'_>,
        found: &mut Found<'_>,
    ) {
        let now = self
            .stages
            .iter()
            .position(|stage| stage.range.contains(&at))
            .unwrap_or(0);
        let by_number = value.value.parse::<usize>().ok();
        let wanted = value.value.to_ascii_lowercase();
        let by_name = self
            .stages
            .iter()
            .position(|stage| stage.name.as_deref() == Some(&wanted));
        match (by_number, by_name) {
            (Some(number), _) if number < now => {}
            (Some(number), _) => found.add(
                &rules::BASE,
                line,
                format!("--from={number}: there is no such stage before"),
            ),
            (None, Some(stage)) if stage < now => {}
            (None, Some(_)) => found.add(&rules::BASE, line, format!("--from={wanted}: that stage comes later")),
            (None, None) => {
                self.approved(text, value, line, house.any, found);
            }
        }
    }

    /// The image, if it is one of these; remembers its place.
    fn approved(
        &mut self,
        text: &str,
        value: &UnescapedString<'_>,
        line: usize,
        approved: &[ImageName],
        found: &mut Found<'_>,
    ) -> Option<ImageName> {
        let written = value.value.as_ref();
        // The name is replaced in the text later: it must stand there as it is.
        let plain = text.get(value.span.clone()) == Some(written);
        let problem = match ImageName::parse(written) {
            _ if written.contains('$') => "the name is a variable".to_owned(),
            _ if !plain => "the name is broken over lines".to_owned(),
            Ok(name) if approved.contains(&name) => {
                self.named.push((value.span.clone(), name.clone()));
                return Some(name);
            }
            Ok(name) if without_digest(&name, approved) => "it has a digest, which the service puts there".to_owned(),
            Ok(_) | Err(_) => one_of(approved),
        };
        found.add(&rules::BASE, line, format!("{written}: {problem}"));
        None
    }
}

/// Is it approved but for its digest?
fn without_digest(name: &ImageName, approved: &[ImageName]) -> bool {
    let Some((tagged, _)) = name.as_str().split_once('@') else {
        return false;
    };
    approved.iter().any(|image| image.as_str() == tagged)
}

fn one_of(approved: &[ImageName]) -> String {
    let names: Vec<&str> = approved.iter().map(ImageName::as_str).collect();
    format!("approved here: {}", names.join(", "))
}

/// The builder's own rule for them.
fn is_stage_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c))
}
