"""Transparency logs as an outsider sees them: read, verified and witnessed by the specifications alone (RFC 6962, RFC 9162, C2SP signed-note, tlog-checkpoint,
tlog-tiles, tlog-proof, tlog-cosignature, tlog-witness), with hashlib and `cryptography`, and nothing of ours."""

import base64
import hashlib
import json
import struct
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .opentrail import ACCOUNT, REGION, binary
from .process import clean_environment

FOLDER = f"AWSLogs/{ACCOUNT}/CloudTrail-Transparency/{REGION}/"


def leaf_hash(data):
    return hashlib.sha256(b"\0" + data).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def mth(hashes):
    """RFC 6962, 2.1."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    k = 1 << ((len(hashes) - 1).bit_length() - 1)
    return node_hash(mth(hashes[:k]), mth(hashes[k:]))


def root_from_inclusion(index, size, leaf, path):
    """RFC 9162, 2.1.3.2."""
    assert 0 <= index < size
    fn, sn, r = index, size - 1, leaf
    for p in path:
        assert sn != 0
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    assert sn == 0
    return r


def is_consistent(old, old_root, size, root, path):
    """RFC 9162, 2.1.4.2."""
    if old == size:
        return not path and old_root == root
    if old == 0:
        return not path
    path = list(path)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    fn, sn = old - 1, size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return fr == old_root and sr == root and sn == 0


class Key:
    """NAME+ID+KEY (signed-note)."""

    def __init__(self, text):
        self.name, key_id, key = text.strip().split("+", 2)
        material = base64.b64decode(key, validate=True)
        self.kind, self.public = material[0], material[1:]
        self.id = hashlib.sha256(self.name.encode() + b"\n" + material).digest()[:4]
        assert self.id.hex() == key_id and len(self.public) == 32 and self.kind in (1, 4)

    def verify(self, text, signature):
        public = Ed25519PublicKey.from_public_bytes(self.public)
        if self.kind == 4:
            (at,) = struct.unpack(">Q", signature[:8])
            text, signature = f"cosignature/v1\ntime {at}\n{text}", signature[8:]
        public.verify(signature, text.encode())


class Checkpoint:
    """A signed checkpoint."""

    def __init__(self, note):
        self.note = note
        self.text, _, signatures = note.rpartition("\n\n")
        self.text += "\n"
        self.origin, size, root = self.text.split("\n")[:3]
        self.size, self.root = int(size), base64.b64decode(root, validate=True)
        assert str(self.size) == size and len(self.root) == 32
        self.signatures = {}
        for line in signatures.splitlines():
            dash, name, signature = line.split(" ")
            assert dash == "\u2014"
            signature = base64.b64decode(signature, validate=True)
            self.signatures[(name, signature[:4])] = signature[4:]

    def verify(self, vkey):
        key = Key(vkey)
        key.verify(self.text, self.signatures[(key.name, key.id)])
        return self


def verify_proof(text, vkey, *witnesses):
    """A tlog-proof of an event: the record that it proves."""
    head, _, note = text.partition("\n\n")
    lines = head.split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1" and lines[1].startswith("extra ") and lines[2].startswith("index ")
    extra = base64.b64decode(lines[1][6:], validate=True)
    (length,) = struct.unpack(">H", extra[:2])
    leaf, record = extra[2 : 2 + length], extra[2 + length :]
    checkpoint = Checkpoint(note).verify(vkey)
    assert checkpoint.origin == Key(vkey).name
    for witness in witnesses:
        checkpoint.verify(witness)
    path = [base64.b64decode(line, validate=True) for line in lines[3:]]
    root = root_from_inclusion(int(lines[2][6:]), checkpoint.size, leaf_hash(leaf), path)
    assert root == checkpoint.root
    kind, _, digest, event_id = parse(leaf)
    assert kind == "event" and hashlib.sha256(record).digest() == digest
    assert json.loads(record)["eventID"] == event_id
    return json.loads(record)


def parse(entry):
    """An entry: its kind, number, hash and text (docs/formats/transparency-log.md)."""
    assert entry[0] == 1
    if entry[1] == 3:
        return "link", struct.unpack(">Q", entry[2:10])[0], entry[10:42], entry[42:].decode()
    return {1: "event", 2: "file"}[entry[1]], struct.unpack(">I", entry[2:6])[0], entry[6:38], entry[38:].decode()


def path_of(index, width):
    text = f"{index % 1000:03}"
    while index := index // 1000:
        text = f"x{index % 1000:03}/{text}"
    return text + (f".p/{width}" if width < 256 else "")


class Log:
    """A log in a bucket, read by the rules of tlog-tiles; everything in it is checked on the way."""

    def __init__(self, s3, bucket, folder):
        self.s3, self.bucket, self.folder = s3, bucket, folder
        answer = s3.get_object(Bucket=bucket, Key=folder + "checkpoint")
        assert answer["ContentType"] == "text/plain; charset=utf-8"
        self.checkpoint = Checkpoint(answer["Body"].read().decode())
        size = self.checkpoint.size
        self.entries = []
        for index in range((size + 255) // 256):
            width = min(256, size - index * 256)
            bundle, entries = self.read("tile/entries/" + path_of(index, width)), []
            while bundle:
                (length,) = struct.unpack(">H", bundle[:2])
                entries.append(bundle[2 : 2 + length])
                bundle = bundle[2 + length :]
            assert len(entries) == width
            self.entries += entries
        level, hashes = 0, [leaf_hash(entry) for entry in self.entries]
        self.hashes = hashes
        while hashes:
            for at in range(0, len(hashes), 256):
                row = hashes[at : at + 256]
                assert self.read(f"tile/{level}/" + path_of(at // 256, len(row))) == b"".join(row)
            hashes = [mth(hashes[at : at + 256]) for at in range(0, len(hashes) - 255, 256)]
            level += 1
        assert mth(self.hashes) == self.checkpoint.root

    def read(self, path):
        return self.s3.get_object(Bucket=self.bucket, Key=self.folder + path)["Body"].read()

    def root_at(self, size):
        return mth(self.hashes[:size])

    def events(self):
        """eventID to SHA-256 of the record."""
        parsed = [parse(entry) for entry in self.entries]
        found = {text: digest for kind, _, digest, text in parsed if kind == "event"}
        assert len(found) == sum(kind == "event" for kind, *_ in parsed), "an event is logged twice"
        return found


def folders(s3, bucket, trail="management-events", folder=FOLDER):
    """The folders of a trail's logs, the oldest first."""
    answer = s3.list_objects_v2(Bucket=bucket, Prefix=f"{folder}{trail}/", Delimiter="/")
    return [item["Prefix"] for item in answer.get("CommonPrefixes", [])]


