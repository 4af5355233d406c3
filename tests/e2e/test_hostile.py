"""Whatever comes in: no panic, no hang, no growth, and the next caller is served."""

import resource
import time

import pytest
from botocore.exceptions import ClientError

from harness.raw import Talk, amz_date, authorization, cloudtrail_call, head, json_call
from harness.records import recorded
from harness.upstream import Moto, Stage, answering


@pytest.fixture(scope="module")
def trail(house, moto):
    return house(upstream=moto.url).start()


@pytest.fixture(autouse=True)
def the_next_caller_is_served(trail):
    yield
    assert trail.process.alive()
    assert trail.ready()
    assert trail.client("cloudtrail").describe_trails()["trailList"]


def signed(service, **more):
    return {"Host": "127.0.0.1", "Authorization": authorization(service), "X-Amz-Date": amz_date(), **more}


HOST = "Host: 127.0.0.1\r\n"
BROKEN = {
    "garbage": b"\x00\xff\xfe\x16\x03\x01 garbage \r\n\r\n\r\n",
    "a TLS hello": bytes.fromhex("1603010200010001fc0303") + b"\x11" * 400,
    "an unknown version": b"GET / HTTP/9.9\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "only line ends": b"\r\n" * 5000,
    "a head of a megabyte": f"GET / HTTP/1.1\r\n{HOST}X-Long: {'x' * (1 << 20)}\r\n\r\n".encode(),
    "a hundred thousand headers": f"GET / HTTP/1.1\r\n{HOST}{'X-A: b' + chr(13) + chr(10)}".encode() + b"X-A: b\r\n" * 100_000 + b"\r\n",
    "a target of a megabyte": f"GET /{'a' * (1 << 20)} HTTP/1.1\r\n{HOST}\r\n".encode(),
    "a negative length": f"POST / HTTP/1.1\r\n{HOST}Content-Length: -5\r\n\r\n".encode(),
    "a length beyond numbers": f"POST / HTTP/1.1\r\n{HOST}Content-Length: 99999999999999999999999999\r\n\r\nx".encode(),
    "two lengths": f"POST / HTTP/1.1\r\n{HOST}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!".encode(),
    "a length and chunks": f"POST / HTTP/1.1\r\n{HOST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode(),
    "a chunk size that is none": f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n".encode(),
    "a chunk size beyond numbers": f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n{'f' * 40}\r\nhello\r\n".encode(),
    "a space before the colon": f"GET / HTTP/1.1\r\n{HOST}Content-Length : 0\r\n\r\n".encode(),
    "a null in a header": f"GET / HTTP/1.1\r\n{HOST}X-A: a\0b\r\n\r\n".encode(),
    "a head that is cut off": f"GET / HTTP/1.1\r\n{HOST}X-A: ".encode(),
    "an HTTP/2 preface and no more": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "an HTTP/2 preface and garbage": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 4096,
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_what_is_not_http_is_turned_away(trail, data):
    with Talk(trail.port) as talk:
        talk.say(data)
        talk.finish()
        heard = talk.hear()
    assert heard is not None, "it neither answered nor hung up"
    if heard.startswith(b"HTTP/1"):
        assert heard.split(b" ")[1][:1] in (b"4", b"5"), heard[:200]


ODD = {
    "an authorization that is only words": ("GET", "/", {"Host": "x", "Authorization": "AWS4-HMAC-SHA256 nothing of use"}, b""),
    "an authorization of half a megabyte": ("GET", "/", {"Host": "x", "Authorization": "AWS4-HMAC-SHA256 Credential=" + "a/" * 30_000}, b""),
    "a scope of slashes": ("GET", "/", {"Host": "x", "Authorization": "AWS4-HMAC-SHA256 Credential=/////, SignedHeaders=;, Signature="}, b""),
    "bytes that are no text": ("GET", "/", {"Host": "x", "Authorization": "AWS4-HMAC-SHA256 \xff\xfe", "User-Agent": "\xff\xfe"}, b""),
    "percent signs that mean nothing": ("GET", "/%zz/%/%0?%=%&=&&&%zz", signed("s3"), b""),
    "paths that climb": ("GET", "/../../../../etc/passwd", signed("s3"), b""),
    "encoded paths that climb": ("PUT", "/bucket/%2e%2e/%2e%2e/%2e%2e/x", signed("s3", **{"Content-Length": 1}), b"x"),
    "an unknown service": ("POST", "/", signed("no-such-service", **{"Content-Length": 2}), b"{}"),
    "an unknown target": ("POST", "/", signed("dynamodb", **{"X-Amz-Target": "DynamoDB_20120810.NoSuchThing", "Content-Length": 2}), b"{}"),
    "an unknown action": ("POST", "/", signed("iam", **{"Content-Type": "application/x-www-form-urlencoded", "Content-Length": 33}), b"Action=NoSuchThing&Version=2010-05"),
    "an unknown operation of our own": ("POST", "/", signed("cloudtrail", **{"X-Amz-Target": "CloudTrail_20131101.NoSuchThing", "Content-Length": 2}), b"{}"),
    "a form where JSON belongs": ("POST", "/", signed("cloudtrail", **{"X-Amz-Target": "CloudTrail_20131101.GetTrail", "Content-Type": "text/html", "Content-Length": 8}), b"Name=abc"),
    "JSON where a form belongs": ("POST", "/", signed("iam", **{"Content-Type": "application/json", "Content-Length": 17}), b'{"Action":"Get1"}'),
    "JSON cut off": ("POST", "/", signed("cloudtrail", **{"X-Amz-Target": "CloudTrail_20131101.GetTrail", "Content-Length": 9}), b'{"Name":"'),
    "JSON of another shape": ("POST", "/", signed("cloudtrail", **{"X-Amz-Target": "CloudTrail_20131101.LookupEvents", "Content-Length": 41}), b'{"LookupAttributes":"x","MaxResults":"50"'),
    "numbers beyond numbers": ("POST", "/", signed("cloudtrail", **{"X-Amz-Target": "CloudTrail_20131101.LookupEvents", "Content-Length": 38}), b'{"StartTime":1e999,"MaxResults":1e999}'),
}


@pytest.mark.parametrize(("method", "target", "headers", "body"), ODD.values(), ids=ODD)
def test_odd_calls_get_an_answer(trail, method, target, headers, body):
    headers = {**headers, "Connection": "close"}
    if body:
        headers["Content-Length"] = len(body)
    with Talk(trail.port) as talk:
        talk.say(head(method, target, headers) + body)
        heard = talk.hear()
    assert heard and heard.startswith(b"HTTP/1.1 "), "no answer"
    assert b"root:" not in heard


def post(trail, headers, body, timeout=20):
    with Talk(trail.port, timeout) as talk:
        talk.say(head("POST", "/", {"Host": "x", **headers, "Content-Length": len(body), "Connection": "close"}) + body)
        return talk.hear()


DEEP = {
    "JSON nested a hundred thousand deep": cloudtrail_call("GetTrail", b'{"Name":' + b"[" * 100_000),
    "JSON for an upstream, nested deep": json_call("dynamodb", "DynamoDB_20120810.GetItem", b'{"TableName":"t","Key":' + b'{"M":' * 50_000),
    "a form of a hundred thousand fields": ({"Authorization": authorization("iam"), "X-Amz-Date": amz_date(), "Content-Type": "application/x-www-form-urlencoded"},
                                            b"Action=ListUsers&Version=2010-05-08" + b"&a.member.1.b=c" * 100_000),
    "lists with great indices": ({"Authorization": authorization("ec2"), "X-Amz-Date": amz_date(), "Content-Type": "application/x-www-form-urlencoded"},
                                 b"Action=DescribeInstances&Version=2016-11-15&InstanceId.4294967295=i-1&InstanceId.99999999999999999999=i-2"),
    "a body of 20 MB for a local service": cloudtrail_call("GetTrail", b'{"Name":"' + b"x" * (20 << 20) + b'"}'),
}


@pytest.mark.parametrize("call", DEEP.values(), ids=DEEP)
def test_deep_and_wide_bodies_are_survived(trail, call):
    headers, body = call
    heard = post(trail, headers, body)
    assert heard is None or heard == b"" or heard.startswith(b"HTTP/1.1 "), heard[:100]
    assert heard is not None, "it hung"


def test_xml_that_grows_does_not_grow_here(trail):
    lols = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "lol">{lols}]><Delete><Object><Key>&l11;</Key></Object></Delete>'.encode()
    before = trail.memory()
    with Talk(trail.port) as talk:
        talk.say(head("POST", "/some-bucket?delete", signed("s3", **{"Content-Length": len(bomb), "Connection": "close"})) + bomb)
        assert talk.hear()
    assert trail.memory() < before + 100


