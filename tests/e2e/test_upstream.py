"""In front of another cloud (moto): every service, recorded by name, with what was asked and what came of it."""

import json

import pytest
from botocore.exceptions import ClientError

from harness.cli import Cli
from harness.opentrail import ACCOUNT, ANY_KEY, client
from harness.records import by_request, delivered, lookup, recorded, records_of

LOGS = f"opentrail-logs-{ACCOUNT}"
SECRET = "planted-secret-6f1c2d"
KEYS = {"KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}], "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}]}


@pytest.fixture(scope="module")
def trail(house, moto):
    return house(upstream=moto.url, interval="2s").start()


# service, call, event source, event name, read only, parameters that the record must hold (None: it holds none)
SUCCESSES = [
    ("sqs", lambda c: c.create_queue(QueueName="orders"), "sqs", "CreateQueue", False, {"queueName": "orders"}),
    ("dynamodb", lambda c: c.create_table(TableName="music", BillingMode="PAY_PER_REQUEST", **KEYS), "dynamodb", "CreateTable", False,
     {"tableName": "music", "billingMode": "PAY_PER_REQUEST"}),
    ("dynamodb", lambda c: c.describe_table(TableName="music"), "dynamodb", "DescribeTable", True, {"tableName": "music"}),
    ("iam", lambda c: c.create_user(UserName="alice"), "iam", "CreateUser", False, {"userName": "alice"}),
    ("iam", lambda c: c.list_users(), "iam", "ListUsers", True, None),
    ("sts", lambda c: c.get_caller_identity(), "sts", "GetCallerIdentity", True, None),
    ("ec2", lambda c: c.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1, InstanceType="t3.micro"), "ec2", "RunInstances", False,
     {"instanceType": "t3.micro"}),
    ("ec2", lambda c: c.describe_instances(), "ec2", "DescribeInstances", True, {}),
    ("lambda", lambda c: c.list_functions(), "lambda", "ListFunctions20150331", True, None),
    ("s3", lambda c: c.create_bucket(Bucket="upstream-bucket"), "s3", "CreateBucket", False, {"bucketName": "upstream-bucket"}),
    ("s3", lambda c: c.get_bucket_versioning(Bucket="upstream-bucket"), "s3", "GetBucketVersioning", True,
     {"bucketName": "upstream-bucket", "versioning": ""}),
    ("sns", lambda c: c.create_topic(Name="news"), "sns", "CreateTopic", False, {"name": "news"}),
    ("kms", lambda c: c.create_key(Description="house key"), "kms", "CreateKey", False, {"description": "house key"}),
    ("logs", lambda c: c.create_log_group(logGroupName="/house"), "logs", "CreateLogGroup", False, {"logGroupName": "/house"}),
    ("events", lambda c: c.put_rule(Name="nightly", ScheduleExpression="rate(1 day)"), "events", "PutRule", False, {"name": "nightly"}),
    ("cloudwatch", lambda c: c.delete_alarms(AlarmNames=[]), "monitoring", "DeleteAlarms", False, {}),
    ("apigateway", lambda c: c.create_rest_api(name="door"), "apigateway", "CreateRestApi", False, {}),
    ("route53", lambda c: c.list_hosted_zones(), "route53", "ListHostedZones", True, None),
    ("secretsmanager", lambda c: c.create_secret(Name="door-code", SecretString=SECRET), "secretsmanager", "CreateSecret", False, {"name": "door-code"}),
    ("ssm", lambda c: c.put_parameter(Name="code", Value=SECRET, Type="SecureString"), "ssm", "PutParameter", False, {"name": "code"}),
]


