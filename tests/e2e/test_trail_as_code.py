"""Infrastructure code converges: create, read without a difference, update, import, delete; with the AWS CLI and with boto3."""

import json

import boto3
import pytest
from botocore.exceptions import ClientError

from harness.cli import Cli
from harness.opentrail import ACCOUNT
from harness.process import eventually

SELECTORS = [
    {
        "Name": "management",
        "FieldSelectors": [
            {"Field": "eventCategory", "Equals": ["Management"]},
            {"Field": "eventSource", "NotEquals": ["kms.amazonaws.com"]},
        ],
    },
    {
        "Name": "objects",
        "FieldSelectors": [
            {"Field": "eventCategory", "Equals": ["Data"]},
            {"Field": "resources.type", "Equals": ["AWS::S3::Object"]},
            {"Field": "resources.ARN", "StartsWith": ["arn:aws:s3:::audit-code/"], "NotEndsWith": [".tmp"]},
        ],
    },
]


@pytest.fixture(scope="module")
def trail(house, moto):
    return house(upstream=moto.url, interval="1s").start()


@pytest.fixture(scope="module")
def aws(trail):
    return Cli(trail.url, trail.credentials_file)


class Code:
    """What a Terraform resource does: reads the trail, changes what differs, and says what it changed."""

    def __init__(self, cloudtrail):
        self.cloudtrail = cloudtrail

    def read(self, name):
        """The trail as it is, in the words of what is wanted; None without one."""
        found = self.cloudtrail.describe_trails(trailNameList=[name], includeShadowTrails=False)["trailList"]
        if not found:
            return None
        (shown,) = found
        arn = shown["TrailARN"]
        settings = ("S3BucketName", "S3KeyPrefix", "KmsKeyId", "IncludeGlobalServiceEvents", "IsMultiRegionTrail", "SnsTopicName", "CloudWatchLogsLogGroupArn", "CloudWatchLogsRoleArn")
        state = {member: shown[member] for member in settings if member in shown}
        state["EnableLogFileValidation"] = shown["LogFileValidationEnabled"]
        state["Logging"] = self.cloudtrail.get_trail_status(Name=arn)["IsLogging"]
        state["Tags"] = {tag["Key"]: tag.get("Value") for tag in self.cloudtrail.list_tags(ResourceIdList=[arn])["ResourceTagList"][0]["TagsList"]}
        selectors = self.cloudtrail.get_event_selectors(TrailName=arn)
        state["Selectors"] = [
            {**selector, "FieldSelectors": sorted(selector["FieldSelectors"], key=lambda field: field["Field"])}
            for selector in selectors.get("AdvancedEventSelectors", [])
        ]
        try:
            # Terraform's provider knows no categories.
            selectors = self.cloudtrail.get_insight_selectors(TrailName=arn)["InsightSelectors"]
            state["Insights"] = [{"InsightType": selector["InsightType"]} for selector in selectors]
        except ClientError as error:
            assert error.response["Error"]["Code"] == "InsightNotEnabledException"
            state["Insights"] = []
        return state

    def apply(self, name, wanted):
        """Makes the trail as it is wanted; gives what had to be changed."""
        wanted = {**wanted, "Selectors": [{**one, "FieldSelectors": sorted(one["FieldSelectors"], key=lambda field: field["Field"])} for one in wanted["Selectors"]]}
        found = self.read(name)
        changed = sorted(key for key in wanted if found is None or found.get(key) != wanted[key])
        settings = {key: wanted[key] for key in wanted if key not in ("Logging", "Tags", "Selectors", "Insights")}
        tags = [{"Key": key, "Value": value} for key, value in wanted["Tags"].items()]
        if found is None:
            self.cloudtrail.create_trail(Name=name, TagsList=tags, **settings)
        elif set(changed) & set(settings):
            self.cloudtrail.update_trail(Name=name, **settings)
        arn = self.cloudtrail.get_trail(Name=name)["Trail"]["TrailARN"]
        if found and "Tags" in changed:
            self.cloudtrail.remove_tags(ResourceId=arn, TagsList=[{"Key": key} for key in found["Tags"]])
            self.cloudtrail.add_tags(ResourceId=arn, TagsList=tags)
        if "Selectors" in changed:
            self.cloudtrail.put_event_selectors(TrailName=arn, AdvancedEventSelectors=wanted["Selectors"])
        if "Insights" in changed:
            self.cloudtrail.put_insight_selectors(TrailName=arn, InsightSelectors=wanted["Insights"])
        if "Logging" in changed:
            (self.cloudtrail.start_logging if wanted["Logging"] else self.cloudtrail.stop_logging)(Name=arn)
        return changed


GROUP = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:audit-code:*"

