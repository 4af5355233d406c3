"""Services over all protocols, success and failure: every call of boto3 becomes the record that AWS would have written.

Run as a program this file makes the calls; `opentrail record` runs it so."""

import json
import subprocess
from pathlib import Path

import boto3
import botocore.exceptions
import pytest
from botocore.config import Config

from harness.opentrail import ACCOUNT, ANY_KEY, REGION, binary
from harness.process import clean_environment, tool
from harness.records import check_shape

NONE = "00000000-0000-0000-0000-000000000000"


def arn(service, rest):
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"


ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
R, W = True, False

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"

# service: its protocol, `eventSource`, and calls: operation and what it is given; then `readOnly`, `errorCode` and, where
# they are not just what was given with its names in lower case, the `requestParameters` of the record.
SERVICES = {
    "acm": ("json", "acm", [
        ("RequestCertificate", {"DomainName": "a.example"}, W, None),
        ("DeleteCertificate", {"CertificateArn": arn("acm", "certificate/" + NONE)}, W, "ResourceNotFoundException"),
    ]),
    "apigateway": ("rest-json", "apigateway", [
        ("CreateRestApi", {"name": "a"}, W, None, {"createRestApiInput": {"name": "a"}, "template": False}),
        ("GetRestApi", {"restApiId": "none"}, R, "NotFoundException", {"restApiId": "none", "template": False}),
    ]),
    "apigatewayv2": ("rest-json", "apigateway", [
        ("CreateApi", {"Name": "a", "ProtocolType": "HTTP"}, W, None),
        ("GetApi", {"ApiId": "none"}, R, "NotFoundException"),
    ]),
    "appconfig": ("rest-json", "appconfig", [
        ("CreateApplication", {"Name": "a"}, W, None, {"Name": "a"}),
        ("GetApplication", {"ApplicationId": "abcdefg"}, R, "ResourceNotFoundException", {"ApplicationId": "abcdefg"}),
    ]),
    "appsync": ("rest-json", "appsync", [
        ("CreateGraphqlApi", {"name": "a", "authenticationType": "API_KEY"}, W, None),
        ("GetGraphqlApi", {"apiId": "none"}, R, "NotFoundException"),
    ]),
    "athena": ("json", "athena", [
        ("CreateWorkGroup", {"Name": "w"}, W, None),
        ("StartQueryExecution", {"QueryString": "SELECT 'planted'", "WorkGroup": "none", "ClientRequestToken": NONE}, W, "InvalidRequestException", {"queryString": "***OMITTED***", "workGroup": "none", "clientRequestToken": NONE}),
    ]),
    "autoscaling": ("query", "autoscaling", [
        ("CreateLaunchConfiguration", {"LaunchConfigurationName": "l", "ImageId": "ami-1", "InstanceType": "t3.micro", "UserData": "planted"}, W, None, {"launchConfigurationName": "l", "imageId": "ami-1", "instanceType": "t3.micro", "userData": "<sensitiveDataRemoved>"}),
        ("DeleteAutoScalingGroup", {"AutoScalingGroupName": "none"}, W, "ValidationError"),
    ]),
    "backup": ("rest-json", "backup", [
        ("CreateBackupVault", {"BackupVaultName": "vault", "CreatorRequestId": "1"}, W, None),
        ("DescribeBackupVault", {"BackupVaultName": "none"}, R, "ResourceNotFoundException"),
    ]),
    "batch": ("rest-json", "batch", [
        ("RegisterJobDefinition", {"jobDefinitionName": "j", "type": "container", "containerProperties": {"image": "i", "vcpus": 1, "memory": 4, "environment": [{"name": "K", "value": "planted"}]}}, W, None, {"jobDefinitionName": "j", "type": "container", "containerProperties": {"image": "i", "vcpus": 1, "memory": 4, "environment": [{"name": "K", "value": HIDDEN}]}}),
        ("SubmitJob", {"jobName": "j", "jobQueue": "none", "jobDefinition": "none"}, W, "ClientException"),
    ]),
    "cloudformation": ("query", "cloudformation", [
        ("CreateStack", {"StackName": "s", "TemplateBody": '{"Resources":{}}', "Parameters": [{"ParameterKey": "a", "ParameterValue": "planted"}]}, W, None, {"stackName": "s", "templateBody": '{"Resources":{}}', "parameters": [{"parameterKey": "a"}]}),
        ("DescribeStacks", {"StackName": "none"}, R, "ValidationError"),
    ]),
    "cloudfront": ("rest-xml", "cloudfront", [
        ("CreateOriginAccessControl", {"OriginAccessControlConfig": {"Name": "o", "SigningProtocol": "sigv4", "SigningBehavior": "always", "OriginAccessControlOriginType": "s3"}}, W, None),
        ("GetDistribution", {"Id": "none"}, R, "NoSuchDistribution"),
    ]),
    "cloudwatch": ("rpc-v2-cbor", "monitoring", [
        ("PutMetricAlarm", {"AlarmName": "a", "MetricName": "m", "Namespace": "n", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1.5, "ComparisonOperator": "GreaterThanThreshold", "Statistic": "Sum"}, W, None),
        ("GetDashboard", {"DashboardName": "none"}, R, "DashboardNotFoundError"),
    ]),
    "codebuild": ("rpc-v2-cbor", "codebuild", [
        ("ListProjects", {}, R, None, None),
        ("StartBuild", {"projectName": "none"}, W, "ResourceNotFoundException"),
    ]),
    "codecommit": ("json", "codecommit", [
        ("CreateRepository", {"repositoryName": "r"}, W, None),
        ("GetRepository", {"repositoryName": "none"}, R, "RepositoryDoesNotExistException"),
    ]),
    "cognito-idp": ("json", "cognito-idp", [
        ("CreateUserPool", {"PoolName": "p"}, W, None),
        ("AdminCreateUser", {"UserPoolId": "us-east-1_none", "Username": "u", "TemporaryPassword": "planted"}, W, "ResourceNotFoundException", {"userPoolId": "us-east-1_none", "username": HIDDEN, "temporaryPassword": HIDDEN}),
    ]),
    "config": ("json", "config", [
        ("PutConfigurationRecorder", {"ConfigurationRecorder": {"name": "r", "roleARN": ROLE}}, W, None),
        ("DeleteConfigurationRecorder", {"ConfigurationRecorderName": "none"}, W, "NoSuchConfigurationRecorderException"),
    ]),
    "dynamodb": ("json", "dynamodb", [
        ("CreateTable", {"TableName": "t", "BillingMode": "PAY_PER_REQUEST", "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}], "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}]}, W, None),
        ("PutItem", {"TableName": "t", "Item": {"id": {"S": "1"}, "secret": {"S": "planted"}}}, W, None, {"tableName": "t", "item": ["id", "secret"], "key": {"id": "1"}}),
        ("DescribeTable", {"TableName": "none"}, R, "ResourceNotFoundException"),
    ]),
    "ec2": ("ec2", "ec2", [
        ("CreateVpc", {"CidrBlock": "10.0.0.0/16"}, W, None),
        ("DescribeInstances", {"InstanceIds": ["i-00000000000000000"], "Filters": [{"Name": "vpc-id", "Values": ["vpc-1"]}]}, R, "Client.InvalidInstanceID.NotFound", {"instancesSet": {"items": [{"instanceId": "i-00000000000000000"}]}, "filterSet": {"items": [{"name": "vpc-id", "valueSet": {"items": [{"value": "vpc-1"}]}}]}}),
    ]),
    "ecr": ("json", "ecr", [
        ("CreateRepository", {"repositoryName": "r"}, W, None),
        ("DeleteRepository", {"repositoryName": "none"}, W, "RepositoryNotFoundException"),
    ]),
    "ecs": ("json", "ecs", [
        ("RegisterTaskDefinition", {"family": "f", "containerDefinitions": [{"name": "c", "image": "i", "memory": 8, "environment": [{"name": "K", "value": "planted"}]}]}, W, None, {"family": "f", "containerDefinitions": [{"name": "c", "image": "i", "memory": 8, "environment": HIDDEN}]}),
        ("DescribeServices", {"cluster": "none", "services": ["s"]}, R, "ClusterNotFoundException"),
    ]),
    "efs": ("rest-json", "elasticfilesystem", [
        ("CreateFileSystem", {"CreationToken": "token"}, W, None),
        ("DeleteFileSystem", {"FileSystemId": "fs-00000000"}, W, "FileSystemNotFound"),
    ]),
    "eks": ("rest-json", "eks", [
        ("CreateCluster", {"name": "c", "roleArn": ROLE, "resourcesVpcConfig": {"subnetIds": ["subnet-1"]}, "clientRequestToken": "1"}, W, None),
        ("DescribeCluster", {"name": "none"}, R, "ResourceNotFoundException"),
    ]),
    "elasticache": ("query", "elasticache", [
        ("CreateCacheSubnetGroup", {"CacheSubnetGroupName": "g", "CacheSubnetGroupDescription": "d", "SubnetIds": ["subnet-1"]}, W, None),
        ("DescribeCacheClusters", {"CacheClusterId": "none"}, R, "CacheClusterNotFoundFault"),
    ]),
    "elb": ("query", "elasticloadbalancing", [
        ("CreateLoadBalancer", {"LoadBalancerName": "l", "Listeners": [{"Protocol": "HTTP", "LoadBalancerPort": 80, "InstancePort": 8080}], "AvailabilityZones": ["us-east-1a"]}, W, None),
        ("DescribeLoadBalancers", {"LoadBalancerNames": ["none"]}, R, "AccessPointNotFoundException"),
    ]),
    "elbv2": ("query", "elasticloadbalancing", [
        ("CreateTargetGroup", {"Name": "g", "TargetType": "lambda"}, W, None),
        ("DescribeLoadBalancers", {"Names": ["none"]}, R, "LoadBalancerNotFoundException"),
    ]),
    "emr": ("json", "elasticmapreduce", [
        ("CreateSecurityConfiguration", {"Name": "s", "SecurityConfiguration": "{}"}, W, None),
        ("DescribeSecurityConfiguration", {"Name": "none"}, R, "InvalidRequestException"),
    ]),
    "events": ("json", "events", [
        ("PutRule", {"Name": "r", "ScheduleExpression": "rate(5 minutes)"}, W, None),
        ("DescribeRule", {"Name": "none"}, R, "ResourceNotFoundException"),
    ]),
    "firehose": ("json", "firehose", [
        ("ListDeliveryStreams", {"Limit": 5}, R, None),
        ("PutRecord", {"DeliveryStreamName": "none", "Record": {"Data": b"planted"}}, W, "ResourceNotFoundException", {"deliveryStreamName": "none", "record": {}}),
    ]),
    "glacier": ("rest-json", "glacier", [
        ("CreateVault", {"accountId": "-", "vaultName": "v"}, W, None),
        ("DescribeVault", {"accountId": "-", "vaultName": "none"}, R, "VaultNotFound"),
    ]),
    "glue": ("json", "glue", [
        ("CreateDatabase", {"DatabaseInput": {"Name": "d"}}, W, None),
        ("GetTable", {"DatabaseName": "none", "Name": "t"}, R, "EntityNotFoundException"),
    ]),
    "guardduty": ("rest-json", "guardduty", [
        ("CreateDetector", {"Enable": True, "ClientToken": "token"}, W, None),
        ("GetDetector", {"DetectorId": "none"}, R, "BadRequestException"),
    ]),
    "iam": ("query", "iam", [
        ("CreateLoginProfile", {"UserName": "none", "Password": "planted"}, W, "NoSuchEntityException", {"userName": "none"}),
        ("CreateUser", {"UserName": "u", "Tags": [{"Key": "a", "Value": "b"}]}, W, None),
    ]),
    "iot": ("rest-json", "iot", [
        ("CreateThing", {"thingName": "t"}, W, None),
        ("DescribeThing", {"thingName": "none"}, R, "ResourceNotFoundException"),
    ]),
    "kinesis": ("json", "kinesis", [
        ("CreateStream", {"StreamName": "s", "ShardCount": 1}, W, None),
        ("PutRecord", {"StreamName": "none", "Data": b"planted", "PartitionKey": "k"}, W, "ResourceNotFoundException", {"streamName": "none", "partitionKey": "k"}),
    ]),
    "kms": ("json", "kms", [
        ("CreateKey", {"Description": "k"}, W, None, {"description": "k", "bypassPolicyLockoutSafetyCheck": False, "customerMasterKeySpec": "SYMMETRIC_DEFAULT", "keySpec": "SYMMETRIC_DEFAULT", "keyUsage": "ENCRYPT_DECRYPT", "origin": "AWS_KMS"}),
        ("DescribeKey", {"KeyId": NONE}, R, "NotFoundException", None),
    ]),
    "lambda": ("rest-json", "lambda", [
        ("ListFunctions", {"MaxItems": 5}, R, None),
        ("UpdateFunctionConfiguration", {"FunctionName": "none", "Environment": {"Variables": {"K": "planted"}}}, W, "ResourceNotFoundException", {"functionName": "none", "environment": {}}),
    ]),
    "logs": ("json", "logs", [
        ("CreateLogGroup", {"logGroupName": "g"}, W, None),
        ("PutLogEvents", {"logGroupName": "none", "logStreamName": "s", "logEvents": [{"timestamp": 1, "message": "planted"}]}, W, "ResourceNotFoundException", {"logGroupName": "none", "logStreamName": "s"}),
    ]),
    "organizations": ("json", "organizations", [
        ("CreateOrganization", {"FeatureSet": "ALL"}, W, None),
        ("DescribeAccount", {"AccountId": "000000000000"}, R, "AccountNotFoundException"),
    ]),
    "rds": ("query", "rds", [
        ("CreateDBInstance", {"DBInstanceIdentifier": "i", "Engine": "mysql", "DBInstanceClass": "db.t3.micro", "AllocatedStorage": 20, "MasterUsername": "admin", "MasterUserPassword": "planted-planted"}, W, None, {"dBInstanceIdentifier": "i", "engine": "mysql", "dBInstanceClass": "db.t3.micro", "allocatedStorage": 20, "masterUsername": "admin", "masterUserPassword": "HIDDEN_DUE_TO_SECURITY_REASONS"}),
        ("DescribeDBInstances", {"DBInstanceIdentifier": "none"}, R, "DBInstanceNotFoundFault"),
    ]),
    "redshift": ("query", "redshift", [
        ("CreateClusterParameterGroup", {"ParameterGroupName": "g", "ParameterGroupFamily": "redshift-1.0", "Description": "d"}, W, None),
        ("DescribeClusters", {"ClusterIdentifier": "none"}, R, "ClusterNotFoundFault"),
    ]),
    "resource-groups": ("rest-json", "resource-groups", [
        ("GetGroup", {"GroupName": "none"}, R, "NotFoundException", {"GroupName": "none"}),
        ("ListGroups", {"MaxResults": 7}, R, None, {"maxResults": "7"}),
    ]),
    "route53": ("rest-xml", "route53", [
        ("CreateHostedZone", {"Name": "a.example", "CallerReference": "1"}, W, None),
        ("GetHostedZone", {"Id": "Z0"}, R, "NoSuchHostedZone"),
    ]),
    "s3": ("rest-xml", "s3", [
        ("CreateBucket", {"Bucket": "forty"}, W, None, {"bucketName": "forty"}),
        ("PutObject", {"Bucket": "forty", "Key": "a/b c", "Body": b"planted"}, W, None, {"bucketName": "forty", "key": "a/b c"}),
        ("GetBucketPolicy", {"Bucket": "forty-none"}, R, "NoSuchBucket", {"bucketName": "forty-none", "policy": ""}),
        ("ListObjectsV2", {"Bucket": "forty", "Prefix": "a/"}, R, None, {"bucketName": "forty", "list-type": "2", "prefix": "a/", "encoding-type": "url"}),
        ("DeleteObjects", {"Bucket": "forty", "Delete": {"Objects": [{"Key": "a/b c"}, {"Key": "d"}]}}, W, None, {"bucketName": "forty", "delete": ""}),
    ]),
    "secretsmanager": ("json", "secretsmanager", [
        ("CreateSecret", {"Name": "s", "SecretString": "planted", "ClientRequestToken": NONE}, W, None, {"name": "s", "clientRequestToken": NONE}),
        ("GetSecretValue", {"SecretId": "none"}, R, "ResourceNotFoundException"),
    ]),
    "ses": ("query", "ses", [
        ("VerifyEmailIdentity", {"EmailAddress": "a@a.example"}, W, None),
        ("SendEmail", {"Source": "none@b.example", "Destination": {"ToAddresses": ["planted@a.example"]}, "Message": {"Subject": {"Data": "planted"}, "Body": {"Text": {"Data": "planted"}}}}, R, "MessageRejected", {"source": "none@b.example", "destination": {"toAddresses": [HIDDEN]}, "message": {"subject": {"data": HIDDEN}, "body": {"text": {"data": HIDDEN}}}}),
    ]),
    "sns": ("query", "sns", [
        ("CreateTopic", {"Name": "t", "Attributes": {"DisplayName": "d"}}, W, None, {"name": "t", "attributes": {"DisplayName": "d"}}),
        ("Publish", {"TopicArn": arn("sns", "none"), "Message": "planted"}, W, "NotFoundException", {"topicArn": arn("sns", "none"), "message": HIDDEN}),
    ]),
    "sqs": ("json", "sqs", [
        ("CreateQueue", {"QueueName": "q", "Attributes": {"VisibilityTimeout": "9"}}, W, None, {"queueName": "q", "attributes": {"VisibilityTimeout": "9"}}),
        ("GetQueueUrl", {"QueueName": "none"}, R, "QueueDoesNotExist"),
    ]),
    "ssm": ("json", "ssm", [
        ("PutParameter", {"Name": "/p", "Value": "planted", "Type": "SecureString"}, W, None, {"name": "/p", "value": HIDDEN, "type": "SecureString"}),
        ("GetParameter", {"Name": "none", "WithDecryption": True}, R, "ParameterNotFound"),
    ]),
    "stepfunctions": ("json", "states", [
        ("CreateStateMachine", {"name": "m", "definition": '{"StartAt":"a","States":{"a":{"Type":"Succeed"}}}', "roleArn": ROLE}, W, None, {"name": "m", "definition": HIDDEN, "roleArn": ROLE}),
        ("DescribeStateMachine", {"stateMachineArn": arn("states", "stateMachine:none")}, R, "StateMachineDoesNotExist"),
    ]),
    "wafv2": ("json", "wafv2", [
        ("CreateIPSet", {"Name": "i", "Scope": "REGIONAL", "IPAddressVersion": "IPV4", "Addresses": ["192.0.2.0/24"]}, W, None),
        ("GetWebACL", {"Name": "none", "Scope": "REGIONAL", "Id": NONE}, R, "WAFNonexistentItemException"),
    ]),
}

