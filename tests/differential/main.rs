//! Differential tests: how the library reads Locations, cookies, dates and heads of responses, and how Node.js and tough-cookie read
//! them (`reference.js`), on generated inputs. Both must agree, or the difference is of a class that docs/differential.md explains.
//!
//! `make test-differential` runs them, for they need Node.js. DIFFERENTIAL_COUNT and DIFFERENTIAL_SEED choose the inputs.

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

/// So that both processes have work at the same time, and little is held in memory.
const BATCH: usize = 500;
/// Of a failure, whose input is made smaller.
const ATTEMPTS: usize = 2000;
const FAILURES: usize = 5;
/// Not a difference.
const SAME: &str = "the same";
/// Nor is this.
const REFUSED: &str = "refused by both";

struct Subject {
    /// As `reference.js` has it.
    name: &'static str,
    inputs: BoxedStrategy<Value>,
    /// The library's result.
    ours: fn(&Value) -> Value,
    /// `SAME`, or the class of this difference between our and their result; `None` if it is in no class.
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
    let mut left = usize::try_from(count).expect("a count");
    while left > 0 {
        let size = left.min(BATCH);
        left -= size;
        let trees: Vec<_> = (0..size).map(|_| subject.inputs.new_tree(&mut runner).expect("an input")).collect();
        let inputs: Vec<_> = trees.iter().map(ValueTree::current).collect();
        let found: Vec<_> = inputs
            .iter()
            .zip(node.ask(&inputs))
            .map(|(input, theirs)| {
                let ours = (subject.ours)(input);
                let class = (subject.class)(input, &ours, &theirs);
                if class == Some(SAME) && is_nothing(&ours) { Some(REFUSED) } else { class }
            })
            .collect();
        let failed = trees.into_iter().zip(&found).filter(|(_, class)| class.is_none()).take(FAILURES);
        let failures: Vec<_> = failed.map(|(tree, _)| smallest(subject, &mut node, tree)).collect();
        assert!(failures.is_empty(), "{}, seed {seed}: unexplained\n{}", subject.name, failures.join("\n"));
        found.into_iter().flatten().for_each(|class| *classes.entry(class).or_default() += 1);
    }
    println!("{}, seed {seed}: {count} inputs", subject.name);
    for (class, number) in classes {
        println!("    {number:7} {class}");
    }
}

fn setting(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

fn runner(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// The failure with as little input as possible.
fn smallest(subject: &Subject, node: &mut Node, mut tree: Box<dyn ValueTree<Value = Value>>) -> String {
    let mut failure = String::new();
    for _ in 0..ATTEMPTS {
        let input = tree.current();
        let (ours, theirs) = ((subject.ours)(&input), node.ask(std::slice::from_ref(&input)).remove(0));
        let is_failure = (subject.class)(&input, &ours, &theirs).is_none();
        if is_failure {
            failure = readable(&format!("input:  {input}\nours:   {ours}\ntheirs: {theirs}"));
        }
        if !(if is_failure { tree.simplify() } else { tree.complicate() }) {
            break;
        }
    }
    failure
}

/// Of cookies, none for any request.
fn is_nothing(result: &Value) -> bool {
    result.is_null() || result.as_array().is_some_and(|headers| headers.iter().all(|header| header == ""))
}

/// With escapes for what may be invisible.
fn readable(text: &str) -> String {
    let escaped = |c: char| if c.is_ascii() { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) };
    text.chars().map(escaped).collect()
}
