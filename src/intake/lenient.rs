//! Reading JSON whose shape is not promised: hooks of a dozen GitLab versions, and bodies that people made by template.
//!
//! A value of another kind than expected is no error here but [`Scalar::Other`] or an empty [`Part`]; fields that
//! nobody asks for are skipped without being built, so that neither their size nor their numbers matter. Only text that
//! is not JSON at all remains an error.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer};

/// A text, number or truth; or whatever stood in its place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Scalar {
    /// Not there, or null.
    #[default]
    Missing,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A text.
    Text(String),
    /// Something else, in words.
    Other(&'static str),
}

impl Scalar {
    /// The text; empty text counts as missing.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// The number; one that is written as text counts too.
    pub fn int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The truth.
    pub fn bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// What stands there, in words that fit behind "is".
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Bool(_) => "true or false",
            Self::Int(_) => "a number",
            Self::Text(text) if text.is_empty() => "empty",
            Self::Text(_) => "a text",
            Self::Other(what) => what,
        }
    }
}

/// An object of known fields; `None` where none stood.
#[derive(Debug, Clone)]
pub struct Part<T>(pub Option<T>);

impl<T> Default for Part<T> {
    fn default() -> Self {
        Self(None)
    }
}

/// The names of an object's fields, the first [`Keys::MOST`] of them.
#[derive(Debug, Clone, Default)]
pub struct Keys(pub Vec<String>);

impl Keys {
    /// More are not kept.
    pub const MOST: usize = 64;
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
        Ok(Scalar::Int(value))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
        Ok(i64::try_from(value).map_or(Scalar::Other("a number that is too large"), Scalar::Int))
    }
    fn visit_f64<E>(self, _: f64) -> Result<Scalar, E> {
        Ok(Scalar::Other("a number that is not whole or too large"))
    }
    fn visit_str<E>(self, value: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(value.to_owned()))
    }
    fn visit_string<E>(self, value: String) -> Result<Scalar, E> {
        Ok(Scalar::Text(value))
    }
    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Missing)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Scalar, A::Error> {
        skip_list(seq)?;
        Ok(Scalar::Other("a list"))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Scalar, A::Error> {
        IgnoredAny::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Scalar::Other("an object"))
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

/// Visits an object by `T`, and takes everything else for nothing.
struct ObjectVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }
    fn visit_bool<E>(self, _: bool) -> Result<Option<T>, E> {
        Ok(None)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Option<T>, E> {
        Ok(None)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Option<T>, E> {
        Ok(None)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Option<T>, E> {
        Ok(None)
    }
    fn visit_str<E>(self, _: &str) -> Result<Option<T>, E> {
        Ok(None)
    }
    fn visit_unit<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Option<T>, A::Error> {
        skip_list(seq)?;
        Ok(None)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Option<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Some)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Part<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(ObjectVisitor(std::marker::PhantomData))
            .map(Self)
    }
}

/// Reads only the names.
struct Names(Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NamesVisitor;
        impl<'de> Visitor<'de> for NamesVisitor {
            type Value = Names;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some((name, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
                    if names.len() < Keys::MOST {
                        names.push(name);
                    }
                }
                Ok(Names(names))
            }
        }
        deserializer.deserialize_map(NamesVisitor)
    }
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Part(names) = Part::<Names>::deserialize(deserializer)?;
        Ok(Self(names.map(|names| names.0).unwrap_or_default()))
    }
}

fn skip_list<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<(), A::Error> {
    while seq.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, serde::Deserialize)]
    #[serde(default)]
    struct Sample {
        scalar: Scalar,
        part: Part<Inner>,
        keys: Keys,
    }

    #[derive(Debug, Default, serde::Deserialize)]
    #[serde(default)]
    struct Inner {
        iid: Scalar,
    }

    fn read(json: &str) -> Sample {
        serde_json::from_str(json).expect("valid JSON is never an error")
    }

    #[test]
    fn every_kind_of_value_is_taken_anywhere() {
        for value in [
            "null",
            "true",
            "-1",
            "18446744073709551615",
            "1.5",
            "1e300",
            r#""x""#,
            "[[1],{}]",
            r#"{"iid":[7]}"#,
        ] {
            for field in ["scalar", "part", "keys", "unknown"] {
                read(&format!(r#"{{"{field}":{value}}}"#));
            }
        }
        // A number that fits no float, in a field that nobody asks for.
        read(r#"{"unknown":1e999}"#);
    }

    #[test]
    fn what_stands_there_is_kept_or_named() {
        assert_eq!(read(r#"{"scalar":"7"}"#).scalar.int(), Some(7));
        assert_eq!(read(r#"{"scalar":99999999999999999999}"#).scalar.int(), None);
        assert_eq!(read(r#"{"scalar":[1]}"#).scalar.kind(), "a list");
        assert_eq!(read(r#"{"scalar":""}"#).scalar.text(), None);
        assert_eq!(read("{}").scalar.kind(), "missing");
        let inner = read(r#"{"part":{"iid":3,"more":[]}}"#).part.0.expect("an object");
        assert_eq!(inner.iid, Scalar::Int(3));
        assert_eq!(
            read(r#"{"keys":{"title":{"a":1},"labels":[]}}"#).keys.0,
            ["title", "labels"]
        );
    }
}
