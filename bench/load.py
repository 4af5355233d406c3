"""The loads: small calls by wrk, large bodies and idle connections by plain sockets."""

import datetime
import json
import multiprocessing
import os
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

STREAM = 64 << 20
BLOCK = 1 << 20


def authorization(service, signed="host;x-amz-date"):
    day = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%d")
    return f"AWS4-HMAC-SHA256 Credential=AKIABENCHBENCHBENCH1/{day}/us-east-1/{service}/aws4_request, SignedHeaders={signed}, Signature={'5a' * 32}"


@dataclass
class Call:
    """A small call that looks signed, and what its upstream answers."""

    service: str
    answer: str
    answer_type: str
    method: str = "POST"
    path: str = "/"
    body: str = ""
    headers: dict = field(default_factory=dict)

    def all_headers(self):
        return {
            "Host": f"{self.service}.us-east-1.example.com",
            "Authorization": authorization(self.service),
            "X-Amz-Date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ"),
            "User-Agent": "aws-sdk-rust/1.3.9 os/linux lang/rust/1.95.0",
            **self.headers,
        }

    def wire(self):
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in self.all_headers().items())]
        return ("\r\n".join([*lines, f"Content-Length: {len(self.body)}"]) + "\r\n\r\n" + self.body).encode()


JSON = "application/x-amz-json-1.0"
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
SMALL = {
    "DynamoDB GetItem, JSON": Call(
        "dynamodb", '{"Item":{"id":{"S":"1"},"title":{"S":"Harvest"},"year":{"N":"1972"},"tracks":{"L":[{"S":"Out on the Weekend"},{"S":"Old Man"}]}}}', JSON,
        body='{"TableName":"music","Key":{"id":{"S":"1"}}}', headers={"Content-Type": JSON, "X-Amz-Target": "DynamoDB_20120810.GetItem"},
    ),
    "IAM GetUser, query": Call(
        "iam", '<GetUserResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><GetUserResult><User><Path>/</Path><UserName>alice</UserName><UserId>AIDABENCHBENCHBENCH1</UserId>'
        "<Arn>arn:aws:iam::123456789012:user/alice</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate></User></GetUserResult><ResponseMetadata>"
        "<RequestId>b0a5f3c0-0000-4000-8000-000000000000</RequestId></ResponseMetadata></GetUserResponse>", "text/xml",
        body="Action=GetUser&Version=2010-05-08&UserName=alice", headers=FORM,
    ),
    "SQS SendMessage, query": Call(
        "sqs", "<SendMessageResponse><SendMessageResult><MessageId>b0a5f3c0-0000-4000-8000-000000000000</MessageId><MD5OfMessageBody>5d41402abc4b2a76b9719d911017c592</MD5OfMessageBody>"
        "</SendMessageResult><ResponseMetadata><RequestId>b0a5f3c0-0000-4000-8000-000000000001</RequestId></ResponseMetadata></SendMessageResponse>", "text/xml",
        path="/123456789012/jobs", headers=FORM,
        body="Action=SendMessage&Version=2012-11-05&QueueUrl=http%3A%2F%2Fsqs.us-east-1.example.com%2F123456789012%2Fjobs&MessageBody=hello",
    ),
    "S3 GetObject, 4 KiB": Call("s3", "x" * 4096, "binary/octet-stream", method="GET", path="/bench/small"),
    "S3 PutObject, 4 KiB": Call(
        "s3", "", "binary/octet-stream", method="PUT", path="/bench/small", body="x" * 4096,
        headers={"Content-Type": "binary/octet-stream", "X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"},
    ),
}

LUA = """
wrk.method = "{method}"
wrk.path = "{path}"
{headers}
wrk.body = {body}
{pace}
function done(summary, latency, requests)
  io.stderr:write(string.format(
    '{{"requests":%d,"seconds":%f,"errors":%d,"p50":%f,"p99":%f}}',
    summary.requests, summary.duration / 1e6,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status + summary.errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
"""


def small(server, call, seconds, connections, cpus, folder, pace_ms=None):
    """Loads a server with one kind of call; gives wrk's figures and the processor time of the server."""
    script = Path(folder) / "load.lua"
    lines = "\n".join(f'wrk.headers["{name}"] = [==[{value}]==]' for name, value in call.all_headers().items())
    pace = f"function delay() return math.random(0, {2 * pace_ms}) end" if pace_ms else ""
    body = f"[==[{call.body}]==]" if call.body else "nil"
    script.write_text(LUA.format(method=call.method, path=call.path, headers=lines, body=body, pace=pace))

    def pinned():
        os.sched_setaffinity(0, cpus)

    def run(duration):
        command = ["wrk", "-t1", f"-c{connections}", f"-d{duration}s", "-s", str(script), f"http://127.0.0.1:{server.port}/"]
        done = subprocess.run(command, capture_output=True, text=True, preexec_fn=pinned, check=True)
        return json.loads(done.stderr[done.stderr.index("{") :])

    run(1)  # connections, caches and branch predictors get warm
    counters = {"recorded": "opentrail_events_recorded_total", "syncs": "opentrail_journal_sync_seconds_count", "written": "opentrail_journal_bytes_total"}
    counted, before = {name: server.counted(counter) for name, counter in counters.items()}, server.cpu()
    figures = run(seconds)
    figures["cpu"] = server.cpu() - before
    figures["resident"] = server.resident()
    if counted["recorded"] is not None:
        figures.update({name: server.counted(counter) - counted[name] for name, counter in counters.items()})
    assert figures["requests"] > 0, f"{server.name} answered nothing"
    return figures


