"""A newcomer starts it with nothing else installed and uses the AWS CLI as ever."""

import configparser
import json
import re
import stat

import pytest
from botocore.exceptions import ClientError

from harness.cli import Cli
from harness.opentrail import ACCOUNT
from harness.process import eventually
from harness.records import by_request, delivered, log_files, lookup, recorded

LOGS = f"opentrail-logs-{ACCOUNT}"


@pytest.fixture(scope="module")
def trail(house):
    return house(auth="verify", interval="2s").start()


@pytest.fixture(scope="module")
def aws(trail):
    return Cli(trail.url, trail.credentials_file)


def test_the_first_start_writes_credentials_that_only_the_owner_can_read(trail):
    mode = stat.S_IMODE(trail.credentials_file.stat().st_mode)
    assert mode == 0o600, oct(mode)
    parser = configparser.ConfigParser()
    parser.read(trail.credentials_file)
    assert re.fullmatch(r"AKIA[A-Z0-9]{16}", parser["default"]["aws_access_key_id"])
    assert len(parser["default"]["aws_secret_access_key"]) >= 40


def test_the_secret_key_is_never_said(trail):
    assert trail.key()[1] not in trail.process.said()


def test_health_and_metrics_answer(trail):
    assert trail.status("/_opentrail/health") == 200
    status, metrics = trail.get("/_opentrail/metrics")
    assert status == 200 and b"# TYPE" in metrics


def test_s3_make_copy_list_and_get_back(aws, tmp_path):
    page = tmp_path / "page.txt"
    page.write_bytes(b"hello, trail\n" * 1000)
    aws("s3", "mb", "s3://newcomer")
    aws("s3", "cp", page, "s3://newcomer/notes/page.txt")
    listing = aws("s3", "ls", "s3://newcomer/notes/").out.decode()
    assert "page.txt" in listing and str(page.stat().st_size) in listing
    assert aws("s3", "cp", "s3://newcomer/notes/page.txt", "-").out == page.read_bytes()
    assert "newcomer" in aws("s3", "ls").out.decode()


def test_a_large_file_goes_up_in_parts_and_comes_back_whole(aws, tmp_path):
    large = tmp_path / "large.bin"
    large.write_bytes(bytes(range(256)) * (20 * 1024 * 4))  # 20 MiB: above the CLI's multipart threshold
    aws("s3", "mb", "s3://newcomer-parts")
    aws("s3", "cp", large, "s3://newcomer-parts/large.bin")
    assert aws("s3", "cp", "s3://newcomer-parts/large.bin", "-").out == large.read_bytes()
    aws("s3", "rm", "s3://newcomer-parts/large.bin")
    aws("s3", "rb", "s3://newcomer-parts")


def test_the_default_trail_is_there_and_logs(aws):
    (trail,) = [trail for trail in aws("cloudtrail", "describe-trails").json["trailList"] if trail["Name"] == "management-events"]
    assert trail["S3BucketName"] == LOGS
    assert trail["IsMultiRegionTrail"] and trail["IncludeGlobalServiceEvents"] and trail["LogFileValidationEnabled"]
    assert trail["TrailARN"] == f"arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/management-events"
    assert aws("cloudtrail", "get-trail-status", "--name", "management-events").json["IsLogging"] is True


