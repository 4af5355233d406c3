"""What passes through is not changed: heads, bodies, framing, expectations, connections."""

import gzip
import hashlib
import http.client
import io
import time

import anyio
import httpx
import pytest

from harness.opentrail import client
from harness.raw import Talk, amz_date, authorization, head
from harness.records import recorded
from harness.upstream import Stage, answering

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nx-amz-request-id: REQ1\r\nX-Two: a\r\nX-Two: b\r\nContent-Length: 5\r\n\r\nhello"
HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade", "date"}


def s3_headers(**more):
    return {"Host": "bucket.s3.example.com", "Authorization": authorization("s3"), "X-Amz-Date": amz_date(), **more}


def end_to_end(headers):
    return sorted((name.lower(), value) for name, value in headers if name.lower() not in HOP_BY_HOP)


@pytest.fixture
def behind(house):
    """`behind(scene)`: an OpenTrail whose S3 is a stage, and that stage."""
    stages, trails = [], []

    def make(scene, **options):
        stage = Stage(scene)
        trail = house(upstream=f"s3={stage.url}", interval="1h", **options).start()
        stages.append(stage)
        trails.append(trail)
        stage.seen.clear()  # what the start itself asked for
        return trail, stage

    yield make
    for trail in trails:
        trail.kill()
    for stage in stages:
        assert not stage.errors
        stage.close()


def of(stage, target):
    return [seen for seen in stage.seen if seen.target == target]


def test_head_and_body_arrive_as_sent(behind):
    trail, stage = behind(answering(OK))
    target = "/a%20b/%C3%BC+~%2F..;x=1?uploads&q=%2520&empty=&z"
    headers = s3_headers(**{"X-MiXeD-CaSe": "  kept ", "X-Amz-Meta-Name": "J\xfcrgen", "User-Agent": "odd/1 (x; y)", "Content-Length": 11})
    with Talk(trail.port) as talk:
        talk.say(head("PUT", target, headers) + b"hello \0\xffyou")
        status, got, body = talk.response()
    (seen,) = of(stage, target)
    assert seen.method == "PUT" and seen.body == b"hello \0\xffyou"
    expected = [(name, str(value).strip()) for name, value in headers.items()]
    assert end_to_end(seen.headers) == end_to_end(expected), "headers were added, dropped or changed"
    assert (status, body) == (200, b"hello")
    assert end_to_end(got) == end_to_end([("Content-Type", "application/octet-stream"), ("x-amz-request-id", "REQ1"), ("X-Two", "a"), ("X-Two", "b"), ("Content-Length", "5")])


def test_a_connection_is_kept_and_so_is_the_one_behind_it(behind):
    connections = []

    def counting(wire, stage):
        connections.append(wire)
        answering(OK)(wire, stage)

    trail, stage = behind(counting)
    connections.clear()
    with Talk(trail.port) as talk:
        for number in range(20):
            talk.say(head("GET", f"/bucket/{number}", s3_headers()))
            assert talk.response()[2] == b"hello"
    assert len([seen for seen in stage.seen if seen.target.startswith("/bucket/")]) == 20
    assert len(connections) <= 2, f"{len(connections)} connections to the upstream for one client"


def test_connection_close_is_honoured(behind):
    trail, _ = behind(answering(OK))
    with Talk(trail.port) as talk:
        talk.say(head("GET", "/bucket/key", s3_headers(Connection="close")))
        assert talk.hear().endswith(b"hello")


def test_http_1_0_clients_are_served(behind):
    trail, _ = behind(answering(OK))
    with Talk(trail.port) as talk:
        talk.say(head("GET", "/bucket/key", s3_headers(), version="HTTP/1.0"))
        assert talk.hear().endswith(b"hello")


