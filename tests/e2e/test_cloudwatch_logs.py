"""A trail's log group gets each event soon, as it is: through a group that dies, a process that dies, and a service that hangs."""

import collections
import json
import random
import threading
import time

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from harness.cli import Cli
from harness.opentrail import ACCOUNT, REGION, client
from harness.process import eventually
from harness.records import check_shape, log_files
from harness.upstream import Stage

STREAM = f"{ACCOUNT}_CloudTrail_{REGION}"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/CloudTrailToLogs"


class Group:
    """A log group at moto itself: what is done here is recorded nowhere."""

    def __init__(self, moto, name):
        self.logs, self.name = client(moto.url, "logs"), name
        self.arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}:*"
        self.create()

    def create(self):
        self.logs.create_log_group(logGroupName=self.name)

    def delete(self):
        self.logs.delete_log_group(logGroupName=self.name)

    def streams(self):
        return [stream["logStreamName"] for stream in self.logs.describe_log_streams(logGroupName=self.name)["logStreams"]]

    def events(self):
        """Everything in the trail's stream, in its order."""
        found, token = [], {}
        while True:
            try:
                page = self.logs.get_log_events(logGroupName=self.name, logStreamName=STREAM, startFromHead=True, limit=5000, **token)
            except self.logs.exceptions.ResourceNotFoundException:
                return found
            if not page["events"]:
                return found
            found += page["events"]
            token = {"nextToken": page["nextForwardToken"]}

    def records(self):
        return [json.loads(event["message"]) for event in self.events()]

    def queues(self):
        """The names of queues whose creation is in the group, in the order of the stream."""
        return [record["requestParameters"]["queueName"] for record in self.records() if record["eventName"] == "CreateQueue"]


@pytest.fixture(scope="module")
def trail(house, moto):
    return house(upstream=moto.url, interval="2s").start()


def make(trail, moto, group, **more):
    """A trail that logs into a bucket of its own and into a log group."""
    client(moto.url, "s3").create_bucket(Bucket=group.name)
    cloudtrail = trail.client("cloudtrail")
    made = cloudtrail.create_trail(Name=group.name, S3BucketName=group.name, CloudWatchLogsLogGroupArn=group.arn, CloudWatchLogsRoleArn=ROLE, **more)
    cloudtrail.start_logging(Name=group.name)
    return made


def status(trail, name):
    return trail.client("cloudtrail").get_trail_status(Name=name)


def create_queues(trail, names, region=REGION):
    sqs = trail.client("sqs", region=region)
    for name in names:
        sqs.create_queue(QueueName=name)
    return list(names)


def test_every_record_is_a_log_event_within_seconds(trail, moto):
    group = Group(moto, "audit-soon")
    made = make(trail, moto, group, IsMultiRegionTrail=True)
    assert (made["CloudWatchLogsLogGroupArn"], made["CloudWatchLogsRoleArn"]) == (group.arn, ROLE)
    assert group.streams() == [STREAM], "the stream is made when the trail is"
    began = time.time()
    wanted = create_queues(trail, [f"soon-{number}" for number in range(20)])
    wanted += create_queues(trail, ["soon-elsewhere"], region="eu-west-1")
    eventually(lambda: len(group.queues()) == len(wanted), 10, every=0.1, what="log events")
    took = time.time() - began
    assert group.queues() == wanted, "in the order of the calls, all Regions in one stream"
    assert group.streams() == [STREAM]
    for event in group.events():
        assert began - 1 < event["timestamp"] / 1000 < time.time() + 1, "the time of delivery"
        check_shape(json.loads(event["message"]))
    print(f"\n{len(wanted)} calls, the last in the log group after {took:.1f} s")
    # The same text as in the log file.
    s3 = client(moto.url, "s3")
    ids = {record["eventID"] for record in group.records()}
    eventually(lambda: ids <= {record["eventID"] for file in log_files(s3, group.name).values() for record in file}, 15, every=0.3, what="log files")
    by_id = {record["eventID"]: record for file in log_files(s3, group.name).values() for record in file}
    for event in group.events():
        record = json.loads(event["message"])
        if record["eventID"] in ids:
            assert json.dumps(by_id[record["eventID"]], separators=(",", ":"), ensure_ascii=False) == event["message"]
    shown = status(trail, group.name)
    assert "LatestCloudWatchLogsDeliveryError" not in shown and shown["LatestCloudWatchLogsDeliveryTime"].timestamp() > began
    health = json.loads(trail.get("/_opentrail/health")[1])
    assert [follower for follower in health["followers"] if follower["name"] == "logs/audit-soon"]
    assert 'opentrail_log_events_total{result="delivered"}' in trail.get("/_opentrail/metrics")[1].decode()
    trail.client("cloudtrail").delete_trail(Name=group.name)
    assert group.streams() == [STREAM], "the group is kept"


