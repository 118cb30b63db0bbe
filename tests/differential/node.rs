//! A Node.js process that runs `reference.js`.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;

use serde_json::Value;

pub struct Node {
    process: Child,
    inputs: ChildStdin,
    results: BufReader<ChildStdout>,
}

impl Node {
    pub fn start(subject: &str) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/differential/reference.js");
        let mut command = Command::new("node");
        command.args([script, subject]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("Node.js");
        let inputs = process.stdin.take().expect("stdin");
        let results = BufReader::new(process.stdout.take().expect("stdout"));
        Self { process, inputs, results }
    }

    /// Returns its results for these inputs.
    pub fn run(&mut self, inputs: &[Value]) -> Vec<Value> {
        let lines = inputs.iter().map(|input| input.to_string() + "\n").collect::<String>();
        let Self { inputs: pipe, results, .. } = self;
        // Both pipes may be full concurrently.
        thread::scope(|scope| {
            scope.spawn(move || pipe.write_all(lines.as_bytes()).expect("Node.js reads"));
            inputs.iter().map(|input| result(results, input)).collect()
        })
    }
}

fn result(results: &mut impl BufRead, input: &Value) -> Value {
    let mut line = String::new();
    results.read_line(&mut line).expect("a result");
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("Node.js has no result for {input}: {error}"))
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
