//! What selectors a trail may have (`reference/trails-and-delivery.md §6.2–6.4`). Sentences are AWS's where they are
//! known.

use super::tables::{arn_service, has_network_activity, is_data_resource_type};
use super::{AdvancedEventSelector, DataResource, EventSelector, FieldSelector, Operators, SelectorField, Selectors};
use crate::partition::is_partition;

/// Basic selectors per trail (`reference/limits.md`).
const BASIC_MAX: usize = 5;
/// Values of data resources, over all basic selectors of a trail.
const RESOURCE_VALUES_MAX: usize = 250;
/// Values of conditions, over all advanced selectors of a trail.
const CONDITION_VALUES_MAX: usize = 500;
/// Characters of a value of a condition.
const VALUE_CHARACTERS_MAX: usize = 2048;
/// Characters of a selector's name.
const NAME_CHARACTERS_MAX: usize = 1000;
/// Whose management events a trail can leave out.
const EXCLUDABLE_SOURCES: [&str; 2] = ["kms.amazonaws.com", "rdsdata.amazonaws.com"];

/// Why selectors are refused: the message of `InvalidEventSelectorsException`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SelectorError(String);

fn refuse<T>(message: impl Into<String>) -> Result<T, SelectorError> {
    Err(SelectorError(message.into()))
}

impl Selectors {
    /// Checks the selectors of a trail.
    ///
    /// # Errors
    /// [`SelectorError`] with the first rule that is broken.
    pub fn check(&self) -> Result<(), SelectorError> {
        match self {
            Selectors::Basic(selectors) => check_basic(selectors),
            Selectors::Advanced(selectors) => check_advanced(selectors),
        }
    }
}

fn check_basic(selectors: &[EventSelector]) -> Result<(), SelectorError> {
    if !(1..=BASIC_MAX).contains(&selectors.len()) {
        return refuse(format!("Specify a valid number of event selectors (1 to {BASIC_MAX}) for your trail."));
    }
    let values: usize =
        selectors.iter().flat_map(|selector| &selector.data_resources).map(|data| data.values.len()).sum();
    if values > RESOURCE_VALUES_MAX {
        return refuse(format!(
            "Specify a valid number of DataResources.Values (0 to {RESOURCE_VALUES_MAX}) for all your selectors."
        ));
    }
    for selector in selectors {
        if !selector.include_management_events && selector.data_resources.is_empty() {
            return refuse(
                "Invalid combination of parameters in EventSelectors. When includeManagementEvents is false, \
                 DataResources must not be empty.",
            );
        }
        for source in selector.excluded() {
            if !EXCLUDABLE_SOURCES.contains(&source.as_str()) {
                return refuse(format!(
                    "Value {source} for ExcludeManagementEventSources is invalid. Valid values: {}.",
                    EXCLUDABLE_SOURCES.join(", ")
                ));
            }
        }
        selector.data_resources.iter().try_for_each(check_data_resource)?;
    }
    Ok(())
}

fn check_data_resource(data: &DataResource) -> Result<(), SelectorError> {
    let service = match data.resource_type.as_str() {
        "AWS::S3::Object" => "s3",
        "AWS::Lambda::Function" => "lambda",
        "AWS::DynamoDB::Table" => "dynamodb",
        other => {
            return refuse(format!(
                "Value {other} for DataResources.Type is invalid. Valid values: AWS::S3::Object, \
                 AWS::Lambda::Function, AWS::DynamoDB::Table. Other types need advanced event selectors."
            ));
        }
    };
    if data.values.is_empty() {
        return refuse(format!(
            "Specify a valid number of DataResources.Values (1 to {RESOURCE_VALUES_MAX}) for each data resource."
        ));
    }
    match data.values.iter().find(|value| !is_resource_value(value, service)) {
        None => Ok(()),
        Some(value) => refuse(format!("Value {value} for DataResources.Values is invalid.")),
    }
}

