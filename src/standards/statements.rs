//! Configuration files as what they state: keys with values. Comments, names of schemas and document types are left out.
//!
//! No file is refused: what cannot be understood states nothing. It is for looking at values, not for running them.

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};

/// A key and its value; either may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) key: String,
    pub(super) value: String,
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Properties,
    Yaml,
    Xml,
}

/// The form of a file, by its name.
pub(super) fn form(path: &str) -> Option<Form> {
    let name = super::names::file_name(path);
    let (_, ending) = name.rsplit_once('.')?;
    match ending.to_ascii_lowercase().as_str() {
        "properties" | "env" | "ini" | "conf" | "cfg" => Some(Form::Properties),
        "yml" | "yaml" => Some(Form::Yaml),
        "xml" => Some(Form::Xml),
        _ => None,
    }
}

/// Everything that a file states.
pub(super) fn read(form: Form, text: &str) -> Vec<Statement> {
    match form {
        Form::Properties => properties(text),
        Form::Yaml => yaml(text),
        Form::Xml => xml(text),
    }
}

fn statement(key: &str, value: &str) -> Statement {
    Statement {
        key: key.trim().to_owned(),
        value: value.trim().to_owned(),
    }
}

/// `java.util.Properties`: a backslash at the end of a line goes on in the next one.
fn properties(text: &str) -> Vec<Statement> {
    let mut all = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let mut line = line.trim_start().to_owned();
        if line.starts_with(['#', '!', ';']) {
            continue;
        }
        while line.ends_with('\\') && !line.ends_with("\\\\") {
            line.pop();
            match lines.next() {
                Some(next) => line.push_str(next.trim_start()),
                None => break,
            }
        }
        let mut escaped = false;
        let end = line.char_indices().find(|(_, c)| {
            let ends = !escaped && (matches!(c, '=' | ':') || c.is_whitespace());
            escaped = *c == '\\' && !escaped;
            ends
        });
        let Some((end, _)) = end else { continue };
        let value = line[end..].trim_start();
        let value = value.strip_prefix(['=', ':']).unwrap_or(value);
        let key = line[..end].trim_start_matches("export ").replace('\\', "");
        // The escapes that addresses are written with.
        all.push(statement(&key, &value.replace("\\:", ":").replace("\\=", "=")));
    }
    all
}

/// Line by line: the last part of a key is what counts, so nesting is not followed.
fn yaml(text: &str) -> Vec<Statement> {
    let mut all = Vec::new();
    for line in text.lines() {
        let mut line = line.trim_start();
        while let Some(rest) = line.strip_prefix("- ") {
            line = rest.trim_start();
        }
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        let (key, value) = match line.split_once(": ") {
            Some((key, value)) if !key.starts_with(['"', '\'', '{', '[']) || !key.contains(' ') => (key, value),
            _ => match line.strip_suffix(':') {
                Some(_) => continue,
                None => ("", line),
            },
        };
        let value = value.trim();
        let value = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value[1..].split(quote).next().unwrap_or_default(),
            _ => value.split(" #").next().unwrap_or_default(),
        };
        all.push(statement(key.trim_matches(['"', '\'']), value));
    }
    all
}

/// Attributes and texts of elements; `<x name="k" value="v"/>` and `<k-name>…</k-name><k-value>…</k-value>` state `k`.
fn xml(text: &str) -> Vec<Statement> {
    let mut all = Vec::new();
    let mut reader = quick_xml::Reader::from_str(text);
    reader.config_mut().check_end_names = false;
    // The elements that are open; more than a person nests state nothing.
    let mut open: Vec<(String, Option<String>)> = Vec::new();
    let mut content = String::new();
    let mut named: Option<String> = None;
    loop {
        match reader.read_event() {
            Ok(Event::Start(element)) => {
                let name = element.local_name().as_ref().to_owned();
                let stated = attributes(&element, &name, &mut all);
                open.push((name, stated));
                content.clear();
                if open.len() > 200 {
                    return all;
                }
            }
            Ok(Event::Empty(element)) => {
                let name = element.local_name().as_ref().to_owned();
                attributes(&element, &name, &mut all);
            }
            Ok(Event::Text(piece)) => content.push_str(&piece.xml10_content()),
            Ok(Event::CData(piece)) => content.push_str(&piece.xml10_content()),
            Ok(Event::GeneralRef(reference)) => content.push(match &*reference {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                "apos" => '\'',
                _ => '\u{fffd}',
            }),
            Ok(Event::End(_)) => {
                let Some((name, stated)) = open.pop() else { return all };
                let value = std::mem::take(&mut content);
                let value = value.trim();
                if value.is_empty() {
                    continue;
                }
                if name.ends_with("-name") || name == "name" || name == "key" {
                    named = Some(value.to_owned());
                    continue;
                }
                let key = match (stated, name.as_str()) {
                    (Some(stated), _) => stated,
                    (None, "value") => open
                        .last()
                        .and_then(|(_, stated)| stated.clone())
                        .or_else(|| named.take())
                        .unwrap_or(name),
                    (None, other) if other.ends_with("-value") => named.take().unwrap_or(name),
                    (None, _) => name,
                };
                all.push(statement(&key, value));
            }
            Ok(Event::Eof) | Err(_) => return all,
            Ok(_) => {}
        }
    }
}

