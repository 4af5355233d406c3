"""Fifty pulled plugs over a bucket that refuses, hangs up and drags: nothing is lost, nothing is doubled, and the chain validates."""

import collections
import itertools
import random
import socket
import threading
import time

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from harness.digests import ARN, LOGS, digests, listed, validate
from harness.opentrail import client
from harness.process import eventually
from harness.records import log_files
from harness.upstream import Seen, Stage

KILLS = 50
BELOW_IN = {"FieldSelectors": [
    {"Field": "eventCategory", "Equals": ["Data"]},
    {"Field": "resources.type", "Equals": ["AWS::S3::Object"]},
    {"Field": "resources.ARN", "StartsWith": ["arn:aws:s3:::things/in/"]},
]}


class FaultyBucket:
    """An S3 endpoint before another one that does with two of three deliveries what S3 does on a bad day, each in its turn: a
    slow machine makes few deliveries."""

    def __init__(self, port):
        self.port = port
        self.turns = itertools.cycle(["refuse", "hang up", "none", "lose the answer", "drag", "none"])
        self.is_faulty = True
        self.faults = collections.Counter()
        self.stage = Stage(self.scene)
        self.url = self.stage.url

    def scene(self, wire, stage):
        head = wire.head()
        if head is None:
            return
        seen = Seen(head)
        if seen.header("expect"):
            wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        wire.body_of(seen)
        is_delivery = seen.method == "PUT" and "/AWSLogs/" in seen.target and not seen.target.endswith("/")
        fault = next(self.turns) if is_delivery and self.is_faulty else "none"
        self.faults[fault] += 1
        if fault == "refuse":
            wire.send(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 42\r\nConnection: close\r\n\r\n<Error><Code>SlowDown</Code></Error>      ")
        elif fault != "hang up":
            time.sleep(0.6 if fault == "drag" else 0)
            answer = self.forward(seen)
            if fault != "lose the answer":
                wire.send(answer)

    def forward(self, seen):
        kept = [(name, value) for name, value in seen.headers if name.lower() not in ("connection", "transfer-encoding", "content-length", "expect")]
        head = [f"{seen.method} {seen.target} HTTP/1.1", *(f"{name}: {value}" for name, value in kept), f"Content-Length: {len(seen.body)}", "Connection: close"]
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as moto:
            moto.sendall("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + seen.body)
            answer = b""
            while data := moto.recv(256 * 1024):
                answer += data
        return answer


class Load:
    """Threads that put objects of a name of their own until the plug is pulled, and remember which puts were answered."""

    def __init__(self, s3, name):
        self.answered = set()
        self.threads = [threading.Thread(target=self.put, args=(s3, f"{name}/{number}")) for number in range(2)]
        for thread in self.threads:
            thread.start()

    def put(self, s3, name):
        try:
            for count in range(1000):
                key = f"{'in' if count % 2 else 'out'}/{name}/{count}"
                s3.put_object(Bucket="things", Key=key, Body=b"x")
                self.answered.add(key)
        except (BotoCoreError, ClientError):
            pass  # the plug was pulled

    def join(self):
        for thread in self.threads:
            thread.join()
        return self.answered


@pytest.mark.timeout(290)
def test_fifty_kills_over_a_faulty_bucket_lose_nothing_double_nothing_and_leave_a_chain_that_validates(house, moto):
    bucket = FaultyBucket(moto.port)
    trail = house(upstream=moto.url, interval="1s", flags=["--upstream", f"s3={bucket.url}", "--digest-interval", "2s"]).start()
    s3, cloudtrail = client(moto.url, "s3"), trail.client("cloudtrail")
    for name in ("things", "logs-of-things"):
        s3.create_bucket(Bucket=name)
    cloudtrail.create_trail(Name="things", S3BucketName="logs-of-things")
    cloudtrail.put_event_selectors(TrailName="things", AdvancedEventSelectors=[BELOW_IN])
    cloudtrail.start_logging(Name="things")
    through, sqs = trail.client("s3", connect_timeout=2, read_timeout=5), trail.client("sqs")
    answered, dice = set(), random.Random(4780)
    for number in range(KILLS):
        load = Load(through, f"round-{number}")
        sqs.create_queue(QueueName=f"round-{number}")
        time.sleep(dice.uniform(0.1, 0.9))
        trail.kill()
        answered |= load.join()
        trail.start()
    bucket.is_faulty = False
    wanted = {key for key in answered if key.startswith("in/")}
    assert len(wanted) > KILLS and min(bucket.faults[fault] for fault in ("refuse", "hang up", "lose the answer", "drag")) > 0, bucket.faults

    def records(name):
        return [record for file in log_files(s3, name).values() for record in file]

    def keys():
        return collections.Counter(record["requestParameters"]["key"] for record in records("logs-of-things"))

    eventually(lambda: not wanted - set(keys()), 60, every=1, what="every answered call in a log file")
    trail.stop(timeout=60)
    found = keys()
    assert {key for key, count in found.items() if count > 1} == set(), "delivered twice"
    assert all(key.startswith("in/") for key in found)
    queues = collections.Counter(record["requestParameters"]["queueName"] for record in records(LOGS) if record["eventName"] == "CreateQueue")
    assert queues == collections.Counter(f"round-{number}" for number in range(KILLS))
    ids = collections.Counter(record["eventID"] for record in records(LOGS))
    assert max(ids.values()) == 1

    trail.start()
    names = listed(digests(s3))
    assert len(names) == len(set(names))
    answer = validate(trail, arn=ARN)
    assert answer.code == 0 and not answer.err and b"INVALID" not in answer.out, answer.err + answer.out.decode()[-3000:]