/// A whole service, a whole ARN, or the beginning of one that ends where a part ends.
fn is_resource_value(value: &str, service: &str) -> bool {
    let value = DataResource::meant(value);
    let Some(arn) = Arn::parse(value) else {
        let mut parts = value.split(':');
        return parts.next() == Some("arn")
            && parts.next().is_some_and(is_partition)
            && parts.next() == Some(service)
            && parts.next().is_none();
    };
    if arn.service != service || value.contains(['*', '?']) {
        return false;
    }
    match service {
        // A bucket alone would also be the beginning of other buckets' names.
        "s3" => arn.region.is_empty() && arn.account.is_empty() && (arn.resource.is_empty() || is_object(arn.resource)),
        _ if value.ends_with(['/', ':']) => true,
        "lambda" => arn.has_place() && is_unqualified_function(arn.resource),
        _ => arn.has_place() && is_table(arn.resource),
    }
}

fn is_object(resource: &str) -> bool {
    resource.split_once('/').is_some_and(|(bucket, _)| {
        (1..=63).contains(&bucket.len())
            && bucket.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
    })
}

fn is_unqualified_function(resource: &str) -> bool {
    resource.strip_prefix("function:").is_some_and(|name| !name.is_empty() && !name.contains(':'))
}

fn is_table(resource: &str) -> bool {
    resource.strip_prefix("table/").is_some_and(|name| !name.is_empty() && !name.contains('/'))
}

fn is_stream(resource: &str) -> bool {
    let parts = resource.strip_prefix("table/").and_then(|rest| rest.split_once("/stream/"));
    parts.is_some_and(|(table, label)| !table.is_empty() && !table.contains('/') && !label.is_empty())
}