def test_a_body_that_is_cut_off_is_no_call(trail):
    headers, body = cloudtrail_call("GetTrail", b'{"Name":"x"}', **{"User-Agent": "cut-off/1"})
    with Talk(trail.port) as talk:
        talk.say(head("POST", "/", {"Host": "x", **headers, "Content-Length": 1000}) + body)
        talk.finish()
        heard = talk.hear()
    assert heard is not None and not heard.startswith(b"HTTP/1.1 2")


def test_an_upload_that_is_cut_off_leaves_no_object(trail, moto):
    s3 = trail.client("s3")
    s3.create_bucket(Bucket="cut-off")
    with Talk(trail.port) as talk:
        talk.say(head("PUT", "/cut-off/half", signed("s3", **{"Content-Length": 1 << 20})) + b"x" * 1000)
        talk.close()
    time.sleep(0.3)
    assert "Contents" not in s3.list_objects_v2(Bucket="cut-off")


def test_slow_clients_do_not_slow_others(trail):
    """Two hundred clients that say one byte at a time."""
    slow = [Talk(trail.port) for _ in range(200)]
    try:
        request = head("POST", "/", {"Host": "x", **cloudtrail_call("GetTrail")[0], "Content-Length": 2})
        for index in range(8):
            for talk in slow:
                talk.say(request[index : index + 1])
            started = time.monotonic()
            trail.client("cloudtrail").get_trail_status(Name="management-events")
            assert time.monotonic() - started < 2
    finally:
        for talk in slow:
            talk.close()


