//! Values of the record given back the meaning of the model: the inverse of the general rule.

use aws::{Kind, Member, Shape};
use event::EventTime;
use serde_json::Value;

/// A modeled value, ready for any wire.
#[derive(Debug, Clone)]
pub(crate) enum Modeled<'c> {
    Bool(bool),
    Number(String),
    Text(String),
    /// Seconds since 1970, and the text as recorded.
    Time(f64, String),
    List(Vec<Modeled<'c>>),
    Map(Vec<(String, Modeled<'c>)>),
    Struct(Vec<(Member<'c>, Modeled<'c>)>),
    Raw(Value),
}

const MASKS: [&str; 10] = [
    "**********",
    "***OMITTED***",
    "**-redacted-**",
    "*** Redacted ***",
    "HIDDEN_DUE_TO_SECURITY_REASONS",
    "HIDDEN_FOR_SECURITY_REASONS",
    "<sensitiveDataRemoved>",
    "****",
    "***",
    "Value hidden due to security reasons.",
];

/// The member that a name in a record stands for.
pub(crate) fn member_of<'c>(shape: Shape<'c>, name: &str) -> Option<Member<'c>> {
    let lowered = |text: &str| text.get(..1).map(|first| first.to_lowercase() + &text[1..]).unwrap_or_default();
    shape
        .members()
        .find(|member| lowered(member.name()) == name || member.wire_name() == name || member.name() == name)
        .or_else(|| shape.members().find(|member| member.name().eq_ignore_ascii_case(name)))
}

/// Gives a recorded value its meaning.
///
/// # Errors
/// The path of the first member that the model does not have.
pub(crate) fn modeled<'c>(shape: Shape<'c>, value: &Value, path: &str) -> Result<Modeled<'c>, String> {
    if let Value::String(text) = value
        && MASKS.contains(&text.as_str())
    {
        return Ok(secret(shape));
    }
    Ok(match (shape.kind(), value) {
        (Kind::Structure, Value::Object(members)) => {
            let mut found = Vec::new();
            for (name, value) in members {
                let path = format!("{path}.{name}");
                // What the model does not have and says nothing, the service has added.
                let idle = match value {
                    Value::Object(inner) => inner.is_empty(),
                    Value::String(text) => text.is_empty(),
                    value => *value == Value::Bool(false) || value.as_i64() == Some(0),
                };
                let Some(member) = member_of(shape, name) else {
                    if idle || name == "fullyQualifiedArn" {
                        continue;
                    }
                    return Err(path);
                };
                if !value.is_null() {
                    found.push((member, modeled(member.shape(), value, &path)?));
                }
            }
            Modeled::Struct(found)
        }
        (Kind::List, Value::Array(values)) => {
            let element = shape.element().unwrap().shape();
            Modeled::List(values.iter().map(|value| modeled(element, value, path)).collect::<Result<_, _>>()?)
        }
        (Kind::Map, Value::Object(entries)) => {
            let inner = shape.value().unwrap().shape();
            let entries = entries.iter().map(|(key, value)| Ok((key.clone(), modeled(inner, value, path)?)));
            Modeled::Map(entries.collect::<Result<_, String>>()?)
        }
        (Kind::Document, value) => Modeled::Raw(value.clone()),
        (Kind::Timestamp, Value::String(text)) => {
            Modeled::Time(seconds(text).ok_or(format!("{path} = {text}"))?, text.clone())
        }
        (Kind::Timestamp, Value::Number(number)) => {
            let value = number.as_f64().unwrap();
            Modeled::Time(if value > 1e11 { value / 1000.0 } else { value }, number.to_string())
        }
        (Kind::Boolean, Value::Bool(value)) => Modeled::Bool(*value),
        (Kind::Boolean, Value::String(text)) => Modeled::Bool(text == "true"),
        // DynamoDB's records show attribute values bare.
        (Kind::Structure, Value::String(text)) if shape.member("NS").is_some() => {
            Modeled::Struct(vec![(shape.member("S").unwrap(), Modeled::Text(text.clone()))])
        }
        (Kind::String, Value::Bool(value)) => Modeled::Text(value.to_string()),
        (Kind::String, Value::Number(number)) => Modeled::Text(number.to_string()),
        (Kind::String | Kind::Blob, Value::String(text)) => Modeled::Text(text.clone()),
        (_, Value::Number(number)) => Modeled::Number(number.to_string()),
        (_, Value::String(text)) => Modeled::Number(text.clone()),
        (kind, other) => return Err(format!("{path}: {kind:?} is {other}")),
    })
}

/// Something secret of that shape, where the record shows a mask.
fn secret(shape: Shape<'_>) -> Modeled<'_> {
    match shape.kind() {
        Kind::List => Modeled::List(vec![secret(shape.element().unwrap().shape())]),
        Kind::Map => Modeled::Map(vec![("secret".to_owned(), secret(shape.value().unwrap().shape()))]),
        Kind::Structure => Modeled::Struct(Vec::new()),
        Kind::Boolean => Modeled::Bool(true),
        Kind::Timestamp => Modeled::Time(0.0, "0".to_owned()),
        Kind::String | Kind::Blob | Kind::Document => Modeled::Text("PLANTED-SECRET".to_owned()),
        _ => Modeled::Number("1".to_owned()),
    }
}

/// Reads every spelling of a time that records have.
fn seconds(text: &str) -> Option<f64> {
    let iso = text.replace("+0000", "Z");
    if let Some(time) = EventTime::parse(&iso) {
        let fraction =
            iso.split_once('.').map_or(0.0, |(_, rest)| format!("0.{}", rest.trim_end_matches('Z')).parse().unwrap());
        return Some(time.0 as f64 + fraction);
    }
    let text = text.replace('\u{202f}', " ");
    let mut parts = text.split([' ', ',']).filter(|part| !part.is_empty());
    let month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = month.iter().position(|name| Some(*name) == text.get(..3))? + 1;
    parts.next();
    let (day, year, clock, half) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let (hour, rest) = clock.split_once(':')?;
    let hour: u32 = hour.parse().ok()?;
    let hour = match (half, hour) {
        ("AM", 12) => 0,
        ("PM", hour) if hour < 12 => hour + 12,
        _ => hour,
    };
    EventTime::parse(&format!("{year}-{month:02}-{day:0>2}T{hour:02}:{rest}Z")).map(|time| time.0 as f64)
}
