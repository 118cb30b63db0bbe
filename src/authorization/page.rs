//! Extracts the title of an unexpected page; nothing else of the page is stored.

use crate::limits;
use crate::secret::Redactor;

/// At most 80 characters in one line, without control characters. `None` if it contains a secret of
/// the flow.
pub(super) fn title(body: &[u8], redactor: &Redactor) -> Option<String> {
    let page = String::from_utf8_lossy(body);
    let lower = page.to_ascii_lowercase();
    let tag = lower.find("<title")?;
    let start = tag + lower.get(tag..)?.find('>')? + 1;
    let end = lower.get(start..)?.find("</title").map_or(lower.len(), |length| start + length);
    redactor.keep(page.get(start..end)?, limits::TITLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn title_is_extracted_unless_it_contains_a_secret() {
        let redactor = Redactor::new();
        redactor.add_number("+14155550100");
        for (page, expected) in [
            ("<html><TITLE lang=en>\n Sign  in\t</Title>", Some("Sign in")),
            ("<title>for +14155550100</title>", None),
            ("<title>for +1415\u{1}5550100</title>", None),
            ("<title>No service for +1 (415)\n555-0100</title>", None),
            ("<title>cut", Some("cut")),
            ("<title> </title>", None),
            ("<title", None),
            ("no title", None),
            ("", None),
        ] {
            assert_eq!(title(page.as_bytes(), &redactor).as_deref(), expected, "{page}");
        }
        let long = format!("<title>{}</title>", "é".repeat(100));
        assert_eq!(title(long.as_bytes(), &redactor).unwrap().chars().count(), limits::TITLE);
    }
}
