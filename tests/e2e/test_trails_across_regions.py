"""What suites written against other emulators ask of the trail API, where AWS answers the same: names, shadows, statuses, tags."""

import datetime

import pytest
from botocore.exceptions import ClientError

from harness.opentrail import ACCOUNT
from harness.process import eventually
from harness.records import log_files


@pytest.fixture(scope="module")
def trail(house):
    trail = house(interval="1s").start()
    trail.client("s3").create_bucket(Bucket="audit")
    return trail


@pytest.fixture
def cloudtrail(trail):
    """Clients by Region, with no trail anywhere at first."""

    def clear():
        for region in ("us-east-1", "eu-west-1", "eu-west-3"):
            client = trail.client("cloudtrail", region=region)
            for found in client.describe_trails(includeShadowTrails=False)["trailList"]:
                client.delete_trail(Name=found["TrailARN"])

    clear()
    yield lambda region="us-east-1": trail.client("cloudtrail", region=region)
    clear()


def arn(region, name):
    return f"arn:aws:cloudtrail:{region}:{ACCOUNT}:trail/{name}"


def names(answer):
    return [found["Name"] for found in answer]


def test_a_multi_region_trail_stands_in_every_region_and_others_only_at_home(cloudtrail):
    here, there, nowhere = cloudtrail("us-east-1"), cloudtrail("eu-west-1"), cloudtrail("eu-west-3")
    here.create_trail(Name="here-only", S3BucketName="audit")
    there.create_trail(Name="there-only", S3BucketName="audit")
    assert nowhere.list_trails()["Trails"] == []
    made = here.create_trail(Name="everywhere", S3BucketName="audit", S3KeyPrefix="all", IsMultiRegionTrail=True, EnableLogFileValidation=True)
    assert nowhere.list_trails()["Trails"] == [{"TrailARN": made["TrailARN"], "Name": "everywhere", "HomeRegion": "us-east-1"}]
    assert sorted(names(here.describe_trails()["trailList"])) == ["everywhere", "here-only"]
    assert sorted(names(here.describe_trails(includeShadowTrails=False)["trailList"])) == ["everywhere", "here-only"]
    assert sorted(names(there.describe_trails(includeShadowTrails=True)["trailList"])) == ["everywhere", "there-only"]
    assert names(there.describe_trails(includeShadowTrails=False)["trailList"]) == ["there-only"]
    (shadow,) = nowhere.describe_trails()["trailList"]
    assert (shadow["HomeRegion"], shadow["S3KeyPrefix"], shadow["IsMultiRegionTrail"], shadow["LogFileValidationEnabled"]) == ("us-east-1", "all", True, True)
    assert (shadow["HasCustomEventSelectors"], shadow["HasInsightSelectors"], shadow["IsOrganizationTrail"]) == (False, False, False)
    here.start_logging(Name="everywhere")
    assert nowhere.get_trail_status(Name=made["TrailARN"])["IsLogging"]
    with pytest.raises(ClientError) as refused:
        nowhere.stop_logging(Name=made["TrailARN"])
    assert refused.value.response["Error"]["Code"] == "InvalidHomeRegionException"


@pytest.mark.parametrize(
    ("operation", "echoed"),
    [
        ("get_trail", "unknown-trail"),
        ("get_trail_status", arn("eu-west-3", "unknown-trail")),
        ("start_logging", arn("eu-west-3", "unknown-trail")),
        ("stop_logging", arn("eu-west-3", "unknown-trail")),
        ("delete_trail", arn("eu-west-3", "unknown-trail")),
    ],
)
def test_an_unknown_trail_is_told_by_what_each_operation_echoes(cloudtrail, operation, echoed):
    with pytest.raises(ClientError) as refused:
        getattr(cloudtrail("eu-west-3"), operation)(Name="unknown-trail")
    error = refused.value.response["Error"]
    assert (error["Code"], error["Message"]) == ("TrailNotFoundException", f"Unknown trail: {echoed} for the user: {ACCOUNT}")


def test_a_status_tells_of_what_has_happened_and_of_nothing_else(cloudtrail):
    client = cloudtrail("eu-west-3")
    made = client.create_trail(Name="status", S3BucketName="audit")
    empty = ("LatestDeliveryAttemptTime", "LatestDeliveryAttemptSucceeded", "LatestNotificationAttemptTime", "LatestNotificationAttemptSucceeded", "TimeLoggingStarted", "TimeLoggingStopped")
    for name in ("status", made["TrailARN"]):
        status = client.get_trail_status(Name=name)
        assert status["IsLogging"] is False and "StartLoggingTime" not in status
        assert [status[member] for member in empty] == [""] * len(empty)
    client.start_logging(Name=made["TrailARN"])
    client.describe_trails()
    delivered = eventually(lambda: (now := client.get_trail_status(Name="status")).get("LatestDeliveryTime") and now, 30, what="a delivery")
    assert isinstance(delivered["LatestDeliveryTime"], datetime.datetime) and isinstance(delivered["StartLoggingTime"], datetime.datetime)
    assert delivered["LatestDeliveryAttemptTime"] and delivered["LatestDeliveryAttemptSucceeded"] and delivered["TimeLoggingStarted"]
    assert "StopLoggingTime" not in delivered and delivered["TimeLoggingStopped"] == ""
    client.stop_logging(Name=made["TrailARN"])
    stopped = client.get_trail_status(Name="status")
    assert stopped["IsLogging"] is False and stopped["TimeLoggingStopped"] and isinstance(stopped["StopLoggingTime"], datetime.datetime)