def test_a_trail_of_ones_own_logs_once_it_is_started(aws, trail):
    aws("s3", "mb", "s3://my-audit")
    made = aws("cloudtrail", "create-trail", "--name", "mine", "--s3-bucket-name", "my-audit", "--s3-key-prefix", "ct").json
    assert made == {
        "Name": "mine",
        "S3BucketName": "my-audit",
        "S3KeyPrefix": "ct",
        "IncludeGlobalServiceEvents": True,
        "IsMultiRegionTrail": False,
        "TrailARN": f"arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/mine",
        "LogFileValidationEnabled": False,
        "IsOrganizationTrail": False,
    }
    assert aws("cloudtrail", "get-trail-status", "--name", "mine").json["IsLogging"] is False
    aws("cloudtrail", "start-logging", "--name", "mine")
    assert aws("cloudtrail", "get-trail-status", "--name", made["TrailARN"]).json["IsLogging"] is True
    trail.client("s3").create_bucket(Bucket="seen-by-mine")
    s3 = trail.client("s3")

    def mine(records):
        return any(record["eventName"] == "CreateBucket" and record["requestParameters"]["bucketName"] == "seen-by-mine" for record in records)

    delivered(s3, "my-audit", mine, within=20, prefix="ct/")
    aws("cloudtrail", "stop-logging", "--name", "mine")
    assert aws("cloudtrail", "get-trail-status", "--name", "mine").json["IsLogging"] is False
    aws("cloudtrail", "delete-trail", "--name", "mine")
    assert aws.run("cloudtrail", "get-trail-status", "--name", "mine").code != 0


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["create-trail", "--name", "no-bucket", "--s3-bucket-name", "there-is-no-such-bucket"], "S3BucketDoesNotExistException"),
        (["create-trail", "--name", "x", "--s3-bucket-name", LOGS], "InvalidTrailNameException"),
        (["create-trail", "--name", "management-events", "--s3-bucket-name", LOGS], "TrailAlreadyExistsException"),
        (["start-logging", "--name", "unknown-trail"], "TrailNotFoundException"),
        (["get-trail", "--name", "arn:aws:cloudtrail:nonsense"], "CloudTrailARNInvalidException"),
    ],
)
def test_mistakes_get_the_modeled_error(aws, words, error):
    answer = aws.run("cloudtrail", *words)
    assert answer.code != 0 and error in answer.err, answer.err


def test_the_policy_of_a_bucket_holds_for_trails(trail):
    s3, cloudtrail = trail.client("s3"), trail.client("cloudtrail")
    s3.create_bucket(Bucket="guarded")
    service, objects = {"Service": "cloudtrail.amazonaws.com"}, f"arn:aws:s3:::guarded/team/AWSLogs/{ACCOUNT}/*"
    documented = [
        {"Effect": "Allow", "Principal": service, "Action": "s3:GetBucketAcl", "Resource": "arn:aws:s3:::guarded"},
        {"Effect": "Allow", "Principal": service, "Action": "s3:PutObject", "Resource": objects, "Condition": {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}}},
    ]
    refused = [
        ([*documented, {"Effect": "Deny", "Principal": service, "Action": "s3:*", "Resource": "arn:aws:s3:::guarded/*"}], "team"),
        (documented[:1], "team"),
        (documented, "other"),
    ]

    def guard(statements):
        s3.put_bucket_policy(Bucket="guarded", Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))

    for statements, prefix in refused:
        guard(statements)
        with pytest.raises(ClientError) as error:
            cloudtrail.create_trail(Name="guarded", S3BucketName="guarded", S3KeyPrefix=prefix)
        assert error.value.response["Error"]["Code"] == "InsufficientS3BucketPolicyException", (statements, prefix)
    guard(documented)
    cloudtrail.create_trail(Name="guarded", S3BucketName="guarded", S3KeyPrefix="team")
    # And later: what it forbids is not delivered, the trail says so, and what waited comes when it is permitted again.
    guard(documented[:1])
    cloudtrail.start_logging(Name="guarded")
    s3.create_bucket(Bucket="kept-from-guarded")
    eventually(lambda: cloudtrail.get_trail_status(Name="guarded").get("LatestDeliveryError") == "AccessDenied", 30, what="the refusal in the status")
    guard(documented)
    delivered(s3, "guarded", lambda records: any(record["eventName"] == "CreateBucket" for record in records), 60, prefix="team/")
    cloudtrail.delete_trail(Name="guarded")