WANTED = {
    "S3BucketName": "audit-code",
    "S3KeyPrefix": "ct",
    "SnsTopicName": f"arn:aws:sns:us-east-1:{ACCOUNT}:audit-code",
    "CloudWatchLogsLogGroupArn": GROUP,
    "CloudWatchLogsRoleArn": f"arn:aws:iam::{ACCOUNT}:role/CloudTrailToLogs",
    "IncludeGlobalServiceEvents": True,
    "IsMultiRegionTrail": True,
    "EnableLogFileValidation": True,
    "Logging": True,
    "Tags": {"team": "audit", "stage": "prod"},
    "Selectors": SELECTORS,
    "Insights": [{"InsightType": "ApiCallRateInsight"}, {"InsightType": "ApiErrorRateInsight"}],
}


def test_what_is_applied_is_read_back_without_a_difference(trail):
    for bucket in ("audit-code", "audit-code-too"):
        trail.client("s3").create_bucket(Bucket=bucket)
    trail.client("sns").create_topic(Name="audit-code")
    trail.client("logs").create_log_group(logGroupName="audit-code")
    code = Code(trail.client("cloudtrail"))
    assert code.read("code") is None
    assert code.apply("code", WANTED) == sorted(WANTED)
    assert code.apply("code", WANTED) == [], "a second run changes nothing"
    # Another program, which knows the name alone, takes the trail over.
    assert Code(trail.client("cloudtrail")).apply("code", WANTED) == []

    changed = {**WANTED, "S3BucketName": "audit-code-too", "S3KeyPrefix": "", "IsMultiRegionTrail": False, "Tags": {"team": "ops"}}
    changed = {**changed, "Selectors": SELECTORS[:1], "Insights": [], "Logging": False}
    changed = {**changed, "SnsTopicName": "audit-code", "CloudWatchLogsLogGroupArn": "", "CloudWatchLogsRoleArn": ""}
    assert len(code.apply("code", changed)) == 10
    for cleared in ("S3KeyPrefix", "CloudWatchLogsLogGroupArn", "CloudWatchLogsRoleArn"):
        del changed[cleared]  # cleared is absent
    assert code.apply("code", changed) == []
    assert code.apply("code", {**changed, "SnsTopicName": ""}) == ["SnsTopicName"]
    del changed["SnsTopicName"]
    assert code.apply("code", changed) == []
    shown = trail.client("cloudtrail").get_trail(Name="code")["Trail"]
    assert (shown["HasCustomEventSelectors"], shown["HasInsightSelectors"]) == (True, False)

    trail.client("cloudtrail").delete_trail(Name="code")
    assert code.read("code") is None
    assert code.apply("code", WANTED) == sorted(WANTED), "a deleted trail leaves nothing behind"
    assert code.apply("code", WANTED) == []
    trail.client("cloudtrail").delete_trail(Name="code")


def test_the_same_with_the_aws_cli(trail, aws):
    aws("s3", "mb", "s3://audit-cli")
    made = aws("cloudtrail", "create-trail", "--name", "cli", "--s3-bucket-name", "audit-cli", "--is-multi-region-trail").json
    arn = made["TrailARN"]
    default = {"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": [], "ExcludeManagementEventSources": []}
    assert aws("cloudtrail", "get-event-selectors", "--trail-name", "cli").json == {"TrailARN": arn, "EventSelectors": [default]}
    put = aws("cloudtrail", "put-event-selectors", "--trail-name", "cli", "--advanced-event-selectors", json.dumps(SELECTORS)).json
    assert put == {"TrailARN": arn, "AdvancedEventSelectors": SELECTORS}
    first = aws("cloudtrail", "get-event-selectors", "--trail-name", arn).json
    aws("cloudtrail", "put-event-selectors", "--trail-name", "cli", "--advanced-event-selectors", json.dumps(first["AdvancedEventSelectors"]))
    assert aws("cloudtrail", "get-event-selectors", "--trail-name", arn).json == first, "what was read can be put again"
    basic = [{"ReadWriteType": "ReadOnly", "IncludeManagementEvents": True, "DataResources": [{"Type": "AWS::Lambda::Function", "Values": ["arn:aws:lambda"]}],
              "ExcludeManagementEventSources": ["kms.amazonaws.com"]}]
    put = aws("cloudtrail", "put-event-selectors", "--trail-name", "cli", "--event-selectors", json.dumps(basic)).json
    assert put == {"TrailARN": arn, "EventSelectors": basic} == aws("cloudtrail", "get-event-selectors", "--trail-name", "cli").json
    aws("cloudtrail", "add-tags", "--resource-id", arn, "--tags-list", "Key=team,Value=audit")
    tags = aws("cloudtrail", "list-tags", "--resource-id-list", arn).json["ResourceTagList"]
    assert tags == [{"ResourceId": arn, "TagsList": [{"Key": "team", "Value": "audit"}]}]
    elsewhere = aws("--region", "eu-central-1", "cloudtrail", "describe-trails").json["trailList"]
    (shadow,) = [found for found in elsewhere if found["Name"] == "cli"]
    assert (shadow["HomeRegion"], shadow["HasCustomEventSelectors"]) == ("us-east-1", True)
    refused = aws.run("--region", "eu-central-1", "cloudtrail", "put-event-selectors", "--trail-name", arn, "--event-selectors", json.dumps(basic))
    assert "InvalidHomeRegionException" in refused.err
    aws("cloudtrail", "delete-trail", "--name", "cli")