def test_chunks_arrive_as_chunks_and_the_bytes_are_the_same(behind):
    trail, stage = behind(answering(OK))
    # What an SDK sends: signed chunks with a trailing checksum, inside the chunks of HTTP.
    body = b"5;chunk-signature=" + b"0" * 64 + b"\r\nhello\r\n0;chunk-signature=" + b"1" * 64 + b"\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
    headers = s3_headers(**{
        "Transfer-Encoding": "chunked", "Content-Encoding": "aws-chunked", "X-Amz-Decoded-Content-Length": 5,
        "X-Amz-Trailer": "x-amz-checksum-crc32", "X-Amz-Content-Sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    })
    with Talk(trail.port) as talk:
        talk.say(head("PUT", "/bucket/chunked", headers))
        for part in (body[:30], body[30:]):
            talk.say(b"%x\r\n%s\r\n" % (len(part), part))
            time.sleep(0.05)
        talk.say(b"0\r\n\r\n")
        assert talk.response()[0] == 200
    (seen,) = of(stage, "/bucket/chunked")
    assert seen.body == body
    assert seen.header("transfer-encoding") == "chunked" and seen.header("content-length") is None
    assert end_to_end(seen.headers) == end_to_end((name, str(value)) for name, value in headers.items())


def test_a_body_is_streamed_not_gathered(behind):
    """The first bytes arrive before the last are sent, in both directions."""

    def echo_first(wire, stage):
        head_ = wire.head()
        if head_ is None or b"/bucket/streamed" not in head_:
            wire.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        wire.exactly(5)
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
        wire.exactly(5)
        wire.send(b"later")

    trail, _ = behind(echo_first)
    with Talk(trail.port, timeout=5) as talk:
        talk.say(head("PUT", "/bucket/streamed", s3_headers(**{"Content-Length": 10})) + b"12345")
        assert talk.until(b"first").endswith(b"first"), "the answer waits for the whole request"
        talk.say(b"67890")
        assert talk.until(b"later")


def test_100_continue_comes_from_the_upstream(behind):
    def polite(wire, stage):
        while (head_ := wire.head()) is not None:
            if b"/bucket/polite" in head_:
                wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
                assert wire.exactly(5) == b"hello"
            wire.send(OK)

    trail, _ = behind(polite)
    with Talk(trail.port, timeout=5) as talk:
        talk.say(head("PUT", "/bucket/polite", s3_headers(**{"Content-Length": 5, "Expect": "100-continue"})))
        assert talk.until(b"\r\n\r\n").startswith(b"HTTP/1.1 100")
        talk.say(b"hello")
        assert talk.response()[0] == 200


def test_a_refusal_comes_before_the_body_is_sent(behind):
    refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nContent-Length: 40\r\n\r\n<Error><Code>AccessDenied</Code></Error>"
    trail, _ = behind(lambda wire, stage: (wire.head(), wire.send(refusal)))
    with Talk(trail.port, timeout=5) as talk:
        talk.say(head("PUT", "/bucket/refused", s3_headers(**{"Content-Length": 5 << 20, "Expect": "100-continue"})))
        first = talk.until(b"\r\n\r\n")
        assert first.startswith(b"HTTP/1.1 403"), f"the client was told to send 5 MB for nothing: {first!r}"


def test_head_tells_the_length_of_what_it_does_not_send(behind):
    trail, _ = behind(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 12345\r\nETag: \"x\"\r\n\r\n"))
    with Talk(trail.port) as talk:
        for _ in range(2):
            talk.say(head("HEAD", "/bucket/key", s3_headers()))
            status, headers, _ = talk.response(to="HEAD")
            assert status == 200 and ("content-length", "12345") in [(name.lower(), value) for name, value in headers]


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body_do_not_confuse_the_next(behind, status):
    trail, _ = behind(answering(f"HTTP/1.1 {status} X\r\nETag: \"x\"\r\n\r\n".encode()))
    with Talk(trail.port) as talk:
        for _ in range(3):
            talk.say(head("GET", "/bucket/key", s3_headers(**{"If-None-Match": '"x"'})))
            assert talk.response()[0] == status


def test_what_is_compressed_stays_compressed(behind):
    packed = gzip.compress(b"packed " * 100)
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed
    trail, _ = behind(answering(answer))
    with Talk(trail.port) as talk:
        talk.say(head("GET", "/bucket/packed", s3_headers(**{"Accept-Encoding": "gzip"})))
        assert talk.response()[2] == packed


def test_an_answer_in_chunks_comes_in_chunks(behind):
    trail, _ = behind(answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n again\r\n0\r\n\r\n"))
    with Talk(trail.port) as talk:
        for _ in range(2):
            talk.say(head("GET", "/bucket/chunked", s3_headers()))
            assert talk.response()[2] == b"hello again"


def test_http_2_with_prior_knowledge(behind):
    trail, stage = behind(answering(OK))
    with httpx.Client(http1=False, http2=True) as http:
        for number in range(3):
            headers = {name: str(value) for name, value in s3_headers().items()}
            answer = http.put(f"{trail.url}/bucket/h2-{number}", headers=headers, content=b"over two")
            assert answer.http_version == "HTTP/2" and answer.status_code == 200 and answer.content == b"hello"
    (seen,) = of(stage, "/bucket/h2-1")
    assert seen.body == b"over two" and seen.header("host") == "bucket.s3.example.com"
    assert seen.header("authorization") and seen.header("x-amz-date")


def test_many_calls_at_once_over_one_http_2_connection(house, moto):
    trail = house(upstream=moto.url, interval="1h").start()
    body = "Action=ListUsers&Version=2010-05-08"
    headers = {"Authorization": authorization("iam"), "X-Amz-Date": amz_date(), "Content-Type": "application/x-www-form-urlencoded"}

    async def all_at_once():
        statuses = []

        async def one(http):
            statuses.append((await http.post(trail.url + "/", headers=headers, content=body, timeout=30)).status_code)

        async with httpx.AsyncClient(http1=False, http2=True) as http, anyio.create_task_group() as group:
            for _ in range(50):
                group.start_soon(one, http)
        return statuses

    assert anyio.run(all_at_once) == [200] * 50
    trail.kill()


# Deterministic calls: the same bytes, whether asked directly or through OpenTrail.
SAME = [
    ("dynamodb", lambda c: c.describe_table(TableName="same")),
    ("dynamodb", lambda c: c.get_item(TableName="same", Key={"id": {"S": "1"}})),
    ("dynamodb", lambda c: c.describe_table(TableName="other")),
    ("sqs", lambda c: c.list_queues()),
    ("iam", lambda c: c.get_user(UserName="same")),
    ("iam", lambda c: c.get_user(UserName="other")),
    ("ec2", lambda c: c.describe_regions()),
    ("lambda", lambda c: c.list_functions()),
    ("s3", lambda c: c.list_objects_v2(Bucket="same")),
    ("s3", lambda c: c.get_object(Bucket="same", Key="k")),
    ("s3", lambda c: c.get_object(Bucket="same", Key="k", Range="bytes=3-9")),
    ("s3", lambda c: c.get_object(Bucket="same", Key="k", IfNoneMatch='"none"')),
    ("s3", lambda c: c.head_object(Bucket="same", Key="k")),
    ("s3", lambda c: c.get_object(Bucket="same", Key="other")),
    ("s3", lambda c: c.list_objects_v2(Bucket="other")),
]


@pytest.fixture(scope="module")
def both(house, moto):
    """An OpenTrail and the same moto directly, with something in it."""
    s3, dynamodb = client(moto.url, "s3"), client(moto.url, "dynamodb")
    s3.create_bucket(Bucket="same")
    s3.put_object(Bucket="same", Key="k", Body=b"0123456789abcdef", Metadata={"colour": "blue"})
    dynamodb.create_table(TableName="same", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                          AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}])
    dynamodb.put_item(TableName="same", Item={"id": {"S": "1"}, "n": {"N": "7"}})
    client(moto.url, "iam").create_user(UserName="same")
    return house(upstream=moto.url, interval="1h").start(), moto