@pytest.mark.parametrize(("service", "call", "source", "name", "read_only", "parameters"), SUCCESSES, ids=[f"{case[2]}-{case[3]}" for case in SUCCESSES])
def test_a_call_that_succeeds(trail, service, call, source, name, read_only, parameters):
    answer = call(trail.client(service))
    record = recorded(trail.client("cloudtrail"), name, by_request(answer))
    assert record["eventSource"] == f"{source}.amazonaws.com"
    assert record["readOnly"] is read_only
    assert record["awsRegion"] == "us-east-1"
    assert "errorCode" not in record
    assert record["userIdentity"]["accessKeyId"] == ANY_KEY[0]
    assert service in record["userAgent"].lower() or "boto3" in record["userAgent"].lower()
    if parameters is None:
        assert record["requestParameters"] is None
    else:
        held = record["requestParameters"] or {}
        assert parameters.items() <= held.items(), held
    if read_only:
        assert record["responseElements"] is None


FAILURES = [
    ("dynamodb", lambda c: c.describe_table(TableName="nowhere"), "DescribeTable", "ResourceNotFoundException", "ResourceNotFoundException"),
    ("sqs", lambda c: c.delete_queue(QueueUrl="http://127.0.0.1/123456789012/nowhere"), "DeleteQueue", None,
     ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue")),
    ("iam", lambda c: c.get_user(UserName="nobody"), "GetUser", "NoSuchEntity", "NoSuchEntityException"),
    ("ec2", lambda c: c.terminate_instances(InstanceIds=["i-0123456789abcdef0"]), "TerminateInstances", "InvalidInstanceID.NotFound",
     "Client.InvalidInstanceID.NotFound"),
    ("lambda", lambda c: c.get_function(FunctionName="nothing"), "GetFunction20150331v2", "ResourceNotFoundException", "ResourceNotFoundException"),
    ("s3", lambda c: c.get_bucket_versioning(Bucket="there-is-no-such-bucket"), "GetBucketVersioning", "NoSuchBucket", "NoSuchBucket"),
    ("kms", lambda c: c.describe_key(KeyId="11111111-2222-3333-4444-555555555555"), "DescribeKey", "NotFoundException", "NotFoundException"),
]


@pytest.mark.parametrize(("service", "call", "name", "wire", "code"), FAILURES, ids=[f"{case[0]}-{case[2]}" for case in FAILURES])
def test_a_call_that_fails(trail, service, call, name, wire, code):
    with pytest.raises(ClientError) as failure:
        call(trail.client(service))
    answer = failure.value.response
    assert wire is None or answer["Error"]["Code"] == wire
    record = recorded(trail.client("cloudtrail"), name, by_request(answer))
    assert record["errorCode"] in (code if isinstance(code, tuple) else (code,))
    assert record["responseElements"] is None
    if answer["Error"].get("Message"):
        assert record["errorMessage"] == answer["Error"]["Message"]


def test_data_events_are_not_part_of_the_history(trail):
    dynamodb, s3, sqs = trail.client("dynamodb"), trail.client("s3"), trail.client("sqs")
    dynamodb.create_table(TableName="rows", BillingMode="PAY_PER_REQUEST", **KEYS)
    dynamodb.put_item(TableName="rows", Item={"id": {"S": "1"}})
    s3.create_bucket(Bucket="rows")
    s3.put_object(Bucket="rows", Key="k", Body=b"v")
    assert s3.get_object(Bucket="rows", Key="k")["Body"].read() == b"v"
    url = sqs.create_queue(QueueName="rows")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="m")
    cloudtrail = trail.client("cloudtrail")
    recorded(cloudtrail, "ListTrails", by_request(cloudtrail.list_trails()))
    for name in ("PutItem", "PutObject", "GetObject", "SendMessage"):
        assert lookup(cloudtrail, "EventName", name) == []


def test_other_regions_are_recorded_as_such(trail):
    answer = trail.client("sqs", region="eu-west-1").create_queue(QueueName="orders-eu")
    record = recorded(trail.client("cloudtrail", region="eu-west-1"), "CreateQueue", by_request(answer))
    assert record["awsRegion"] == "eu-west-1"


def test_global_services_are_recorded_in_us_east_1(trail):
    answer = trail.client("iam", region="us-east-1").create_role(RoleName="global", AssumeRolePolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}))
    assert recorded(trail.client("cloudtrail"), "CreateRole", by_request(answer))["awsRegion"] == "us-east-1"


