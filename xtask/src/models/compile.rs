//! One service's model, reduced to what a recorder needs and put into numbered tables.

use super::interner::Interner;
use super::sqs;
use super::wheel::Source;
use anyhow::{Context, Result, bail};
use aws::format::{member as mflag, operation as oflag, service as sflag, shape as flag};
use aws::{Kind, Location, Protocol, TimestampFormat};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// A service, ready to be written.
pub(super) struct Service {
    pub(super) name: String,
    pub(super) service_id: String,
    pub(super) signing_name: String,
    pub(super) endpoint_prefix: String,
    pub(super) target_prefix: String,
    pub(super) api_version: String,
    pub(super) json_version: String,
    pub(super) xml_namespace: String,
    pub(super) global_region: String,
    pub(super) protocols: Vec<Protocol>,
    pub(super) flags: u32,
    pub(super) strings: Vec<String>,
    pub(super) shapes: Vec<Shape>,
    pub(super) codes: Vec<(u32, u32, u32)>,
    pub(super) operations: Vec<Operation>,
}

#[derive(Default)]
pub(super) struct Shape {
    pub(super) kind: u8,
    pub(super) flags: u32,
    pub(super) name: u32,
    pub(super) members: Vec<Member>,
}

pub(super) struct Member {
    pub(super) name: u32,
    pub(super) wire: u32,
    pub(super) query: u32,
    pub(super) shape: u32,
    pub(super) flags: u32,
}

pub(super) struct Operation {
    pub(super) name: u32,
    pub(super) method: u32,
    pub(super) uri: u32,
    pub(super) status: u32,
    pub(super) input: u32,
    pub(super) output: u32,
    pub(super) host_prefix: u32,
    pub(super) flags: u32,
    pub(super) errors: Vec<u32>,
}

/// The order in which SDKs choose among the protocols of a service.
const PREFERENCE: [Protocol; 6] =
    [Protocol::RpcV2Cbor, Protocol::Json, Protocol::RestJson, Protocol::RestXml, Protocol::Query, Protocol::Ec2];

pub(super) fn service(source: &Source) -> Result<Service> {
    let metadata = source.model["metadata"].as_object().with_context(|| format!("{} has no metadata", source.name))?;
    let text = |key: &str| metadata.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let endpoint_prefix = text("endpointPrefix");
    let query_compatible = metadata.contains_key("awsQueryCompatible");
    let mut compiler = Compiler::new(source)?;
    let operations = compiler.operations()?;
    let unsigned = operations.iter().any(|operation| operation.flags & oflag::UNSIGNED != 0);
    Ok(Service {
        name: source.name.clone(),
        service_id: text("serviceId"),
        signing_name: Some(text("signingName")).filter(|name| !name.is_empty()).unwrap_or(endpoint_prefix.clone()),
        endpoint_prefix,
        target_prefix: text("targetPrefix"),
        api_version: text("apiVersion"),
        json_version: text("jsonVersion"),
        xml_namespace: text("xmlNamespace"),
        global_region: source.global_region.clone(),
        protocols: protocols(&source.name, metadata)?,
        flags: if query_compatible { sflag::QUERY_COMPATIBLE } else { 0 }
            | if unsigned { sflag::UNSIGNED_OPERATIONS } else { 0 },
        strings: compiler.strings.strings,
        shapes: compiler.shapes,
        codes: compiler.codes,
        operations,
    })
}

fn protocols(name: &str, metadata: &Map<String, Value>) -> Result<Vec<Protocol>> {
    let listed = match metadata.get("protocols") {
        Some(Value::Array(listed)) => listed.clone(),
        _ => vec![metadata.get("protocol").cloned().unwrap_or_default()],
    };
    let mut protocols = Vec::new();
    for protocol in &listed {
        let named = protocol.as_str().and_then(Protocol::from_name);
        protocols.push(named.with_context(|| format!("{name} speaks {protocol}, which nobody here knows"))?);
    }
    // A service that keeps the error codes of its query protocol keeps accepting that protocol.
    if metadata.contains_key("awsQueryCompatible") && !protocols.contains(&Protocol::Query) {
        protocols.push(Protocol::Query);
    }
    protocols.sort_by_key(|protocol| PREFERENCE.iter().position(|known| known == protocol));
    Ok(protocols)
}

