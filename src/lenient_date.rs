//! Parses the date of a cookie's `Expires` with the algorithm of RFC 6265, section 5.1.1: a time, a
//! day, a month and a year in any order, between any other tokens. Also parses the three forms of
//! an HTTP date (RFC 9110, section 5.6.7).

use time::{Date, Month, OffsetDateTime, Time};

/// The date in UTC; any other time zone is ignored.
pub fn parse(text: &str) -> Option<OffsetDateTime> {
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    for token in text.split(is_delimiter).filter(|token| !token.is_empty()) {
        if time.is_none()
            && let Some(found) = time_of(token)
        {
            time = Some(found);
        } else if day.is_none()
            && let Some(found) = number(token, 1..=2)
        {
            day = Some(found);
        } else if month.is_none()
            && let Some(found) = month_of(token)
        {
            month = Some(found);
        } else if year.is_none()
            && let Some(found) = number(token, 2..=4)
        {
            year = Some(found);
        }
    }
    let year = match year? {
        year @ 70..=99 => year + 1900,
        year @ 0..=69 => year + 2000,
        year => year,
    };
    let date = Date::from_calendar_date(i32::from(year), month?, u8::try_from(day?).ok()?).ok()?;
    (year >= 1601).then_some(OffsetDateTime::new_utc(date, time?))
}

fn is_delimiter(c: char) -> bool {
    matches!(c, '\t' | ' '..='/' | ';'..='@' | '['..='`' | '{'..='~')
}

fn time_of(token: &str) -> Option<Time> {
    let mut parts = token.splitn(3, ':').map(|part| number(part, 1..=2));
    let [hour, minute, second] = [parts.next()??, parts.next()??, parts.next()??].map(u8::try_from);
    let is_exact = token.splitn(3, ':').take(2).all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    Time::from_hms(hour.ok()?, minute.ok()?, second.ok()?).ok().filter(|_| is_exact)
}

/// The leading digits of the token, if their count is in this range.
fn number(token: &str, digits: std::ops::RangeInclusive<usize>) -> Option<u16> {
    let length = token.bytes().take_while(u8::is_ascii_digit).count();
    if digits.contains(&length) { token[..length].parse().ok() } else { None }
}

fn month_of(token: &str) -> Option<Month> {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let name = token.get(..3)?.to_ascii_lowercase();
    let index = MONTHS.iter().position(|month| *month == name)?;
    Month::try_from(u8::try_from(index + 1).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dates_are_parsed_in_many_forms() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 06-Nov-1994 08:49:37 GMT",
            "06 November 1994 08:49:37",
            "Nov 06 1994 8:49:37 +0100",
            "1994 Nov 6 08:49:37",
            "08:49:37 6 nov 94",
            "Sun/06/NOV/1994/08:49:37Z",
            "Sunday the 6th of November 1994, 08:49:37h",
            "Expires 06-Nov-1994 08:49:37.000",
        ] {
            assert_eq!(parse(text).map(OffsetDateTime::unix_timestamp), Some(784_111_777), "{text}");
        }
        assert_eq!(parse("1 Jan 69 0:0:0").unwrap().year(), 2069);
        assert_eq!(parse("1 Jan 70 0:0:0").unwrap().year(), 1970);
        assert_eq!(parse("1 Jan 1601 0:0:0").unwrap().year(), 1601);
    }

    #[test]
    fn what_is_no_date() {
        for text in [
            "",
            "0",
            "-1",
            "soon",
            "06 Nov 1994",
            "Nov 1994 08:49:37",
            "06 1994 08:49:37",
            "06 Nov 08:49:37",
            "31 Feb 2030 08:49:37",
            "00 Jan 2030 08:49:37",
            "06 Nov 1994 24:00:00",
            "06 Nov 1994 08:60:00",
            "06 Nov 1994 008:49:37",
            "06 Nov 1994 8h:49:37",
            "06 Nov 1994 08:4m:37",
            "06 Nov 1994 08:49",
            "06 Nov 1600 08:49:37",
            "06 Nov 19945 08:49:37",
            "06 N\u{f6}v 1994 08:49:37",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn parsing_any_text_does_not_panic(text in "[0-9:A-Za-z \u{e4}-]{0,60}") {
            let _ = parse(&text);
        }
    }
}
