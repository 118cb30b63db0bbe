//! A JSON object that preserves repeated names: different results or codes under one name are
//! invalid.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

/// The members of an object, in their order.
pub struct JsonObject(Vec<(String, Value)>);

/// A name occurs more than once, with different values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeated;

impl JsonObject {
    /// `None` if the text is not exactly one JSON object. A leading byte order mark and trailing
    /// NUL bytes are skipped.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let length = text.iter().rposition(|byte| *byte != 0 && !byte.is_ascii_whitespace()).map_or(0, |last| last + 1);
        serde_json::from_slice(&text[..length]).ok()
    }

    /// The value of a name; identical repetitions are one value.
    pub fn get(&self, name: &str) -> Result<Option<&Value>, Repeated> {
        let mut values = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value);
        let first = values.next();
        if values.all(|value| Some(value) == first) { Ok(first) } else { Err(Repeated) }
    }
}

impl<'de> Deserialize<'de> for JsonObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = JsonObject;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonObject, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(JsonObject(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_name_with_different_values_is_an_error() {
        let object = JsonObject::parse(br#"{"a":1,"b":2,"a":1,"b":3}"#).unwrap();
        assert_eq!(object.get("a"), Ok(Some(&Value::from(1))));
        assert_eq!(object.get("b"), Err(Repeated));
        assert_eq!(object.get("c"), Ok(None));
    }

    #[test]
    fn only_objects_are_parsed() {
        for text in ["", "\0", "[]", "1", "null", "\"a\"", "{", "{}x", "{}\0x", "\0{}", "{\0}", "<html>"] {
            assert!(JsonObject::parse(text.as_bytes()).is_none(), "{text}");
        }
        for text in ["\u{feff}{}", "{}\0", "{} \0\0\r\n\0", " {}\n"] {
            assert!(JsonObject::parse(text.as_bytes()).is_some(), "{text:?}");
        }
    }
}
