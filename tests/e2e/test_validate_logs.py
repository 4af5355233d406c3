"""`opentrail validate-logs`: what the AWS CLI says, word for word, and what that one misses; from S3 and from a folder."""

import base64
import gzip
import hashlib
import json
import os
import shutil
import subprocess
import threading
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from harness.digests import ARN, HOME, LOGS, Tampered, digests, listed, middle, quiet_archive, utc, validate
from harness.opentrail import ACCOUNT, REGION, binary
from harness.process import clean_environment


@pytest.fixture(scope="module")
def archive(house):
    return quiet_archive(house)


class Answer:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout.decode(), done.stderr.decode()


def verify(*flags, house=None, start=None, arn=ARN):
    env = clean_environment(AWS_ACCESS_KEY_ID="AKIAENDTOENDTESTS001", AWS_SECRET_ACCESS_KEY="x")
    if house:
        env["AWS_ENDPOINT_URL"] = house.url
    command = [binary(), "validate-logs", "--trail-arn", arn, "--start-time", start or utc(-7200), *map(str, flags)]
    return Answer(subprocess.run(command, env=env, capture_output=True, timeout=60))


def both(house, *flags):
    """Both verifiers over the same range, with everything they say."""
    start, end = utc(-7200), utc(30)
    theirs = validate(house, "--end-time", end, start=start)
    ours = verify("--end-time", end, "--verbose", *flags, house=house, start=start)
    return ours, theirs


def agree(house):
    ours, theirs = both(house)
    assert (ours.code, ours.out, ours.err) == (theirs.code, theirs.out.decode(), theirs.err)
    return ours


@pytest.fixture(scope="module")
def folder(archive, tmp_path_factory):
    """The archive as `aws s3 sync` would leave it, with the public keys beside it."""
    s3 = archive.client("s3")
    root = tmp_path_factory.mktemp("archive")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=LOGS):
        for item in page["Contents"]:
            if not item["Key"].endswith("/"):
                path = root / "logs" / item["Key"]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(s3.get_object(Bucket=LOGS, Key=item["Key"])["Body"].read())
    keys = root / "keys.json"
    answer = archive.client("cloudtrail").list_public_keys(StartTime=utc(-7200), EndTime=utc(60))
    keys.write_text(json.dumps({"PublicKeyList": [{**key, "Value": base64.b64encode(key["Value"]).decode()} for key in answer["PublicKeyList"]]}, default=str))
    return root


def test_an_untouched_archive_is_valid_and_told_as_the_aws_cli_tells_it(archive):
    answer = agree(archive)
    assert answer.code == 0 and "INVALID" not in answer.out and not answer.err
    assert len(answer.out.splitlines()) > 8


