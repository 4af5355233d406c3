//! Event times: UTC, whole seconds.

use std::fmt;

/// Seconds since the Unix epoch, UTC; the precision of `eventTime`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventTime(pub i64);

impl EventTime {
    /// Parses `YYYY-MM-DDTHH:MM:SS[.fraction]Z`; a fraction is dropped. `None` for anything else.
    pub fn parse(text: &str) -> Option<EventTime> {
        let bytes = text.as_bytes();
        let digits = |from: usize, to: usize| -> Option<i64> {
            bytes
                .get(from..to)?
                .iter()
                .try_fold(0i64, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
        };
        let mark = |at: usize, expected: u8| (bytes.get(at) == Some(&expected)).then_some(());
        let (year, month, day) = (digits(0, 4)?, digits(5, 7)?, digits(8, 10)?);
        let (hour, minute, second) = (digits(11, 13)?, digits(14, 16)?, digits(17, 19)?);
        mark(4, b'-')?;
        mark(7, b'-')?;
        mark(10, b'T')?;
        mark(13, b':')?;
        mark(16, b':')?;
        let rest = bytes.get(19..)?;
        let fraction = rest.strip_suffix(b"Z")?;
        let fraction_ok = fraction.is_empty()
            || fraction.strip_prefix(b".").is_some_and(|f| !f.is_empty() && f.iter().all(u8::is_ascii_digit));
        let in_range = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
        (fraction_ok && in_range)
            .then(|| EventTime(days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second))
    }

    /// Year, month, day, hour, minute and second of this time, UTC.
    pub fn civil(self) -> (i64, u8, u8, u8, u8, u8) {
        let (days, second_of_day) = (self.0.div_euclid(86_400), self.0.rem_euclid(86_400));
        let (year, month, day) = civil_from_days(days);
        let (hour, minute, second) = (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
        (year, month, day, hour as u8, minute as u8, second as u8)
    }

    /// Rounded down to a multiple of `seconds` since the epoch (CloudTrail names its files by 5-minute slots).
    pub fn floor_to(self, seconds: i64) -> EventTime {
        EventTime(self.0 - self.0.rem_euclid(seconds.max(1)))
    }
}

impl fmt::Display for EventTime {
    /// `YYYY-MM-DDTHH:MM:SSZ`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day, hour, minute, second) = self.civil();
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar (Hinnant, "chrono-compatible date algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, u8, u8) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month as u8, day as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_and_writes_the_form_of_real_records() {
        let time = EventTime::parse("2026-01-15T10:02:03Z").unwrap();
        assert_eq!(time, EventTime(1_768_471_323));
        assert_eq!(time.to_string(), "2026-01-15T10:02:03Z");
        assert_eq!(EventTime::parse("2026-01-15T10:02:03.987Z"), Some(time));
        assert_eq!(time.floor_to(300).to_string(), "2026-01-15T10:00:00Z");
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in [
            "",
            "2026-01-15",
            "2026-01-15T10:02:03",
            "2026-13-15T10:02:03Z",
            "2026-01-15T10:02:03.Z",
            "x026-01-15T10:02:03Z",
        ] {
            assert_eq!(EventTime::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_time_survives_its_own_text(seconds in 0i64..253_402_300_799) {
            prop_assert_eq!(EventTime::parse(&EventTime(seconds).to_string()), Some(EventTime(seconds)));
        }
    }
}