def test_many_connections_are_held_at_little_cost(trail):
    wanted = 1500
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    if min(hard, 8192) < wanted + 200:
        wanted = min(hard, 8192) - 400
    before = trail.memory()
    idle = []
    try:
        for _ in range(wanted):
            idle.append(Talk(trail.port))
        started = time.monotonic()
        trail.client("cloudtrail").get_trail_status(Name="management-events")
        assert time.monotonic() - started < 2
        grown = trail.memory() - before
        print(f"\n{wanted} idle connections: {grown * 1024 / wanted:.1f} KiB each")
        assert grown * 1024 / wanted < 64, f"{grown:.0f} MiB for {wanted} connections"
    finally:
        for talk in idle:
            talk.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_memory_stays_where_it_was(trail):
    """The same abuse again and again costs nothing more."""

    def abuse():
        for data in BROKEN.values():
            with Talk(trail.port, timeout=10) as talk:
                talk.say(data)
                talk.finish()
                talk.hear()
        for headers, body in DEEP.values():
            post(trail, headers, body)

    abuse()
    settled = trail.memory()
    for _ in range(3):
        abuse()
    grown = trail.memory() - settled
    print(f"\nresident {settled:.0f} MiB, grown by {grown:.1f} MiB")
    assert grown < 40


def test_unknown_operations_are_passed_on_and_their_errors_come_back(trail):
    heard = post(trail, *json_call("dynamodb", "DynamoDB_20120810.NoSuchThing"))
    assert heard.split(b" ")[1] in (b"400", b"404", b"500", b"501"), heard[:200]
    heard = post(trail, *cloudtrail_call("NoSuchThing"))
    assert heard.split(b" ")[1] == b"400" and b"__type" in heard, heard[:300]


