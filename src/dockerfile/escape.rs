//! What makes a value harmless in a Dockerfile: refused or escaped, never passed through.

use std::io::{self, Write};

use serde_json::Value;

/// Why this text may not stand in a Dockerfile at all, if so.
///
/// A line break would begin a new instruction. A backtick has no form that is right in both places where values stand:
/// between double quotes of an instruction (where `` \` `` stays two characters) and of a shell (where it runs a command).
pub(super) fn refusal(text: &str) -> Option<String> {
    text.chars().find_map(|c| match c {
        '`' => Some("it has a backtick in it, which a shell would run".to_owned()),
        '\u{2028}' | '\u{2029}' => Some("it has a line separator in it".to_owned()),
        c if c.is_control() => Some(format!("it has the control character U+{:04X} in it", u32::from(c))),
        _ => None,
    })
}

/// Escapes for a place between double quotes: `\`, `"` and `$` are all that Docker unescapes there
/// (BuildKit, `frontend/dockerfile/shell/lex.go`), and the same three mean something to a shell there.
pub(super) fn escape(text: &str, out: &mut dyn Write) -> io::Result<()> {
    if let Some(reason) = refusal(text) {
        return Err(io::Error::other(format!("the value {text:?} is refused: {reason}")));
    }
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '"', '$']) {
        let (before, special) = rest.split_at(at);
        write!(out, "{before}\\{}", &special[..1])?;
        rest = &special[1..];
    }
    out.write_all(rest.as_bytes())
}

/// Checks every text in the context before rendering, so that a refusal names the variable, and refuses nulls, which a
/// template would print as nothing.
pub(super) fn check_context(name: &str, value: &Value) -> Result<(), String> {
    match value {
        Value::Null => Err(format!("the variable {name} has no value")),
        Value::String(text) => match refusal(text) {
            Some(reason) => Err(format!("the variable {name} has the value {text:?}: {reason}")),
            None => Ok(()),
        },
        Value::Array(values) => values
            .iter()
            .enumerate()
            .try_for_each(|(i, value)| check_context(&format!("{name}[{i}]"), value)),
        Value::Object(values) => values.iter().try_for_each(|(key, value)| {
            check_context(
                &if name.is_empty() {
                    key.clone()
                } else {
                    format!("{name}.{key}")
                },
                value,
            )
        }),
        Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

/// Keeps what is written up to a limit and refuses the rest: a template with a wild loop must not eat the service.
pub(super) struct Capped {
    bytes: Vec<u8>,
    limit: usize,
}

impl Capped {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            bytes: Vec::new(),
            limit,
        }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.limit {
            return Err(io::Error::other(format!("the text grows beyond {} bytes", self.limit)));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_characters_are_escaped_and_the_rest_stays() {
        let mut out = Vec::new();
        escape(r#"a\b "c" $d 'ä'"#, &mut out).expect("nothing to refuse");
        assert_eq!(String::from_utf8(out).as_deref(), Ok(r#"a\\b \"c\" \$d 'ä'"#));
    }

    #[test]
    fn what_begins_a_line_or_a_command_is_refused() {
        for bad in ["a\nRUN x", "a\rb", "\t", "\0", "\u{85}", "\u{2028}", "`id`"] {
            assert!(escape(bad, &mut Vec::new()).is_err(), "{bad:?} was let through");
        }
    }
}
