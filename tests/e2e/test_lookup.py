"""LookupEvents: every attribute, every page, every mistake."""

import datetime
import json
import time

import pytest
from botocore.exceptions import ClientError

from harness.records import by_request, lookup, recorded, records_of


@pytest.fixture(scope="module")
def trail(house):
    trail = house(auth="verify", interval="1h").start()
    s3, cloudtrail = trail.client("s3"), trail.client("cloudtrail")
    s3.create_bucket(Bucket="lookup-one")
    s3.create_bucket(Bucket="lookup-two")
    cloudtrail.create_trail(Name="lookup-trail", S3BucketName="lookup-one")
    for _ in range(125):
        cloudtrail.get_trail(Name="lookup-trail")
    recorded(cloudtrail, "ListTrails", by_request(cloudtrail.list_trails()))
    return trail


@pytest.fixture(scope="module")
def cloudtrail(trail):
    return trail.client("cloudtrail", parameter_validation=False)


def test_by_event_name(cloudtrail):
    events = lookup(cloudtrail, "EventName", "CreateBucket")
    names = {record["requestParameters"]["bucketName"] for record in records_of(events)}
    assert {"lookup-one", "lookup-two"} <= names and {event["EventName"] for event in events} == {"CreateBucket"}


def test_by_event_id(cloudtrail):
    wanted = lookup(cloudtrail, "EventName", "CreateTrail")[0]["EventId"]
    (event,) = lookup(cloudtrail, "EventId", wanted)
    assert event["EventId"] == wanted and event["EventName"] == "CreateTrail"


@pytest.mark.parametrize("value", ["true", "false"])
def test_by_read_only(cloudtrail, value):
    events = lookup(cloudtrail, "ReadOnly", value)
    assert events and {event["ReadOnly"] for event in events} == {value}
    assert {record["readOnly"] for record in records_of(events)} == {value == "true"}


def test_by_username(cloudtrail):
    record = records_of(lookup(cloudtrail, "EventName", "CreateTrail"))[0]
    user = record["userIdentity"]["userName"]
    events = lookup(cloudtrail, "Username", user, MaxResults=50)
    assert len(events) > 125 and {event["Username"] for event in events} == {user}
    assert lookup(cloudtrail, "Username", "nobody-of-this-name") == []


def test_by_resource_type_and_name(cloudtrail):
    events = lookup(cloudtrail, "ResourceName", "lookup-two")
    assert [event["EventName"] for event in events] == ["CreateBucket"]
    assert {"ResourceType": "AWS::S3::Bucket", "ResourceName": "lookup-two"} in events[0]["Resources"]
    events = lookup(cloudtrail, "ResourceType", "AWS::S3::Bucket")
    assert {"lookup-one", "lookup-two"} <= {resource["ResourceName"] for event in events for resource in event["Resources"]}
    assert lookup(cloudtrail, "ResourceName", "lookup-three") == []


def test_by_event_source(cloudtrail):
    events = lookup(cloudtrail, "EventSource", "s3.amazonaws.com")
    assert events and {event["EventSource"] for event in events} == {"s3.amazonaws.com"}


def test_by_access_key(trail, cloudtrail):
    events = lookup(cloudtrail, "AccessKeyId", trail.key()[0])
    assert len(events) > 125 and {event["AccessKeyId"] for event in events} == {trail.key()[0]}
    assert lookup(cloudtrail, "AccessKeyId", "AKIAUNKNOWNUNKNOWN00") == []


def test_an_event_is_told_as_aws_tells_it(trail, cloudtrail):
    (event,) = lookup(cloudtrail, "EventName", "CreateTrail")
    record = json.loads(event["CloudTrailEvent"])
    assert event["EventId"] == record["eventID"]
    assert event["EventSource"] == record["eventSource"] == "cloudtrail.amazonaws.com"
    assert event["ReadOnly"] == "false"
    assert event["AccessKeyId"] == record["userIdentity"]["accessKeyId"] == trail.key()[0]
    assert event["EventTime"].astimezone(datetime.timezone.utc) == datetime.datetime.fromisoformat(record["eventTime"])
    assert record["requestParameters"]["name"] == "lookup-trail"
    assert record["requestParameters"]["s3BucketName"] == "lookup-one"
    assert record["responseElements"]["trailARN"].endswith(":trail/lookup-trail")


def test_newest_first(cloudtrail):
    times = [event["EventTime"] for event in lookup(cloudtrail)]
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize("size", [50, 7, 1], ids=lambda size: f"pages-of-{size}")
def test_pages_hold_every_event_once(cloudtrail, size):
    if size == 1:
        events = lookup(cloudtrail, "EventName", "CreateBucket", MaxResults=1)
        assert len({event["EventId"] for event in events}) == len(events) >= 2
        return
    events = lookup(cloudtrail, "EventName", "GetTrail", MaxResults=size)
    assert len(events) == 125 and len({event["EventId"] for event in events}) == 125


