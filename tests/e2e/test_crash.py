"""Pulled plugs: whoever got an answer finds the call in the history and in the log files, once."""

import collections
import http.client
import random
import threading
import time

import pytest

from harness.opentrail import ACCOUNT, client
from harness.process import eventually
from harness.raw import cloudtrail_call, json_call
from harness.records import by_request, delivered, log_files, lookup, recorded, records_of

ROUNDS = 20
THREADS = 4
LOGS = f"opentrail-logs-{ACCOUNT}"


class Load:
    """Threads that call as fast as they can (up to a pace) and remember which calls were answered."""

    def __init__(self, port, name):
        self.port = port
        self.name = name
        self.answered = set()
        self.sent = 0
        self.threads = [threading.Thread(target=self._call, args=(number,)) for number in range(THREADS)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def join(self):
        for thread in self.threads:
            thread.join()

    def _call(self, number):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            for count in range(10_000):
                mark = f"{self.name}/{number}/{count}"
                headers, body = cloudtrail_call("GetTrailStatus", b'{"Name":"management-events"}', **{"User-Agent": mark})
                self.sent += 1
                connection.request("POST", "/", body, headers)
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 200
                self.answered.add(mark)
                time.sleep(0.004)
        except (OSError, http.client.HTTPException):
            pass  # the plug was pulled
        finally:
            connection.close()


def marks(records):
    return collections.Counter(record["userAgent"] for record in records if record["userAgent"].startswith("round-"))


@pytest.mark.timeout(300)
def test_every_answered_call_survives_kill_9_exactly_once(house):
    trail = house(interval="1s")
    dice = random.Random(4780)
    answered, per_round = set(), []
    for number in range(ROUNDS):
        trail.start()
        load = Load(trail.port, f"round-{number}")
        load.start()
        time.sleep(dice.uniform(0.1, 1.3))
        trail.kill()
        load.join()
        answered |= load.answered
        per_round.append((len(load.answered), load.sent))
    print(f"\nanswered/sent per round: {per_round}")
    assert sum(count > 0 for count, _ in per_round) >= ROUNDS * 3 // 4, "the plug was pulled before there was any load"

    trail.start()
    cloudtrail, s3 = trail.client("cloudtrail"), trail.client("s3")
    history = marks(records_of(lookup(cloudtrail, "EventName", "GetTrailStatus")))
    assert not answered - history.keys(), "answered and not in the history"
    assert set(history.values()) == {1}, "in the history more than once"

    def all_delivered(records):
        return not answered - marks(records).keys()

    records = delivered(s3, LOGS, all_delivered, within=30)
    files = marks(records)
    assert set(files.values()) == {1}, f"delivered more than once: {[mark for mark, count in files.items() if count > 1][:5]}"
    ids = [record["eventID"] for record in records]
    assert len(ids) == len(set(ids))
    assert files.keys() <= history.keys()


HELD_ROUNDS = 12


@pytest.mark.timeout(240)
def test_whoever_saw_a_head_finds_the_call_though_its_body_came_late(house):
    """A client takes a head without its body for an answer: so the head waits for the record, as the body does."""
    from harness.upstream import Stage

    def in_two_pieces(wire, stage):
        while wire.request() is not None:
            wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 2\r\n\r\n")
            time.sleep(0.02)
            wire.send(b"{}")

    answered, dice = set(), random.Random(4780)
    with Stage(in_two_pieces) as upstream:
        trail = house(upstream=f"dynamodb={upstream.url}", interval="1h")

        def call(number, thread):
            connection = http.client.HTTPConnection("127.0.0.1", trail.port, timeout=10)
            try:
                for count in range(10_000):
                    mark = f"round-{number}/{thread}/{count}"
                    headers, body = json_call("dynamodb", "DynamoDB_20120810.DescribeLimits", **{"User-Agent": mark})
                    connection.request("POST", "/", body, headers)
                    answer = connection.getresponse()
                    answered.add(mark)  # the head is enough
                    assert answer.read() == b"{}"
            except (OSError, http.client.HTTPException):
                pass  # the plug was pulled
            finally:
                connection.close()

        for number in range(HELD_ROUNDS):
            trail.start()
            threads = [threading.Thread(target=call, args=(number, thread)) for thread in range(THREADS)]
            for thread in threads:
                thread.start()
            time.sleep(dice.uniform(0.2, 0.8))
            trail.kill()
            for thread in threads:
                thread.join()
        trail.start()
    history = marks(records_of(lookup(trail.client("cloudtrail"), "EventName", "DescribeLimits")))
    print(f"\n{len(answered)} heads seen, {len(history)} calls recorded")
    assert len(answered) > HELD_ROUNDS * THREADS, "the plug was pulled before there was any load"
    assert not answered - history.keys(), "its head was seen, and it is not in the history"
    assert set(history.values()) == {1}, "in the history more than once"


def test_sigterm_delivers_what_is_still_open(house, moto):
    trail = house(upstream=moto.url, interval="1h").start()
    mark = by_request(trail.client("cloudtrail").list_trails())
    assert trail.stop() == 0
    records = [record for file in log_files(client(moto.url, "s3"), LOGS).values() for record in file]
    assert len([record for record in records if mark(record)]) == 1


def test_sigterm_lets_calls_in_flight_finish(house):
    from harness.upstream import Stage

    arrived = threading.Event()

    def slow(wire, stage):
        while (seen := wire.request()) is not None:
            stage.saw(seen)
            arrived.set()
            time.sleep(1.5)
            wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 2\r\nx-amzn-RequestId: slow-one\r\n\r\n{}")

    with Stage(slow) as upstream:
        trail = house(upstream=f"dynamodb={upstream.url}", interval="1h").start()
        answers = []
        calling = threading.Thread(target=lambda: answers.append(trail.client("dynamodb").describe_limits()))
        calling.start()
        assert arrived.wait(10)
        assert trail.stop() == 0
        calling.join(10)
        assert answers and answers[0]["ResponseMetadata"]["HTTPStatusCode"] == 200
    trail.start()
    recorded(trail.client("cloudtrail"), "DescribeLimits", lambda record: record.get("requestID") == "slow-one")


def test_a_torn_tail_is_repaired(house):
    """The last bytes that a power cut leaves half written cost nothing that was answered."""
    trail = house().start()
    mark = by_request(trail.client("cloudtrail").list_trails())
    trail.kill()
    segments = sorted((path for path in (trail.data / "journal").rglob("*") if path.is_file() and path.stat().st_size), key=lambda path: path.name)
    assert segments, "the journal keeps its segments in DATA/journal"
    with segments[-1].open("ab") as segment:
        segment.write(b"\x07half a frame\x00\xff" * 3)
    trail.start()
    recorded(trail.client("cloudtrail"), "ListTrails", mark)
    later = by_request(trail.client("cloudtrail").describe_trails())
    recorded(trail.client("cloudtrail"), "DescribeTrails", later)


@pytest.mark.parametrize("change", ["update_trail", "delete_trail", "delete_trail while its bucket is gone"])
def test_what_a_trail_took_before_it_was_changed_is_delivered_after_a_crash(house, change):
    trail = house(interval="20s").start()
    s3, here, there = trail.client("s3"), trail.client("cloudtrail"), trail.client("cloudtrail", region="eu-west-1")
    s3.create_bucket(Bucket="owed")
    here.create_trail(Name="owed", S3BucketName="owed", IsMultiRegionTrail=True, EnableLogFileValidation=True)
    here.start_logging(Name="owed")
    calls = [by_request(there.list_trails()) for _ in range(10)]
    recorded(there, "ListTrails", calls[-1])
    time.sleep(1)
    if change == "update_trail":
        here.update_trail(Name="owed", IsMultiRegionTrail=False)
    else:
        if "gone" in change:
            for key in [item["Key"] for item in s3.list_objects_v2(Bucket="owed").get("Contents", [])]:
                s3.delete_object(Bucket="owed", Key=key)
            s3.delete_bucket(Bucket="owed")
        here.delete_trail(Name="owed")
    if "gone" in change:
        time.sleep(2)
    trail.kill()
    trail.start()
    s3 = trail.client("s3")
    if "gone" in change:
        s3.create_bucket(Bucket="owed")

    def all_there(records):
        return [sum(map(call, records)) for call in calls] == [1] * len(calls)

    delivered(s3, "owed", all_there, 60)
    if change == "delete_trail":

        def digests():
            return [item["Key"] for item in s3.list_objects_v2(Bucket="owed")["Contents"] if "/CloudTrail-Digest/eu-west-1/" in item["Key"]]

        eventually(digests, 20, what="the last files are in a digest")