CHANGES = {
    "log modified": lambda body: gzip.compress(gzip.decompress(body).replace(b'"us-east-1"', b'"us-east-2"', 1)),
    "log truncated": lambda body: body[: len(body) // 2],
    "log appended to": lambda body: body + b"more",
    "log no gzip any more": lambda body: b"x" + body,
    "log empty": lambda body: b"",
    "log deleted": None,
    "digest modified": lambda body: gzip.compress(gzip.decompress(body).replace(b'"oldestEventTime":"2', b'"oldestEventTime":"1', 1)),
    "digest no gzip any more": lambda body: b"x" + body,
    "digest truncated": lambda body: body[:-20],
    "digest without a member": lambda body: gzip.compress(gzip.decompress(body).replace(b"previousDigestSignature", b"previousDigestSignaturE")),
    "digest deleted": None,
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_was_touched_is_named_as_the_aws_cli_names_it(archive, what):
    s3 = archive.client("s3")
    log, digest = middle(s3)
    key = log if what.startswith("log") else digest
    with Tampered(s3, key) as tampered:
        tampered.put(CHANGES[what](tampered.body)) if CHANGES[what] else tampered.delete()
        answer = agree(archive)
    assert answer.code == 1
    assert f"s3://{LOGS}/{key}\tINVALID: " in answer.err


def test_a_moved_digest_and_one_without_its_signature_are_named_as_by_the_aws_cli(archive):
    s3 = archive.client("s3")
    found = digests(s3)
    with Tampered(s3, found[-1][0]) as last, Tampered(s3, found[-2][0]) as before:
        last.put(before.body, **before.metadata)
        assert "has been moved from its original location" in agree(archive).err
    with Tampered(s3, found[1][0]) as second:
        s3.put_object(Bucket=LOGS, Key=second.key, Body=second.body)
        assert "signature verification failed" in agree(archive).err


def test_neighbouring_digests_that_were_deleted_are_all_named(archive):
    s3 = archive.client("s3")
    found = digests(s3)
    assert len(found) >= 5
    gone = [key for key, *_ in found[1:-1]][-3:-1]
    with Tampered(s3, gone[0]) as one, Tampered(s3, gone[1]) as other:
        one.delete()
        other.delete()
        ours, theirs = both(archive)
    assert [key in theirs.err for key in gone] == [False, True], "the AWS CLI misses one"
    assert all(f"Digest file\ts3://{LOGS}/{key}\tINVALID: not found" in ours.err for key in gone), ours.err
    assert ours.code == 1


def test_a_cut_tail_is_found_by_what_the_trail_says(archive):
    s3 = archive.client("s3")
    found = digests(s3)
    with Tampered(s3, found[-1][0]) as last, Tampered(s3, found[-2][0]) as before:
        last.delete()
        before.delete()
        ours, theirs = both(archive)
    assert theirs.code == 0 and not theirs.err, "the AWS CLI sees nothing"
    assert ours.code == 1 and f"after {found[-3][1]['digestEndTime']}\tINVALID: not found" in ours.err, ours.err


def test_json_says_it_all_at_once(archive):
    s3 = archive.client("s3")
    log, _ = middle(s3)
    with Tampered(s3, log) as tampered:
        tampered.delete()
        answer = verify("--output", "json", house=archive)
    told = json.loads(answer.out)
    assert answer.code == 1 and not answer.err and told["valid"] is False
    assert told["findings"] == [{"kind": "log", "bucket": LOGS, "key": log, "verdict": "invalid", "message": "not found"}]
    found = digests(s3)
    assert told["digestFiles"] == {"valid": len(found), "invalid": 0, "unsigned": 0}
    assert told["logFiles"] == {"valid": len(listed(found)) - 1, "invalid": 1, "unsigned": 0}
    assert told["found"]["end"] == found[-1][1]["digestEndTime"]


def local(folder, *flags, start=None):
    return verify("--local", folder / "logs", "--public-keys", folder / "keys.json", *flags, start=start)


def test_a_folder_is_verified_without_anybody_to_ask(archive, folder):
    s3 = archive.client("s3")
    found = digests(s3)
    answer = local(folder, "--output", "json")
    told = json.loads(answer.out)
    assert answer.code == 0, answer.out + answer.err
    assert told["digestFiles"] == {"valid": len(found) - 1, "invalid": 0, "unsigned": 1}, "the newest has no successor that knows its signature"
    assert told["logFiles"] == {"valid": len(listed(found[:-1])), "invalid": 0, "unsigned": len(listed(found[-1:]))}
    head = s3.head_object(Bucket=LOGS, Key=found[-1][0])
    beside = folder / "logs" / (found[-1][0] + ".metadata.json")
    beside.write_text(json.dumps({"Metadata": head["Metadata"]}))
    told = json.loads(local(folder, "--output", "json").out)
    assert told["digestFiles"] == {"valid": len(found), "invalid": 0, "unsigned": 0}
    assert told["logFiles"] == {"valid": len(listed(found)), "invalid": 0, "unsigned": 0}
    beside.unlink()


def change(path, **members):
    digest = json.loads(gzip.decompress(path.read_bytes()))
    path.write_bytes(gzip.compress(json.dumps({**digest, **members}).encode()))


def test_a_digest_without_a_signature_vouches_for_nothing(archive, folder, tmp_path):
    found = digests(archive.client("s3"))
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    shutil.rmtree(copy / "logs" / f"AWSLogs/{ACCOUNT}/CloudTrail-Transparency")
    lists = max(at for at, (_, digest, _, _) in enumerate(found) if digest["logFiles"])
    for key, *_ in found[lists + 1 :]:
        (copy / "logs" / key).unlink()
    newest = copy / "logs" / found[lists][0]
    # Rewritten with what it lists, without any key.
    log = found[lists][1]["logFiles"][0]
    (copy / "logs" / log["s3Object"]).write_bytes(gzip.compress(b'{"Records":[]}'))
    change(newest, logFiles=[{**log, "hashValue": hashlib.sha256(b'{"Records":[]}').hexdigest()}])
    answer = local(copy, "--verbose")
    assert f"Log file\ts3://{LOGS}/{log['s3Object']}\tnot verified: its digest has no signature" in answer.out, answer.out
    assert answer.code == 0 and "log files not verified" in answer.out and ".metadata.json" in answer.out
    for wrong, why in [({"digestS3Object": "elsewhere"}, "has been moved from its original location"), ({"digestPublicKeyFingerprint": "00"}, "public key not found")]:
        before = newest.read_bytes()
        change(newest, **wrong)
        answer = local(copy)
        newest.write_bytes(before)
        assert answer.code == 1 and f"{found[lists][0]}\tINVALID: {why}" in answer.err, answer.err
    before = newest.read_bytes()
    change(newest, digestS3Bucket="elsewhere")
    answer = local(copy)
    newest.write_bytes(before)
    assert answer.code == 2 and "give --s3-bucket" in answer.err, answer.err
    # It says that the chain begins with it: nobody vouches for that, nor for what lies before.
    change(newest, previousDigestS3Bucket=None, previousDigestS3Object=None, previousDigestHashValue=None, previousDigestSignature=None)
    answer = local(copy)
    assert answer.code == 1 and f"{found[lists - 1][0]}\tINVALID: its signature is not in the folder" in answer.err, answer.err


def test_a_folder_that_was_touched_is_found_out(archive, folder):
    log, digest = middle(archive.client("s3"))
    for key, change, verdict in [(log, b"x", "invalid format"), (log, None, "not found"), (digest, b"x", "invalid format"), (digest, None, "not found")]:
        path = folder / "logs" / key
        before = path.read_bytes()
        path.write_bytes(change + before) if change else path.unlink()
        answer = local(folder)
        path.write_bytes(before)
        assert answer.code == 1 and f"{key}\tINVALID: {verdict}" in answer.err, answer.err
    assert local(folder).code == 0


def test_a_later_run_goes_on_where_the_last_one_ended_and_misses_what_is_gone(archive, tmp_path):
    s3, state = archive.client("s3"), tmp_path / "state.json"
    found = digests(s3)
    middle_end = found[len(found) // 2][1]["digestEndTime"]
    start = utc(-7200)
    first = verify("--state", state, "--end-time", middle_end, "--output", "json", house=archive, start=start)
    assert first.code == 0
    second = json.loads(verify("--state", state, "--output", "json", house=archive, start=start).out)
    # With the hour beyond its end, as in AWS, the first run has seen them all already.
    assert second["verifiedBefore"] == {"digestFiles": len(found), "logFiles": len(listed(found))}
    assert second["digestFiles"]["valid"] == 0 and second["valid"] and second["found"]
    with Tampered(s3, found[-1][0]) as last:
        last.delete()
        answer = verify("--state", state, house=archive, start=start)
    assert answer.code == 1 and f"{found[-1][0]}\tINVALID: not found, though it was verified before" in answer.err, answer.err
    wrong = verify("--state", state, "--region", "eu-west-1", house=archive, start=start)
    assert wrong.code == 2 and "another chain" in wrong.err
    nowhere = verify("--state", tmp_path / "no-folder" / "state.json", house=archive, start=start)
    assert nowhere.code == 2 and nowhere.err.startswith("opentrail: cannot write "), nowhere.err


def test_another_region_has_its_own_chain(archive):
    found = digests(archive.client("s3"), prefix=HOME.replace(REGION, "eu-west-1"))
    answer = verify("--region", "eu-west-1", house=archive)
    assert answer.code == 0 and f"{len(found)}/{len(found)} digest files valid" in answer.out, answer.out + answer.err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--trail-arn", "arn:nonsense"], "Invalid trail ARN provided"),
        (["--start-time", "yesterday"], "Unable to parse date value: yesterday"),
        (["--end-time", "2001-01-01"], "start-time must occur before end-time"),
        (["--trail-arn", f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/unknown"], "there is no trail"),
        (["--s3-bucket", "no-such-bucket"], "no bucket"),
        (["--start-time", "2026-02-30"], "write 2026-01-15, 2026-01-15T10:02 or 2026-01-15T10:02:03Z, UTC"),
        (["--end-time", "2026-02-20T06:00:60Z"], "Unable to parse date value: 2026-02-20T06:00:60Z"),
    ],
)
def test_what_cannot_be_told_ends_with_2(archive, flags, said):
    env = clean_environment(AWS_ACCESS_KEY_ID="AKIAENDTOENDTESTS001", AWS_SECRET_ACCESS_KEY="x", AWS_ENDPOINT_URL=archive.url)
    words = {"--trail-arn": ARN, "--start-time": utc(-7200)}
    words.update(dict(zip(flags[::2], flags[1::2], strict=True)))
    command = [binary(), "validate-logs", *(word for pair in words.items() for word in pair)]
    answer = Answer(subprocess.run(command, env=env, capture_output=True, timeout=60))
    assert answer.code == 2 and said in answer.err, answer.err
    assert len(answer.err.strip().splitlines()) == 1


@pytest.mark.parametrize("number", ["0", "1025", "-1"])
def test_so_many_files_at_once_as_nobody_has_are_refused(number):
    for words in (["validate-logs", "--trail-arn", ARN, "--start-time", utc()], ["prove", "some-event"]):
        answer = Answer(subprocess.run([binary(), *words, f"--parallel={number}"], capture_output=True, timeout=60))
        assert answer.code == 2 and "1..=1024" in answer.err, answer.err


def test_a_reader_that_goes_away_ends_it_quietly_and_a_full_disk_is_told(folder):
    command = [binary(), "validate-logs", "--trail-arn", ARN, "--start-time", utc(-7200), "--verbose", "--local", folder / "logs", "--public-keys", folder / "keys.json"]
    for more in ([], ["--output", "json"]):
        reader, writer = os.pipe()
        os.close(reader)
        gone = subprocess.run([*command, *more], stdout=writer, stderr=subprocess.PIPE, timeout=60)
        os.close(writer)
        assert gone.returncode == 141 and not gone.stderr, gone.stderr
        with open("/dev/full", "wb") as full:
            full = subprocess.run([*command, *more], stdout=full, stderr=subprocess.PIPE, timeout=60)
        assert full.returncode == 2 and full.stderr.startswith(b"opentrail: cannot write to standard output: "), full.stderr
        assert len(full.stderr.splitlines()) == 1


class Hourly:
    """A folder with hourly digests of 2026-02-03 from 00:00 to 11:00, and a CloudTrail that says of the trail what it is told to say."""

    def __init__(self, root):
        self.root, self.status = root, {"IsLogging": True}
        self.trail = {"Name": "main", "TrailARN": self.arn, "S3BucketName": "logs", "LogFileValidationEnabled": True, "IsOrganizationTrail": False}
        pair = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        der = pair.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
        fingerprint = hashlib.md5(der).hexdigest()
        self.keys = {"PublicKeyList": [{"Value": base64.b64encode(der).decode(), "Fingerprint": fingerprint}]}
        self.pair, self.fingerprint, before = pair, fingerprint, self.nothing_before
        for hour in range(12):
            before = self.sign(hour, before)
        told = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["content-length"]))
                answers = {"ListPublicKeys": told.keys, "GetTrailStatus": told.status, "DescribeTrails": {"trailList": [told.trail]}}
                body = json.dumps(answers[self.headers["x-amz-target"].split(".")[-1]]).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    arn = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/main"
    nothing_before = dict.fromkeys(("previousDigestS3Bucket", "previousDigestS3Object", "previousDigestHashValue", "previousDigestHashAlgorithm", "previousDigestSignature"))

    def key(self, hour, suffix=""):
        return f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/{REGION}/2026/02/03/{ACCOUNT}_CloudTrail-Digest_{REGION}_main_{REGION}_20260203T{hour:02}0000Z{suffix}.json.gz"

    def sign(self, hour, before, logs=(), suffix="", **metadata):
        """Puts the digest of an hour there, and gives what the next one says of it."""
        key, end = self.key(hour, suffix), f"2026-02-03T{hour:02}:00:00Z"
        start = f"2026-02-03T{hour - 1:02}:00:00Z" if hour else "2026-02-02T23:00:00Z"
        digest = {"awsAccountId": ACCOUNT, "digestStartTime": start, "digestEndTime": end, "digestS3Bucket": "logs", "digestS3Object": key, "digestPublicKeyFingerprint": self.fingerprint, "digestSignatureAlgorithm": "SHA256withRSA", "newestEventTime": None, "oldestEventTime": None, **before, "logFiles": list(logs)}
        text = json.dumps(digest).encode()
        signed = "\n".join([end, f"logs/{key}", hashlib.sha256(text).hexdigest(), before["previousDigestSignature"] or "null"])
        signature = self.pair.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()).hex()
        self.put(key, gzip.compress(text))
        self.put(key + ".metadata.json", json.dumps({"signature": signature, "signature-algorithm": "SHA256withRSA", **metadata}).encode())
        return dict(zip(before, ["logs", key, hashlib.sha256(text).hexdigest(), "SHA-256", signature], strict=True))

    def put(self, key, body):
        (self.root / key).parent.mkdir(parents=True, exist_ok=True)
        (self.root / key).write_bytes(body)

    def delete(self, *hours):
        for hour in hours:
            (self.root / self.key(hour)).unlink()

    def verify(self, *flags):
        env = clean_environment(AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x", AWS_ENDPOINT_URL_CLOUDTRAIL=f"http://127.0.0.1:{self.server.server_port}")
        command = [binary(), "validate-logs", "--trail-arn", self.arn, "--start-time", "2026-02-02", "--local", self.root, *map(str, flags)]
        return Answer(subprocess.run(command, env=env, capture_output=True, timeout=60))


@pytest.fixture
def hourly(tmp_path):
    made = Hourly(tmp_path / "hourly")
    yield made
    made.server.shutdown()


ELEVEN = datetime(2026, 2, 3, 11, tzinfo=timezone.utc).timestamp()


@pytest.mark.parametrize("late", [0.028, 0.93, 1.03, 300])
def test_the_newest_digest_is_missed_however_soon_it_was_delivered(hourly, late):
    hourly.status["LatestDigestDeliveryTime"] = ELEVEN + late
    assert hourly.verify().code == 0
    hourly.delete(11)
    answer = hourly.verify()
    assert answer.code == 1 and "after 2026-02-03T10:00:00Z\tINVALID: not found: the trail delivered digests until 2026-02-03T11:0" in answer.err, answer.err


def test_a_trail_that_goes_on_without_digests_or_elsewhere_has_no_cut_tail(hourly):
    log = f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/2026/02/03/{ACCOUNT}_CloudTrail_{REGION}_20260203T1300Z_abc.json.gz"
    hourly.put(log, gzip.compress(b'{"Records":[]}'))
    hourly.status["LatestDigestDeliveryTime"] = ELEVEN + 5
    assert "1 log file was delivered since, and no digest lists them" in hourly.verify().err
    hourly.trail["LogFileValidationEnabled"] = False
    answer = hourly.verify()
    assert answer.code == 0 and not answer.err, answer.err
    hourly.delete(11)
    assert hourly.verify().code == 1, "what the trail says still holds"
    # It delivers elsewhere since 10:00.
    hourly.trail.update(LogFileValidationEnabled=True, S3BucketName="elsewhere")
    answer = hourly.verify()
    assert answer.code == 0 and not answer.err, answer.err


def test_what_came_late_and_is_in_a_backfill_digest_is_no_cut_tail(hourly):
    log, text = f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/2026/02/03/{ACCOUNT}_CloudTrail_{REGION}_20260203T1300Z_abc.json.gz", b'{"Records":[]}'
    hourly.put(log, gzip.compress(text))
    assert "1 log file was delivered since, and no digest lists them" in hourly.verify().err
    late = {"s3Bucket": "logs", "s3Object": log, "hashValue": hashlib.sha256(text).hexdigest(), "hashAlgorithm": "SHA-256", "newestEventTime": None, "oldestEventTime": None}
    hourly.sign(13, hourly.nothing_before, [late], "_backfill", **{"backfill-generation-timestamp": "2026-02-04T00:00:00Z"})
    answer = hourly.verify()
    assert answer.code == 0 and not answer.err and "1/1 backfill digest files valid" in answer.out and "1/1 log files valid" in answer.out, (answer.out, answer.err)
    hourly.put(log, gzip.compress(text + b" "))
    assert hourly.verify().code == 1


def test_what_was_verified_twice_is_not_missed_the_third_time(hourly, tmp_path):
    state = tmp_path / "state.json"
    for end in ("2026-02-03T11:30:00Z", "2026-02-03T05:00:00Z", "2026-02-03T11:30:00Z"):
        answer = hourly.verify("--state", state, "--end-time", end)
        assert answer.code == 0 and not answer.err, (end, answer.err)
    assert "12 digest files and 0 log files were verified before" in answer.out
    assert len(json.loads(state.read_text())["stretches"]) == 1


def test_what_a_digest_says_controls_no_terminal(hourly):
    path = hourly.root / hourly.key(5)
    change(path, digestPublicKeyFingerprint="\x1b[2K\nDigest file\tvalid")
    answer = hourly.verify()
    assert answer.code == 1 and "for fingerprint \\u{1b}[2K\\nDigest file\\tvalid" in answer.err and "\x1b" not in answer.err, answer.err
