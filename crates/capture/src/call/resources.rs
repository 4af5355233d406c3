//! `resources[]`: what a call acted on, for the services that say it (`reference/event-record.md` §10).

mod rows;

use self::rows::{DOCUMENT, FUNCTION, ROWS, Row};
use crate::call::Call;
use crate::decode::tree::{NodeRef, Value};
use crate::render::write::Json;
use aws::{Location, Protocol, Request};
use smallvec::SmallVec;
use std::borrow::Cow;

/// Where a call happened and who owns what it names without saying whose it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) region: &'a str,
    pub(crate) account: &'a str,
}

/// Writes `resources` with its key, if the call names any. `response` is needed for what only the answer names.
pub(crate) fn write(
    call: &Call,
    place: Place<'_>,
    request: &Request<'_>,
    body: Option<NodeRef<'_, '_>>,
    response: Option<NodeRef<'_, '_>>,
    out: &mut Json,
) {
    crate::render::limits::resources(out, |out| {
        let before = out.len();
        match call.service.name() {
            "codecommit" => repositories(place, body, response, out),
            "kms" => kms(call, place, body, response, out),
            "dynamodb" => tables(place, body, out),
            "dynamodbstreams" if call.data.is_some() => tables(place, body, out),
            "sqs" => queue(call, place, request, body, out),
            "events" if call.operation.name() == "PutEvents" => buses(place, body, out),
            "sns" if call.operation.name() == "Publish" => published(place, body, out),
            service => {
                let operation = call.operation.name();
                let covers = |row: &&Row| {
                    row.service == service
                        && if row.operations.is_empty() {
                            call.data.is_some() && call.data == row.resource_type
                        } else {
                            row.operations.contains(&operation)
                        }
                };
                ROWS.iter().filter(covers).for_each(|row| entries(row, call, place, request, body, out));
            }
        }
        // A trail selects data events by the type of what stands here, so none is without: also where the call does not
        // name its resource, as a shard iterator, a task token or a metric does not.
        if let Some(data) = call.data.filter(|_| out.len() == before) {
            named(None, Some(data), None, out);
        }
    });
}

/// At most so many entries of one row: lists of names can be long.
const MAX_ENTRIES: usize = 100;

