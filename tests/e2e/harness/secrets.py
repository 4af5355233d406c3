"""What nobody may read in what a house leaves: secrets that the stories plant, and those that clients are given.

A story writes `planted` into every secret. Secrets that the other side makes up (keys of sessions, data keys, passwords) are
taken from the answers that clients get. When a house ends, everything that it wrote and said is searched for both, in plain
and as base64 or hex: its journal, its history, its registry, the log files that it delivered, its log, its metrics. Not searched
are the objects that clients stored themselves, and the file that hands the first key to its owner."""

import base64
import gzip
import json
import re
import shutil
import sqlite3
import tempfile
from collections import defaultdict
from pathlib import Path
from urllib.parse import quote

from botocore.exceptions import EndpointConnectionError

PLANTED = b"planted"
# Members of answers that are secrets whatever they hold. Session tokens are none here: CloudTrail shows them.
NAMES = {
    "SecretAccessKey", "secretAccessKey", "SecretKey", "SecretString", "SecretBinary", "Plaintext", "PrivateKeyPlaintext",
    "KeyMaterial", "RandomPassword", "Base32StringSeed", "refreshToken", "idToken", "ServicePassword",
}
LONG_ENOUGH = 12
GIVEN = defaultdict(set)


def given(url, answer):
    """Keeps the secrets of an answer that came from `url`."""
    if isinstance(answer, dict):
        for name, value in answer.items():
            if name in NAMES and isinstance(value, (str, bytes)):
                value = value.encode() if isinstance(value, str) else value
                if len(value) >= LONG_ENOUGH:
                    GIVEN[url].add(value)
            else:
                given(url, value)
    elif isinstance(answer, list):
        for value in answer:
            given(url, value)


def forms(secret):
    """How a secret may stand in a file: as itself, in a URL, in hex, and in base64 wherever it begins."""
    yield secret
    yield quote(secret).encode()
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    for before in range(3):
        # Without the letters that its neighbours have a part in.
        encoded = base64.b64encode(b"\0" * before + secret)
        start, whole = (before * 8 + 5) // 6, (before + len(secret)) * 8 // 6
        yield encoded[start:whole]
        yield encoded[start:whole].translate(bytes.maketrans(b"+/", b"-_"))


def found_in(content, secrets):
    """The secrets in some bytes, each with what stands around it."""
    seen = []
    for secret in secrets:
        for form in set(forms(secret)):
            if (at := content.find(form)) >= 0:
                seen.append((secret, content[max(0, at - 300) : at + 100]))
    if not seen and (match := re.search(rb"(?i)" + PLANTED, content)):
        seen.append((PLANTED, content[max(0, match.start() - 300) : match.end() + 100]))
    return seen


def stored_log_files(store):
    """The log files in the embedded store of a house that has ended (docs/formats/object-store.md)."""
    if not (store / "index.sqlite").exists():
        return
    with tempfile.TemporaryDirectory() as copy:
        for path in store.glob("index.sqlite*"):
            shutil.copy(path, copy)
        index = sqlite3.connect(Path(copy) / "index.sqlite")
        rows = index.execute("SELECT key, inline, segments FROM objects").fetchall()
        index.close()
    for key, inline, segments in rows:
        if b"AWSLogs/" not in key or not key.endswith(b".gz"):
            continue
        body = inline
        if body is None:
            body = b""
            for name, offset, length in json.loads(segments):
                blob = next(path for path in (store / "blobs" / name[:2] / name, store / "incoming" / name) if path.exists())
                body += blob.read_bytes()[offset : offset + length]
        yield key.decode(), gzip.decompress(body)


def delivered_log_files(s3):
    """The log files that were delivered to an S3 of others, if that is still there."""
    try:
        buckets = s3.list_buckets()["Buckets"]
    except EndpointConnectionError:
        return
    for bucket in buckets:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket["Name"]):
            for item in page.get("Contents", []):
                if "AWSLogs/" in item["Key"] and item["Key"].endswith(".gz"):
                    body = s3.get_object(Bucket=bucket["Name"], Key=item["Key"])["Body"].read()
                    yield item["Key"], gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body


def left_by(trail):
    """Everything that a house wrote and said, by name. Its process has ended."""
    for path in sorted(trail.data.rglob("*")):
        inside = path.relative_to(trail.data)
        if path.is_file() and inside.parts[0] not in ("s3", "credentials"):
            yield str(inside), path.read_bytes()
    yield from stored_log_files(trail.data / "s3")
    if trail.log_files_elsewhere:
        yield from delivered_log_files(trail.log_files_elsewhere())
    yield "log", trail.process.said().encode()
    yield from trail.last_answers.items()


def found(trail):
    """The secrets that a house left where somebody may read them: lines that say which, and where."""
    secrets = {PLANTED, *GIVEN[trail.url]}
    own = trail.own_secret()
    told = []
    for name, content in left_by(trail):
        here = secrets | ({own} if own and not name.startswith("registry") else set())
        told += [f"{secret!r} is in {name}: …{around!r}…" for secret, around in found_in(content, here)]
    return told