STRANGE = {
    "an error page": b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/html\r\nContent-Length: 11\r\nX-Odd: 1\r\n\r\n<html>\xff</x>",
    "too many requests": b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
    "a status of no name": b"HTTP/1.1 599 \r\nContent-Length: 2\r\n\r\nno",
    "an empty success": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("answer", STRANGE.values(), ids=STRANGE)
def test_strange_answers_come_through_unchanged(house, answer):
    with Stage(answering(answer)) as upstream:
        trail = house(upstream=f"dynamodb={upstream.url}").start()
        headers, body = json_call("dynamodb", "DynamoDB_20120810.DescribeLimits")
        with Talk(trail.port) as talk:
            talk.say(head("POST", "/", {"Host": "x", **headers, "Content-Length": len(body)}) + body)
            status, got, content = talk.response()
        sent_head, sent_body = answer.split(b"\r\n\r\n", 1)
        assert status == int(sent_head.split(b" ")[1]) and content == sent_body
        for line in sent_head.decode().split("\r\n")[1:]:
            name, value = line.split(": ", 1)
            assert (name.lower(), value) in [(name.lower(), value) for name, value in got]
        record = recorded(trail.client("cloudtrail"), "DescribeLimits")
        assert ("errorCode" in record) == (status >= 400)
        trail.kill()


def test_an_answer_that_breaks_off_breaks_off_here_too(house):
    with Stage(lambda wire, stage: (wire.request(), wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 10))) as upstream:
        trail = house(upstream=f"s3={upstream.url}").start()
        with Talk(trail.port) as talk:
            talk.say(head("GET", "/bucket/key", signed("s3")))
            heard = talk.hear()
        assert heard.endswith(b"x" * 10) and b"1000" in heard, "the client must see that something is missing"
        trail.kill()


PROTOCOLS = [
    ("json", "dynamodb", lambda c: c.describe_limits(), "DescribeLimits"),
    ("query", "iam", lambda c: c.list_users(), "ListUsers"),
    ("ec2", "ec2", lambda c: c.describe_vpcs(), "DescribeVpcs"),
    ("rest-xml", "s3", lambda c: c.get_bucket_versioning(Bucket="b"), "GetBucketVersioning"),
    ("rest-json", "lambda", lambda c: c.list_functions(), "ListFunctions20150331"),
]


def test_an_upstream_that_is_gone_is_told_in_the_protocol_of_the_call_and_recorded(house, tmp_path):
    moto = Moto(tmp_path).start()
    trail = house(upstream=moto.url).start()
    moto.process.kill()
    for protocol, service, call, name in PROTOCOLS:
        started = time.monotonic()
        with pytest.raises(ClientError) as failure:
            call(trail.client(service))
        answer = failure.value.response
        assert time.monotonic() - started < 10, protocol
        assert answer["ResponseMetadata"]["HTTPStatusCode"] in (502, 503), (protocol, answer)
        code = answer["Error"]["Code"]
        assert code and not code.isdigit() and answer["Error"]["Message"], f"{protocol}: the client could not read the error: {answer}"
        record = recorded(trail.client("cloudtrail"), name)
        assert record["errorCode"] and record["eventSource"].startswith(service), (protocol, record)
    # A service that speaks several is told in the one that it was asked in.
    with Talk(trail.port) as talk:
        form = "Action=ListQueues&Version=2012-11-05"
        talk.say(head("POST", "/", {**signed("sqs"), "Content-Type": "application/x-www-form-urlencoded", "Content-Length": len(form), "Connection": "close"}) + form.encode())
        assert b"<ErrorResponse" in talk.hear()
    assert trail.ready() or trail.process.alive()
    trail.kill()


def test_an_upstream_that_is_away_at_the_start_is_no_reason_not_to_start(house, tmp_path):
    moto = Moto(tmp_path)
    trail = house(upstream=moto.url, interval="1s")
    trail.start()
    with pytest.raises(ClientError):
        trail.client("iam").list_users()
    moto.start()
    assert trail.client("iam").list_users()["Users"] == []
    recorded(trail.client("cloudtrail"), "ListUsers", lambda record: "errorCode" not in record)
    trail.kill()
    moto.process.kill()
