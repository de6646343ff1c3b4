//! RFC 3339 timestamps as the States Language has them: capital `T`, an offset or capital `Z`.

use model::Timestamp;

const DAYS_IN_MONTH: [u32; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// Parses a timestamp to milliseconds and the nanoseconds beyond them. Gives `None` for what is no timestamp.
pub fn parse(text: &str) -> Option<(Timestamp, u32)> {
    let (date, time) = text.split_once('T')?;
    let (clock, offset_seconds) = split_offset(time)?;
    let days = days(date)?;
    let (seconds, nanos) = seconds_of_day(clock)?;
    let seconds = days * 86_400 + seconds - offset_seconds;
    let millis = seconds * 1_000 + i64::from(nanos / 1_000_000);
    Some((Timestamp::from_millis(millis), nanos % 1_000_000))
}

fn days(date: &str) -> Option<i64> {
    let bytes = date.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let (year, month, day) = (digits(&date[..4])?, digits(&date[5..7])?, digits(&date[8..])?);
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let in_month = *DAYS_IN_MONTH.get(usize::try_from(month.checked_sub(1)?).ok()?)?;
    let last = in_month + u32::from(leap && month == 2);
    (1..=last).contains(&day).then(|| days_from_civil(i64::from(year), i64::from(month), i64::from(day)))
}

/// Counts the days since 1970-01-01 in the proleptic Gregorian calendar.
/// Source: <https://howardhinnant.github.io/date_algorithms.html#days_from_civil>
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn seconds_of_day(clock: &str) -> Option<(i64, u32)> {
    let (whole, fraction) = match clock.split_once('.') {
        Some((whole, fraction)) => (whole, nanos(fraction)?),
        None => (clock, 0),
    };
    let bytes = whole.as_bytes();
    let with_seconds = bytes.len() == 8 && bytes[5] == b':';
    if !(with_seconds || (bytes.len() == 5 && fraction == 0)) || bytes[2] != b':' || !whole.is_ascii() {
        return None;
    }
    let second = if with_seconds { digits(&whole[6..])? } else { 0 };
    let (hour, minute) = (digits(&whole[..2])?, digits(&whole[3..5])?);
    let fits = hour < 24 && minute < 60 && second < 60;
    fits.then_some((i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second), fraction))
}

fn nanos(fraction: &str) -> Option<u32> {
    if fraction.len() > 9 {
        return None;
    }
    digits(&format!("{fraction:0<9}")).filter(|_| !fraction.is_empty())
}

/// Splits the offset off and gives it in seconds.
fn split_offset(time: &str) -> Option<(&str, i64)> {
    if let Some(clock) = time.strip_suffix('Z') {
        return Some((clock, 0));
    }
    let at = time.rfind(['+', '-'])?;
    let (clock, offset) = time.split_at(at);
    let bytes = offset.as_bytes();
    if bytes.len() != 6 || bytes[3] != b':' || !offset.is_ascii() {
        return None;
    }
    let (hours, minutes) = (digits(&offset[1..3])?, digits(&offset[4..])?);
    let seconds = i64::from(hours) * 3_600 + i64::from(minutes) * 60;
    (hours <= 18 && minutes < 60).then_some((clock, if bytes[0] == b'-' { -seconds } else { seconds }))
}

fn digits(text: &str) -> Option<u32> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Option<(i64, u32)>) {
        let found = parse(text).map(|(instant, nanos)| (instant.as_millis(), nanos));
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn instants_are_read() {
        check("1970-01-01T00:00:00Z", Some((0, 0)));
        check("2016-03-14T01:59:00Z", Some((1_457_920_740_000, 0)));
        check("2016-03-14T01:59Z", Some((1_457_920_740_000, 0)));
        check("2016-03-14T01:59:00.123456Z", Some((1_457_920_740_123, 456_000)));
        check("2016-03-14T01:59:00.1+01:30", Some((1_457_915_340_100, 0)));
        check("2016-03-13T20:59:00-05:00", Some((1_457_920_740_000, 0)));
        check("2024-02-29T23:59:59Z", Some((1_709_251_199_000, 0)));
        check("1969-12-31T23:59:59.999Z", Some((-1, 0)));
        check("0000-01-01T00:00:00Z", Some((-62_167_219_200_000, 0)));
        check("9999-12-31T23:59:59Z", Some((253_402_300_799_000, 0)));
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        let texts = [
            "",
            "T",
            "2016-13-05T21:29:29Z",
            "2016-12-05T21:29:29",
            "05-12-2016T21:29:29Z",
            "2016-12-05T25:29:29Z",
            "2016-12-05 21:29:29Z",
            "2016-12-05t21:29:29Z",
            "2016-12-05T21:29:29z",
            "2016-02-30T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "2016-12-05T21:60:00Z",
            "2016-12-05T21:29:60Z",
            "2016-12-05T21:29:29.Z",
            "2016-12-05T21:29:29.1234567890Z",
            "2016-12-05T21:29:29+1:00",
            "2016-12-05T21:29:29+01:60",
            "2016-12-05TZ",
            "2016-12-05T21:29:é9Z",
            "201é-12-05T21:29:29Z",
            "2016-12-05T+1:29:29Z",
            "2016-12-05",
            "+016-12-05T21:29:29Z",
        ];
        for text in texts {
            check(text, None);
        }
    }
}