def test_ones_own_calls_are_found_a_second_later(trail, aws):
    answer = trail.client("s3").create_bucket(Bucket="found-at-once")
    cloudtrail = trail.client("cloudtrail")
    record = recorded(cloudtrail, "CreateBucket", by_request(answer))
    assert record["eventSource"] == "s3.amazonaws.com"
    assert record["requestParameters"]["bucketName"] == "found-at-once"
    assert record["userIdentity"]["accessKeyId"] == trail.key()[0]
    assert record["userIdentity"]["accountId"] == ACCOUNT
    assert record["sourceIPAddress"] == "127.0.0.1"
    assert record["recipientAccountId"] == ACCOUNT
    assert record["readOnly"] is False
    events = aws("cloudtrail", "lookup-events", "--lookup-attributes", "AttributeKey=EventName,AttributeValue=CreateBucket").json["Events"]
    (event,) = [event for event in events if event["EventId"] == record["eventID"]]
    assert event["ReadOnly"] == "false" and event["AccessKeyId"] == trail.key()[0]


def test_failures_are_recorded_with_their_code(trail):
    s3 = trail.client("s3")
    with pytest.raises(s3.exceptions.ClientError) as failure:
        s3.get_bucket_policy(Bucket="there-is-no-such-bucket")
    assert failure.value.response["Error"]["Code"] == "NoSuchBucket"
    record = recorded(trail.client("cloudtrail"), "GetBucketPolicy", by_request(failure.value.response))
    assert record["errorCode"] == "NoSuchBucket" and record["errorMessage"]
    assert record["readOnly"] is True


def test_after_the_interval_the_same_events_lie_in_log_files(trail):
    s3, cloudtrail = trail.client("s3"), trail.client("cloudtrail")
    marks = [by_request(cloudtrail.list_trails()) for _ in range(5)]
    records = delivered(s3, LOGS, lambda records: all(any(mark(record) for record in records) for mark in marks), within=20)
    ids = [record["eventID"] for record in records]
    assert len(ids) == len(set(ids)), "an event was delivered twice"
    history = {event["EventId"] for event in lookup(cloudtrail)}
    assert set(ids) <= history, "delivered and not in the history"
    assert not [record for record in records if not record["managementEvent"]], "the default trail takes management events only"


def test_the_cli_lists_and_fetches_log_files(trail, aws, tmp_path):
    keys = list(log_files(trail.client("s3"), LOGS))
    assert keys
    listed = aws("s3", "ls", f"s3://{LOGS}/AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/", "--recursive").out.decode()
    assert all(key in listed for key in keys if "/us-east-1/" in key)
    aws("s3", "cp", f"s3://{LOGS}/{keys[0]}", tmp_path / "log.json.gz")
    assert (tmp_path / "log.json.gz").stat().st_size > 0


def test_the_trail_tells_when_it_delivered_last(trail):
    cloudtrail = trail.client("cloudtrail")

    def told():
        status = cloudtrail.get_trail_status(Name="management-events")
        return status if "LatestDeliveryTime" in status else None

    assert "LatestDeliveryError" not in eventually(told, 20, what="a delivery")


def test_everything_is_still_there_after_a_restart(trail):
    cloudtrail = trail.client("cloudtrail")
    before = {event["EventId"] for event in lookup(cloudtrail, "EventName", "CreateBucket")}
    key = trail.key()
    assert trail.stop() == 0
    trail.start()
    assert trail.key() == key, "a restart may not make new credentials"
    after = {event["EventId"] for event in lookup(trail.client("cloudtrail"), "EventName", "CreateBucket")}
    assert before <= after and "found-at-once" in [bucket["Name"] for bucket in trail.client("s3").list_buckets()["Buckets"]]
    # What was delivered before is not delivered again.
    mark = by_request(trail.client("cloudtrail").list_trails())
    records = delivered(trail.client("s3"), LOGS, lambda records: any(mark(record) for record in records), within=20)
    ids = [record["eventID"] for record in records]
    assert len(ids) == len(set(ids))


def test_a_bucket_that_was_deleted_with_its_trail_stays_deleted(house):
    here = house(auth="verify").start()
    here.client("cloudtrail").delete_trail(Name="management-events")
    assert here.stop() == 0, "what the trail was owed is delivered"
    here.start()
    s3 = here.client("s3")
    for found in s3.list_objects_v2(Bucket=LOGS).get("Contents", []):
        s3.delete_object(Bucket=LOGS, Key=found["Key"])
    s3.delete_bucket(Bucket=LOGS)
    assert here.stop() == 0
    here.start()
    assert here.client("s3").list_buckets()["Buckets"] == []
