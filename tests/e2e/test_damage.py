"""What the house does when its surroundings fail: files that are gone, descriptors that run out, a log that nobody reads."""

import os
import shutil
import socket
import subprocess
import time

import pytest
from botocore.exceptions import ClientError

from harness.opentrail import ACCOUNT, client
from harness.process import eventually
from harness.records import by_request, delivered, lookup, recorded

LOGS = f"opentrail-logs-{ACCOUNT}"


def refuses_to_start(trail):
    """Its one line, and that it ended with 1."""
    said_before = len(trail.process.said())
    trail.process.spawn()
    code = trail.process.child.wait(30)
    trail.process.child = None
    assert code == 1 and "panicked" not in trail.process.said()
    line = trail.process.said()[said_before:].strip().splitlines()[-1]
    assert line.startswith("opentrail: "), line
    return line


def segments(trail):
    return sorted((trail.data / "journal").glob("*.seg"))


def test_a_journal_that_lost_its_newest_segment_is_not_written_over(house, tmp_path):
    trail = house(interval="1s").start()
    cloudtrail, s3 = trail.client("cloudtrail"), trail.client("s3")
    before = by_request(cloudtrail.list_trails())
    delivered(s3, LOGS, lambda records: any(map(before, records)), 20)
    assert trail.stop() == 0
    for segment in segments(trail):
        segment.unlink()
    (trail.data / "journal" / f"{0:020}.seg").touch()
    line = refuses_to_start(trail)
    assert "newest segments are missing" in line and str(trail.data / "journal") in line
    # As it says: what is left is moved away, and a new journal begins where the trails stand.
    for segment in segments(trail):
        shutil.move(segment, tmp_path)
    trail.start()
    after = by_request(trail.client("cloudtrail").list_trails())
    delivered(trail.client("s3"), LOGS, lambda records: any(map(after, records)), 20)


@pytest.mark.parametrize("database", ["registry", "s3/index.sqlite"])
def test_a_house_without_its_database_is_not_taken_for_a_new_one(house, database):
    trail = house(interval="1s").start()
    trail.client("s3").put_object(Bucket=LOGS, Key="large", Body=b"x" * 100_000)
    assert trail.stop() == 0
    lost = trail.data / database
    kept = lost.read_bytes()
    for empty in (False, True):
        lost.unlink(missing_ok=True)
        if empty:
            lost.touch()
        assert str(lost) in refuses_to_start(trail)
    lost.write_bytes(kept)
    trail.start()
    assert trail.client("s3").get_object(Bucket=LOGS, Key="large")["ContentLength"] == 100_000


def test_history_that_cannot_be_read_is_no_short_history(house):
    trail = house(interval="1s").start()
    trail.client("cloudtrail").list_trails()
    assert trail.stop() == 0
    trail.start()
    recorded(trail.client("cloudtrail"), "ListTrails", by_request(trail.client("cloudtrail").list_trails()))
    assert trail.stop() == 0
    oldest = segments(trail)[0]
    damaged = bytearray(oldest.read_bytes())
    at = damaged.index(b"eventVersion")
    damaged[at] ^= 1
    oldest.write_bytes(damaged)
    trail.process.spawn()
    eventually(lambda: trail.status("/_opentrail/health"), 20)
    with pytest.raises(ClientError) as refused:
        lookup(client(trail.url, "cloudtrail"))
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] >= 500


def test_strangers_who_only_connect_take_no_descriptor_that_the_journal_needs(house):
    trail = house(interval="1h")
    trail.process.command = ["prlimit", "--nofile=200:200", *trail.process.command]
    trail.start()
    cloudtrail = trail.client("cloudtrail")
    cloudtrail.list_trails()
    idle = [socket.create_connection(("127.0.0.1", trail.port)) for _ in range(400)]
    time.sleep(0.5)
    # Each record has a segment's share: twenty of these fill one, so that new ones are begun meanwhile.
    policy = "x" * 90_000
    for number in range(40):
        with pytest.raises(ClientError):
            cloudtrail.put_resource_policy(ResourceArn=f"arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/none{number}", ResourcePolicy=policy)
    for connection in idle:
        connection.close()
    recorded(cloudtrail, "ListTrails", by_request(cloudtrail.list_trails()))
    assert trail.status("/_opentrail/health") == 200


def test_a_log_that_nobody_reads_any_more_stops_nothing(house):
    trail = house(interval="1s", env={"OPENTRAIL_LOG": "debug"})
    reader, writer = os.pipe()
    trail.process.child = subprocess.Popen(
        trail.process.command, stdin=subprocess.DEVNULL, stdout=writer, stderr=writer, env=trail.process.env, start_new_session=True
    )
    os.close(writer)
    os.close(reader)
    eventually(trail.ready, 30)
    cloudtrail, s3 = trail.client("cloudtrail"), trail.client("s3")
    s3.create_bucket(Bucket="unheard")
    cloudtrail.create_trail(Name="unheard", S3BucketName="unheard")
    cloudtrail.start_logging(Name="unheard")
    wanted = by_request(cloudtrail.list_trails())
    delivered(s3, "unheard", lambda records: any(map(wanted, records)), 20)
    assert trail.stop() == 0


def test_an_upstream_that_is_the_house_itself_is_refused(house):
    trail = house()
    trail.process.command += ["--upstream", trail.url]
    assert "is this OpenTrail itself" in refuses_to_start(trail)
