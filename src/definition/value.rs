//! From a TOML value to a checked one. Each function says, on refusal, what came and what is allowed.

use std::ops::{Range, RangeInclusive};
use std::str::FromStr;

use chrono::NaiveDate;
use toml::Spanned;
use toml::de::DeValue;
use toml::value::Datetime;

/// What is wrong with a value, and where in the file (byte offsets).
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) span: Range<usize>,
    pub(super) message: String,
}

/// A checked value, or everything that is wrong with it.
pub(super) type Checked<T> = Result<T, Vec<Wrong>>;

pub(super) type Value<'t> = Spanned<DeValue<'t>>;

/// Refuses a value.
pub(super) fn wrong<T>(value: &Value<'_>, message: impl Into<String>) -> Checked<T> {
    Err(vec![Wrong {
        span: value.span(),
        message: message.into(),
    }])
}

/// One line of text: not empty, no control characters.
pub(super) fn line(value: &Value<'_>) -> Checked<String> {
    let text = text(value)?;
    if text.trim().is_empty() || text.chars().any(char::is_control) {
        return wrong(value, format!("expected one line of text, not {text:?}"));
    }
    Ok(text.to_owned())
}

/// A text that `parse` reads.
pub(super) fn parsed<T, E: ToString>(parse: impl Fn(&str) -> Result<T, E>) -> impl Fn(&Value<'_>) -> Checked<T> {
    move |value| parse(text(value)?).or_else(|error| wrong(value, error.to_string()))
}

/// One of these names.
pub(super) fn one_of<T: Copy>(choices: &[(&'static str, T)]) -> impl Fn(&Value<'_>) -> Checked<T> {
    move |value| {
        let text = text(value)?;
        match choices.iter().find(|(name, _)| *name == text) {
            Some((_, choice)) => Ok(*choice),
            None => {
                let names: Vec<String> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
                wrong(value, format!("{text:?} is none of {}", names.join(", ")))
            }
        }
    }
}

/// A whole number in this range.
pub(super) fn integer<T>(range: RangeInclusive<T>) -> impl Fn(&Value<'_>) -> Checked<T>
where
    T: TryFrom<i64> + PartialOrd + Copy + std::fmt::Display,
{
    move |value| {
        let number = match value.get_ref() {
            DeValue::Integer(digits) => i64::from_str_radix(digits.as_str(), digits.radix())
                .ok()
                .and_then(|n| T::try_from(n).ok()),
            other => {
                return wrong(value, format!("expected a whole number, not {}", kind(other)));
            }
        };
        match number {
            Some(number) if range.contains(&number) => Ok(number),
            _ => wrong(
                value,
                format!("expected a whole number from {} to {}", range.start(), range.end()),
            ),
        }
    }
}

/// A number in this range, with or without a fraction.
pub(super) fn number(range: RangeInclusive<f64>) -> impl Fn(&Value<'_>) -> Checked<f64> {
    move |value| {
        let number = match value.get_ref() {
            DeValue::Integer(digits) if digits.radix() == 10 => f64::from_str(digits.as_str()).ok(),
            DeValue::Float(digits) => f64::from_str(digits.as_str()).ok(),
            other => return wrong(value, format!("expected a number, not {}", kind(other))),
        };
        match number {
            Some(number) if range.contains(&number) => Ok(number),
            _ => wrong(
                value,
                format!("expected a number from {} to {}", range.start(), range.end()),
            ),
        }
    }
}

/// `true` or `false`.
pub(super) fn boolean(value: &Value<'_>) -> Checked<bool> {
    match value.get_ref() {
        DeValue::Boolean(flag) => Ok(*flag),
        other => wrong(value, format!("expected true or false, not {}", kind(other))),
    }
}

/// A day: 2026-12-31, without quotes.
pub(super) fn date(value: &Value<'_>) -> Checked<NaiveDate> {
    let day = match value.get_ref() {
        DeValue::Datetime(Datetime {
            date: Some(date),
            time: None,
            offset: None,
        }) => NaiveDate::from_ymd_opt(i32::from(date.year), u32::from(date.month), u32::from(date.day)),
        _ => None,
    };
    day.map_or_else(
        || {
            wrong(
                value,
                format!(
                    "expected a day like 2026-12-31, without quotes, not {}",
                    kind(value.get_ref())
                ),
            )
        },
        Ok,
    )
}

/// A list, all wrong elements reported.
pub(super) fn list<T>(element: impl Fn(&Value<'_>) -> Checked<T>) -> impl Fn(&Value<'_>) -> Checked<Vec<T>> {
    move |value| {
        let DeValue::Array(values) = value.get_ref() else {
            return wrong(
                value,
                format!("expected a list like [\"…\"], not {}", kind(value.get_ref())),
            );
        };
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        for value in values.iter() {
            match element(value) {
                Ok(one) => good.push(one),
                Err(wrongs) => bad.extend(wrongs),
            }
        }
        if bad.is_empty() { Ok(good) } else { Err(bad) }
    }
}

/// A list with at least one element.
pub(super) fn some<T>(element: impl Fn(&Value<'_>) -> Checked<T>) -> impl Fn(&Value<'_>) -> Checked<Vec<T>> {
    let list = list(element);
    move |value| match list(value)? {
        empty if empty.is_empty() => wrong(value, "the list is empty; it needs at least one element"),
        full => Ok(full),
    }
}

/// A value together with its place, for checks that need other files.
pub(super) fn placed<T>(inner: impl Fn(&Value<'_>) -> Checked<T>) -> impl Fn(&Value<'_>) -> Checked<(T, Range<usize>)> {
    move |value| Ok((inner(value)?, value.span()))
}

/// What a TOML value is, with its article.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn text<'v>(value: &'v Value<'_>) -> Checked<&'v str> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text),
        other => wrong(value, format!("expected a text in quotes, not {}", kind(other))),
    }
}