def keys(s3, bucket, prefix):
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def told(house):
    """What the house tells of its logs, by trail name."""
    page = json.loads(house.get("/_opentrail/transparency")[1])
    return {log["trailArn"].rsplit("/")[-1]: log for log in page["logs"]}


class Answer:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout.decode(), done.stderr.decode()

    def json(self):
        return json.loads(self.out)


def opentrail(*words, house=None, cwd=None):
    env = clean_environment(AWS_ACCESS_KEY_ID="AKIAENDTOENDTESTS001", AWS_SECRET_ACCESS_KEY="planted-any-secret-will-do")
    if house:
        env["AWS_ENDPOINT_URL"] = house.url
    return Answer(subprocess.run([binary(), *map(str, words)], env=env, cwd=cwd, capture_output=True, timeout=60))


class Witness:
    """A witness (tlog-witness) that keeps what it has seen in memory; may be away."""

    def __init__(self, name="witness.example/w1"):
        self.pair = Ed25519PrivateKey.generate()
        material = b"\4" + self.pair.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.name = name
        self.id = hashlib.sha256(name.encode() + b"\n" + material).digest()[:4]
        self.vkey = f"{name}+{self.id.hex()}+{base64.b64encode(material).decode()}"
        self.seen, self.answers, self.away = {}, [], False
        # Public keys of logs, by origin; with none, whatever comes first is believed.
        self.logs = {}
        self.lock = threading.Lock()
        witness = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                status, answer = witness.add(body) if self.path == "/add-checkpoint" else (404, "")
                witness.answers.append(status)
                self.say(status, answer)

            def do_GET(self):
                by_hash = {hashlib.sha256(origin.encode()).hexdigest(): one for origin, one in witness.seen.items()}
                found = by_hash.get(self.path.split("/")[1])
                self.say(*((200, found.note) if found else (404, "")))

            def say(self, status, answer):
                self.send_response(status)
                self.send_header("content-length", str(len(answer.encode())))
                self.end_headers()
                self.wfile.write(answer.encode())

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def add(self, body):
        if self.away:
            return 503, "later"
        request, _, note = body.partition("\n\n")
        old, *path = request.split("\n")
        old, path = int(old.removeprefix("old ")), [base64.b64decode(line, validate=True) for line in path if line]
        checkpoint = Checkpoint(note)
        with self.lock:
            if key := self.logs.get(checkpoint.origin):
                try:
                    checkpoint.verify(key)
                except (InvalidSignature, KeyError):
                    return 403, ""
            before = self.seen.get(checkpoint.origin)
            if old != (before.size if before else 0):
                return 409, f"{before.size if before else 0}\n"
            if old > checkpoint.size:
                return 400, ""
            if not is_consistent(old, before.root if before else None, checkpoint.size, checkpoint.root, path):
                return 422, ""
            at = int(time.time())
            signature = struct.pack(">Q", at) + self.pair.sign(f"cosignature/v1\ntime {at}\n{checkpoint.text}".encode())
            line = f"\u2014 {self.name} {base64.b64encode(self.id + signature).decode()}\n"
            self.seen[checkpoint.origin] = Checkpoint(note + line)
            return 200, line

    def close(self):
        self.server.shutdown()