def prepared(service, call):
    """What boto3 would send for a call: method, target, headers, body."""
    caught = []

    def catch(request, **_):
        caught.append(request)
        raise InterruptedError

    aws = client("http://127.0.0.1:4780", service)
    aws.meta.events.register_last("before-send", catch)
    with pytest.raises(Exception):  # noqa: B017 - botocore wraps what we raise
        call(aws)
    request = caught[0]
    headers = {name: value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()}
    return request.method, request.url.split("127.0.0.1:4780", 1)[1], headers, request.body


@pytest.mark.parametrize(("service", "call"), SAME, ids=[f"{case[0]}-{index}" for index, case in enumerate(SAME)])
def test_answers_are_those_of_the_upstream_byte_for_byte(both, service, call):
    trail, moto = both
    method, target, headers, body = prepared(service, call)
    headers["Host"] = "127.0.0.1:4780"
    answers = []
    for port in (moto.port, trail.port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        answers.append((answer.status, end_to_end(answer.getheaders()), answer.read()))
        connection.close()
    directly, through = answers
    varying = {"x-amzn-requestid", "x-amz-request-id", "x-amz-id-2", "x-amz-crc32"}

    def steady(answer):
        return answer[0], [(name, "" if name in varying else value) for name, value in answer[1]]

    assert steady(through) == steady(directly)
    ids = {value for answer in answers for name, value in answer[1] if name in varying}
    bodies = [answer[2] for answer in answers]
    for request_id in ids:
        bodies = [content.replace(request_id.encode(), b"ID") for content in bodies]
    assert bodies[0] == bodies[1]


def test_presigned_urls_pass_and_are_recorded(both):
    trail, moto = both
    s3 = trail.client("s3", signature_version="s3v4")
    with httpx.Client() as http:
        url = s3.generate_presigned_url("get_object", Params={"Bucket": "same", "Key": "k"}, ExpiresIn=60)
        assert http.get(url).content == b"0123456789abcdef"
        url = s3.generate_presigned_url("get_bucket_versioning", Params={"Bucket": "same"}, ExpiresIn=60)
        assert http.get(url, headers={"User-Agent": "browser/1"}).status_code == 200
    record = recorded(trail.client("cloudtrail"), "GetBucketVersioning", lambda record: record["userAgent"].strip("[]") == "browser/1")
    assert record["userIdentity"]["accessKeyId"] == trail.key()[0]
    assert "X-Amz-Signature" not in (record["requestParameters"] or {}), "a signature is a credential"


def test_ranges_of_an_object_of_the_upstream(both):
    trail, _ = both
    answer = trail.client("s3").get_object(Bucket="same", Key="k", Range="bytes=3-9")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206 and answer["ContentRange"] == "bytes 3-9/16"
    assert answer["Body"].read() == b"3456789" and answer["Metadata"] == {"colour": "blue"}


def test_multipart_uploads_through_to_the_upstream(both):
    trail, moto = both
    content = hashlib.sha256(b"seed").digest() * (12 << 15)  # 12 MiB
    s3 = trail.client("s3")
    s3.upload_fileobj(io.BytesIO(content), "same", "parts")
    assert client(moto.url, "s3").get_object(Bucket="same", Key="parts")["Body"].read() == content
