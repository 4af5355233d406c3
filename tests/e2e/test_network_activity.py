"""Calls through a VPC endpoint: a trail that selects network activity gets a file of them, and the history does not."""

import time

import pytest

from harness.digests import digests, listed, validate, verified
from harness.opentrail import ACCOUNT, REGION
from harness.process import eventually
from harness.proxied import CALLER, ENDPOINT, through_endpoint
from harness.raw import Talk, head, json_call
from harness.records import log_files, lookup, recorded, records_of

BUCKET = "network-activity"
OTHER_ENDPOINT = "vpce-0aaaabbbbccccdddd"


@pytest.fixture(scope="module")
def behind(house, moto):
    return house(upstream=moto.url, interval="1s", flags=["--trusted-proxy", "127.0.0.1", "--digest-interval", "3s"]).start()


def network(source, *more):
    return {"FieldSelectors": [{"Field": "eventCategory", "Equals": ["NetworkActivity"]}, {"Field": "eventSource", "Equals": [source]}, *more]}


def through(trail, agent, service, target, body=b"{}", endpoint=ENDPOINT):
    """A call as it comes from the load balancer of an endpoint."""
    headers, body = json_call(service, target, body, **{"User-Agent": agent})
    with Talk(trail.port) as talk:
        talk.say(through_endpoint(b"\x01" + endpoint.encode()) + head("POST", "/", {"Host": "x", **headers, "Content-Length": len(body)}) + body)
        return talk.response()[0]


def test_network_activity_is_delivered_where_it_is_selected_and_found_nowhere_else(behind):
    cloudtrail, s3 = behind.client("cloudtrail"), behind.client("s3")
    assert through(behind, "early/1", "kms", "TrentService.ListKeys") == 200
    s3.create_bucket(Bucket=BUCKET)
    arn = cloudtrail.create_trail(Name="network", S3BucketName=BUCKET, EnableLogFileValidation=True)["TrailARN"]
    endpoint = {"Field": "vpcEndpointId", "NotEquals": [OTHER_ENDPOINT]}
    cloudtrail.put_event_selectors(TrailName="network", AdvancedEventSelectors=[network("kms.amazonaws.com", endpoint), network("sqs.amazonaws.com")])
    cloudtrail.start_logging(Name="network")
    assert through(behind, "wanted/1", "kms", "TrentService.ListKeys") == 200
    assert through(behind, "wanted/2", "kms", "TrentService.DescribeKey", b'{"KeyId":"00000000-0000-0000-0000-000000000000"}') == 400
    assert through(behind, "vetoed/1", "kms", "TrentService.ListKeys", endpoint=OTHER_ENDPOINT) == 200
    assert through(behind, "unselected/1", "dynamodb", "DynamoDB_20120810.ListTables") == 200
    behind.client("kms").list_keys()  # through no endpoint
    assert through(behind, "wanted/3", "sqs", "AmazonSQS.ListQueues", endpoint=OTHER_ENDPOINT) == 200

    def records():
        return [record for file in log_files(s3, BUCKET).values() for record in file]

    eventually(lambda: len(records()) >= 3, 15, every=0.3, what="log files")
    told = sorted((record["eventSource"], record["eventName"], record["vpcEndpointId"], record.get("errorCode")) for record in records())
    assert told == [
        ("kms.amazonaws.com", "DescribeKey", ENDPOINT, "NotFoundException"),
        ("kms.amazonaws.com", "ListKeys", ENDPOINT, None),
        ("sqs.amazonaws.com", "ListQueues", OTHER_ENDPOINT, None),
    ]
    assert {record["sourceIPAddress"] for record in records()} == {CALLER}
    folder = f"AWSLogs/{ACCOUNT}/CloudTrail-NetworkActivity/{REGION}/"
    assert all(key.startswith(folder) and f"/{ACCOUNT}_CloudTrail-NetworkActivity_{REGION}_" in key for key in log_files(s3, BUCKET))

    # The call itself is in the history, with its endpoint, and in the log files of management events.
    call = recorded(cloudtrail, "ListKeys", lambda record: record["userAgent"] == "wanted/1")
    assert (call["eventCategory"], call["vpcEndpointId"]) == ("Management", ENDPOINT)
    (activity,) = [record for record in records() if record["eventName"] == "ListKeys"]
    assert activity["requestID"] == call["requestID"] and activity["eventID"] != call["eventID"]
    assert activity["userIdentity"] == call["userIdentity"]
    history = records_of(lookup(cloudtrail))
    assert {record["eventCategory"] for record in history} == {"Management"}
    assert not {record["eventID"] for record in records()} & {record["eventID"] for record in history}

    # Digests list these files as they list others, and both verifiers read them.
    def all_listed():
        found = digests(s3, BUCKET, f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/{REGION}/", "network")
        return log_files(s3, BUCKET).keys() <= set(listed(found))

    eventually(all_listed, 15, every=0.5, what="a digest of the files")
    by_cli = validate(behind, arn=arn)
    said = by_cli.out.decode() + by_cli.err
    assert by_cli.code == 0 and "INVALID" not in said and f"/{folder}" in said, said
    assert verified(behind, arn)["valid"]
    key = next(iter(log_files(s3, BUCKET)))
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"something else", ContentEncoding="gzip", ContentType="application/json")
    changed = verified(behind, arn)
    assert not changed["valid"] and key in str(changed)


def test_nothing_more_is_recorded_when_nobody_selects_it_any_more(behind):
    cloudtrail = behind.client("cloudtrail")
    cloudtrail.delete_trail(Name="network")

    def recorded_so_far():
        metrics = behind.get("/_opentrail/metrics")[1].decode()
        return int(next(line.split()[-1] for line in metrics.splitlines() if line.startswith("opentrail_events_recorded_total")))

    time.sleep(0.3)
    before = recorded_so_far()
    assert through(behind, "late/1", "kms", "TrentService.ListKeys") == 200
    eventually(lambda: recorded_so_far() > before, 5, what="the record of the call")
    assert recorded_so_far() == before + 1, "the call, and nothing beside it"
