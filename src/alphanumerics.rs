//! Reduces a text to the letters and digits that identify a number or a secret.
//!
//! For single Latin letters and for digits this is equivalent to Unicode's NFKC, without its large
//! tables. Everything else is removed: no separator, invisible character or combining mark can hide
//! anything.

/// The zeros of the decimal digits of all scripts (class Nd of Unicode 16), in order; each is
/// followed by the other nine digits.
#[rustfmt::skip] // several in one line
const ZEROS: [u32; 76] = [
    0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0,
    0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620,
    0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30, 0x10d40, 0x11066, 0x110f0, 0x11136,
    0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x116d0, 0x116da, 0x11730, 0x118e0, 0x11950, 0x11bf0,
    0x11c50, 0x11d50, 0x11da0, 0x11f50, 0x16130, 0x16a60, 0x16ac0, 0x16b50, 0x16d70, 0x1ccf0, 0x1d7ce,
    0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e4f0, 0x1e5f1, 0x1e950, 0x1fbf0,
];
/// Superscripts, subscripts, and numbers in circles or parentheses: the first, the last, and the
/// value of the first.
#[rustfmt::skip] // several in one line
const NUMBERS: [(char, char, u32); 26] = [
    ('²', '³', 2), ('¹', '¹', 1), ('፩', '፱', 1), ('᧚', '᧚', 1), ('⁰', '⁰', 0), ('⁴', '⁹', 4), ('₀', '₉', 0),
    ('①', '⑳', 1), ('⑴', '⒇', 1), ('⒈', '⒛', 1), ('⓪', '⓪', 0), ('⓫', '⓴', 11), ('⓵', '⓾', 1), ('⓿', '⓿', 0),
    ('❶', '❿', 1), ('➀', '➉', 1), ('➊', '➓', 1), ('㉑', '㉟', 21), ('㊱', '㊿', 36),
    ('\u{10a40}', '\u{10a43}', 1), ('\u{10e60}', '\u{10e68}', 1), ('\u{11052}', '\u{1105a}', 1),
    ('🄀', '🄀', 0), ('🄁', '🄊', 0), ('🄋', '🄋', 0), ('🄌', '🄌', 0),
];
#[rustfmt::skip] // several in one line
const FRACTIONS: [(char, &str); 20] = [
    ('¼', "14"), ('½', "12"), ('¾', "34"), ('⅐', "17"), ('⅑', "19"), ('⅒', "110"), ('⅓', "13"), ('⅔', "23"),
    ('⅕', "15"), ('⅖', "25"), ('⅗', "35"), ('⅘', "45"), ('⅙', "16"), ('⅚', "56"), ('⅛', "18"), ('⅜', "38"),
    ('⅝', "58"), ('⅞', "78"), ('⅟', "1"), ('↉', "03"),
];
/// The first letters of alphabets of 26: full-width, in circles, parentheses, brackets and squares.
const ALPHABETS: [char; 9] = ['Ａ', 'ａ', 'Ⓐ', 'ⓐ', '⒜', '🄐', '🄰', '🅐', '🅰'];
/// All alphabets in mathematical styles, in sequence.
const MATHEMATICAL: (char, char) = ('𝐀', '𝚣');
/// Other characters for a, for b, and so on.
const LETTERS: [&str; 26] = [
    "ªᴬᵃₐ",
    "ᴮᵇℬ",
    "ᶜℂℭⅭⅽꟲ🄫",
    "ᴰᵈⅅⅆⅮⅾ",
    "ᴱᵉₑℯℰⅇ",
    "ᶠℱꟳ",
    "ᴳᵍℊ",
    "ʰᴴₕℋℌℍℎ",
    "ᴵᵢⁱℐℑℹⅈⅠⅰ",
    "ʲᴶⅉⱼ",
    "ᴷᵏₖ\u{212a}",
    "ˡᴸₗℒℓⅬⅼ",
    "ᴹᵐₘℳⅯⅿ",
    "ᴺⁿₙℕ",
    "ºᴼᵒₒℴ",
    "ᴾᵖₚℙ",
    "ℚꟴ𐞥",
    "ʳᴿᵣℛℜℝ🄬",
    "ſˢₛ",
    "ᵀᵗₜ",
    "ᵁᵘᵤ",
    "ᵛᵥⅤⅴⱽ",
    "ʷᵂ",
    "ˣₓⅩⅹ",
    "ʸ",
    "ᶻℤℨ",
];

