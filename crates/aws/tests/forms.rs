//! Forms, targets and routes as clients really send them.
#![allow(clippy::expect_used, reason = "a test that cannot go on says why")]

use opentrail_aws::{Catalog, Headers, Protocol, Request, recognise, uri_labels};

struct Found {
    name: String,
    protocol: Protocol,
}

fn find(line: &str, headers: &[(&str, &str)], body: &str) -> Option<Found> {
    let (method, target) = line.split_once(' ').expect("METHOD /path?query");
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers: Vec<(&str, &[u8])> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    let request = Request { method, path, query, headers: Headers(&headers), path_style: false };
    let found = recognise::operation(Catalog::embedded(), &request, body.as_bytes())?;
    let name = format!("{}:{}", found.operation.service().name(), found.operation.name());
    Some(Found { name, protocol: found.protocol })
}

fn scope(service: &str) -> (&'static str, String) {
    (
        "authorization",
        format!("AWS4-HMAC-SHA256 Credential=A/20260115/r/{service}/aws4_request, SignedHeaders=host, Signature=0"),
    )
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");

fn form(service: &str, body: &str) -> Option<String> {
    let (name, value) = scope(service);
    find("POST /", &[FORM, (name, &value)], body).map(|found| found.name)
}

#[test]
fn the_version_of_a_form_tells_services_of_one_scope_apart() {
    let elb = |version| form("elasticloadbalancing", &format!("Action=DescribeLoadBalancers&Version={version}"));
    assert_eq!(elb("2012-06-01").as_deref(), Some("elb:DescribeLoadBalancers"));
    assert_eq!(elb("2015-12-01").as_deref(), Some("elbv2:DescribeLoadBalancers"));
}

#[test]
fn an_unknown_version_still_names_the_operation() {
    assert_eq!(form("ec2", "Version=2006-10-01&Action=DescribeInstances").as_deref(), Some("ec2:DescribeInstances"));
    assert_eq!(form("iam", "Action=CreateUser").as_deref(), Some("iam:CreateUser"));
    assert_eq!(form("iam", "Action=NoSuchThing&Version=2010-05-08"), None);
}

#[test]
fn forms_may_come_in_the_query_string() {
    let (name, value) = scope("ec2");
    let found = find("GET /?Action=DescribeVpcs&Version=2016-11-15", &[(name, &value)], "").expect("recognised");
    assert_eq!((found.name.as_str(), found.protocol), ("ec2:DescribeVpcs", Protocol::Ec2));
}

#[test]
fn sqs_is_spoken_in_json_and_in_its_former_form() {
    let (name, value) = scope("sqs");
    let found = find(
        "POST /111122223333/queue",
        &[FORM, (name, &value)],
        "Action=SendMessage&Version=2012-11-05&MessageBody=x",
    );
    let found = found.expect("recognised");
    assert_eq!((found.name.as_str(), found.protocol), ("sqs:SendMessage", Protocol::Query));
    let json = find("POST /", &[("x-amz-target", "AmazonSQS.SendMessage"), (name, &value)], "{}").expect("recognised");
    assert_eq!((json.name.as_str(), json.protocol), ("sqs:SendMessage", Protocol::Json));
}

#[test]
fn unsigned_calls_to_sts_are_known_by_their_form() {
    let body = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=x";
    assert_eq!(find("POST /", &[FORM], body).expect("recognised").name, "sts:AssumeRoleWithWebIdentity");
    // The head alone is enough to send it on.
    let headers: [(&str, &[u8]); 1] = [(FORM.0, FORM.1.as_bytes())];
    let request = Request { method: "POST", path: "/", query: "", headers: Headers(&headers), path_style: false };
    let catalog = Catalog::embedded();
    let id = recognise::service(catalog, &request).one().expect("one service");
    assert_eq!(catalog.info(id).map(|info| info.name()), Some("sts"));
}

#[test]
fn targets_beat_the_scope_and_may_be_shortened() {
    let target = |service: &str, target: &str| {
        let (name, value) = scope(service);
        find("POST /", &[("x-amz-target", target), (name, &value)], "").map(|found| found.name)
    };
    assert_eq!(
        target("dynamodb", "DynamoDBStreams_20120810.GetRecords").as_deref(),
        Some("dynamodbstreams:GetRecords")
    );
    assert_eq!(target("dynamodb", "DynamoDB_20120810.GetItem").as_deref(), Some("dynamodb:GetItem"));
    assert_eq!(target("cloudtrail", "CloudTrail_20131101.StopLogging").as_deref(), Some("cloudtrail:StopLogging"));
    let long = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.StopLogging";
    assert_eq!(target("cloudtrail", long).as_deref(), Some("cloudtrail:StopLogging"));
    assert_eq!(target("dynamodb", "DynamoDB_20120810.").as_deref(), None);
    for unsigned in ["CloudTrail_20131101.ListTrails", long] {
        let found = find("POST /", &[("x-amz-target", unsigned)], "{}").map(|found| found.name);
        assert!(found.is_some_and(|name| name.starts_with("cloudtrail:")), "{unsigned}");
    }
}

#[test]
fn an_object_that_is_read_is_no_answer_of_the_service_that_its_reader_names() {
    let name = |line: &str, headers: &[(&str, &str)]| find(line, headers, "").map(|found| found.name);
    let action = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15";
    assert_eq!(name(&format!("GET /public/obj?{action}"), &[]).as_deref(), Some("s3:GetObject"));
    assert_eq!(name(&format!("GET /?{action}"), &[]).as_deref(), Some("sts:AssumeRoleWithWebIdentity"));
    let target = ("x-amz-target", "AWSCognitoIdentityService.GetCredentialsForIdentity");
    assert_eq!(name("GET /public/obj.json", &[target]).as_deref(), Some("s3:GetObject"));
    assert_eq!(name("POST /", &[target]).as_deref(), Some("cognito-identity:GetCredentialsForIdentity"));
    let queue = "GET /123456789012/q?Action=ReceiveMessage&Version=2012-11-05";
    assert_eq!(name(queue, &[]).as_deref(), Some("sqs:ReceiveMessage"));
    for line in ["GET /123456789012/obj", "GET /federation"] {
        assert_ne!(name(&format!("{line}?{action}"), &[]).as_deref(), Some("sts:AssumeRoleWithWebIdentity"), "{line}");
    }
    let (authorization, value) = scope("iam");
    let browser = ("content-type", "multipart/form-data; boundary=x");
    assert_eq!(name("POST /?Action=ListUsers&Version=2010-05-08", &[browser, (authorization, &value)]), None);
}

#[test]
fn what_a_form_names_counts_before_its_head() {
    let (name, value) = scope("sqs");
    let headers = [FORM, (name, &value), ("x-amz-target", "AmazonSQS.ListQueues")];
    let found = |body: &str| find("POST /", &headers, body).map(|found| found.name);
    assert_eq!(found("Action=DeleteQueue&Version=2012-11-05").as_deref(), Some("sqs:DeleteQueue"));
    // What `curl -d` calls a form is often none.
    assert_eq!(found("{}").as_deref(), Some("sqs:ListQueues"));
}

#[test]
fn labels_are_cut_out_of_the_path_as_they_were_sent() {
    let (name, value) = scope("lambda");
    let headers = [(name, value.as_bytes())];
    let path = "/2015-03-31/functions/arn%3Aaws%3Alambda%3Ar%3A1%3Afunction%3Af/invocations";
    let request = Request { method: "POST", path, query: "", headers: Headers(&headers), path_style: false };
    let found = recognise::operation(Catalog::embedded(), &request, &[]).expect("recognised");
    assert_eq!(found.operation.name(), "Invoke");
    let labels = uri_labels(found.operation, &request);
    assert_eq!(labels.as_slice(), [("FunctionName", "arn%3Aaws%3Alambda%3Ar%3A1%3Afunction%3Af")]);
}

#[test]
fn greedy_labels_stop_before_the_literal_behind_them() {
    let (name, value) = scope("workspaces-web");
    let headers = [(name, value.as_bytes())];
    let path = "/portals/arn:aws:workspaces-web:r:1:portal/u/browserSettings";
    let request =
        Request { method: "PUT", path, query: "browserSettingsArn=x", headers: Headers(&headers), path_style: false };
    let found = recognise::operation(Catalog::embedded(), &request, &[]).expect("recognised");
    assert_eq!(found.operation.name(), "AssociateBrowserSettings");
    let labels = uri_labels(found.operation, &request);
    assert_eq!(labels.as_slice(), [("portalArn", "arn:aws:workspaces-web:r:1:portal/u")]);
}

#[test]
fn a_rest_call_that_lacks_a_parameter_is_still_that_call() {
    let (name, value) = scope("lambda");
    let found = find("DELETE /2017-03-31/tags/arn", &[(name, &value)], "").expect("recognised");
    assert_eq!(found.name, "lambda:UntagResource");
}