# Operations that records name otherwise.
NAMES = {
    "ListFunctions": "ListFunctions20150331",
    "ListObjectsV2": "ListObjects",
    "UpdateFunctionConfiguration": "UpdateFunctionConfiguration20150331v2",
}


def call_everything():
    """Makes the calls of the table in its order, each once."""
    config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, parameter_validation=False)
    session = boto3.session.Session(*ANY_KEY, region_name=REGION)
    for service, (_, _, calls) in SERVICES.items():
        client = session.client(service, config=config)
        for operation, given, *_ in calls:
            try:
                client._make_api_call(operation, given)
            except botocore.exceptions.ClientError:
                pass  # the record says which


def as_recorded(given):
    """Names begin in lower case; what was not given is `null`."""
    if isinstance(given, dict):
        return {name[0].lower() + name[1:]: as_recorded(value) for name, value in given.items()} or None
    return [as_recorded(value) for value in given] if isinstance(given, list) else given


@pytest.fixture(scope="module")
def recorded(moto_process, tmp_path_factory):
    """The records of all calls, by service, in the order of the calls."""
    moto_process.reset()
    output = tmp_path_factory.mktemp("forty") / "calls.json"
    command = [binary(), "record", "--upstream", moto_process.url, "--output", output, "--", tool("python"), __file__]
    environment = clean_environment(PYTHONPATH=str(Path(__file__).parent))
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-4000:]
    text = output.read_text()
    assert "planted" not in text, text[text.index("planted") - 2000 :][:2100]
    assert "planted" not in done.stdout + done.stderr
    records = [check_shape(record) for record in json.loads(text)["Records"]]
    keys = [record for record in records if record["eventName"] == "DeleteObject"]
    others = iter(record for record in records if record["eventName"] != "DeleteObject")
    found = {service: [next(others, None) for _ in calls] for service, (_, _, calls) in SERVICES.items()}
    assert next(others, None) is None
    return found | {"keys": keys}


