"""The loads: small calls by wrk, large bodies by plain sockets."""

import datetime
import json
import multiprocessing
import os
import socket
import subprocess
import threading
import time
from pathlib import Path

GIB = 1 << 30
BLOCK = 1 << 20


def authorization(service, signed="content-type;host;x-amz-date;x-amz-target"):
    day = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%d")
    return f"AWS4-HMAC-SHA256 Credential=AKIABENCHBENCHBENCH1/{day}/us-east-1/{service}/aws4_request, SignedHeaders={signed}, Signature={'5a' * 32}"


def call(service, body, target=None):
    headers = {
        "Authorization": authorization(service),
        "X-Amz-Date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ"),
        "User-Agent": "aws-sdk-rust/1.3.9 os/linux lang/rust/1.95.0",
        "Content-Type": "application/x-amz-json-1.0" if target else "application/x-www-form-urlencoded; charset=utf-8",
    }
    if target:
        headers["X-Amz-Target"] = target
    return headers, body


# Small calls. The first two are management events, which the default trail takes; the third is a data event, which the
# journal keeps and no trail takes.
SMALL = {
    "dynamodb DescribeTable (json)": call("dynamodb", '{"TableName":"music"}', "DynamoDB_20120810.DescribeTable"),
    "iam GetUser (query)": call("iam", "Action=GetUser&Version=2010-05-08&UserName=alice"),
    "dynamodb GetItem (json, data event)": call("dynamodb", '{"TableName":"music","Key":{"id":{"S":"1"}}}', "DynamoDB_20120810.GetItem"),
}
ANSWER = '{"Table":{"TableName":"music","TableStatus":"ACTIVE","ItemCount":42,"TableSizeBytes":4096,"TableArn":"arn:aws:dynamodb:us-east-1:123456789012:table/music"}}'

LUA = """
wrk.method = "POST"
wrk.path = "/"
{headers}
wrk.body = [==[{body}]==]
{pace}
function done(summary, latency, requests)
  io.stderr:write(string.format(
    '{{"requests":%d,"seconds":%f,"errors":%d,"p50":%f,"p99":%f}}',
    summary.requests, summary.duration / 1e6,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status + summary.errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
"""


def small(server, what, seconds, connections, cpus, folder, pace_ms=None):
    """Loads a server with one kind of call; gives wrk's figures and the processor time of the server."""
    headers, body = SMALL[what]
    script = Path(folder) / "load.lua"
    lines = "\n".join(f'wrk.headers["{name}"] = [==[{value}]==]' for name, value in headers.items())
    pace = f"function delay() return math.random(0, {2 * pace_ms}) end" if pace_ms else ""
    script.write_text(LUA.format(headers=lines, body=body, pace=pace))

    def pinned():
        os.sched_setaffinity(0, cpus)

    def run(duration):
        command = ["wrk", "-t1", f"-c{connections}", f"-d{duration}s", "-s", str(script), f"http://127.0.0.1:{server.port}/"]
        done = subprocess.run(command, capture_output=True, text=True, preexec_fn=pinned, check=True)
        return json.loads(done.stderr[done.stderr.index("{") :])

    run(1)  # connections, caches and branch predictors get warm
    recorded, before = server.counted("opentrail_events_recorded_total"), server.cpu()
    figures = run(seconds)
    figures["cpu"] = server.cpu() - before
    figures["resident"] = server.resident()
    if recorded is not None:
        figures["recorded"] = server.counted("opentrail_events_recorded_total") - recorded
    assert figures["requests"] > 0, f"{server.name} answered nothing"
    return figures


class Bulk:
    """An upstream that sends a GiB to whoever gets and swallows what is put, in a process of its own."""

    def __init__(self, cpus, folder):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.file = Path(folder) / "large"
        with self.file.open("wb") as file:
            file.truncate(GIB)
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
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: binary/octet-stream\r\nContent-Length: %d\r\n\r\n" % GIB)
                    with self.file.open("rb") as file:
                        sent = 0
                        while sent < GIB:
                            sent += os.sendfile(connection.fileno(), file.fileno(), sent, BLOCK)
                else:
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        except OSError:
            return

    def stop(self):
        self.process.kill()
        self.process.join()
        self.listener.close()


def bulk(server, method, cpus):
    """One GiB through a server; gives seconds, processor time and the highest resident memory."""
    head = f"{method} /bench/large HTTP/1.1\r\nHost: bench.s3.example.com\r\nAuthorization: {authorization('s3', 'host')}\r\nX-Amz-Content-Sha256: UNSIGNED-PAYLOAD\r\n"
    head += f"Content-Length: {GIB}\r\n\r\n" if method == "PUT" else "\r\n"
    highest, stop = [server.resident()], threading.Event()

    def watch():
        while not stop.wait(0.02):
            highest.append(server.resident())

    os.sched_setaffinity(0, cpus)
    before = server.cpu()
    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port), timeout=120) as connection:
        connection.sendall(head.encode())
        if method == "PUT":
            block = bytes(BLOCK)
            for _ in range(GIB // BLOCK):
                connection.sendall(block)
            answer = connection.recv(65536)
        else:
            room, answer, got = bytearray(BLOCK), b"", 0
            while b"\r\n\r\n" not in answer:
                answer += connection.recv(65536)
            got = len(answer.split(b"\r\n\r\n", 1)[1])
            while got < GIB:
                size = connection.recv_into(room)
                assert size, f"{server.name} ended {GIB - got} bytes early"
                got += size
    seconds = time.monotonic() - started
    stop.set()
    watcher.join()
    assert answer.startswith(b"HTTP/1.1 200"), answer[:200]
    return {"seconds": seconds, "cpu": server.cpu() - before, "resident": max(highest)}