def test_selectors_choose_what_is_sent_and_a_group_that_is_added_gets_what_comes(trail, moto):
    group = Group(moto, "audit-added")
    client(moto.url, "s3").create_bucket(Bucket="audit-added")
    client(moto.url, "s3").create_bucket(Bucket="things")
    cloudtrail, s3 = trail.client("cloudtrail"), trail.client("s3")
    cloudtrail.create_trail(Name="audit-added", S3BucketName="audit-added")
    cloudtrail.put_event_selectors(TrailName="audit-added", AdvancedEventSelectors=[{"FieldSelectors": [
        {"Field": "eventCategory", "Equals": ["Data"]},
        {"Field": "resources.type", "Equals": ["AWS::S3::Object"]},
        {"Field": "resources.ARN", "StartsWith": ["arn:aws:s3:::things/in/"]},
    ]}])
    cloudtrail.start_logging(Name="audit-added")
    s3.put_object(Bucket="things", Key="in/before", Body=b"x")
    cloudtrail.update_trail(Name="audit-added", CloudWatchLogsLogGroupArn=group.arn, CloudWatchLogsRoleArn=ROLE)
    for key in ("in/a", "out/b", "in/c"):
        s3.put_object(Bucket="things", Key=key, Body=b"x")
    eventually(lambda: len(group.records()) == 2, 5, every=0.1, what="log events")
    assert [record["requestParameters"]["key"] for record in group.records()] == ["in/a", "in/c"]
    cloudtrail.update_trail(Name="audit-added", CloudWatchLogsRoleArn="")
    shown = cloudtrail.get_trail(Name="audit-added")["Trail"]
    assert "CloudWatchLogsLogGroupArn" not in shown and "CloudWatchLogsRoleArn" not in shown
    s3.put_object(Bucket="things", Key="in/d", Body=b"x")
    time.sleep(2)
    assert len(group.records()) == 2
    cloudtrail.delete_trail(Name="audit-added")


def test_a_group_that_dies_holds_up_no_log_file_and_gets_what_it_missed(trail, moto):
    group = Group(moto, "audit-frail")
    make(trail, moto, group)
    create_queues(trail, ["frail-0"])
    eventually(lambda: group.queues() == ["frail-0"], 5, every=0.1, what="the first event")
    group.delete()
    s3 = client(moto.url, "s3")
    files = len(log_files(s3, group.name))
    missed = create_queues(trail, [f"frail-{number}" for number in range(1, 6)])
    eventually(lambda: status(trail, group.name).get("LatestCloudWatchLogsDeliveryError") == "ResourceNotFoundException", 10, every=0.2, what="the error")
    eventually(lambda: len(log_files(s3, group.name)) > files, 10, every=0.3, what="a log file all the same")
    assert "LatestDeliveryError" not in status(trail, group.name)
    missed += create_queues(trail, ["frail-6"])
    group.create()
    eventually(lambda: len(group.queues()) >= 6, 30, every=0.3, what="what was missed")
    assert group.queues() == missed
    eventually(lambda: "LatestCloudWatchLogsDeliveryError" not in status(trail, group.name), 10, every=0.2, what="the error is gone")
    # The same again, and the process dies while the group is dead.
    group.delete()
    missed = create_queues(trail, [f"frail-late-{number}" for number in range(5)])
    eventually(lambda: "LatestCloudWatchLogsDeliveryError" in status(trail, group.name), 20, every=0.2, what="the error")
    trail.kill()
    group.create()
    trail.start()
    eventually(lambda: len(group.queues()) >= 5, 20, every=0.3, what="what was missed")
    assert group.queues() == missed
    trail.client("cloudtrail").delete_trail(Name=group.name)