def test_the_first_page_holds_fifty_unless_told_otherwise(cloudtrail):
    attribute = [{"AttributeKey": "EventName", "AttributeValue": "GetTrail"}]
    page = cloudtrail.lookup_events(LookupAttributes=attribute)
    assert len(page["Events"]) == 50 and page["NextToken"]
    assert len(cloudtrail.lookup_events(LookupAttributes=attribute, MaxResults=3)["Events"]) == 3


def test_events_that_come_in_between_do_not_shift_a_page(trail, cloudtrail):
    attribute = [{"AttributeKey": "EventName", "AttributeValue": "DescribeTrails"}]
    for _ in range(6):
        last = cloudtrail.describe_trails()
    recorded(cloudtrail, "DescribeTrails", by_request(last))
    first = cloudtrail.lookup_events(LookupAttributes=attribute, MaxResults=3)
    recorded(cloudtrail, "DescribeTrails", by_request(cloudtrail.describe_trails()))
    second = cloudtrail.lookup_events(LookupAttributes=attribute, MaxResults=3, NextToken=first["NextToken"])
    ids = [event["EventId"] for event in first["Events"] + second["Events"]]
    assert len(set(ids)) == 6


def test_time_ranges_are_inclusive(cloudtrail):
    (event,) = lookup(cloudtrail, "EventName", "CreateTrail")
    at, second = event["EventTime"], datetime.timedelta(seconds=1)
    assert [found["EventId"] for found in lookup(cloudtrail, "EventName", "CreateTrail", StartTime=at, EndTime=at)] == [event["EventId"]]
    assert lookup(cloudtrail, "EventName", "CreateTrail", StartTime=at + second) == []
    assert lookup(cloudtrail, "EventName", "CreateTrail", EndTime=at - second) == []


def test_the_history_knows_management_events_only(trail, cloudtrail):
    s3 = trail.client("s3")
    s3.put_object(Bucket="lookup-one", Key="k", Body=b"v")
    recorded(cloudtrail, "ListTrails", by_request(cloudtrail.list_trails()))
    assert lookup(cloudtrail, "EventName", "PutObject") == []
    assert all(record["managementEvent"] for record in records_of(lookup(cloudtrail, "EventSource", "s3.amazonaws.com")))


def test_insights_are_a_history_of_their_own(cloudtrail):
    assert lookup(cloudtrail, EventCategory="insight") == []


NOW = datetime.datetime.now(datetime.timezone.utc)
ONE = {"AttributeKey": "EventName", "AttributeValue": "x"}
MISTAKES = [
    ("two attributes", {"LookupAttributes": [ONE, ONE]}, "InvalidLookupAttributesException"),
    ("an unknown attribute", {"LookupAttributes": [{"AttributeKey": "Colour", "AttributeValue": "x"}]}, "InvalidLookupAttributesException"),
    ("neither true nor false", {"LookupAttributes": [{"AttributeKey": "ReadOnly", "AttributeValue": "maybe"}]}, "InvalidLookupAttributesException"),
    ("an empty value", {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": ""}]}, "InvalidLookupAttributesException"),
    ("a value that is too long", {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "x" * 2001}]}, "InvalidLookupAttributesException"),
    ("underscores count twice", {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "_" * 1001}]}, "InvalidLookupAttributesException"),
    ("end before start", {"StartTime": NOW, "EndTime": NOW - datetime.timedelta(hours=1)}, "InvalidTimeRangeException"),
    ("no results at all", {"MaxResults": 0}, "InvalidMaxResultsException"),
    ("more than fifty", {"MaxResults": 51}, "InvalidMaxResultsException"),
    ("a token of our own making", {"NextToken": "bm9uc2Vuc2U="}, "InvalidNextTokenException"),
    ("a category that is none", {"EventCategory": "weather"}, "InvalidEventCategoryException"),
]


@pytest.mark.parametrize(("asked", "error"), [case[1:] for case in MISTAKES], ids=[case[0] for case in MISTAKES])
def test_mistakes(cloudtrail, asked, error):
    with pytest.raises(ClientError) as refused:
        cloudtrail.lookup_events(**asked)
    answer = refused.value.response
    assert answer["Error"]["Code"] == error and answer["Error"]["Message"]
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    record = recorded(cloudtrail, "LookupEvents", by_request(answer))
    assert record["errorCode"] == error


def test_a_token_belongs_to_its_question(cloudtrail):
    attribute = [{"AttributeKey": "EventName", "AttributeValue": "GetTrail"}]
    token = cloudtrail.lookup_events(LookupAttributes=attribute, MaxResults=3)["NextToken"]
    with pytest.raises(ClientError) as refused:
        cloudtrail.lookup_events(LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "CreateTrail"}], MaxResults=3, NextToken=token)
    assert refused.value.response["Error"]["Code"] == "InvalidNextTokenException"


def test_a_lookup_is_recorded_like_any_other_call(cloudtrail):
    at = datetime.datetime.fromtimestamp(int(time.time()), datetime.timezone.utc)
    record = recorded(cloudtrail, "LookupEvents", by_request(cloudtrail.lookup_events(MaxResults=5, EndTime=at)))
    assert record["eventSource"] == "cloudtrail.amazonaws.com" and record["readOnly"] is True
    assert record["requestParameters"]["maxResults"] == 5 and record["responseElements"] is None
