//! Differential tests: compares how the library and how Node.js with tough-cookie (`reference.js`)
//! parse generated Locations, cookies, dates and response heads. The results must agree, or the
//! difference must belong to a class that docs/differential.md explains.
//!
//! They need Node.js and are run by `make test-differential`. `DIFFERENTIAL_COUNT` and
//! `DIFFERENTIAL_SEED` select the inputs.

use std::collections::BTreeMap;
use std::env;

use proptest::strategy::{BoxedStrategy, Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;

use crate::node::Node;

mod cookies;
mod dates;
mod heads;
mod locations;
mod node;
mod text;

/// Keeps both processes busy and limits memory use.
const BATCH: usize = 500;
/// Steps to shrink the input of a failure.
const SHRINK_STEPS: usize = 2000;
const MAX_FAILURES: usize = 5;
/// No difference.
const SAME: &str = "the same";
/// No difference: there is no result.
const REJECTED: &str = "rejected by both";

struct Subject {
    /// The key in `reference.js`.
    name: &'static str,
    inputs: BoxedStrategy<Value>,
    /// The library's result.
    ours: fn(&Value) -> Value,
    /// `SAME`, or the class of the difference between our and their result; `None` if it has none.
    class: fn(&Value, &Value, &Value) -> Option<&'static str>,
}

#[test]
#[ignore = "needs Node.js: make test-differential"]
fn locations() {
    compare(&locations::subject());
}

#[test]
#[ignore = "needs Node.js: make test-differential"]
fn cookies() {
    compare(&cookies::subject());
}

#[test]
#[ignore = "needs Node.js: make test-differential"]
fn dates() {
    compare(&dates::subject());
}

#[test]
#[ignore = "needs Node.js: make test-differential"]
fn heads() {
    compare(&heads::subject());
}

fn compare(subject: &Subject) {
    let (seed, count) = (setting("DIFFERENTIAL_SEED", 1), setting("DIFFERENTIAL_COUNT", 4000));
    let mut node = Node::start(subject.name);
    let mut runner = runner(seed);
    let mut classes = BTreeMap::<_, usize>::new();
    let mut remaining = usize::try_from(count).expect("a count");
    while remaining > 0 {
        let size = remaining.min(BATCH);
        remaining -= size;
        let trees: Vec<_> = (0..size).map(|_| subject.inputs.new_tree(&mut runner).expect("an input")).collect();
        let inputs: Vec<_> = trees.iter().map(ValueTree::current).collect();
        let found: Vec<_> = inputs
            .iter()
            .zip(node.run(&inputs))
            .map(|(input, theirs)| {
                let ours = (subject.ours)(input);
                let class = (subject.class)(input, &ours, &theirs);
                if class == Some(SAME) && is_empty(&ours) { Some(REJECTED) } else { class }
            })
            .collect();
        let failed = trees.into_iter().zip(&found).filter(|(_, class)| class.is_none()).take(MAX_FAILURES);
        let failures: Vec<_> = failed.map(|(tree, _)| shrink(subject, &mut node, tree)).collect();
        assert!(failures.is_empty(), "{}, seed {seed}: unexplained\n{}", subject.name, failures.join("\n"));
        found.into_iter().flatten().for_each(|class| *classes.entry(class).or_default() += 1);
    }
    println!("{}, seed {seed}: {count} inputs", subject.name);
    for (class, number) in classes {
        println!("    {number:7} {class}");
    }
}

fn setting(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}

fn runner(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// Shrinks the input of a failure.
fn shrink(subject: &Subject, node: &mut Node, mut tree: Box<dyn ValueTree<Value = Value>>) -> String {
    let mut failure = String::new();
    for _ in 0..SHRINK_STEPS {
        let input = tree.current();
        let (ours, theirs) = ((subject.ours)(&input), node.run(std::slice::from_ref(&input)).remove(0));
        let is_failure = (subject.class)(&input, &ours, &theirs).is_none();
        if is_failure {
            failure = escape(&format!("input:  {input}\nours:   {ours}\ntheirs: {theirs}"));
        }
        if !(if is_failure { tree.simplify() } else { tree.complicate() }) {
            break;
        }
    }
    failure
}

/// No result; for cookies, no cookie in any request.
fn is_empty(result: &Value) -> bool {
    result.is_null() || result.as_array().is_some_and(|headers| headers.iter().all(|header| header == ""))
}

/// Escapes non-ASCII characters, which may be invisible.
fn escape(text: &str) -> String {
    let escaped = |c: char| if c.is_ascii() { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) };
    text.chars().map(escaped).collect()
}
