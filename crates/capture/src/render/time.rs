//! Timestamps: as the wire spells them, and as records do (`reference/event-record.md` §8).

use crate::render::write::Json;
use event::EventTime;
use std::fmt::Write;

/// How a service's records spell times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dates {
    /// `Jul 10, 2023 12:24:29 PM`: older Java.
    Java8,
    /// `Jul 10, 2023, 12:09:47 PM`: newer Java.
    Java9,
    /// `2026-01-15T10:02:03Z`.
    Iso,
    /// Milliseconds since 1970 as a number (EC2's old style).
    Millis,
    /// As the wire had it.
    AsSent,
}

/// A point in time with the milliseconds that some wires carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instant {
    pub(crate) seconds: i64,
    pub(crate) millis: u16,
}

/// What a calendar can say: the years 1 to 9999, in seconds since 1970.
const CALENDAR: std::ops::Range<i64> = -62_135_596_800..253_402_300_800;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl Instant {
    /// Reads any of the three wire forms: ISO 8601, epoch seconds, HTTP date. `None` for anything else.
    pub(crate) fn parse(text: &str) -> Option<Instant> {
        let text = text.trim();
        if text.as_bytes().get(4) == Some(&b'-') {
            return Instant::from_iso(text);
        }
        if text.bytes().next().is_some_and(|b| b.is_ascii_digit() || b == b'-') {
            return Instant::from_epoch(text);
        }
        Instant::from_http(text)
    }

    fn from_iso(text: &str) -> Option<Instant> {
        let offset_at = text.rfind(['Z', 'z', '+']).or_else(|| text.rfind('-').filter(|at| *at > 10))?;
        let (local, offset) = text.split_at_checked(offset_at)?;
        let seconds = EventTime::parse(&format!("{local}Z")).map(|time| time.0)?;
        let millis = local.split_once('.').map_or(Some(0), |(_, fraction)| thousandths(fraction))?;
        let seconds = seconds - offset_seconds(offset)?;
        CALENDAR.contains(&seconds).then_some(Instant { seconds, millis })
    }

    fn from_epoch(text: &str) -> Option<Instant> {
        let value: f64 = text.parse().ok()?;
        let millis = (value * 1000.0).round() as i64;
        let seconds = millis.div_euclid(1000);
        CALENDAR.contains(&seconds).then_some(Instant { seconds, millis: millis.rem_euclid(1000) as u16 })
    }

    /// `Thu, 15 Jan 2026 10:02:03 GMT`.
    fn from_http(text: &str) -> Option<Instant> {
        let mut parts = text.split_ascii_whitespace().skip(1);
        let (day, month, year, clock) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let month = MONTHS.iter().position(|name| *name == month)? + 1;
        let seconds = EventTime::parse(&format!("{year}-{month:02}-{day:0>2}T{clock}Z"))?.0;
        Some(Instant { seconds, millis: 0 })
    }

    /// Writes it as a service's records do.
    pub(crate) fn write(self, dates: Dates, out: &mut Json) {
        if matches!(dates, Dates::Iso | Dates::AsSent) {
            return write_iso(EventTime(self.seconds), out);
        }
        let mut text = Short { bytes: [0; 40], length: 0 };
        let (year, month, day, hour, minute, second) = EventTime(self.seconds).civil();
        let name = MONTHS.get(usize::from(month).saturating_sub(1)).copied().unwrap_or_default();
        let (half, twelve) = (if hour < 12 { "AM" } else { "PM" }, if hour % 12 == 0 { 12 } else { hour % 12 });
        // Writing into a buffer that is large enough for every form cannot fail.
        let _ = match dates {
            Dates::Java8 => write!(text, "{name} {day}, {year} {twelve}:{minute:02}:{second:02} {half}"),
            Dates::Java9 => write!(text, "{name} {day}, {year}, {twelve}:{minute:02}:{second:02} {half}"),
            Dates::Millis => {
                let _ = write!(text, "{}", self.seconds.saturating_mul(1000).saturating_add(i64::from(self.millis)));
                return out.raw(text.as_str());
            }
            Dates::Iso | Dates::AsSent => Ok(()),
        };
        out.text(text.as_str());
    }
}

