//! Modeled values on the wire, as SDKs write them.

use crate::value::Modeled;
use aws::{Location, Member, Protocol, TimestampFormat};
use event::EventTime;
use serde_json::{Map, Value};

/// JSON of a body: `body_only` leaves out what stands elsewhere in the message.
pub(crate) fn json(value: &Modeled<'_>, body_only: bool) -> Value {
    match value {
        Modeled::Bool(value) => Value::Bool(*value),
        Modeled::Number(digits) => serde_json::from_str(digits).unwrap_or_else(|_| Value::String(digits.clone())),
        Modeled::Text(text) => Value::String(text.clone()),
        Modeled::Time(seconds, _) => serde_json::json!(seconds),
        Modeled::List(values) => values.iter().map(|value| json(value, false)).collect(),
        Modeled::Map(entries) => {
            Value::Object(entries.iter().map(|(key, value)| (key.clone(), json(value, false))).collect())
        }
        Modeled::Struct(members) => {
            let mut object = Map::new();
            for (member, value) in members {
                if !body_only || member.location() == Location::Body {
                    let value = match (value, member.timestamp_format()) {
                        (Modeled::Time(..), Some(format)) => Value::String(time(value, format)),
                        _ => json(value, false),
                    };
                    object.insert(member.wire_name().to_owned(), value);
                }
            }
            Value::Object(object)
        }
        Modeled::Raw(value) => value.clone(),
    }
}

/// CBOR of a body.
pub(crate) fn cbor(value: &Modeled<'_>, out: &mut Vec<u8>) {
    fn head(kind: u8, number: u64, out: &mut Vec<u8>) {
        out.push(kind << 5 | 27);
        out.extend_from_slice(&number.to_be_bytes());
    }
    fn text(value: &str, out: &mut Vec<u8>) {
        head(3, value.len() as u64, out);
        out.extend_from_slice(value.as_bytes());
    }
    match value {
        Modeled::Bool(value) => out.push(if *value { 0xf5 } else { 0xf4 }),
        Modeled::Number(digits) => match digits.parse::<u64>() {
            Ok(number) => head(0, number, out),
            Err(_) => {
                out.push(0xfb);
                out.extend_from_slice(&digits.parse::<f64>().unwrap_or_default().to_be_bytes());
            }
        },
        Modeled::Text(value) => text(value, out),
        Modeled::Time(seconds, _) => {
            out.push(0xc1);
            out.push(0xfb);
            out.extend_from_slice(&seconds.to_be_bytes());
        }
        Modeled::List(values) => {
            head(4, values.len() as u64, out);
            values.iter().for_each(|value| cbor(value, out));
        }
        Modeled::Map(entries) => {
            head(5, entries.len() as u64, out);
            for (key, value) in entries {
                text(key, out);
                cbor(value, out);
            }
        }
        Modeled::Struct(members) => {
            head(5, members.len() as u64, out);
            for (member, value) in members {
                text(member.wire_name(), out);
                cbor(value, out);
            }
        }
        Modeled::Raw(_) => out.push(0xf6),
    }
}

/// One text of a scalar, for forms, labels, headers and XML.
pub(crate) fn scalar(value: &Modeled<'_>, format: TimestampFormat) -> String {
    match value {
        Modeled::Bool(value) => value.to_string(),
        Modeled::Number(text) | Modeled::Text(text) => text.clone(),
        Modeled::Time(..) => time(value, format),
        other => panic!("{other:?} is no scalar"),
    }
}

fn time(value: &Modeled<'_>, format: TimestampFormat) -> String {
    let Modeled::Time(seconds, recorded) = value else { return String::new() };
    let whole = EventTime(seconds.floor() as i64);
    match format {
        // Microseconds and more do not survive a float.
        TimestampFormat::Iso8601 if recorded.starts_with("20") => recorded.clone(),
        TimestampFormat::UnixTimestamp => seconds.to_string(),
        TimestampFormat::Iso8601 => {
            let millis = ((seconds - seconds.floor()) * 1000.0).round() as i64;
            if millis == 0 {
                whole.to_string()
            } else {
                format!("{}.{millis:03}Z", whole.to_string().trim_end_matches('Z'))
            }
        }
        TimestampFormat::Rfc822 => {
            let (year, month, day, hour, minute, second) = whole.civil();
            let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
            format!("Thu, {day:02} {} {year} {hour:02}:{minute:02}:{second:02} GMT", months[month as usize - 1])
        }
    }
}