def syncs_alone(syncs, written, seconds, cpus, folder):
    """The processor seconds of so many writes and syncs, at the rate and of the size that they had, by a process that does nothing else:
    less what the same process takes for its pauses alone."""

    def cpu(syncs_too):
        def loop():
            os.sched_setaffinity(0, cpus)
            size, room = max(1, int(written / syncs)), 16 << 20
            file = os.open(Path(folder) / "syncs", os.O_RDWR | os.O_CREAT, 0o600)
            os.pwrite(file, bytes(room), 0)  # blocks that were written before, as the journal's are
            os.fsync(file)
            began, block, at, spent = time.monotonic(), os.urandom(size), 0, time.process_time()
            for number in range(rounds):
                if syncs_too:
                    os.pwrite(file, block, at)
                    os.fdatasync(file)
                    at = (at + size) % (room - size)
                time.sleep(max(0, began + (number + 1) * seconds / syncs - time.monotonic()))
            sending.send(time.process_time() - spent)

        receiving, sending = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.get_context("fork").Process(target=loop)
        process.start()
        spent = receiving.recv()
        process.join()
        return spent

    rounds = max(1, int(2 * syncs / seconds))
    return (cpu(True) - cpu(False)) / rounds * syncs


class Streams:
    """An upstream that sends 64 MiB to whoever gets and swallows what is put, in a process of its own."""

    def __init__(self, cpus, folder):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.file = Path(folder) / "large"
        with self.file.open("wb") as file:
            file.truncate(STREAM)
        self.process = multiprocessing.get_context("fork").Process(target=self._serve, args=(cpus,), daemon=True)
        self.process.start()

    def _serve(self, cpus):
        os.sched_setaffinity(0, cpus)
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection):
        room, buffer = bytearray(BLOCK), b""
        try:
            while True:
                while b"\r\n\r\n" not in buffer:
                    data = connection.recv(65536)
                    if not data:
                        return
                    buffer += data
                head, buffer = buffer.split(b"\r\n\r\n", 1)
                fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
                left = int(fields.get(b"content-length", 0)) - len(buffer)
                buffer = b""
                while left > 0:
                    got = connection.recv_into(room, min(left, BLOCK))
                    if not got:
                        return
                    left -= got
                if head.startswith(b"GET /bench/large"):
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: binary/octet-stream\r\nContent-Length: %d\r\n\r\n" % STREAM)
                    with self.file.open("rb") as file:
                        sent = 0
                        while sent < STREAM:
                            sent += os.sendfile(connection.fileno(), file.fileno(), sent, BLOCK)
                else:
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        except OSError:
            return

    def stop(self):
        self.process.kill()
        self.process.join()
        self.listener.close()


def transfer(connection, method):
    """One object of 64 MiB over a connection that is kept."""
    length = f"Content-Length: {STREAM}\r\n" if method == "PUT" else ""
    head = f"{method} /bench/large HTTP/1.1\r\nHost: bench.s3.example.com\r\nAuthorization: {authorization('s3', 'host')}\r\nX-Amz-Content-Sha256: UNSIGNED-PAYLOAD\r\n{length}\r\n"
    connection.sendall(head.encode())
    if method == "PUT":
        block = bytes(BLOCK)
        for _ in range(STREAM // BLOCK):
            connection.sendall(block)
    answer = b""
    while b"\r\n\r\n" not in answer:
        data = connection.recv(65536)
        assert data, "no answer"
        answer += data
    assert answer.startswith(b"HTTP/1.1 200"), answer[:200]
    if method == "GET":
        room, got = bytearray(BLOCK), len(answer.split(b"\r\n\r\n", 1)[1])
        while got < STREAM:
            size = connection.recv_into(room)
            assert size, f"ended {STREAM - got} bytes early"
            got += size


def streams(server, method, count, cpus):
    """So many objects of 64 MiB one after another; gives MiB per second, CPU seconds per GiB and the highest resident memory."""
    highest, stop = [server.resident()], threading.Event()

    def watch():
        while not stop.wait(0.05):
            highest.append(server.resident())

    os.sched_setaffinity(0, cpus)
    with socket.create_connection(("127.0.0.1", server.port), timeout=120) as connection:
        transfer(connection, method)  # warm
        before, watcher = server.cpu(), threading.Thread(target=watch)
        watcher.start()
        started = time.monotonic()
        for _ in range(count):
            transfer(connection, method)
        seconds = time.monotonic() - started
        cpu = server.cpu() - before
        stop.set()
        watcher.join()
    moved = count * STREAM
    return {"speed": moved / BLOCK / seconds, "cpu": cpu * (1 << 30) / moved, "resident": max(highest)}


def idle(server, call, count):
    """Opens connections that make one call each and then stay, until one is not answered or a minute is over; gives what each costs
    the server in KiB."""
    request, before, held = call.wire(), server.resident(), []
    deadline = time.monotonic() + 60
    try:
        while len(held) < count and time.monotonic() < deadline:
            fresh = []
            for number in range(len(held), min(count, len(held) + 50)):  # together, so that they share syncs
                source = (f"127.0.0.{2 + number // 5000}", 0)  # one address has about 28,000 ports
                fresh.append(socket.create_connection(("127.0.0.1", server.port), timeout=10, source_address=source))
                fresh[-1].sendall(request)
            held += fresh
            try:
                if not all(connection.recv(65536).startswith(b"HTTP/1.1 200") for connection in fresh):
                    break
            except OSError:
                break
        time.sleep(0.5)
        return {"connections": len(held), "kib": (server.resident() - before) * 1024 / len(held)}
    finally:
        for connection in held:
            connection.close()