def test_who_a_key_is_is_learned_from_what_passes_through(trail):
    iam = trail.client("iam")
    iam.create_user(UserName="bob")
    key = iam.create_access_key(UserName="bob")["AccessKey"]
    bob = (key["AccessKeyId"], key["SecretAccessKey"])
    record = recorded(trail.client("cloudtrail"), "CreateTopic", by_request(trail.client("sns", key=bob).create_topic(Name="bobs")))
    identity = record["userIdentity"]
    assert identity["type"] == "IAMUser" and identity["userName"] == "bob"
    assert identity["arn"] == f"arn:aws:iam::{ACCOUNT}:user/bob"
    assert identity["accessKeyId"] == bob[0]


def test_a_session_is_known_by_its_role(trail):
    iam, sts = trail.client("iam"), trail.client("sts")
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}
    role = iam.create_role(RoleName="deployer", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    session = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="release-7")["Credentials"]
    key = (session["AccessKeyId"], session["SecretAccessKey"])
    answer = trail.client("sns", key=key, token=session["SessionToken"]).create_topic(Name="released")
    identity = recorded(trail.client("cloudtrail"), "CreateTopic", by_request(answer))["userIdentity"]
    assert identity["type"] == "AssumedRole"
    assert identity["arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/release-7"
    assert identity["sessionContext"]["sessionIssuer"]["arn"] == role["Arn"]
    (made,) = [r for r in records_of(lookup(trail.client("cloudtrail"), "EventName", "AssumeRole"))
               if r["requestParameters"]["roleSessionName"] == "release-7"]
    assert made["responseElements"]["credentials"]["accessKeyId"] == key[0]
    assert key[1] not in json.dumps(made)


def test_the_aws_cli_works_as_against_the_upstream_itself(trail, tmp_path):
    credentials = tmp_path / "credentials"
    credentials.write_text(f"[default]\naws_access_key_id={ANY_KEY[0]}\naws_secret_access_key={ANY_KEY[1]}\n")
    aws = Cli(trail.url, credentials)
    assert aws("sqs", "create-queue", "--queue-name", "by-cli").json["QueueUrl"].endswith("/by-cli")
    aws("dynamodb", "create-table", "--table-name", "by-cli", "--billing-mode", "PAY_PER_REQUEST",
        "--key-schema", "AttributeName=id,KeyType=HASH", "--attribute-definitions", "AttributeName=id,AttributeType=S")
    aws("dynamodb", "put-item", "--table-name", "by-cli", "--item", '{"id":{"S":"1"}}')
    aws("iam", "create-user", "--user-name", "by-cli")
    assert aws("sts", "get-caller-identity").json["Account"] == ACCOUNT
    assert aws("ec2", "run-instances", "--image-id", "ami-12c6146b", "--instance-type", "t3.nano").json["Instances"]
    aws("lambda", "list-functions")
    (tmp_path / "f").write_bytes(b"by cli")
    aws("s3", "mb", "s3://by-cli")
    aws("s3", "cp", tmp_path / "f", "s3://by-cli/f")
    assert aws("s3", "cp", "s3://by-cli/f", "-").out == b"by cli"
    names = {event["EventName"] for event in aws("cloudtrail", "lookup-events").json["Events"]}
    assert {"CreateQueue", "CreateTable", "CreateUser", "GetCallerIdentity", "RunInstances", "ListFunctions20150331", "CreateBucket"} <= names


def test_log_files_are_delivered_into_the_upstreams_s3(trail, moto):
    mark = by_request(trail.client("sns").create_topic(Name="delivered"))
    directly = client(moto.url, "s3")
    records = delivered(directly, LOGS, lambda records: any(mark(record) for record in records), within=20)
    ids = [record["eventID"] for record in records]
    assert len(ids) == len(set(ids))
    own = [record for record in records if record["eventSource"] == "s3.amazonaws.com" and (record["requestParameters"] or {}).get("bucketName") == LOGS]
    assert not [record for record in own if record["userIdentity"].get("accessKeyId") != ANY_KEY[0]], "our own delivery is not a client's call"
