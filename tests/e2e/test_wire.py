"""Byte for byte: each conversation is held with the upstream directly and through OpenTrail, and must be the same at both ends."""

import socket
import struct
import threading
import time

import pytest

from harness.process import eventually
from harness.raw import Talk, amz_date, authorization, head
from harness.records import recorded
from harness.upstream import Stage

NOW = amz_date()
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def ask(method, target, body=b"", version="HTTP/1.1", **headers):
    """A request that says it belongs to a story: OpenTrail's own calls to its upstream do not."""
    given = {"Host": "s3.example.com", "Authorization": authorization("s3"), "X-Amz-Date": NOW, "X-Story": "1"}
    return head(method, target, given | headers, version) + body


def ok(body, *headers):
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def each(scene):
    """Plays `scene(wire, stage, head)` for every request of the story, until it returns True or the client has gone."""

    def play(wire, stage):
        while (asked := wire.head()) is not None:
            if b"X-Story" not in asked:
                wire.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                continue
            stage.saw(asked)
            if scene(wire, stage, asked):
                return

    return play


def saying(answer):
    """A scene that gives the same bytes to every request without a body."""
    return each(lambda wire, stage, asked: wire.send(answer))


def reset(wire):
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.socket.close()
    return True


def ending(talk):
    """What is heard to the end, and which end it is."""
    heard = talk.buffer
    try:
        while data := talk.socket.recv(65536):
            heard += data
        return heard, "close"
    except ConnectionResetError:
        return heard, "reset"


@pytest.fixture
def identical(house):
    """`identical(scene, play)`: what `play(talk)` gives and what the upstream saw, the same both ways; also the OpenTrail."""
    stages = []

    def make(scene, play):
        stage = Stage(scene)
        stages.append(stage)
        trail = house(upstream=f"s3={stage.url}", interval="1h").start()
        outcomes = []
        for port in (stage.port, trail.port):
            stage.seen = []
            with Talk(port, timeout=10) as talk:
                told = play(talk)
            if outcomes:
                eventually(lambda: len(stage.seen) >= len(outcomes[0][1]), 5, what="the upstream saw as much")
            else:
                time.sleep(0.1)
            outcomes.append((told, list(stage.seen)))
        assert outcomes[1] == outcomes[0], "through OpenTrail, then directly"
        return (*outcomes[1], trail)

    yield make
    for stage in stages:
        assert not stage.errors
        stage.close()


def test_heads_keep_their_order_their_case_and_their_doubles(identical):
    request = (
        "GET /bucket/k%C3%BC?b=2&a=1&a HTTP/1.1\r\nx-story:1\r\nX-Story:   2  \r\nhOsT: s3.example.com\r\nAccept: a\r\naccept: b\r\n"
        f"AUTHORIZATION: {authorization('s3')}\r\nX-Empty:\r\nX-Latin: J\xfcrgen\r\nConnection: keep-alive, x-other\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n"
    ).encode("latin-1")
    answer = b"HTTP/1.1 200 Fine by me\r\nzULU: 1\r\nx-amz-Request-ID: R\r\nSet-Cookie: a\r\nset-cookie:  b \r\nServer: odd/1 (x)\r\ncontent-length: 2\r\nX-Empty:\r\n\r\nok"
    told, seen, _ = identical(saying(answer), lambda talk: talk.say(request) and talk.exactly(len(answer)))
    assert told == answer and seen == [request[:-4]]


def test_chunk_sizes_extensions_and_trailers_pass_both_ways(identical):
    chunks = b'5;sig="a;b"\r\nhello\r\n0006 ; x\r\n world\r\n00;last=1\r\nX-Amz-Checksum-Crc32: NhCmhg==\r\nx-other: 1\r\n\r\n'

    def scene(wire, stage, asked):
        stage.saw(wire.exactly(len(chunks)))
        wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-amz-checksum-crc32\r\n\r\n" + chunks)

    def play(talk):
        talk.say(ask("PUT", "/bucket/k", chunks[:9], **{"Transfer-Encoding": "chunked", "Trailer": "x-amz-checksum-crc32"}))
        time.sleep(0.02)
        talk.say(chunks[9:])
        return talk.until(b"\r\n\r\n"), talk.exactly(len(chunks))

    told, seen, _ = identical(each(scene), play)
    assert told[1] == chunks and seen[1] == chunks