def test_groups_and_roles_that_cannot_be_used_are_refused(trail, moto):
    client(moto.url, "s3").create_bucket(Bucket="audit-refused")
    aws = Cli(trail.url, trail.credentials_file)
    group = Group(moto, "audit-good")
    both, unknown = "You must specify a log group and a role ARN.", "CloudTrail cannot validate the specified log group ARN."
    for arn, role, code, message in [
        (group.arn, None, "InvalidCloudWatchLogsRoleArnException", both),
        (None, ROLE, "InvalidCloudWatchLogsLogGroupArnException", both),
        (group.name, ROLE, "InvalidCloudWatchLogsLogGroupArnException", unknown),
        (group.arn.removesuffix(":*"), ROLE, "InvalidCloudWatchLogsLogGroupArnException", unknown),
        (group.arn.replace(REGION, "eu-west-1"), ROLE, "InvalidCloudWatchLogsLogGroupArnException", unknown),
        (group.arn.replace("good", "missing"), ROLE, "InvalidCloudWatchLogsLogGroupArnException", unknown),
        (group.arn, "role", "InvalidCloudWatchLogsRoleArnException", "CloudTrail cannot validate the specified role ARN."),
    ]:
        words = ["cloudtrail", "create-trail", "--name", "refused", "--s3-bucket-name", "audit-refused"]
        words += ["--cloud-watch-logs-log-group-arn", arn] if arn else []
        words += ["--cloud-watch-logs-role-arn", role] if role else []
        answer = aws.run(*words)
        assert answer.code != 0 and code in answer.err and message in answer.err, (arn, role, answer.err)
    assert aws("cloudtrail", "describe-trails", "--trail-name-list", "refused").json["trailList"] == []


def test_without_an_upstream_for_logs_the_error_says_so(house):
    alone = house().start()
    alone.client("s3").create_bucket(Bucket="alone")
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:alone:*"
    with pytest.raises(ClientError) as refused:
        alone.client("cloudtrail").create_trail(Name="alone", S3BucketName="alone", CloudWatchLogsLogGroupArn=group, CloudWatchLogsRoleArn=ROLE)
    error = refused.value.response["Error"]
    assert error["Code"] == "UnsupportedOperationException" and "--upstream logs=URL" in error["Message"]


def test_a_service_that_hangs_delays_neither_log_files_nor_the_end(house, moto):
    def scene(wire, stage):
        while (seen := wire.request()) is not None:
            stage.saw(seen)
            if seen.header("x-amz-target").endswith(".PutLogEvents"):
                time.sleep(120)
            wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: 2\r\n\r\n{}")

    with Stage(scene) as logs:
        trail = house(upstream=moto.url, interval="1s", flags=["--upstream", f"logs={logs.url}"]).start()
        group = Group(moto, "audit-hangs")
        make(trail, moto, group)
        assert json.loads(logs.seen[0].body) == {"logGroupName": "audit-hangs", "logStreamName": STREAM}
        assert f"/{REGION}/logs/aws4_request" in logs.seen[0].header("authorization")
        s3 = client(moto.url, "s3")
        for number in range(3):
            files = len(log_files(s3, group.name))
            create_queues(trail, [f"hangs-{number}"])
            eventually(lambda: len(log_files(s3, group.name)) > files, 5, every=0.2, what="a log file in its time")
        assert "LatestCloudWatchLogsDeliveryError" not in status(trail, group.name)
        began = time.monotonic()
        assert trail.stop() == 0
        assert time.monotonic() - began < 15


ROUNDS = 10


@pytest.mark.timeout(240)
def test_every_answered_call_reaches_the_group_however_often_the_process_dies(house, moto):
    trail = house(upstream=moto.url, interval="1s").start()
    group = Group(moto, "audit-killed")
    make(trail, moto, group)
    answered, dice = [], random.Random(4780)

    def load(number):
        sqs = trail.client("sqs", connect_timeout=2, read_timeout=5)
        try:
            for count in range(1000):
                name = f"killed-{number}-{count}"
                sqs.create_queue(QueueName=name)
                answered.append(name)
        except (BotoCoreError, ClientError):
            pass  # the plug was pulled

    for number in range(ROUNDS):
        thread = threading.Thread(target=load, args=(number,))
        thread.start()
        time.sleep(dice.uniform(0.3, 2.5))
        trail.kill()
        thread.join()
        trail.start()
    eventually(lambda: not set(answered) - set(group.queues()), 30, every=0.5, what="every answered call in the log group")
    sent = collections.Counter(group.queues())
    doubled = sum(count - 1 for count in sent.values())
    print(f"\n{len(answered)} calls answered, {ROUNDS} kills, {doubled} log events sent twice")
    first = list(dict.fromkeys(name for name in group.queues() if name in set(answered)))
    assert first == answered, "in order"