@pytest.mark.parametrize(
    ("selectors", "message"),
    [
        ({"EventSelectors": [{"DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::*"]}]}]}, "Value arn:aws:s3:::* for DataResources.Values is invalid."),
        ({"AdvancedEventSelectors": [{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Data"]}, {"Field": "resources.type", "Equals": ["AWS::S3::Thing"]}]}]},
         "The resources.type field value is not valid."),
    ],
)
def test_selectors_that_break_a_rule_are_refused(trail, selectors, message):
    with pytest.raises(ClientError) as refused:
        trail.client("cloudtrail").put_event_selectors(TrailName="management-events", **selectors)
    assert refused.value.response["Error"] == {"Code": "InvalidEventSelectorsException", "Message": message}


COMMON = {"UnsupportedOperationException", "SerializationException", "InvalidTrailNameException", "InvalidParameterException", "ValidationException"}


def test_no_operation_answers_with_anything_but_its_own_errors(trail):
    model = boto3.session.Session().client("cloudtrail", region_name="us-east-1").meta.service_model
    cloudtrail = trail.client("cloudtrail", parameter_validation=False)
    for name in model.operation_names:
        modeled = {shape.metadata.get("error", {}).get("code", shape.name) for shape in model.operation_model(name).error_shapes}
        try:
            answer = cloudtrail._make_api_call(name, {})
            status, code = answer["ResponseMetadata"]["HTTPStatusCode"], None
        except ClientError as error:
            status, code = error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]
        assert status in (200, 400), f"{name} answered {status} {code}"
        assert code is None or code in modeled | COMMON or f"{code}Exception" in modeled, f"{name} answered {code}, not one of {sorted(modeled)}"


def test_a_key_is_shown_by_its_arn_and_encrypts_what_is_delivered(trail, aws):
    aws("s3", "mb", "s3://audit-key")
    kms, s3, cloudtrail = trail.client("kms"), trail.client("s3"), trail.client("cloudtrail")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName="alias/audit", TargetKeyId=key)
    for name in (key, key.rsplit("/")[-1], "alias/audit"):
        made = cloudtrail.create_trail(Name="keyed", S3BucketName="audit-key", KmsKeyId=name)
        assert made["KmsKeyId"] == key == cloudtrail.get_trail(Name="keyed")["Trail"]["KmsKeyId"]
        cloudtrail.delete_trail(Name="keyed")
    cloudtrail.create_trail(Name="keyed", S3BucketName="audit-key", KmsKeyId="alias/audit", EnableLogFileValidation=True)
    cloudtrail.start_logging(Name="keyed")
    trail.client("sqs").create_queue(QueueName="keyed")
    cloudtrail.stop_logging(Name="keyed")

    def encryption(bucket):
        keys = [item["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket) for item in page.get("Contents", [])]
        files = [s3.head_object(Bucket=bucket, Key=key) for key in keys]
        return {(file["ServerSideEncryption"], file.get("SSEKMSKeyId")) for file in files if file["ContentLength"]}

    assert eventually(lambda: encryption("audit-key"), 20, what="a log file") == {("aws:kms", key)}
    assert encryption(f"opentrail-logs-{ACCOUNT}") <= {("AES256", None)}
    cloudtrail.update_trail(Name="keyed", KmsKeyId="")
    assert "KmsKeyId" not in cloudtrail.get_trail(Name="keyed")["Trail"]
    cloudtrail.delete_trail(Name="keyed")
    kms.disable_key(KeyId=key.rsplit("/")[-1])
    for name, code in ((key, "KmsException"), ("alias/none", "InsufficientEncryptionPolicyException"), (key.replace("us-east-1", "eu-west-1"), "KmsKeyNotFoundException")):
        with pytest.raises(ClientError) as refused:
            cloudtrail.create_trail(Name="keyed", S3BucketName="audit-key", KmsKeyId=name)
        assert refused.value.response["Error"]["Code"] == code