fn entries(
    row: &Row,
    call: &Call,
    place: Place<'_>,
    request: &Request<'_>,
    body: Option<NodeRef<'_, '_>>,
    out: &mut Json,
) {
    let member = |name: &'static str| call.operation.input().and_then(|input| input.member(name));
    let wire = |name: &'static str| member(name).map_or(name, |member| member.wire_name());
    let labels = aws::uri_labels(call.operation, request);
    // What stands in the path, in the query string or in a header.
    let of_head = |name: &'static str| {
        let label = labels.iter().find(|(label, _)| *label == wire(name)).map(|(_, raw)| *raw);
        match member(name).map(|member| member.location()) {
            Some(Location::Header) => request.headers.get(wire(name)).map(Cow::Borrowed),
            Some(Location::QueryString) => request.query_value(wire(name)).and_then(crate::decode::percent_decoded),
            _ => label.and_then(crate::decode::percent_decoded),
        }
    };
    let mut names = parameters_of(row.arn);
    let Some(name) = names.next() else {
        return entry(row, place, &filled(row.arn, place, &[]), out);
    };
    // Of an ARN with several parameters each has one value.
    let mut others: SmallVec<[(&str, Cow<'_, str>); 1]> = SmallVec::new();
    for name in names {
        let sent = body.and_then(|body| body.child(wire(name))).and_then(NodeRef::text).map(Cow::Borrowed);
        match sent.or_else(|| of_head(name)).filter(|value| !value.is_empty()) {
            Some(value) => others.push((name, value)),
            None => return,
        }
    }
    let of_head = of_head(name);
    let mut values: SmallVec<[&str; 4]> = SmallVec::new();
    match body.and_then(|body| body.child(wire(name))) {
        Some(node) if matches!(node.value(), Value::List) => {
            values.extend(node.children().filter_map(NodeRef::text).take(MAX_ENTRIES));
        }
        Some(node) => values.extend(node.text()),
        None => {}
    }
    values.extend(of_head.as_deref());
    // The alias of a key does not tell the key.
    for value in values.into_iter().filter(|value| !value.is_empty() && !value.starts_with("alias/")) {
        let arn = match row.service {
            "lambda" => function_arn(place, value),
            // Those of AWS belong to no account.
            "ssm" if row.arn == DOCUMENT && OF_AWS.iter().any(|start| value.starts_with(start)) => {
                filled(DOCUMENT, Place { account: "", ..place }, &[(name, value)])
            }
            _ if value.starts_with("arn:") => value.to_owned(),
            _ => {
                let mut parameters: SmallVec<[(&str, &str); 2]> = SmallVec::new();
                parameters.push((name, value));
                parameters.extend(others.iter().map(|(name, value)| (*name, value.as_ref())));
                filled(row.arn, place, &parameters)
            }
        };
        entry(row, place, &arn, out);
    }
}

/// How the names of AWS's own documents begin, as far as no other may begin so and Quick Setup makes none.
const OF_AWS: [&str; 6] =
    ["AWS-", "AWSConfigRemediation-", "AWSEC2-", "AWSSupport-", "AmazonCloudWatch-", "AmazonInspector-"];

/// The ARN of a function without version or alias. It may be named by its name, by `ACCOUNT:function:NAME` or by its ARN,
/// each with a version or alias behind it (the Lambda API's `FunctionName`).
pub(crate) fn function_arn(place: Place<'_>, named: &str) -> String {
    if named.starts_with("arn:") {
        let end = named.match_indices(':').nth(6).map_or(named.len(), |(at, _)| at);
        return named.get(..end).unwrap_or(named).to_owned();
    }
    let (before, name) = named.split_once("function:").unwrap_or(("", named));
    let name = name.split(':').next().unwrap_or(name);
    let account = before.trim_end_matches(':').rsplit(':').next().filter(|account| !account.is_empty());
    filled(FUNCTION, Place { account: account.unwrap_or(place.account), ..place }, &[("FunctionName", name)])
}

fn entry(row: &Row, place: Place<'_>, arn: &str, out: &mut Json) {
    let account = row.owned.then(|| owner(arn).unwrap_or(place.account));
    named(account, row.resource_type, Some(arn), out);
}

/// Writes one entry: of what is known of a resource, each in its member.
fn named(account: Option<&str>, resource_type: Option<&str>, arn: Option<&str>, out: &mut Json) {
    out.open_object();
    for (member, value) in [("accountId", account), ("type", resource_type), ("ARN", arn)] {
        if let Some(value) = value {
            out.text_member(member, value);
        }
    }
    out.close_object();
}

/// Writes the entry of a resource of the account that its ARN names, or else of the caller's.
fn owned(resource_type: &str, arn: &str, place: Place<'_>, out: &mut Json) {
    named(Some(owner(arn).unwrap_or(place.account)), Some(resource_type), Some(arn), out);
}

/// The account in an ARN.
fn owner(arn: &str) -> Option<&str> {
    arn.split(':').nth(4).filter(|account| !account.is_empty())
}

/// The parameters that an ARN's pattern names.
fn parameters_of(pattern: &'static str) -> impl Iterator<Item = &'static str> {
    let names = pattern.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    names.filter(|name| !matches!(*name, "region" | "account"))
}

fn filled(pattern: &str, place: Place<'_>, parameters: &[(&str, &str)]) -> String {
    let longer: usize = parameters.iter().map(|(_, value)| value.len()).sum();
    let mut arn = String::with_capacity(pattern.len() + longer + 24);
    let mut rest = pattern;
    if let Some(tail) = pattern.strip_prefix("arn:aws:") {
        arn.extend(["arn:", event::partition_of(place.region), ":"]);
        rest = tail;
    }
    while let Some((before, after)) = rest.split_once('{') {
        arn.push_str(before);
        let (inner, tail) = after.split_once('}').unwrap_or((after, ""));
        match inner {
            "region" => arn.push_str(place.region),
            "account" => arn.push_str(place.account),
            name => {
                let value = parameters.iter().find(|(own, _)| *own == name).map_or("", |(_, value)| value);
                // A parameter's path begins with the slash that the ARN has anyway.
                let value = if arn.ends_with('/') { value.strip_prefix('/').unwrap_or(value) } else { value };
                arn.push_str(value);
            }
        }
        rest = tail;
    }
    arn.push_str(rest);
    arn
}

/// Keys and aliases: by the answer where it names the key, else by the parameters.
fn kms(
    call: &Call,
    place: Place<'_>,
    body: Option<NodeRef<'_, '_>>,
    response: Option<NodeRef<'_, '_>>,
    out: &mut Json,
) {
    let mut keys: SmallVec<[String; 2]> = SmallVec::new();
    if call.operation.name() == "ReEncrypt" {
        keys.extend(key_named(place, response, body, &["SourceKeyId"]));
    }
    if call.operation.name().ends_with("Alias") {
        let alias = text(body, "AliasName");
        let partition = event::partition_of(place.region);
        keys.extend(alias.map(|alias| format!("arn:{partition}:kms:{}:{}:{alias}", place.region, place.account)));
    }
    keys.extend(kms_key(place, body, response));
    keys.dedup();
    keys.iter().for_each(|arn| owned("AWS::KMS::Key", arn, place, out));
}

fn text(node: Option<NodeRef<'_, '_>>, name: &str) -> Option<String> {
    node.and_then(|node| node.child(name)).and_then(NodeRef::text).map(str::to_owned)
}

/// The ARN of the key that a call acts on, where the call or its answer names the key itself and no alias.
pub(crate) fn kms_key(
    place: Place<'_>,
    body: Option<NodeRef<'_, '_>>,
    response: Option<NodeRef<'_, '_>>,
) -> Option<String> {
    let metadata = response.and_then(|response| response.child("KeyMetadata"));
    let created = text(metadata, "Arn").filter(|arn| arn.starts_with("arn:"));
    created.or_else(|| key_named(place, response, body, &["KeyId", "TargetKeyId", "DestinationKeyId"]))
}

/// The ARN of the key that an answer names by the first of these members, or a request by any.
fn key_named(
    place: Place<'_>,
    response: Option<NodeRef<'_, '_>>,
    body: Option<NodeRef<'_, '_>>,
    names: &[&str],
) -> Option<String> {
    let answered = names.first().and_then(|name| text(response, name)).filter(|arn| arn.starts_with("arn:"));
    let asked = || {
        let id = names.iter().find_map(|name| text(body, name))?;
        match id.as_str() {
            "" => None,
            alias if alias.starts_with("alias/") => None,
            arn if arn.starts_with("arn:") => Some(id),
            _ => Some(filled("arn:aws:kms:{region}:{account}:key/{KeyId}", place, &[("KeyId", &id)])),
        }
    };
    answered.or_else(asked)
}

/// The buses into which events are put, each once; an endpoint before several of them is known by its id alone.
fn buses(place: Place<'_>, body: Option<NodeRef<'_, '_>>, out: &mut Json) {
    let pattern = "arn:aws:events:{region}:{account}:event-bus/{Name}";
    let mut buses: SmallVec<[String; 1]> = SmallVec::new();
    let entries = body.and_then(|body| body.child("Entries"));
    for entry in entries.into_iter().flat_map(NodeRef::children).take(MAX_ENTRIES) {
        let bus = entry.child("EventBusName").and_then(NodeRef::text).unwrap_or("default");
        let arn = if bus.starts_with("arn:") { bus.to_owned() } else { filled(pattern, place, &[("Name", bus)]) };
        if !buses.contains(&arn) {
            buses.push(arn);
        }
    }
    buses.iter().for_each(|arn| named(None, Some("AWS::Events::EventBus"), Some(arn), out));
    if text(body, "EndpointId").is_some() {
        named(None, Some("AWS::Events::Endpoint"), None, out);
    }
}

/// Whom a message is for: a topic, or a target, which is a topic, too, or the endpoint of one device.
fn published(place: Place<'_>, body: Option<NodeRef<'_, '_>>, out: &mut Json) {
    for arn in ["TopicArn", "TargetArn"].into_iter().filter_map(|name| text(body, name)) {
        let is_device = arn.split(':').nth(5).is_some_and(|resource| resource.starts_with("endpoint/"));
        owned(if is_device { "AWS::SNS::PlatformEndpoint" } else { "AWS::SNS::Topic" }, &arn, place, out);
    }
}

/// The ARN of a table that is named by it, or by its name.
pub(crate) fn table_arn<'n>(place: Place<'_>, named: &'n str) -> Cow<'n, str> {
    if named.starts_with("arn:") {
        return Cow::Borrowed(named);
    }
    Cow::Owned(filled("arn:aws:dynamodb:{region}:{account}:table/{TableName}", place, &[("TableName", named)]))
}

/// The tables that DynamoDB's calls name; of a stream the table and the stream.
fn tables(place: Place<'_>, body: Option<NodeRef<'_, '_>>, out: &mut Json) {
    let Some(body) = body else { return };
    let mut entry = |resource_type: &str, arn: &str| owned(resource_type, arn, place, out);
    // A call of a stream is one of its table, too (`reference/trails-and-delivery.md` §6.4).
    let text = |name: &str| body.child(name).and_then(NodeRef::text);
    let iterator = || text("ShardIterator")?.split('|').next().filter(|stream| stream.contains("/stream/"));
    let stream = text("StreamArn").or_else(iterator).filter(|stream| stream.starts_with("arn:"));
    let streamed = stream.and_then(|stream| stream.split_once("/stream/")).map(|(table, _)| table);
    // What is tagged or has a policy, without what follows a table's name.
    let tagged = text("ResourceArn").filter(|arn| arn.starts_with("arn:") && arn.contains(":table/"));
    let tagged = tagged.and_then(|arn| arn.get(..arn.match_indices('/').nth(1).map_or(arn.len(), |(at, _)| at)));
    for table in crate::render::dynamodb::tables(body).into_iter().chain(streamed).chain(tagged).take(MAX_ENTRIES) {
        entry("AWS::DynamoDB::Table", &table_arn(place, table));
    }
    if let Some(stream) = stream {
        entry("AWS::DynamoDB::Stream", stream);
    }
}

/// Repositories by their names, those of the targets of a pull request too, which only the answer may name.
fn repositories(place: Place<'_>, body: Option<NodeRef<'_, '_>>, response: Option<NodeRef<'_, '_>>, out: &mut Json) {
    fn listed<'t, 'a>(node: Option<NodeRef<'t, 'a>>, list: &str) -> impl Iterator<Item = NodeRef<'t, 'a>> {
        node.and_then(|node| node.child(list)).into_iter().flat_map(|list| list.children())
    }
    let name = |node: NodeRef<'_, '_>| text(Some(node), "repositoryName");
    let mut names: SmallVec<[String; 2]> = body.and_then(name).into_iter().collect();
    names.extend(listed(body, "repositoryNames").filter_map(|node| node.text().map(str::to_owned)));
    names.extend(listed(body, "targets").filter_map(name));
    if names.is_empty() {
        let request = response.and_then(|response| response.child("pullRequest"));
        names.extend(listed(request, "pullRequestTargets").filter_map(name));
    }
    for (at, name) in names.iter().enumerate().take(MAX_ENTRIES) {
        if name.is_empty() || names.iter().take(at).any(|before| before == name) {
            continue;
        }
        let pattern = "arn:aws:codecommit:{region}:{account}:{repositoryName}";
        owned("AWS::CodeCommit::Repository", &filled(pattern, place, &[("repositoryName", name)]), place, out);
    }
}

/// A queue by its URL, `https://HOST/ACCOUNT/NAME`, or the name of a new one; a data event without a queue acts on all. Of those
/// that manage a queue only the one that makes it is known to tell it.
fn queue(call: &Call, place: Place<'_>, request: &Request<'_>, body: Option<NodeRef<'_, '_>>, out: &mut Json) {
    let text = |name: &str| body.and_then(|body| body.child(name)).and_then(NodeRef::text);
    // A form may be sent to the queue itself (`POST /111122223333/queue`).
    let has_queue = || call.operation.input().is_some_and(|input| input.member("QueueUrl").is_some());
    let in_path = |path: &&str| path.trim_matches('/').contains('/');
    let sent_to = || Some(request.path).filter(in_path).filter(|_| call.protocol == Protocol::Query && has_queue());
    let (account, name) = match text("QueueUrl").or_else(sent_to).filter(|_| call.data.is_some()) {
        Some(url) => {
            let mut parts = url.trim_end_matches('/').rsplit('/');
            let name = parts.next().unwrap_or("*");
            let account = parts.next().filter(|part| part.len() == 12 && part.bytes().all(|b| b.is_ascii_digit()));
            (account.unwrap_or(place.account), name)
        }
        None => match text("QueueName").or(call.data.map(|_| "*")) {
            Some(name) => (place.account, name),
            None => return,
        },
    };
    let partition = event::partition_of(place.region);
    let arn = format!("arn:{partition}:sqs:{}:{account}:{name}", place.region);
    named(Some(account), Some("AWS::SQS::Queue"), Some(&arn), out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_named_without_version_or_alias_however_it_was_named() {
        let place = Place { region: "eu-west-1", account: "111122223333" };
        for named in ["f", "f:live", "111122223333:function:f", "111122223333:function:f:3", "function:f:$LATEST"] {
            assert_eq!(function_arn(place, named), "arn:aws:lambda:eu-west-1:111122223333:function:f", "{named}");
        }
        for named in
            ["arn:aws:lambda:us-west-2:444455556666:function:f:3", "arn:aws:lambda:us-west-2:444455556666:function:f"]
        {
            assert_eq!(function_arn(place, named), "arn:aws:lambda:us-west-2:444455556666:function:f");
        }
        assert!(function_arn(place, "444455556666:function:f").contains(":444455556666:function:f"));
    }

    #[test]
    fn patterns_are_filled_and_parameters_exist() {
        let place = Place { region: "eu-west-1", account: "111122223333" };
        assert_eq!(
            filled("arn:aws:ssm:{region}:{account}:parameter/{Name}", place, &[("Name", "/a/b")]),
            "arn:aws:ssm:eu-west-1:111122223333:parameter/a/b"
        );
        let catalog = aws::Catalog::embedded();
        for row in ROWS {
            let service = catalog.service(catalog.by_name(row.service).unwrap().id()).unwrap();
            for operation in row.operations {
                let input = service.operation(operation).and_then(|operation| operation.input());
                let known = parameters_of(row.arn).all(|name| input.is_some_and(|input| input.member(name).is_some()));
                assert!(known, "{}:{operation} {}", row.service, row.arn);
            }
        }
    }
}
