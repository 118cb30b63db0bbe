//! Bytes as ISO 8859-1 text, and text generated from the words in `words.json`.

use std::collections::HashMap;
use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::string::string_regex;
use serde_json::Value;

pub fn to_bytes(text: &Value) -> Vec<u8> {
    let text = text.as_str().expect("text");
    text.chars().map(|c| u8::try_from(c).expect("a byte")).collect()
}

pub fn to_text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// A random word of this list in `words.json`; a repeated word is proportionally more likely.
pub fn word(name: &str) -> impl Strategy<Value = String> + use<> {
    static WORDS: LazyLock<HashMap<String, Vec<String>>> =
        LazyLock::new(|| serde_json::from_str(include_str!("words.json")).expect("lists of words"));
    select(WORDS[name].as_slice())
}

/// Up to `max` of them, concatenated.
pub fn words(name: &str, max: usize) -> impl Strategy<Value = String> + use<> {
    vec(word(name), 0..=max).prop_map(|words| words.concat())
}

/// Text that matches this regular expression.
pub fn matching(regex: &str) -> impl Strategy<Value = String> + use<> {
    string_regex(regex).expect("a regular expression")
}

/// The unchanged text in most cases, otherwise with a byte inserted or removed.
pub fn mutated(text: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let mutation = (any::<prop::sample::Index>(), prop_oneof![9 => 0..0x80_u8, 1 => any::<u8>()], any::<bool>());
    (text, prop::option::weighted(0.25, mutation)).prop_map(|(text, mutation)| {
        let mut characters: Vec<char> = text.chars().collect();
        if let Some((at, byte, is_insertion)) = mutation {
            let at = at.index(characters.len() + 1);
            if is_insertion {
                characters.insert(at, char::from(byte));
            } else if at < characters.len() {
                characters.remove(at);
            }
        }
        characters.into_iter().collect()
    })
}
