use super::*;
use bytes::Bytes;
use proptest::prelude::*;

/// The list of a record with those members, sorted, as `TYPE NAME`.
fn list(source: &str, name: &str, members: &str) -> Vec<String> {
    let json = format!(
        r#"{{"eventTime":"2026-01-15T10:02:03Z","eventSource":"{source}.amazonaws.com","eventName":"{name}","awsRegion":"us-east-1",{members},"eventID":"e","eventCategory":"Management"}}"#
    );
    let event = Event::from_json(Bytes::from(json)).unwrap();
    let mut list: Vec<String> = lookup_resources(&event)
        .into_iter()
        .map(|found| format!("{} {}", found.resource_type.unwrap_or("-"), found.resource_name))
        .collect();
    list.sort();
    list
}

#[test]
fn assume_role_shows_the_key_the_session_and_the_role() {
    let members = r#""requestParameters":{"roleArn":"arn:aws:iam::111122223333:role/R","roleSessionName":"ci"},"responseElements":{"credentials":{"accessKeyId":"ASIAEXAMPLE","expiration":"x"},"assumedRoleUser":{"assumedRoleId":"AROAEXAMPLE:ci","arn":"arn:aws:sts::111122223333:assumed-role/R/ci"}}"#;
    assert_eq!(
        list("sts", "AssumeRole", members),
        [
            "AWS::IAM::AccessKey ASIAEXAMPLE",
            "AWS::IAM::Role arn:aws:iam::111122223333:role/R",
            "AWS::STS::AssumedRole AROAEXAMPLE:ci",
            "AWS::STS::AssumedRole arn:aws:sts::111122223333:assumed-role/R/ci",
            "AWS::STS::AssumedRole ci",
        ]
    );
}

#[test]
fn run_instances_shows_everything_it_touches_and_each_once() {
    let members = r#""requestParameters":{"instancesSet":{"items":[{"imageId":"ami-1","keyName":"k"}]},"subnetId":"subnet-1"},"responseElements":{"instancesSet":{"items":[{"instanceId":"i-1","imageId":"ami-1","keyName":"k","vpcId":"vpc-1","subnetId":"subnet-1","groupSet":{"items":[{"groupId":"sg-1","groupName":"default"}]},"networkInterfaceSet":{"items":[{"networkInterfaceId":"eni-1","groupSet":{"items":[{"groupId":"sg-9"}]}}]}},{"instanceId":"i-2","imageId":"ami-1"}]}}"#;
    assert_eq!(
        list("ec2", "RunInstances", members),
        [
            "AWS::EC2::Ami ami-1",
            "AWS::EC2::Instance i-1",
            "AWS::EC2::Instance i-2",
            "AWS::EC2::KeyPair k",
            "AWS::EC2::NetworkInterface eni-1",
            "AWS::EC2::SecurityGroup default",
            "AWS::EC2::SecurityGroup sg-1",
            "AWS::EC2::Subnet subnet-1",
            "AWS::EC2::VPC vpc-1",
        ]
    );
    let stop = r#""requestParameters":{"instancesSet":{"items":[{"instanceId":"i-1"},{"instanceId":"i-2"}]}},"responseElements":{"instancesSet":{"items":[{"instanceId":"i-1"}]}}"#;
    assert_eq!(list("ec2", "StopInstances", stop), ["AWS::EC2::Instance i-1", "AWS::EC2::Instance i-2"]);
    let all = r#""requestParameters":{"instancesSet":{},"filterSet":{}},"responseElements":null"#;
    assert_eq!(list("ec2", "DescribeInstances", all), [""; 0]);
}

#[test]
fn kms_names_a_type_only_for_the_key_itself() {
    let created = r#""requestParameters":{"description":""},"responseElements":{"keyMetadata":{"keyId":"1234","arn":"arn:aws:kms:us-east-1:111122223333:key/1234"}}"#;
    assert_eq!(
        list("kms", "CreateKey", created),
        ["AWS::KMS::Key 1234", "AWS::KMS::Key arn:aws:kms:us-east-1:111122223333:key/1234"]
    );
    let sent = r#""requestParameters":{"keyId":"alias/a"},"responseElements":null"#;
    assert_eq!(list("kms", "GenerateDataKeyPair", sent), ["- alias/a"]);
    assert_eq!(list("kms", "DescribeKey", sent), ["AWS::KMS::Key alias/a"]);
    let silent = r#""requestParameters":{"encryptionAlgorithm":"x"},"resources":[{"ARN":"arn:aws:kms:::key/1","type":"AWS::KMS::Key"}]"#;
    assert_eq!(list("kms", "Decrypt", silent), [""; 0]);
    let failed = r#""errorCode":"NotFoundException","requestParameters":{"keyId":"1234"}"#;
    assert_eq!(list("kms", "DescribeKey", failed), [""; 0]);
}