/// States the attributes; returns what the attribute `name` or `key` names.
fn attributes(element: &BytesStart<'_>, name: &str, all: &mut Vec<Statement>) -> Option<String> {
    let mut stated = None;
    let mut value = None;
    for attribute in element.attributes().with_checks(false).flatten() {
        let key = attribute.key.as_ref().to_owned();
        let Ok(text) = attribute.normalized_value(XmlVersion::Implicit1_0) else {
            continue;
        };
        if key.starts_with("xmlns") || key.ends_with("chemaLocation") || key.to_lowercase().ends_with("namespace") {
            continue;
        }
        match key.as_str() {
            "name" | "key" => stated = Some(text.into_owned()),
            "value" => value = Some(text.into_owned()),
            _ => all.push(statement(&key, &text)),
        }
    }
    if let Some(value) = value {
        all.push(statement(stated.as_deref().unwrap_or(name), &value));
    }
    stated
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stated(form: Form, text: &str) -> Vec<(String, String)> {
        read(form, text)
            .into_iter()
            .map(|statement| (statement.key, statement.value))
            .collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn properties_are_read_as_java_does() {
        let text =
            "# no = comment\n! nor this\na = 1\n b.c:2\nd 3\ne=http\\://h\\\n   /p\nlonely\nf\\:g=4\nexport H=5\n";
        assert_eq!(
            stated(Form::Properties, text),
            pairs(&[
                ("a", "1"),
                ("b.c", "2"),
                ("d", "3"),
                ("e", "http://h/p"),
                ("f:g", "4"),
                ("export", "H=5")
            ])
        );
    }

    #[test]
    fn yaml_states_its_leaves() {
        let text = "# c\nspring:\n  datasource:\n    url: jdbc:x # the database\n    password: \"a # b\"\n  list:\n  - one\n  - name: 'two'\n";
        assert_eq!(
            stated(Form::Yaml, text),
            pairs(&[("url", "jdbc:x"), ("password", "a # b"), ("", "one"), ("name", "two")])
        );
    }

    #[test]
    fn xml_states_attributes_texts_and_pairs_but_no_schemas_and_comments() {
        let text = r#"<?xml version="1.0"?><!DOCTYPE x SYSTEM "http://java.sun.com/x.dtd">
            <!-- <a>http://comment</a> -->
            <web xmlns="http://w3.org/x" xsi:schemaLocation="a b" version="3">
              <context-param><param-name>dbPassword</param-name><param-value>s&amp;1</param-value></context-param>
              <bean><property name="url" value="jdbc:x"/><property name="p"><value>7</value></property></bean>
              <Property name="dir">/opt</Property><![CDATA[x]]>
              <file>a.log</file>
            </web>"#;
        assert_eq!(
            stated(Form::Xml, text),
            pairs(&[
                ("version", "3"),
                ("dbPassword", "s&1"),
                ("url", "jdbc:x"),
                ("p", "7"),
                ("dir", "/opt"),
                ("file", "a.log"),
            ])
        );
        assert_eq!(stated(Form::Xml, "<a x='1'><b>"), pairs(&[("x", "1")]));
        assert!(stated(Form::Xml, &"<a>".repeat(10_000)).is_empty());
    }
}