struct Compiler<'s> {
    service: &'s str,
    operations: &'s Map<String, Value>,
    sources: &'s Map<String, Value>,
    /// EC2's forms capitalise location names.
    ec2: bool,
    strings: Interner,
    shapes: Vec<Shape>,
    /// Structures by their names, other shapes by what they are: equal ones are one.
    numbers: HashMap<String, u32>,
    codes: Vec<(u32, u32, u32)>,
}

fn truthy(value: &Value, key: &str) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or(false)
}

fn bit(set: bool, flag: u32) -> u32 {
    if set { flag } else { 0 }
}

impl<'s> Compiler<'s> {
    fn new(source: &'s Source) -> Result<Compiler<'s>> {
        let object = |key: &str| source.model[key].as_object().with_context(|| format!("{} has no {key}", source.name));
        Ok(Compiler {
            service: &source.name,
            operations: object("operations")?,
            sources: object("shapes")?,
            ec2: source.model["metadata"]["protocol"] == "ec2",
            strings: Interner::new(),
            shapes: Vec::new(),
            numbers: HashMap::new(),
            codes: Vec::new(),
        })
    }

    fn operations(&mut self) -> Result<Vec<Operation>> {
        let mut named: Vec<(&str, Value)> =
            self.operations.iter().map(|(name, op)| (name.as_str(), op.clone())).collect();
        if self.service == "s3" {
            named.push(("PostObject", post_object()));
        }
        named.sort_by(|a, b| a.0.cmp(b.0));
        let compiled: Result<Vec<_>> = named.iter().map(|(name, source)| self.operation(name, source)).collect();
        self.codes.sort_unstable();
        self.codes.dedup();
        compiled
    }

    fn operation(&mut self, name: &str, source: &Value) -> Result<Operation> {
        let http = &source["http"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let unsigned = source["authtype"] == "none" || source["auth"] == json!(["smithy.api#noAuth"]);
        let mut errors = Vec::new();
        for error in source["errors"].as_array().into_iter().flatten() {
            errors.push(self.error(error["shape"].as_str().context("an error without a shape")?)?);
        }
        Ok(Operation {
            name: self.strings.number(name),
            method: self.strings.number(&text(&http["method"])),
            uri: self.strings.number(&text(&http["requestUri"])),
            status: http["responseCode"].as_u64().unwrap_or(0) as u32,
            input: self.optional(&source["input"])?,
            output: self.optional(&source["output"])?,
            host_prefix: self.strings.number(&text(&source["endpoint"]["hostPrefix"])),
            flags: bit(unsigned, oflag::UNSIGNED)
                | bit(truthy(source, "readonly"), oflag::READ_ONLY)
                | bit(truthy(source, "deprecated"), oflag::DEPRECATED),
            errors,
        })
    }

    fn optional(&mut self, reference: &Value) -> Result<u32> {
        match reference["shape"].as_str() {
            Some(name) => Ok(self.shape(name)? + 1),
            None => Ok(0),
        }
    }

    fn error(&mut self, name: &str) -> Result<u32> {
        let number = self.shape(name)?;
        let error = &self.source(name)?["error"];
        let code = self.strings.number(error["code"].as_str().unwrap_or_default());
        let status = error["httpStatusCode"].as_u64().unwrap_or(0) as u32;
        if let Some(shape) = self.shapes.get_mut(number as usize) {
            shape.flags |= flag::ERROR;
        }
        if code != 0 || status != 0 {
            self.codes.push((number, code, status));
        }
        Ok(number)
    }

    fn source(&self, name: &str) -> Result<&'s Value> {
        self.sources.get(name).with_context(|| format!("{} has no shape {name}", self.service))
    }

    /// The number of a shape, compiling it and what it refers to when it is new.
    fn shape(&mut self, name: &str) -> Result<u32> {
        let key = self.identity(name, 0)?;
        if let Some(number) = self.numbers.get(&key) {
            return Ok(*number);
        }
        let number = self.shapes.len() as u32;
        self.numbers.insert(key, number);
        self.shapes.push(Shape::default());
        let source = self.source(name)?;
        let kind = kind(source)?;
        let members = match kind {
            Kind::Structure => self.members(source)?,
            Kind::List => vec![self.entry(name, "member", &source["member"])?],
            Kind::Map => {
                vec![self.entry(name, "key", &source["key"])?, self.entry(name, "value", &source["value"])?]
            }
            _ => Vec::new(),
        };
        let shape = Shape {
            kind: Kind::ALL.iter().position(|known| *known == kind).unwrap_or(0) as u8,
            flags: shape_flags(source),
            name: if kind == Kind::Structure { self.strings.number(name) } else { 0 },
            members,
        };
        if let Some(slot) = self.shapes.get_mut(number as usize) {
            *slot = Shape { flags: slot.flags | shape.flags, ..shape };
        }
        Ok(number)
    }

    /// Text that is equal for shapes that are equal to a recorder.
    fn identity(&self, name: &str, depth: usize) -> Result<String> {
        let source = self.source(name)?;
        let kind = kind(source)?;
        let own = format!("{kind:?}/{}/{}", shape_flags(source), truthy(source, "flattened"));
        let entry = |key: &str| -> Result<String> {
            let target = source[key]["shape"].as_str().context("an entry without a shape")?;
            let wire = source[key]["locationName"].as_str().unwrap_or_default();
            let format = timestamp_bits(&source[key], self.source(target)?);
            Ok(format!("{wire}/{format}/{}/{}", truthy(&source[key], "jsonvalue"), self.identity(target, depth + 1)?))
        };
        Ok(match kind {
            // A list that contains itself, or names that the form protocol of SQS needs: known by its name.
            Kind::List | Kind::Map if depth > 8 || sqs::query_name(self.service, name).is_some() => {
                format!("name {name}")
            }
            Kind::Structure => format!("name {name}"),
            Kind::List => format!("{own}[{}]", entry("member")?),
            Kind::Map => format!("{own}{{{},{}}}", entry("key")?, entry("value")?),
            _ => own,
        })
    }

    fn members(&mut self, source: &Value) -> Result<Vec<Member>> {
        let required: Vec<&str> =
            source["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let payload = source["payload"].as_str();
        let mut members = Vec::new();
        for (name, reference) in source["members"].as_object().into_iter().flatten() {
            let mut member = self.member(name, reference)?;
            member.flags |= bit(required.contains(&name.as_str()), mflag::REQUIRED);
            member.flags |= bit(payload == Some(name.as_str()), mflag::PAYLOAD);
            members.push(member);
        }
        Ok(members)
    }

    /// The element of a list, or the key or value of a map.
    fn entry(&mut self, owner: &str, name: &str, reference: &Value) -> Result<Member> {
        let mut member = self.member(name, reference)?;
        let query = match (name, sqs::entry_names(self.service, owner)) {
            ("member", _) => sqs::query_name(self.service, owner),
            ("key", Some((key, _))) => Some(key),
            ("value", Some((_, value))) => Some(value),
            _ => None,
        };
        if let Some(query) = query {
            member.query = self.strings.number(query);
        }
        Ok(member)
    }

    fn member(&mut self, name: &str, reference: &Value) -> Result<Member> {
        let target_name = reference["shape"].as_str().context("a member without a shape")?;
        let target = self.source(target_name)?;
        let either = |key: &str| truthy(reference, key) || truthy(target, key);
        let flattened = either("flattened");
        // The member's own word wins over its shape's; a flattened list goes by the name of its element.
        let element = target["member"]["locationName"].as_str().filter(|_| flattened);
        let location_name = element.or(reference["locationName"].as_str()).or(target["locationName"].as_str());
        let wire = location_name.unwrap_or(name);
        let query = match sqs::query_name(self.service, target_name) {
            Some(query) => query.to_owned(),
            None if self.ec2 => ec2_query_name(name, reference, location_name),
            None => wire.to_owned(),
        };
        let flags = bit(truthy(target, "sensitive"), mflag::SENSITIVE)
            | bit(either("streaming"), mflag::STREAMING)
            | bit(either("eventstream"), mflag::EVENT_STREAM)
            | bit(flattened, mflag::FLATTENED)
            | bit(truthy(reference, "xmlAttribute"), mflag::XML_ATTRIBUTE)
            | bit(truthy(reference, "jsonvalue"), mflag::JSON_VALUE)
            | bit(truthy(reference, "eventpayload"), mflag::EVENT_PAYLOAD)
            | location(reference)? << mflag::LOCATION_SHIFT
            | timestamp_bits(reference, target) << mflag::TIMESTAMP_SHIFT;
        Ok(Member {
            name: self.strings.number(name),
            wire: self.strings.number(wire),
            query: if query == wire { 0 } else { self.strings.number(&query) },
            shape: self.shape(target_name)?,
            flags,
        })
    }
}

/// EC2's rule: `queryName`, or the location name with a capital, or the modeled name.
fn ec2_query_name(name: &str, reference: &Value, location_name: Option<&str>) -> String {
    if let Some(query) = reference["queryName"].as_str() {
        return query.to_owned();
    }
    let mut letters = location_name.unwrap_or(name).chars();
    let first = letters.next();
    match (location_name, first) {
        (Some(_), Some(first)) => first.to_uppercase().chain(letters).collect(),
        _ => name.to_owned(),
    }
}

fn shape_flags(source: &Value) -> u32 {
    bit(truthy(source, "union"), flag::UNION)
        | bit(truthy(source, "sensitive"), flag::SENSITIVE)
        | bit(truthy(source, "streaming"), flag::STREAMING)
        | bit(truthy(source, "eventstream"), flag::EVENT_STREAM)
}

fn kind(source: &Value) -> Result<Kind> {
    Ok(match source["type"].as_str().unwrap_or_default() {
        "structure" if truthy(source, "document") => Kind::Document,
        "structure" => Kind::Structure,
        "list" => Kind::List,
        "map" => Kind::Map,
        "string" | "character" => Kind::String,
        "blob" => Kind::Blob,
        "boolean" => Kind::Boolean,
        "integer" | "short" | "byte" => Kind::Integer,
        "long" | "biginteger" => Kind::Long,
        "float" => Kind::Float,
        "double" | "bigdecimal" => Kind::Double,
        "timestamp" => Kind::Timestamp,
        other => bail!("a shape of type `{other}`, which nobody here knows"),
    })
}

fn location(reference: &Value) -> Result<u32> {
    let found = match reference["location"].as_str() {
        None => Location::Body,
        Some("header") => Location::Header,
        Some("headers") => Location::Headers,
        Some("uri") => Location::Uri,
        Some("querystring") => Location::QueryString,
        Some("statusCode") => Location::StatusCode,
        Some(other) => bail!("a member at `{other}`, which nobody here knows"),
    };
    Ok(Location::ALL.iter().position(|known| *known == found).unwrap_or(0) as u32)
}

fn timestamp_bits(reference: &Value, target: &Value) -> u32 {
    let format = reference["timestampFormat"].as_str().or(target["timestampFormat"].as_str());
    let found = match format {
        Some("iso8601") => TimestampFormat::Iso8601,
        Some("unixTimestamp") => TimestampFormat::UnixTimestamp,
        Some("rfc822") => TimestampFormat::Rfc822,
        _ => return 0,
    };
    TimestampFormat::ALL.iter().position(|known| *known == found).map_or(0, |at| at as u32 + 1)
}

/// An upload by an HTML form: S3 documents it (`POST Object`), but no SDK sends it and so no model has it.
fn post_object() -> Value {
    json!({
        "http": {"method": "POST", "requestUri": "/{Bucket}", "responseCode": 204},
        "input": {"shape": "HeadBucketRequest"},
    })
}