fn format_of(member: Option<Member<'_>>, default: TimestampFormat) -> TimestampFormat {
    member.and_then(|member| member.timestamp_format()).unwrap_or(default)
}

/// The pairs of a form: query dialect.
pub(crate) fn form(value: &Modeled<'_>, member: Option<Member<'_>>, prefix: &str, out: &mut Vec<(String, String)>) {
    let join = |name: &str| if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
    match value {
        Modeled::Struct(members) => {
            for (member, value) in members {
                let element = member.shape().element().and_then(|element| element.location_name());
                let name = match element {
                    // A flattened list is named by its elements.
                    Some(element) if member.is_flattened() => element,
                    _ => member.wire_name(),
                };
                form(value, Some(*member), &join(name), out);
            }
        }
        Modeled::List(values) => {
            let flat = member.is_some_and(|member| member.is_flattened());
            let element = member.and_then(|member| member.shape().element());
            let inner =
                if flat { prefix.to_owned() } else { join(element.map_or("member", |element| element.wire_name())) };
            if values.is_empty() {
                out.push((prefix.to_owned(), String::new()));
            }
            for (at, value) in values.iter().enumerate() {
                form(value, element, &format!("{inner}.{}", at + 1), out);
            }
        }
        Modeled::Map(entries) => {
            let flat = member.is_some_and(|member| member.is_flattened());
            let shape = member.map(|member| member.shape());
            let name =
                |part: Option<Member<'_>>, default: &str| part.map_or(default.to_owned(), |m| m.wire_name().to_owned());
            let (key, val) = (name(shape.and_then(|s| s.key()), "key"), name(shape.and_then(|s| s.value()), "value"));
            for (at, (entry, value)) in entries.iter().enumerate() {
                let inner = if flat { format!("{prefix}.{}", at + 1) } else { format!("{prefix}.entry.{}", at + 1) };
                out.push((format!("{inner}.{key}"), entry.clone()));
                form(value, shape.and_then(|s| s.value()), &format!("{inner}.{val}"), out);
            }
        }
        other => out.push((prefix.to_owned(), scalar(other, format_of(member, TimestampFormat::Iso8601)))),
    }
}

/// The content of an XML element.
pub(crate) fn xml(value: &Modeled<'_>, member: Option<Member<'_>>, ec2: bool, out: &mut String) {
    match value {
        Modeled::Struct(members) => {
            for (member, value) in members.iter().filter(|(member, _)| member.location() == Location::Body) {
                element(value, *member, ec2, out);
            }
        }
        Modeled::List(values) => {
            let item = member.and_then(|member| member.shape().element());
            let name = item.map_or("member", |item| item.wire_name());
            for value in values {
                tag(name, out, |out| xml(value, item, ec2, out));
            }
        }
        Modeled::Map(entries) => {
            let shape = member.map(|member| member.shape());
            for (key, value) in entries {
                tag("entry", out, |out| {
                    tag(shape.and_then(|s| s.key()).map_or("key", |k| k.wire_name()), out, |out| {
                        out.push_str(&escaped(key))
                    });
                    let part = shape.and_then(|s| s.value());
                    tag(part.map_or("value", |v| v.wire_name()), out, |out| xml(value, part, ec2, out));
                });
            }
        }
        other => out.push_str(&escaped(&scalar(other, format_of(member, TimestampFormat::Iso8601)))),
    }
}

fn element(value: &Modeled<'_>, member: Member<'_>, ec2: bool, out: &mut String) {
    let name = member.wire_name();
    match value {
        Modeled::List(values) if member.is_flattened() && !ec2 => {
            let item = member.shape().element();
            for value in values {
                tag(name, out, |out| xml(value, item, ec2, out));
            }
        }
        _ => tag(name, out, |out| xml(value, Some(member), ec2, out)),
    }
}

/// Writes an element around what is written inside.
pub(crate) fn tag(name: &str, out: &mut String, inside: impl FnOnce(&mut String)) {
    out.push('<');
    out.push_str(name);
    out.push('>');
    inside(out);
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Percent-encodes everything but unreserved characters.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

/// An error as a service of that protocol answers it.
pub(crate) fn error(protocol: Protocol, s3: bool, status: u16, code: &str, message: &str, id: &str) -> aws::ErrorBody {
    aws::error_body(protocol, s3, status, code, message, "/", id)
}
