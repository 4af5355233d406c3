"""Large bodies cost time, not memory."""

import hashlib
import threading
import time

import pytest

from harness.raw import Talk, amz_date, authorization, head
from harness.upstream import Stage

SIZE = 200 << 20
BLOCK = bytes(range(256)) * 4096  # 1 MiB
BAR = 150  # MiB


def headers(**more):
    return {"Host": "bucket.s3.example.com", "Authorization": authorization("s3"), "X-Amz-Date": amz_date(), "X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD", **more}


class Peak:
    """The highest resident memory while the block runs."""

    def __init__(self, trail):
        self.trail = trail
        self.highest = 0.0
        self.done = threading.Event()

    def __enter__(self):
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()
        self.started = time.monotonic()
        return self

    def _watch(self):
        while not self.done.wait(0.02):
            self.highest = max(self.highest, self.trail.memory())

    def __exit__(self, *_):
        self.seconds = time.monotonic() - self.started
        self.done.set()
        self.thread.join()
        self.highest = max(self.highest, self.trail.memory())

    def report(self, what):
        print(f"\n{what}: {SIZE >> 20} MiB in {self.seconds:.2f} s ({(SIZE >> 20) / self.seconds:.0f} MiB/s), resident at most {self.highest:.0f} MiB")
        assert self.highest < BAR, f"{self.highest:.0f} MiB resident"


def large(wire, stage):
    """An S3 that swallows what it is sent and sends what it is asked for, 200 MiB of it."""
    while (head_ := wire.head()) is not None:
        if head_.startswith(b"PUT /bucket/large"):
            left, digest = SIZE, hashlib.sha256()
            while left:
                block = wire.exactly(min(left, 1 << 20))
                digest.update(block)
                left -= len(block)
            stage.saw(digest.hexdigest())
            wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        elif head_.startswith(b"GET /bucket/large"):
            wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
            for _ in range(SIZE // len(BLOCK)):
                wire.send(BLOCK)
        else:
            wire.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture(scope="module")
def expected():
    digest = hashlib.sha256()
    for _ in range(SIZE // len(BLOCK)):
        digest.update(BLOCK)
    return digest.hexdigest()


@pytest.fixture(scope="module")
def through(house):
    with Stage(large) as stage:
        yield house(upstream=f"s3={stage.url}", interval="1h").start(), stage


def upload(port, target):
    with Talk(port, timeout=120) as talk:
        talk.say(head("PUT", target, headers(**{"Content-Length": SIZE})))
        for _ in range(SIZE // len(BLOCK)):
            assert talk.say(BLOCK), "the upload was cut off"
        return talk.response()[0]


def download(port, target):
    digest, got = hashlib.sha256(), 0
    with Talk(port, timeout=120) as talk:
        talk.say(head("GET", target, headers()))
        assert talk.until(b"\r\n\r\n").startswith(b"HTTP/1.1 200")
        digest.update(talk.buffer)
        got += len(talk.buffer)
        while got < SIZE:
            data = talk.socket.recv(1 << 20)
            assert data, f"the download ended {SIZE - got} bytes early"
            digest.update(data)
            got += len(data)
    return digest.hexdigest()


def test_an_upload_through_to_the_upstream(through, expected):
    trail, stage = through
    with Peak(trail) as peak:
        assert upload(trail.port, "/bucket/large") == 200
    assert expected in stage.seen
    peak.report("upload through")


def test_a_download_from_the_upstream(through, expected):
    trail, _ = through
    with Peak(trail) as peak:
        assert download(trail.port, "/bucket/large") == expected
    peak.report("download through")


def test_a_client_that_reads_slowly_does_not_make_it_hoard(through):
    trail, _ = through
    with Talk(trail.port) as talk, Peak(trail) as peak:
        talk.say(head("GET", "/bucket/large", headers()))
        talk.until(b"\r\n\r\n")
        time.sleep(1.5)  # the upstream would send everything by now
    assert peak.highest < BAR, f"{peak.highest:.0f} MiB resident"


def test_the_embedded_store_streams_too(house, expected):
    trail = house(interval="1h").start()
    trail.client("s3").create_bucket(Bucket="bucket")
    with Peak(trail) as peak:
        assert upload(trail.port, "/bucket/large") == 200
    peak.report("upload to the embedded store")
    with Peak(trail) as peak:
        assert download(trail.port, "/bucket/large") == expected
    peak.report("download from the embedded store")
