//! A small XML file as a tree of elements. What it is read from was written by somebody else, so size, depth and number
//! of elements are bounded and no entity but the predefined ones is ever expanded.

use quick_xml::events::Event;
use quick_xml::reader::Reader;

/// Deepest nesting. A POM has about ten levels.
const DEPTH: usize = 64;

/// Most elements of one file.
const ELEMENTS: usize = 100_000;

/// An element: its name without prefix, its own text, its children. Attributes are left out: a POM has none that count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

impl Element {
    /// The first child of this name.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The element at the end of this path of names.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |element, name| element.child(name))
    }

    /// The children of the element at this path.
    pub(super) fn list(&self, path: &[&str]) -> &[Self] {
        self.at(path).map_or(&[], |element| &element.children)
    }

    /// The text at this path, without surrounding blanks; `None` where it is missing or empty.
    pub(super) fn text_at(&self, path: &[&str]) -> Option<&str> {
        let text = self.at(path)?.text.trim();
        (!text.is_empty()).then_some(text)
    }
}

/// Reads one document.
///
/// # Errors
/// One line that says what is wrong.
pub(super) fn parse(text: &str) -> Result<Element, String> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = vec![Element::default()];
    let mut elements = 0;
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(tag) => {
                open.push(Element {
                    name: tag.local_name().as_ref().to_owned(),
                    ..Element::default()
                });
                elements += 1;
                if open.len() > DEPTH || elements > ELEMENTS {
                    return Err("it is nested too deep or has too many elements".to_owned());
                }
            }
            Event::Empty(tag) => {
                elements += 1;
                let name = tag.local_name().as_ref().to_owned();
                if let Some(parent) = open.last_mut() {
                    parent.children.push(Element {
                        name,
                        ..Element::default()
                    });
                }
            }
            // The reader has checked that the names fit.
            Event::End(_) => {
                if let Some(done) = open.pop()
                    && let Some(parent) = open.last_mut()
                {
                    parent.children.push(done);
                }
            }
            Event::Text(text) => append(&mut open, &text.xml10_content()),
            Event::CData(text) => append(&mut open, &text.xml10_content()),
            Event::GeneralRef(name) => match name.resolve_char_ref() {
                Ok(Some(c)) => append(&mut open, c.encode_utf8(&mut [0; 4])),
                _ => match quick_xml::escape::resolve_predefined_entity(&name) {
                    Some(text) => append(&mut open, text),
                    None => return Err(format!("the entity &{}; is not expanded", &*name)),
                },
            },
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
    match (open.pop(), open.is_empty()) {
        (Some(mut document), true) if document.children.len() == 1 => {
            document.children.pop().ok_or_else(|| "it has no element".to_owned())
        }
        (Some(_), true) => Err("it has not exactly one root element".to_owned()),
        _ => Err("it breaks off".to_owned()),
    }
}

fn append(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_texts_and_predefined_entities_are_read() {
        let root = parse(
            "<?xml version='1.0'?><!-- c --><p:project xmlns:p='x'><a> x &amp; &#65; <![CDATA[<]]></a><e/></p:project>",
        )
        .expect("XML");
        assert_eq!(root.name, "project");
        assert_eq!(root.text_at(&["a"]), Some("x & A <"));
        assert_eq!(root.text_at(&["e"]), None);
        assert!(root.child("e").is_some());
    }

    #[test]
    fn what_is_hostile_or_broken_is_an_error() {
        let deep = format!("{}{}", "<a>".repeat(5000), "</a>".repeat(5000));
        let bomb = "<!DOCTYPE p [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><p>&b;</p>";
        for (text, why) in [
            (deep.as_str(), "nested too deep"),
            (bomb, "&b; is not expanded"),
            ("<a><b></a>", "expected"),
            ("<a><b>", "breaks off"),
            ("", "not exactly one"),
            ("<a/><b/>", "not exactly one"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(why), "{error}");
        }
    }
}