def test_selectors_come_back_as_they_were_given(cloudtrail):
    client = cloudtrail("eu-west-1")
    client.create_trail(Name="selectors", S3BucketName="audit")
    given = [{"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::*/*"]}]}]
    put = client.put_event_selectors(TrailName="selectors", EventSelectors=given)
    assert put["EventSelectors"] == given and "AdvancedEventSelectors" not in put
    read = client.get_event_selectors(TrailName="selectors")
    assert (read["TrailARN"], read["EventSelectors"]) == (arn("eu-west-1", "selectors"), given)


def test_every_object_of_every_bucket_is_what_a_star_for_both_selects(trail, cloudtrail):
    client, s3 = cloudtrail(), trail.client("s3")
    client.create_trail(Name="objects", S3BucketName="audit", S3KeyPrefix="objects")
    client.put_event_selectors(
        TrailName="objects",
        EventSelectors=[{"IncludeManagementEvents": False, "DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::*/*"]}]}],
    )
    client.start_logging(Name="objects")
    s3.create_bucket(Bucket="things")
    s3.put_object(Bucket="things", Key="a/b", Body=b"x")
    found = eventually(lambda: s3.list_objects_v2(Bucket="audit", Prefix="objects/AWSLogs/").get("KeyCount", 0) > 1, 30, what="a log file")
    assert found


def test_a_deleted_trail_has_what_came_before_and_nothing_that_comes_after(trail, cloudtrail):
    client, s3 = cloudtrail("eu-west-1"), trail.client("s3")
    s3.create_bucket(Bucket="deleted")
    client.create_trail(Name="deleted", S3BucketName="deleted")
    client.start_logging(Name="deleted")
    client.get_trail(Name="deleted")
    client.delete_trail(Name="deleted")
    client.list_public_keys()
    client.list_trails()

    def delivered():
        return {record["eventName"] for file in log_files(s3, "deleted").values() for record in file}

    eventually(lambda: "GetTrail" in delivered(), 30, what="the last log file")
    assert delivered() <= {"StartLogging", "GetTrail", "DeleteTrail"}


def test_a_trail_without_global_events_has_the_calls_to_regional_endpoints_of_sts(house):
    trail = house(interval="1s", auth="verify").start()  # whose callers have identities
    client, s3 = trail.client("cloudtrail"), trail.client("s3")
    s3.create_bucket(Bucket="regional")
    client.create_trail(Name="regional", S3BucketName="regional", IncludeGlobalServiceEvents=False)
    client.start_logging(Name="regional")
    for host in ("sts.amazonaws.com", "sts.us-east-1.amazonaws.com", None):
        sts = trail.client("sts")
        if host:
            sts.meta.events.register("before-sign.sts", lambda request, host=host, **_: request.headers.add_header("Host", host))
        sts.get_caller_identity()
    client.get_trail(Name="regional")

    def delivered(name):
        return [record for file in log_files(s3, "regional").values() for record in file if record["eventName"] == name]

    eventually(lambda: delivered("GetTrail"), 30, what="the log file")
    details = [record.get("additionalEventData", {}).get("RequestDetails", {}).get("endpointType") for record in delivered("GetCallerIdentity")]
    assert sorted(details, key=str) == [None, "regional"]


def test_tags_keep_their_order_and_lose_what_is_removed(cloudtrail):
    client = cloudtrail("eu-west-1")
    tags = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    tagged = client.create_trail(Name="tagged", S3BucketName="audit", TagsList=tags)["TrailARN"]
    plain = client.create_trail(Name="plain", S3BucketName="audit")["TrailARN"]
    shown = client.list_tags(ResourceIdList=[tagged, plain])["ResourceTagList"]
    assert shown == [{"ResourceId": tagged, "TagsList": tags}, {"ResourceId": plain, "TagsList": []}]
    client.add_tags(ResourceId=tagged, TagsList=[{"Key": "c", "Value": "3"}])
    client.remove_tags(ResourceId=tagged, TagsList=[tags[1]])
    assert client.list_tags(ResourceIdList=[tagged])["ResourceTagList"][0]["TagsList"] == [tags[0], {"Key": "c", "Value": "3"}]