/// `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`.
struct Arn<'a> {
    service: &'a str,
    region: &'a str,
    account: &'a str,
    resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Whether it names a Region and an account, as most resources do.
    fn has_place(&self) -> bool {
        !self.region.is_empty() && !self.account.is_empty()
    }

    fn parse(text: &'a str) -> Option<Arn<'a>> {
        let mut parts = text.splitn(6, ':');
        let (arn, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
        let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        (arn == "arn" && is_partition(partition) && !service.is_empty()).then_some(Arn {
            service,
            region,
            account,
            resource,
        })
    }
}

fn check_advanced(selectors: &[AdvancedEventSelector]) -> Result<(), SelectorError> {
    if selectors.is_empty() {
        return refuse("Specify at least one advanced event selector.");
    }
    let conditions = || selectors.iter().flat_map(|selector| &selector.field_selectors);
    if conditions().map(|condition| condition.operators.values().count()).sum::<usize>() > CONDITION_VALUES_MAX {
        return refuse(format!(
            "The total number of values for all conditions in all advanced event selectors cannot exceed \
             {CONDITION_VALUES_MAX}."
        ));
    }
    for condition in conditions() {
        let name = condition.field.name();
        if condition.operators.values().next().is_none() {
            return refuse(format!("The field {name} has no operator with a value."));
        }
        if condition.operators.values().any(|value| !(1..=VALUE_CHARACTERS_MAX).contains(&value.chars().count())) {
            return refuse(format!("Values of the field {name} must have 1 to {VALUE_CHARACTERS_MAX} characters."));
        }
    }
    selectors.iter().try_for_each(check_one)
}

fn check_one(selector: &AdvancedEventSelector) -> Result<(), SelectorError> {
    if selector.name.as_ref().is_some_and(|name| name.chars().count() > NAME_CHARACTERS_MAX) {
        return refuse(format!("The name of a selector can have at most {NAME_CHARACTERS_MAX} characters."));
    }
    let category = only_value(selector, SelectorField::EventCategory)?;
    let check: fn(&AdvancedEventSelector, &FieldSelector) -> Result<(), SelectorError> = match category {
        "Management" => check_management_field,
        "Data" => {
            if !is_data_resource_type(only_value(selector, SelectorField::ResourcesType)?) {
                return refuse("The resources.type field value is not valid.");
            }
            check_data_field
        }
        "NetworkActivity" => {
            let source = only_value(selector, SelectorField::EventSource)?;
            if !has_network_activity(source) {
                return refuse(format!("There are no network activity events of the eventSource {source}."));
            }
            check_network_field
        }
        other => {
            return refuse(format!(
                "The eventCategory {other} is not valid for a trail. Valid values: Management, Data, NetworkActivity."
            ));
        }
    };
    selector.field_selectors.iter().try_for_each(|condition| check(selector, condition))
}

/// The one value of a field that a selector must have exactly once, with Equals alone.
fn only_value(selector: &AdvancedEventSelector, field: SelectorField) -> Result<&str, SelectorError> {
    let mut conditions = selector.field_selectors.iter().filter(|condition| condition.field == field);
    let name = field.name();
    let (Some(condition), None) = (conditions.next(), conditions.next()) else {
        return refuse(format!("Each selector of this kind must have the field {name} exactly once."));
    };
    allow_only(condition, &["Equals"])?;
    match condition.operators.equals.as_slice() {
        [value] => Ok(value),
        _ => refuse(format!("The field {name} must have exactly one value.")),
    }
}

fn check_management_field(_: &AdvancedEventSelector, condition: &FieldSelector) -> Result<(), SelectorError> {
    match condition.field {
        SelectorField::EventCategory => Ok(()),
        SelectorField::ReadOnly => check_read_only(condition),
        SelectorField::EventSource => {
            allow_only(condition, &["NotEquals"])?;
            allow_values(condition, &EXCLUDABLE_SOURCES)
        }
        field => not_for(field, "management"),
    }
}

fn check_data_field(selector: &AdvancedEventSelector, condition: &FieldSelector) -> Result<(), SelectorError> {
    match condition.field {
        SelectorField::EventCategory | SelectorField::ResourcesType => Ok(()),
        SelectorField::ReadOnly => check_read_only(condition),
        SelectorField::EventName
        | SelectorField::EventSource
        | SelectorField::EventType
        | SelectorField::UserIdentityArn => Ok(()),
        SelectorField::SessionCredentialFromConsole => {
            allow_only(condition, &["Equals", "NotEquals"])?;
            allow_values(condition, &["true"])
        }
        SelectorField::ResourcesArn => check_arns(only_value(selector, SelectorField::ResourcesType)?, condition),
        field => not_for(field, "data"),
    }
}

fn check_network_field(_: &AdvancedEventSelector, condition: &FieldSelector) -> Result<(), SelectorError> {
    match condition.field {
        SelectorField::EventCategory
        | SelectorField::EventSource
        | SelectorField::EventName
        | SelectorField::VpcEndpointId
        | SelectorField::UserIdentityArn => Ok(()),
        SelectorField::ErrorCode => {
            allow_only(condition, &["Equals"])?;
            allow_values(condition, &["VpceAccessDenied"])
        }
        field => not_for(field, "network activity"),
    }
}

fn check_read_only(condition: &FieldSelector) -> Result<(), SelectorError> {
    allow_only(condition, &["Equals"])?;
    allow_values(condition, &["true", "false"])
}

/// Whole ARNs must be those of a resource of the type; beginnings and ends may be anything.
fn check_arns(resource_type: &str, condition: &FieldSelector) -> Result<(), SelectorError> {
    let Operators { equals, not_equals, .. } = &condition.operators;
    let fits = |value: &String| {
        Arn::parse(value).is_some_and(|arn| match resource_type {
            "AWS::S3::Object" => {
                arn.service == "s3" && arn.region.is_empty() && arn.account.is_empty() && is_object(arn.resource)
            }
            "AWS::Lambda::Function" => {
                arn.service == "lambda" && arn.has_place() && is_unqualified_function(arn.resource)
            }
            "AWS::DynamoDB::Table" => arn.service == "dynamodb" && arn.has_place() && is_table(arn.resource),
            "AWS::DynamoDB::Stream" => arn.service == "dynamodb" && arn.has_place() && is_stream(arn.resource),
            // Managed nodes are hybrid machines or EC2 instances.
            "AWS::SSM::ManagedNode" => matches!(arn.service, "ssm" | "ec2") && !arn.resource.is_empty(),
            other => !arn.resource.is_empty() && arn_service(other).is_none_or(|service| arn.service == service),
        })
    };
    match equals.iter().chain(not_equals).find(|value| !fits(value)) {
        None => Ok(()),
        Some(value) => refuse(format!("The resources.ARN value {value} is not an ARN of the type {resource_type}.")),
    }
}

fn allow_only(condition: &FieldSelector, allowed: &[&str]) -> Result<(), SelectorError> {
    let other =
        condition.operators.named().into_iter().find(|(name, values)| !values.is_empty() && !allowed.contains(name));
    match other {
        None => Ok(()),
        Some((name, _)) => refuse(format!(
            "The operator {name} is not valid for the field {} here. Valid operators: {}.",
            condition.field.name(),
            allowed.join(", ")
        )),
    }
}

fn allow_values(condition: &FieldSelector, allowed: &[&str]) -> Result<(), SelectorError> {
    match condition.operators.values().find(|value| !allowed.contains(value)) {
        None => Ok(()),
        Some(value) => refuse(format!(
            "The value {value} is not valid for the field {}. Valid values: {}.",
            condition.field.name(),
            allowed.join(", ")
        )),
    }
}

fn not_for<T>(field: SelectorField, kind: &str) -> Result<T, SelectorError> {
    refuse(format!("The field {} is not supported for {kind} events.", field.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(json: &str) -> Result<(), String> {
        let selectors: Vec<EventSelector> = serde_json::from_str(json).unwrap();
        Selectors::Basic(selectors).check().map_err(|error| error.to_string())
    }

    fn advanced(json: &str) -> Result<(), String> {
        let selectors: Vec<AdvancedEventSelector> = serde_json::from_str(json).unwrap();
        Selectors::Advanced(selectors).check().map_err(|error| error.to_string())
    }

    fn selector(management: bool, data: &str) -> String {
        format!(
            r#"[{{"ReadWriteType":"All","IncludeManagementEvents":{management},"DataResources":[{data}],"ExcludeManagementEventSources":[]}}]"#
        )
    }

    fn data(resource_type: &str, value: &str) -> Result<(), String> {
        basic(&selector(true, &format!(r#"{{"Type":"{resource_type}","Values":["{value}"]}}"#)))
    }

    #[test]
    fn basic_values_are_services_arns_and_beginnings() {
        for value in [
            "arn:aws:s3",
            "arn:aws:s3:::",
            "arn:aws:s3:::audit/",
            "arn:aws:s3:::audit/img",
            "arn:aws-cn:s3",
            "arn:aws:s3:::*/*",
        ] {
            assert_eq!(data("AWS::S3::Object", value), Ok(()), "{value}");
        }
        for value in [
            "arn:aws:s3:::audit",
            "arn:aws:s3:::*",
            "arn:aws:s3:::cg-*/*",
            "arn:aws:s3:::*/*/*",
            "arn:aws:lambda:::*/*",
            "arn:aws:lambda",
            "audit/",
            "",
        ] {
            let message = format!("Value {value} for DataResources.Values is invalid.");
            assert_eq!(data("AWS::S3::Object", value), Err(message));
        }
        let function = "arn:aws:lambda:eu-west-1:111122223333:function:f";
        assert_eq!(data("AWS::Lambda::Function", function), Ok(()));
        assert_eq!(data("AWS::Lambda::Function", "arn:aws:lambda"), Ok(()));
        assert!(data("AWS::Lambda::Function", &format!("{function}:1")).is_err());
        assert_eq!(data("AWS::DynamoDB::Table", "arn:aws:dynamodb:eu-west-1:111122223333:table/t"), Ok(()));
        assert!(data("AWS::DynamoDB::Table", "arn:aws:dynamodb:eu-west-1:111122223333:index/t").is_err());
        assert!(data("AWS::SQS::Queue", "arn:aws:sqs").is_err());
    }

    #[test]
    fn basic_selectors_keep_their_limits() {
        assert!(basic("[]").is_err());
        assert!(basic(&selector(false, "")).unwrap_err().contains("DataResources must not be empty"));
        let many = |count: usize| vec![r#""arn:aws:s3:::audit/""#; count].join(",");
        let of = |count| selector(true, &format!(r#"{{"Type":"AWS::S3::Object","Values":[{}]}}"#, many(count)));
        assert_eq!(basic(&of(250)), Ok(()));
        assert!(basic(&of(251)).unwrap_err().contains("(0 to 250) for all your selectors"));
        assert!(basic(&of(0)).unwrap_err().contains("DataResources.Values (1 to 250)"));
        let one = selector(true, "");
        let one = one.trim_matches(['[', ']']);
        assert_eq!(basic(&format!("[{}]", [one; 5].join(","))), Ok(()));
        assert!(basic(&format!("[{}]", [one; 6].join(","))).is_err());
        let excluding = one.replace(r#"Sources":[]"#, r#"Sources":["s3.amazonaws.com"]"#);
        assert!(basic(&format!("[{excluding}]")).unwrap_err().contains("ExcludeManagementEventSources"));
    }

    const DATA: &str =
        r#"{"Field":"eventCategory","Equals":["Data"]},{"Field":"resources.type","Equals":["AWS::S3::Object"]}"#;

    #[test]
    fn advanced_selectors_take_what_their_category_has() {
        let of = |fields: &str| advanced(&format!(r#"[{{"Name":"n","FieldSelectors":[{fields}]}}]"#));
        for fields in [
            r#"{"Field":"eventCategory","Equals":["Management"]}"#,
            r#"{"Field":"eventCategory","Equals":["Management"]},{"Field":"readOnly","Equals":["true"]},{"Field":"eventSource","NotEquals":["kms.amazonaws.com","rdsdata.amazonaws.com"]}"#,
            DATA,
            &format!(
                r#"{DATA},{{"Field":"readOnly","Equals":["false"]}},{{"Field":"resources.ARN","StartsWith":["arn:aws:s3:::a/"],"NotEndsWith":[".tmp"]}}"#
            ),
            &format!(
                r#"{DATA},{{"Field":"eventName","NotStartsWith":["Get"]}},{{"Field":"sessionCredentialFromConsole","NotEquals":["true"]}}"#
            ),
            &format!(r#"{DATA},{{"Field":"resources.ARN","Equals":["arn:aws:s3:::audit/k"]}}"#),
            r#"{"Field":"eventCategory","Equals":["NetworkActivity"]},{"Field":"eventSource","Equals":["ec2.amazonaws.com"]},{"Field":"errorCode","Equals":["VpceAccessDenied"]},{"Field":"vpcEndpointId","Equals":["vpce-1"]}"#,
        ] {
            assert_eq!(of(fields), Ok(()), "{fields}");
        }
        for (fields, message) in [
            (r#"{"Field":"readOnly","Equals":["true"]}"#, "eventCategory exactly once"),
            (r#"{"Field":"eventCategory","NotEquals":["Data"]}"#, "operator NotEquals"),
            (r#"{"Field":"eventCategory","Equals":["Data","Management"]}"#, "exactly one value"),
            (r#"{"Field":"eventCategory","Equals":["Insight"]}"#, "not valid for a trail"),
            (r#"{"Field":"eventCategory","Equals":["Data"]}"#, "resources.type exactly once"),
            (
                r#"{"Field":"eventCategory","Equals":["Data"]},{"Field":"resources.type","Equals":["AWS::S3::Bucket"]}"#,
                "The resources.type field value is not valid.",
            ),
            (
                r#"{"Field":"eventCategory","Equals":["Management"]},{"Field":"eventName","Equals":["X"]}"#,
                "eventName is not supported for management",
            ),
            (
                r#"{"Field":"eventCategory","Equals":["Management"]},{"Field":"eventSource","Equals":["kms.amazonaws.com"]}"#,
                "operator Equals",
            ),
            (
                r#"{"Field":"eventCategory","Equals":["Management"]},{"Field":"eventSource","NotEquals":["s3.amazonaws.com"]}"#,
                "value s3.amazonaws.com",
            ),
            (r#"{"Field":"eventCategory","Equals":["NetworkActivity"]}"#, "eventSource exactly once"),
            (
                r#"{"Field":"eventCategory","Equals":["NetworkActivity"]},{"Field":"eventSource","Equals":["iam.amazonaws.com"]}"#,
                "iam.amazonaws.com",
            ),
            (&format!(r#"{DATA},{{"Field":"errorCode","Equals":["AccessDenied"]}}"#), "errorCode is not supported"),
            (&format!(r#"{DATA},{{"Field":"readOnly","Equals":["maybe"]}}"#), "value maybe"),
            (
                &format!(r#"{DATA},{{"Field":"resources.ARN","Equals":["arn:aws:s3:::audit"]}}"#),
                "not an ARN of the type",
            ),
            (&format!(r#"{DATA},{{"Field":"eventName"}}"#), "no operator"),
            (&format!(r#"{DATA},{{"Field":"eventName","Equals":[""]}}"#), "1 to 2048"),
        ] {
            let refused = of(fields).unwrap_err();
            assert!(refused.contains(message), "{fields}: {refused}");
        }
        let lambda = |arn: &str| {
            let fields = DATA.replace("AWS::S3::Object", "AWS::Lambda::Function");
            of(&format!(r#"{fields},{{"Field":"resources.ARN","NotEquals":["{arn}"]}}"#))
        };
        assert_eq!(lambda("arn:aws:lambda:eu-west-1:111122223333:function:f"), Ok(()));
        assert!(lambda("arn:aws:lambda:eu-west-1:111122223333:function:f:$LATEST").is_err());
        let of_type = |name: &str, arn: &str| {
            let fields = DATA.replace("AWS::S3::Object", name);
            of(&format!(r#"{fields},{{"Field":"resources.ARN","Equals":["{arn}"]}}"#))
        };
        let dynamodb = "arn:aws:dynamodb:eu-west-1:111122223333:table/";
        let stream = &*format!("{dynamodb}t/stream/2026");
        assert_eq!(of_type("AWS::DynamoDB::Table", &format!("{dynamodb}t")), Ok(()));
        assert_eq!(of_type("AWS::DynamoDB::Stream", stream), Ok(()));
        for (name, arn) in [
            ("AWS::DynamoDB::Table", dynamodb),
            ("AWS::DynamoDB::Table", stream),
            ("AWS::DynamoDB::Stream", &format!("{dynamodb}t")),
            ("AWS::S3::Object", "arn:aws:s3:us-east-1:111122223333:bbb/x"),
            ("AWS::Lambda::Function", "arn:aws:lambda:::function:f"),
        ] {
            assert!(of_type(name, arn).is_err(), "{name}: {arn}");
        }
        for (name, service) in [
            ("AWS::Kinesis::Stream", "kinesis"),
            ("AWS::StepFunctions::StateMachine", "states"),
            ("AWS::S3Express::Object", "s3express"),
            ("AWS::S3::AccessPoint", "s3"),
        ] {
            assert_eq!(of_type(name, &format!("arn:aws:{service}:eu-west-1:111122223333:x")), Ok(()), "{name}");
            assert!(of_type(name, "arn:aws:foo:::x").unwrap_err().contains("not an ARN of the type"), "{name}");
            assert!(of_type(name, &format!("arn:aws:{service}:eu-west-1:111122223333:")).is_err(), "{name}");
        }
        for arn in ["arn:aws:ssm:::managed-instance/mi-1", "arn:aws:ec2:::instance/i-1"] {
            assert_eq!(of_type("AWS::SSM::ManagedNode", arn), Ok(()));
        }
        assert_eq!(of_type("AWS::SCN::Instance", "arn:aws:in-doubt:::x"), Ok(()));
        let values = |count: usize| vec![r#""N""#; count].join(",");
        let with = |count| of(&format!(r#"{DATA},{{"Field":"eventName","Equals":[{}]}}"#, values(count)));
        assert_eq!(with(498), Ok(()));
        assert!(with(499).unwrap_err().contains("cannot exceed 500"));
        assert!(advanced("[]").is_err());
    }
}
