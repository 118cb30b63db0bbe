//! Dates of cookies (RFC 6265, section 5.1.1).

use number_verify::internals::parse_lenient_date;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::subsequence;
use serde_json::{Value, json};

use crate::text::{matching, mutated, word};
use crate::{SAME, Subject};

pub fn subject() -> Subject {
    let inputs = prop_oneof![3 => mutated(parts()), 1 => mutated(common_formats())].prop_map(Value::from).boxed();
    Subject { name: "dates", inputs, ours, class }
}

/// Formats that servers send.
fn common_formats() -> impl Strategy<Value = String> {
    prop_oneof![
        matching(
            "(Sun|Sunday), ([0-2][0-9]|3[01]) (Jan|Feb|Nov) (1[6-9]|20)[0-9]{2} ([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9] GMT"
        ),
        matching(
            "Sunday, ([0-2][0-9]|3[01])-(Jan|Feb|Nov)-[0-9]{2} ([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9] (GMT|UTC|[+-]0[0-9]00)"
        ),
        matching(
            "Sun (Jan|Feb|Nov) [ 1-3][0-9] ([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9] (19[0-9]{2}|20[0-9]{2}|1[56][0-9]{2})"
        ),
    ]
}

/// The parts in any order, some of them missing or malformed, with arbitrary separators.
fn parts() -> impl Strategy<Value = String> {
    let time = prop_oneof![
        3 => matching("([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"),
        1 => matching("[0-9]{1,3}:[0-9]{1,3}:[0-9]{1,3}(:[0-9]|[a-z]|\\.0{1,3}|)"),
    ];
    let day = prop_oneof![4 => matching("[1-9]|[0-2][0-9]|3[01]"), 1 => matching("[0-9]{1,3}(th|st|:|)")];
    let month = prop_oneof![4 => word("dates.month"), 1 => matching("[A-Za-z\u{e9}]{1,4}")];
    let year = prop_oneof![2 => matching("[0-9]{2}"), 3 => matching("(15|16|19|20|99)[0-9]{2}"), 1 => matching("[0-9]{1,5}[a-z\u{e4}]?")];
    let all = (time, day, month, year, word("dates.other"));
    let all = all.prop_map(|(time, day, month, year, other)| vec![time, day, month, year, other]);
    let some = all.prop_flat_map(|all| prop_oneof![6 => Just(all.clone()), 1 => subsequence(all, 3..=4)]);
    (some.prop_shuffle(), vec(word("dates.between"), 5))
        .prop_map(|(parts, between)| parts.iter().zip(between).map(|(part, between)| part.clone() + &between).collect())
}

fn ours(text: &Value) -> Value {
    json!(parse_lenient_date(text.as_str().expect("text")).map(time::OffsetDateTime::unix_timestamp))
}

fn class(_text: &Value, ours: &Value, theirs: &Value) -> Option<&'static str> {
    (ours == theirs).then_some(SAME)
}
