//! Inserts generated text between its markers in a document: `<!-- bench:NAME -->` and `<!--
//! /bench:NAME -->`, each on a separate line. Text outside of them is written by hand.

use std::path::Path;

use anyhow::{Context, Result};

/// Replaces each part in the document, which must have markers for it. Writes nothing if that
/// fails.
pub fn update(file: &Path, parts: &[(&str, String)]) -> Result<()> {
    let name_of_file = || file.display().to_string();
    let mut text = std::fs::read_to_string(file).with_context(name_of_file)?;
    for (name, part) in parts {
        let new = replaced(&text, name, part).with_context(name_of_file)?;
        text = new.with_context(|| format!("{} has no markers for {name:?}", file.display()))?;
    }
    std::fs::write(file, text).with_context(name_of_file)
}

/// `None` if the document has no markers for it.
fn replaced(text: &str, name: &str, part: &str) -> Result<Option<String>> {
    let (begin, end) = (format!("<!-- bench:{name} -->\n"), format!("<!-- /bench:{name} -->"));
    let Some((before, rest)) = text.split_once(&begin) else { return Ok(None) };
    let (_, after) = rest.split_once(&end).with_context(|| format!("{} has no end", begin.trim()))?;
    Ok(Some(format!("{before}{begin}\n{}\n\n{end}{after}", part.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_between_the_markers_is_replaced() {
        let text = "a\n<!-- bench:x -->\n\nold\n\n<!-- /bench:x -->\nb\n";
        let new = "a\n<!-- bench:x -->\n\nnew\n\n<!-- /bench:x -->\nb\n";
        assert_eq!(replaced(text, "x", "new\n").unwrap().as_deref(), Some(new));
        assert_eq!(replaced(text, "y", "new").unwrap(), None);
    }

    #[test]
    fn marker_without_an_end_is_an_error() {
        assert!(replaced("<!-- bench:x -->\nold\n", "x", "new").is_err());
    }

    #[test]
    fn part_without_markers_is_an_error() {
        let error = update(Path::new("Cargo.toml"), &[("x", "new".to_owned())]).unwrap_err();
        assert_eq!(error.to_string(), "Cargo.toml has no markers for \"x\"");
    }
}
