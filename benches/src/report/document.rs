//! Puts what was generated between its markers in a document: `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`, each on a line of its own.
//! What is outside of them is written by hand.

use std::path::Path;

use anyhow::{Context, Result};

/// Replaces the parts that the document has markers for. One that it has none for is left out.
pub fn update(file: &Path, parts: &[(&str, String)]) -> Result<()> {
    let mut text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    for (name, part) in parts {
        text = replaced(text, name, part);
    }
    std::fs::write(file, text).with_context(|| file.display().to_string())
}

fn replaced(text: String, name: &str, part: &str) -> String {
    let (begin, end) = (format!("<!-- bench:{name} -->\n"), format!("<!-- /bench:{name} -->"));
    let Some((before, rest)) = text.split_once(&begin) else { return text };
    let Some((_, after)) = rest.split_once(&end) else { return text };
    format!("{before}{begin}\n{}\n\n{end}{after}", part.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_is_replaced() {
        let text = "a\n<!-- bench:x -->\n\nold\n\n<!-- /bench:x -->\nb\n";
        let new = "a\n<!-- bench:x -->\n\nnew\n\n<!-- /bench:x -->\nb\n";
        assert_eq!(replaced(text.to_owned(), "x", "new\n"), new);
        assert_eq!(replaced(text.to_owned(), "y", "new"), text);
    }
}