@pytest.mark.parametrize("service", SERVICES)
def test_every_call_is_recorded_as_aws_would(recorded, service):
    _, source, calls = SERVICES[service]
    for record, (operation, given, read_only, error, *shown) in zip(recorded[service], calls, strict=True):
        assert record["eventSource"] == f"{source}.amazonaws.com"
        assert record["eventName"] == NAMES.get(operation, operation)
        assert (record["readOnly"], record.get("errorCode")) == (read_only, error), record
        parameters = record["requestParameters"]
        if service == "s3":
            assert parameters.pop("Host").startswith("127.0.0.1:")
            parameters = {name: value for name, value in parameters.items() if not name.startswith(("x-amz-checksum", "x-amz-sdk"))}
        assert parameters == (shown[0] if shown else as_recorded(given)), operation
        assert record["awsRegion"] == REGION and record["requestID"]


def test_each_deleted_key_has_its_record(recorded):
    deleted = [(key["requestParameters"]["key"], key["requestID"], key["eventCategory"]) for key in recorded["keys"]]
    whole = recorded["s3"][-1]["requestID"]
    assert deleted == [("a/b c", whole, "Data"), ("d", whole, "Data")]


def test_the_table_holds_forty_services_of_every_protocol():
    assert len(SERVICES) >= 40
    assert {protocol for protocol, _, _ in SERVICES.values()} == {"json", "rest-json", "rest-xml", "query", "ec2", "rpc-v2-cbor"}
    for service, (_, _, calls) in SERVICES.items():
        assert len({error is None for _, _, _, error, *_ in calls}) == 2, service


if __name__ == "__main__":
    call_everything()