def test_informational_answers_pass(identical):
    answer = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + ok(b"done")
    assert identical(saying(answer), lambda talk: talk.say(ask("GET", "/bucket/k")) and talk.exactly(len(answer)))[0] == answer


def test_a_continue_that_is_given_and_one_that_is_refused(identical):
    def scene(wire, stage, asked):
        if b"/refused" in asked:
            wire.send(b"HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return True
        wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        stage.saw(wire.exactly(5))
        wire.send(EMPTY)

    def play(talk):
        talk.say(ask("PUT", "/bucket/k", **{"Content-Length": 5, "Expect": "100-continue"}))
        first = talk.until(b"\r\n\r\n")
        talk.say(b"hello")
        second = talk.until(b"\r\n\r\n")
        talk.say(ask("PUT", "/bucket/refused", **{"Content-Length": 1 << 40, "Expect": "100-continue"}))
        return first, second, ending(talk)

    first, second, last = identical(each(scene), play)[0]
    assert first.startswith(b"HTTP/1.1 100") and second == EMPTY
    assert last[0].startswith(b"HTTP/1.1 412") and last[1] == "close"


def test_requests_in_one_breath_are_answered_in_order(identical):
    def scene(wire, stage, asked):
        number = int(asked.split(b" ")[1].rsplit(b"/", 1)[1])
        wire.exactly(number)
        wire.send(ok(b"%d" % number))

    def play(talk):
        talk.say(b"".join(ask("PUT", f"/bucket/{number}", b"x" * number, **{"Content-Length": number}) for number in range(8)))
        return [talk.response()[2] for _ in range(8)]

    assert identical(each(scene), play)[0] == [b"%d" % number for number in range(8)]


def test_a_client_that_has_said_all_and_closed_its_side_gets_its_answer(identical):
    def play(talk):
        talk.say(ask("GET", "/bucket/1") + ask("GET", "/bucket/2"))
        talk.finish()
        return ending(talk)

    scene = each(lambda wire, stage, asked: time.sleep(0.2) or wire.send(ok(b"late")))
    assert identical(scene, play)[0] == (ok(b"late") * 2, "close")


CUT = {
    "in a length": b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: 1000\r\n\r\n<Versioning",
    "in chunks": b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<Vers\r\n",
    "to the close": b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\n\r\n<Versioning",
}


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("answer", CUT.values(), ids=CUT)
def test_an_answer_that_breaks_off_ends_as_the_upstream_ended_it(identical, answer, how):
    heard = threading.Event()

    def scene(wire, stage, asked):
        wire.send(answer)
        heard.wait(5)  # a reset may overtake what was sent before
        heard.clear()
        return reset(wire) if how == "reset" else True

    def play(talk):
        talk.say(ask("GET", "/bucket?versioning"))
        first = talk.exactly(len(answer))
        heard.set()
        return first, ending(talk)

    told, _, trail = identical(each(scene), play)
    assert told == (answer, (b"", how))
    record = recorded(trail.client("cloudtrail"), "GetBucketVersioning")
    whole = b"Content-Length" not in answer and b"chunked" not in answer and how == "close"
    assert record.get("errorCode") == (None if whole else "InternalFailure")


@pytest.mark.parametrize("how", ["close", "reset"])
def test_an_upload_that_breaks_off_ends_for_the_upstream_as_the_client_ended_it(identical, how):
    def scene(wire, stage, asked):
        wire.exactly(1000)
        try:
            stage.saw(wire.socket.recv(1) or "close")
        except ConnectionResetError:
            stage.saw("reset")
        return True

    def play(talk):
        talk.say(ask("PUT", "/bucket/k", b"x" * 1000, **{"Content-Length": 5000}))
        time.sleep(0.1)
        if how == "reset":
            talk.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        talk.close()

    assert identical(each(scene), play)[1][1:] == [how]


def test_http_1_0_is_answered_in_its_manner(identical):
    def scene(wire, stage, asked):
        if b"keep-alive" in asked:
            return wire.send(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nkept")
        wire.send(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nto the end")
        return True

    def play(talk):
        kept = []
        for _ in range(2):
            talk.say(ask("GET", "/bucket/k", version="HTTP/1.0", Connection="keep-alive"))
            kept.append(talk.until(b"kept"))
        talk.say(ask("GET", "/bucket/k", version="HTTP/1.0"))
        return kept, ending(talk)

    kept, last = identical(each(scene), play)[0]
    assert len(kept) == 2 and last[0].endswith(b"to the end") and last[1] == "close"


def test_another_protocol_after_101_is_a_tunnel(identical):
    def scene(wire, stage, asked):
        wire.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello")
        while data := wire.buffer or wire.socket.recv(65536):
            wire.buffer = b""
            wire.send(data.upper())
        wire.send(b"bye")
        return True

    def play(talk):
        talk.say(ask("GET", "/bucket/k", b"early", Connection="Upgrade", Upgrade="echo"))
        first = talk.until(b"hello"), talk.until(b"EARLY")
        talk.say(b"\0\xff later")
        second = talk.until(b"LATER")
        talk.finish()
        return first, second, ending(talk)

    assert identical(each(scene), play)[0][1:] == (b"\0\xff LATER", (b"bye", "close"))


def test_an_event_stream_passes_event_by_event(identical):
    events = [struct.pack(">III", 16 + size, 0, 0) + bytes([size % 256]) * size + b"\0\0\0\0" for size in (10, 200, 9000)]
    heard = threading.Semaphore(0)

    def scene(wire, stage, asked):
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for event in events:
            wire.send(b"%x\r\n%s\r\n" % (len(event), event))
            assert heard.acquire(timeout=5), "an event was held back until the next"
        wire.send(b"0\r\n\r\n")

    def play(talk):
        talk.say(ask("POST", "/bucket/k?select&select-type=2", **{"Content-Length": 0}))
        got = [talk.until(b"\r\n\r\n")]
        for event in events:
            size = int(talk.until(b"\r\n"), 16)
            got.append(talk.exactly(size + 2)[:-2])
            heard.release()
        return got, talk.until(b"0\r\n\r\n")

    assert identical(each(scene), play)[0][0][1:] == events


def test_a_long_poll_is_waited_for(identical):
    def scene(wire, stage, asked):
        time.sleep(3)
        wire.send(ok(b"at last"))

    assert identical(each(scene), lambda talk: talk.say(ask("GET", "/bucket/k")) and talk.response()[2])[0] == b"at last"


def test_a_connection_goes_on_after_errors(identical):
    statuses = [400, 403, 404, 409, 412, 416, 429, 500, 503, 200]

    def scene(wire, stage, asked):
        status = int(asked.split(b" ")[1].rsplit(b"/", 1)[1])
        wire.send(b"HTTP/1.1 %d Odd\r\nContent-Length: 7\r\n\r\n<Error>" % status)

    def play(talk):
        answers = []
        for status in statuses:
            talk.say(ask("GET", f"/bucket/{status}"))
            answers.append(talk.response())
        return answers

    assert [answer[0] for answer in identical(each(scene), play)[0]] == statuses


def test_an_answer_before_the_end_of_the_request_does_not_end_the_connection(identical):
    """The upstream refuses at once and reads the rest, so that the client can go on with the next request."""
    size = 3 << 20

    def scene(wire, stage, asked):
        if b"PUT" in asked:
            wire.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 5\r\n\r\nearly")
            stage.saw(len(wire.exactly(size)))
        else:
            wire.send(ok(b"next"))

    def play(talk):
        talk.say(ask("PUT", "/bucket/k", b"x" * 1000, **{"Content-Length": size}))
        first = talk.until(b"early")
        assert talk.say(b"x" * (size - 1000)) and talk.say(ask("GET", "/bucket/k"))
        return first, talk.response()[2]

    told, seen, _ = identical(each(scene), play)
    assert told[1] == b"next" and seen[1] == size


def test_bodies_of_no_bytes_and_of_terabytes(identical):
    huge = 5 << 40
    answers = {
        b"HEAD": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nETag: \"x\"\r\n\r\n" % huge,
        b"GET": b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %d-%d/%d\r\nContent-Length: 4\r\n\r\ntail" % (huge - 4, huge - 1, huge),
        b"PUT": EMPTY,
        b"POST": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"DELETE": b"HTTP/1.1 204 No Content\r\nx-amz-id-2: y\r\n\r\n",
    }

    def scene(wire, stage, asked):
        if b"chunked" in asked:
            stage.saw(wire.exactly(5))
        wire.send(answers[asked.split(b" ")[0]])

    def play(talk):
        got = []
        for method, headers, body in (
            ("HEAD", {}, b""), ("PUT", {"Content-Length": 0}, b""), ("PUT", {}, b""), ("POST", {"Transfer-Encoding": "chunked"}, b"0\r\n\r\n"),
            ("DELETE", {}, b""), ("GET", {"Range": "bytes=-4"}, b""), ("HEAD", {}, b""),
        ):
            talk.say(ask(method, "/bucket/k", body, **headers))
            got.append(talk.exactly(len(answers[method.encode()])))
        return got

    identical(each(scene), play)


def test_ranges_and_conditions_are_the_upstreams_affair(identical):
    parts = b"\r\n--B\r\nContent-Range: bytes 0-1/9\r\n\r\nab\r\n--B\r\nContent-Range: bytes 5-6/9\r\n\r\nfg\r\n--B--\r\n"
    answers = [
        b"HTTP/1.1 206 Partial Content\r\nContent-Type: multipart/byteranges; boundary=B\r\nContent-Length: %d\r\n\r\n" % len(parts) + parts,
        b"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 9\r\n\r\n",
        b"HTTP/1.1 412 Precondition Failed\r\nContent-Length: 2\r\n\r\nno",
        b"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */9\r\nContent-Length: 0\r\n\r\n",
    ]
    conditions = [{"Range": "bytes=0-1,5-6"}, {"If-None-Match": '"x"'}, {"If-Match": '"y"'}, {"Range": "bytes=9-", "If-Range": '"x"'}]

    def play(talk):
        got = []
        for number, condition in enumerate(conditions):
            talk.say(ask("GET", f"/bucket/{number}", **condition))
            got.append(talk.exactly(len(answers[number])))
        return got

    told, seen, _ = identical(each(lambda wire, stage, asked: wire.send(answers[len(stage.seen) - 1])), play)
    assert told == answers
    assert all(f"{name}: {value}".encode() in asked for asked, condition in zip(seen, conditions, strict=True) for name, value in condition.items())


@pytest.mark.parametrize(("host", "target"), [("s3.us-east-1.amazonaws.com", "/my.bucket?versioning"), ("my.bucket.s3.us-east-1.amazonaws.com", "/?versioning")])
def test_virtual_hosts_and_paths_name_the_same_bucket(identical, host, target):
    answer = ok(b"<VersioningConfiguration/>", "Content-Type: application/xml")
    _, seen, trail = identical(saying(answer), lambda talk: talk.say(ask("GET", target, Host=host)) and talk.exactly(len(answer)))
    assert f"GET {target} HTTP/1.1\r\nHost: {host}\r\n".encode() in seen[0]
    record = recorded(trail.client("cloudtrail"), "GetBucketVersioning")
    assert record["requestParameters"]["bucketName"] == "my.bucket" and record["requestParameters"]["Host"] == host


def test_an_upstream_that_reads_slowly_slows_the_client_and_costs_no_memory(house):
    size, go = 64 << 20, threading.Event()

    def scene(wire, stage, asked):
        go.wait(10)
        left = size
        while left:
            left -= len(wire.exactly(min(left, 1 << 20)))
        wire.send(EMPTY)

    with Stage(each(scene)) as stage:
        trail = house(upstream=f"s3={stage.url}", interval="1h").start()
        before = trail.memory()
        with Talk(trail.port) as talk:
            talk.say(ask("PUT", "/bucket/k", **{"Content-Length": size}))
            talk.socket.settimeout(0.5)
            sent, block = 0, bytes(64 << 10)
            try:
                while sent < size:
                    sent += talk.socket.send(block[: size - sent])
            except TimeoutError:
                pass
            assert sent < size // 2, "the client was not slowed"
            assert trail.memory() < before + 16
            talk.socket.settimeout(20)
            go.set()
            while sent < size:
                sent += talk.socket.send(block[: size - sent])
            assert talk.response()[0] == 200
        assert trail.memory() < before + 16