/// The letters and digits of a text, in lower-case ASCII.
#[must_use]
pub fn alphanumerics(text: &str) -> String {
    let mut result = String::new();
    for c in text.chars() {
        if c.is_ascii() {
            result.extend(c.is_ascii_alphanumeric().then_some(c.to_ascii_lowercase()));
        } else if let Some(number) = number(c) {
            result.push_str(&number.to_string());
        } else if let Some((_, digits)) = FRACTIONS.iter().find(|(fraction, _)| *fraction == c) {
            result.push_str(digits);
        } else {
            result.extend(letter(c));
        }
    }
    result
}

fn number(c: char) -> Option<u32> {
    let code = u32::from(c);
    let zero = ZEROS.get(ZEROS.partition_point(|zero| *zero <= code).checked_sub(1)?)?;
    let digit = Some(code - zero).filter(|digit| *digit < 10);
    let value = |(first, last, value): &(char, char, u32)| {
        (*first..=*last).contains(&c).then(|| value + code.saturating_sub(u32::from(*first)))
    };
    digit.or_else(|| NUMBERS.iter().find_map(value))
}

fn letter(c: char) -> Option<char> {
    let from = |first: char| u32::from(c).checked_sub(u32::from(first));
    let mathematical = from(MATHEMATICAL.0).filter(|_| c <= MATHEMATICAL.1).map(|distance| distance % 26);
    let in_alphabet = || ALPHABETS.iter().filter_map(|first| from(*first)).find(|distance| *distance < 26);
    let other = || LETTERS.iter().position(|letters| letters.contains(c)).and_then(|at| u32::try_from(at).ok());
    let position = mathematical.or_else(in_alphabet).or_else(other)?;
    char::from_u32(u32::from('a') + position)
}

#[cfg(test)]
mod tests {
    use regex_syntax::hir::{Class, HirKind};
    use unicode_normalization::UnicodeNormalization as _;

    use super::*;

    fn characters(class: &str) -> impl Iterator<Item = char> {
        let HirKind::Class(Class::Unicode(class)) = regex_syntax::parse(class).unwrap().into_kind() else {
            panic!("{class} is not a class")
        };
        class.ranges().to_vec().into_iter().flat_map(|range| range.start()..=range.end())
    }

    #[test]
    fn decimal_digits_of_all_scripts_have_their_values() {
        let digits: String = characters(r"\p{Nd}").collect();
        let expected = "0123456789".repeat(digits.chars().count() / 10);
        assert_eq!(alphanumerics(&digits), expected);
    }

    #[test]
    fn numbers_and_single_letters_have_their_nfkc_form() {
        for c in characters(r"[\p{L}\p{N}]") {
            let form: String = c.nfkc().collect();
            let is_letter = form.len() == 1 && form.is_ascii();
            let is_number = c.is_numeric() && form.bytes().any(|byte| byte.is_ascii_digit());
            if is_letter || is_number {
                let expected: String = form.to_ascii_lowercase().matches(|c: char| c.is_ascii_alphanumeric()).collect();
                assert_eq!(alphanumerics(&c.to_string()), expected, "{c} U+{:04X}", u32::from(c));
            }
        }
    }

    /// Otherwise a separator or an invisible character would be read as a digit, and hide a number.
    #[test]
    fn only_characters_of_the_number_classes_are_read_as_digits() {
        let decimal = ZEROS.iter().flat_map(|zero| (*zero..*zero + 10).filter_map(char::from_u32));
        let other = NUMBERS.iter().flat_map(|(first, last, _)| *first..=*last);
        let numbers: Vec<char> = characters(r"\p{N}").collect();
        for c in decimal.chain(other).chain(FRACTIONS.iter().map(|(c, _)| *c)) {
            assert!(numbers.contains(&c), "{c} U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn only_letters_and_digits_are_left() {
        for (text, expected) in
            [("", ""), ("+1 (415) 555-0100", "14155550100"), ("Ｃ\u{200b}o\u{301}𝖽ⓔ_⒈⑳½", "code12012"), ("é ж 字", "")]
        {
            assert_eq!(alphanumerics(text), expected, "{text}");
        }
    }
}
