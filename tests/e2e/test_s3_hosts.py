"""Buckets in host names: the client puts the bucket before the endpoint's name, and the record says bucket and key all the same."""

import socket

import boto3
import pytest
from botocore.config import Config

from harness.opentrail import ANY_KEY, REGION
from harness.raw import Talk, amz_date, authorization, head
from harness.records import recorded
from harness.upstream import Stage


@pytest.fixture
def everywhere(monkeypatch):
    """Every name leads here, as a wildcard in the DNS would do."""
    real = socket.getaddrinfo

    def lead(host, *more, **named):
        name = host.decode() if isinstance(host, bytes) else host
        return real("127.0.0.1" if name and name.endswith((".test", ".localhost")) else host, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", lead)


def virtual(trail, host, keys=ANY_KEY):
    config = Config(s3={"addressing_style": "virtual"}, retries={"max_attempts": 1}, proxies={})
    return boto3.client(
        "s3", endpoint_url=f"http://{host}:{trail.port}", region_name=REGION, config=config,
        aws_access_key_id=keys[0], aws_secret_access_key=keys[1],
    )


def content(wire, stage):
    """A store that is content with whatever it is asked, and keeps what has a story."""
    while (asked := wire.head()) is not None:
        if b"X-Story" in asked:
            stage.saw(asked)
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def ask(talk, host, target):
    """The answer to a call of S3 with this host."""
    given = {"Host": host, "Authorization": authorization("s3"), "X-Amz-Date": amz_date(), "X-Story": "1"}
    talk.say(head("GET", target, given))
    return talk.response()


@pytest.mark.parametrize("host", ["s3.house.test", "s3.localhost", "localhost.test"])
@pytest.mark.parametrize("auth", ["trust", "verify"])
def test_a_bucket_before_the_name_of_the_store_is_a_bucket(house, everywhere, host, auth):
    trail = house(auth=auth, flags=["--s3-domain", "s3.house.test", "--s3-domain", "LOCALHOST.test"]).start()
    s3 = virtual(trail, host, trail.key())
    hosts = []
    s3.meta.events.register("before-send", lambda request, **_: hosts.append(request.url))
    s3.create_bucket(Bucket="orders")
    s3.put_object(Bucket="orders", Key="a/b c", Body=b"hello")
    assert s3.get_object(Bucket="orders", Key="a/b c")["Body"].read() == b"hello"
    assert [item["Key"] for item in s3.list_objects_v2(Bucket="orders")["Contents"]] == ["a/b c"]
    assert all(f"://orders.{host}:" in url for url in hosts), hosts
    cloudtrail = trail.client("cloudtrail")
    record = recorded(cloudtrail, "CreateBucket")
    assert record["requestParameters"]["bucketName"] == "orders"
    assert record["requestParameters"]["Host"] == f"orders.{host}:{trail.port}"
    s3.put_bucket_tagging(Bucket="orders", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    tagged = recorded(cloudtrail, "PutBucketTagging")
    assert tagged["requestParameters"]["bucketName"] == "orders"
    assert [name for name in tagged["requestParameters"] if name == "key"] == []


def test_an_upstreams_own_name_and_the_stated_ones_are_told_from_buckets(house, everywhere):
    """What AWS's names do for AWS: the host of a bucket is passed on as it is, and understood."""
    stage = Stage(content)
    trail = house(upstream=f"s3={stage.url}", interval="1h", flags=["--s3-domain", "s3.house.test,objects.test"]).start()
    try:
        with Talk(trail.port) as talk:
            for number, host in enumerate(["logs.s3.house.test", "a.logs.objects.test:9000"]):
                assert ask(talk, host, f"/?versioning&n={number}")[0] == 200
        seen = [asked.decode().split("\r\n")[:2] for asked in stage.seen]
        assert seen == [["GET /?versioning&n=0 HTTP/1.1", "Host: logs.s3.house.test"], ["GET /?versioning&n=1 HTTP/1.1", "Host: a.logs.objects.test:9000"]]
        for number, bucket in enumerate(["logs", "a.logs"]):
            where = lambda record: record["requestParameters"].get("n") == str(number)  # noqa: E731, B023
            record = recorded(trail.client("cloudtrail"), "GetBucketVersioning", where)
            assert record["requestParameters"]["bucketName"] == bucket
            assert record["resources"][-1]["ARN"] == f"arn:aws:s3:::{bucket}"
    finally:
        stage.close()


def test_a_bucket_that_only_the_record_would_read_from_the_host_reaches_no_store(house, everywhere):
    """Before a store that knows no name of AWS: it would act on the bucket in the path."""
    stage = Stage(content)
    trail = house(upstream=f"s3={stage.url}", interval="1h", flags=["--s3-own-hosts-only", "--s3-domain", "s3.house.test"]).start()

    own = ["s3.house.test", "127.0.0.1", "other.example.test", "s3.eu-west-1.amazonaws.com"]
    try:
        with Talk(trail.port) as talk:
            for host in ["other.s3.amazonaws.com", "other.s3.eu-west-1.amazonaws.com:9000", "other.localhost"]:
                for target in ["/secret/key", "/?versioning"]:
                    answer = ask(talk, host, target)
                    assert (answer[0], b"<Code>NoSuchBucket</Code>" in answer[-1]) == (404, True), answer
            assert stage.seen == []
            for host in own:
                assert ask(talk, host, "/secret?versioning")[0] == 200, host
        assert len(stage.seen) == len(own)
        for host, told in [("other.localhost", ("other", "NoSuchBucket")), *((host, ("secret", None)) for host in own)]:
            where = lambda record: record["requestParameters"]["Host"] == host  # noqa: E731, B023
            record = recorded(trail.client("cloudtrail"), "GetBucketVersioning", where)
            assert (record["requestParameters"]["bucketName"], record.get("errorCode")) == told
    finally:
        stage.close()