/// `YYYY-MM-DDTHH:MM:SSZ`, digit by digit: every record has at least one.
pub(crate) fn write_iso(time: EventTime, out: &mut Json) {
    let (year, month, day, hour, minute, second) = time.civil();
    let mut text = *b"0000-00-00T00:00:00Z";
    let mut put = |at: usize, value: u8| {
        for (place, digit) in [(at, value / 10 % 10), (at + 1, value % 10)] {
            if let Some(byte) = text.get_mut(place) {
                *byte = b'0' + digit;
            }
        }
    };
    put(0, (year / 100 % 100) as u8);
    put(2, (year % 100) as u8);
    for (at, value) in [(5, month), (8, day), (11, hour), (14, minute), (17, second)] {
        put(at, value);
    }
    out.text(std::str::from_utf8(&text).unwrap_or_default());
}

fn thousandths(fraction: &str) -> Option<u16> {
    let mut value = 0;
    for at in 0..3 {
        let digit = fraction.as_bytes().get(at).copied().unwrap_or(b'0');
        value = value * 10 + char::from(digit).to_digit(10)? as u16;
    }
    Some(value)
}

/// `Z`, `+0000`, `+01:00`, `-08:00`.
fn offset_seconds(offset: &str) -> Option<i64> {
    if offset.eq_ignore_ascii_case("Z") {
        return Some(0);
    }
    let sign = if offset.starts_with('+') { 1 } else { -1 };
    let digits: Vec<u8> =
        offset.bytes().skip(1).filter(|byte| *byte != b':').map(|byte| byte.wrapping_sub(b'0')).collect();
    match digits.as_slice() {
        [a @ 0..=2, b @ 0..=9, c @ 0..=5, d @ 0..=9] if matches!(offset.len(), 5 | 6) => {
            let (hours, minutes) = (i64::from(a * 10 + b), i64::from(c * 10 + d));
            Some(sign * (hours * 3600 + minutes * 60))
        }
        _ => None,
    }
}

/// Text short enough for the stack.
struct Short {
    bytes: [u8; 40],
    length: usize,
}

impl Short {
    fn as_str(&self) -> &str {
        self.bytes.get(..self.length).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

impl Write for Short {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(std::fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str, dates: Dates) -> String {
        let mut out = Json::default();
        Instant::parse(text).unwrap().write(dates, &mut out);
        out.into_text()
    }

    #[test]
    fn every_wire_form_is_read_and_every_record_form_written() {
        for wire in [
            "2023-07-10T12:24:29Z",
            "2023-07-10T14:24:29.250+02:00",
            "1688991869",
            "1.688991869E9",
            "Mon, 10 Jul 2023 12:24:29 GMT",
        ] {
            assert_eq!(written(wire, Dates::Java8), "\"Jul 10, 2023 12:24:29 PM\"", "{wire}");
        }
        assert_eq!(written("2023-07-10T00:04:05Z", Dates::Java9), "\"Jul 10, 2023, 12:04:05 AM\"");
        assert_eq!(written("1688991869.5", Dates::Iso), "\"2023-07-10T12:24:29Z\"");
        assert_eq!(written("2023-07-10T11:51:26.923Z", Dates::Millis), "1688989886923");
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "soon",
            "2023-07",
            "1e300",
            "-",
            "2023-07-10T12:24:29",
            "Mon, 10 Foo 2023 12:24:29 GMT",
            "2023-07-10T12:24:29Z\",\"x",
            "2023-07-10T12:24:29+009223372036854775807",
            "2023-07-10T12:24:29+1:00",
            "2023-07-10T12:24:29+01::0",
            "9999-12-31T23:59:59-01:00",
            "0001-01-01T00:00:00+01:00",
            "253402300800",
        ] {
            assert_eq!(Instant::parse(text), None, "{text}");
        }
    }
}
