//! Every test listed in SECURITY.md exists.

use std::fs;
use std::path::Path;

#[test]
fn listed_tests_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = sources(&["src", "tests", "bindings", "examples"].map(|folder| root.join(folder)));
    let table = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let rows: Vec<_> = table.lines().filter(|line| line.starts_with('|') && line.contains('`')).collect();
    assert!(rows.len() > 20, "{rows:?}");
    for row in rows {
        let last = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap();
        let names: Vec<_> = last.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test in {row}");
        for name in names {
            let is_file = root.join(name).exists() || root.join("tests/backends").join(name).exists();
            let definitions = ["fn", "def", "class"].map(|keyword| format!("{keyword} {name}"));
            let is_defined = sources.iter().any(|source| definitions.iter().any(|it| has_word(source, it)));
            assert!(is_file || is_defined, "{name} does not exist");
        }
    }
}

fn has_word(text: &str, definition: &str) -> bool {
    text.match_indices(definition).any(|(at, _)| {
        let rest = text[at + definition.len()..].chars().next();
        !rest.is_some_and(|next| next.is_alphanumeric() || next == '_')
    })
}

fn sources(folders: &[std::path::PathBuf]) -> Vec<String> {
    let mut pending = folders.to_vec();
    let mut sources = Vec::new();
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let is_source = path.extension().is_some_and(|end| ["rs", "py", "kt", "swift"].iter().any(|it| end == *it));
            if path.is_dir() && !entry.file_name().to_string_lossy().starts_with('.') && entry.file_name() != "target" {
                pending.push(path);
            } else if is_source {
                sources.push(fs::read_to_string(path).unwrap());
            }
        }
    }
    sources
}