#[test]
fn the_common_services_show_what_they_act_on() {
    let request = |members: &str| format!(r#""requestParameters":{members},"responseElements":null"#);
    for (source, name, members, expected) in [
        ("s3", "CreateBucket", r#"{"bucketName":"audit","Host":"h"}"#, "AWS::S3::Bucket audit"),
        ("s3", "GetBucketAcl", r#"{"bucketName":"audit"}"#, "AWS::S3::Bucket audit"),
        ("dynamodb", "DeleteTable", r#"{"tableName":"t"}"#, "AWS::DynamoDB::Table t"),
        ("sqs", "DeleteQueue", r#"{"queueUrl":"http://q"}"#, "AWS::SQS::Queue http://q"),
        ("sns", "DeleteTopic", r#"{"topicArn":"arn:t"}"#, "AWS::SNS::Topic arn:t"),
        ("lambda", "DeleteFunction20150331", r#"{"functionName":"f"}"#, "AWS::Lambda::Function f"),
        ("lambda", "AddPermission20150331v2", r#"{"functionName":"f"}"#, "AWS::Lambda::Function f"),
        ("cloudtrail", "StartLogging", r#"{"name":"main"}"#, "AWS::CloudTrail::Trail main"),
        ("ec2", "DeleteVpc", r#"{"vpcId":"vpc-1"}"#, "AWS::EC2::VPC vpc-1"),
        ("ec2", "AuthorizeSecurityGroupIngress", r#"{"groupId":"sg-1"}"#, "AWS::EC2::SecurityGroup sg-1"),
        ("iam", "DeleteUser", r#"{"userName":"al\u0069ce"}"#, "AWS::IAM::User alice"),
    ] {
        assert_eq!(list(source, name, &request(members)), [expected], "{name}");
    }
    for (source, name) in
        [("lambda", "GetFunction20150331v2"), ("lambda", "UpdateFunctionEventInvokeConfig"), ("nobody", "X")]
    {
        assert_eq!(list(source, name, &request(r#"{"functionName":"f"}"#)), [""; 0], "{name}");
    }
    assert_eq!(list("sts", "GetCallerIdentity", &request("null")), [""; 0]);
}

#[test]
fn only_the_paths_of_the_rules_are_followed() {
    let decoys = r#""userIdentity":{"bucketName":"no"},"requestParameters":{"deep":{"bucketName":"no"},"list":[{"bucketName":"no"}],"text":"{\"bucketName\":\"no\"}","bucketName":"yes","n":[1,-2.5e3,true,null]},"responseElements":{"bucketName":"no"}"#;
    assert_eq!(list("s3", "PutBucketAcl", decoys), ["AWS::S3::Bucket yes"]);
    assert_eq!(list("s3", "PutBucketAcl", r#""requestParameters":{"bucketName":["no"]}"#), [""; 0]);
}

proptest! {
    #[test]
    fn bytes_that_are_no_record_end_the_walk(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let rules = Rules::embedded().of("s3.amazonaws.com", "CreateBucket", false);
        walk::walk(&bytes, &rules, &mut |_, _| {});
    }

    #[test]
    fn a_record_cut_anywhere_ends_the_walk(cut in 0usize..90) {
        let json = br#"{"a":[1,{"b":"\"]}"}],"requestParameters":{"x":{"y":[]},"bucketName":"name"},"z":null}"#;
        let rules = Rules::embedded().of("s3.amazonaws.com", "CreateBucket", false);
        let mut found = Vec::new();
        walk::walk(&json[..cut.min(json.len())], &rules, &mut |_, name| found.push(name.to_owned()));
        prop_assert!(found.iter().all(|name| name == "name"));
    }
}
