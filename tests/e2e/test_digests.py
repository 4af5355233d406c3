"""Digests: the unmodified AWS CLI finds everything valid, and names exactly what somebody has touched."""

import gzip
import hashlib
import json
import re
import time
from datetime import datetime, timedelta, timezone

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from harness.digests import HOME, LOGS, Tampered, digests, listed, middle, quiet_archive, utc, validate
from harness.opentrail import ACCOUNT, REGION
from harness.process import eventually


@pytest.fixture(scope="module")
def archive(house):
    return quiet_archive(house)


def test_the_chain_is_whole_and_its_signatures_verify_with_another_library(archive):
    s3 = archive.client("s3")
    found = digests(s3)
    assert len(found) >= 4
    keys = archive.client("cloudtrail").list_public_keys(StartTime=utc(-7200), EndTime=utc(60))["PublicKeyList"]
    by_fingerprint = {key["Fingerprint"]: key for key in keys}
    before = None
    for key, digest, text, metadata in found:
        assert list(digest) == """awsAccountId digestStartTime digestEndTime digestS3Bucket digestS3Object digestPublicKeyFingerprint digestSignatureAlgorithm newestEventTime
            oldestEventTime previousDigestS3Bucket previousDigestS3Object previousDigestHashValue previousDigestHashAlgorithm previousDigestSignature logFiles""".split()
        assert (digest["digestS3Bucket"], digest["digestS3Object"], digest["awsAccountId"]) == (LOGS, key, ACCOUNT)
        stamp = digest["digestEndTime"].replace("-", "").replace(":", "")
        assert key == f"{HOME}{stamp[:4]}/{stamp[4:6]}/{stamp[6:8]}/{ACCOUNT}_CloudTrail-Digest_{REGION}_management-events_{REGION}_{stamp}.json.gz"
        if before is None:
            assert [digest[name] for name in digest if name.startswith("previous")] == [None] * 5
        else:
            assert digest["previousDigestS3Object"] == before[0]
            assert digest["previousDigestHashValue"] == hashlib.sha256(before[2]).hexdigest()
            assert digest["previousDigestSignature"] == before[3]["signature"]
            assert digest["digestStartTime"] == before[1]["digestEndTime"]
        assert metadata["signature-algorithm"] == digest["digestSignatureAlgorithm"] == "SHA256withRSA"
        assert re.fullmatch("[0-9a-f]{512}", metadata["signature"])
        public = by_fingerprint[digest["digestPublicKeyFingerprint"]]
        assert hashlib.md5(public["Value"]).hexdigest() == public["Fingerprint"]
        assert public["ValidityEndTime"] - public["ValidityStartTime"] == timedelta(days=30)
        signed = "\n".join([digest["digestEndTime"], f"{LOGS}/{key}", hashlib.sha256(text).hexdigest(), digest["previousDigestSignature"] or "null"])
        pkcs1(public["Value"]).verify(bytes.fromhex(metadata["signature"]), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        before = (key, digest, text, metadata)
    assert any(not digest["logFiles"] for _, digest, _, _ in found), "hours without deliveries have digests too"
    assert found[0][1]["newestEventTime"] is None


def pkcs1(der):
    """A PKCS#1 RSAPublicKey, read by hand: SEQUENCE of two INTEGERs."""

    def integer(data):
        size, at = data[1], 2
        if size & 0x80:
            at, size = 2 + (size & 0x7F), int.from_bytes(data[2 : 2 + (size & 0x7F)], "big")
        return int.from_bytes(data[at : at + size], "big"), data[at + size :]

    assert der[:2] == b"\x30\x82"
    modulus, rest = integer(der[4:])
    exponent, rest = integer(rest)
    assert not rest
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


def test_every_log_file_is_in_exactly_one_digest_with_its_hash(archive):
    s3 = archive.client("s3")
    for region in (REGION, "eu-west-1"):
        found = digests(s3, prefix=f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/{region}/")
        names = listed(found)
        assert names and len(names) == len(set(names))
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=LOGS, Prefix=f"AWSLogs/{ACCOUNT}/CloudTrail/{region}/")
        assert sorted(names) == sorted(item["Key"] for page in pages for item in page.get("Contents", []) if not item["Key"].endswith("/"))
        for _, digest, _, _ in found:
            times = []
            for file in digest["logFiles"]:
                text = gzip.decompress(s3.get_object(Bucket=file["s3Bucket"], Key=file["s3Object"])["Body"].read())
                assert file["hashValue"] == hashlib.sha256(text).hexdigest() and file["hashAlgorithm"] == "SHA-256"
                events = sorted(record["eventTime"] for record in json.loads(text)["Records"])
                assert (file["oldestEventTime"], file["newestEventTime"]) == (events[0], events[-1])
                times += events
            if times:
                assert (digest["oldestEventTime"], digest["newestEventTime"]) == (min(times), max(times))


@pytest.mark.parametrize("region", [REGION, "eu-west-1"])
def test_the_aws_cli_says_valid_for_all_of_it(archive, region):
    found = digests(archive.client("s3"), prefix=f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/{region}/")
    answer = validate(archive, region=region)
    out = answer.out.decode()
    assert answer.code == 0 and not answer.err, answer.err + out
    assert f"{len(found)}/{len(found)} digest files valid" in out
    assert f"{len(listed(found))}/{len(listed(found))} log files valid" in out
    assert "INVALID" not in out


LOG_CHANGES = [
    ("modified", lambda body: gzip.compress(gzip.decompress(body).replace(b'"us-east-1"', b'"us-east-2"', 1)), "hash value doesn't match"),
    ("truncated", lambda body: body[: len(body) // 2], "hash value doesn't match"),
    ("appended to", lambda body: body + b"more", "unexpected data after end of compressed stream"),
    ("no gzip any more", lambda body: b"x" + body, "invalid format"),
    ("deleted", None, "not found"),
]


@pytest.mark.parametrize(("what", "change", "verdict"), LOG_CHANGES, ids=[change[0] for change in LOG_CHANGES])
def test_a_log_file_that_was_touched_is_named(archive, what, change, verdict):
    s3 = archive.client("s3")
    log, _ = middle(s3)
    with Tampered(s3, log) as tampered:
        tampered.put(change(tampered.body)) if change else tampered.delete()
        answer = validate(archive)
    assert answer.code == 1
    assert answer.err.strip() == f"Log file\ts3://{LOGS}/{log}\tINVALID: {verdict}"
    assert re.search(r"\d+/\d+ log files valid, 1/\d+ log files INVALID", answer.out.decode())


DIGEST_CHANGES = [
    ("modified", lambda body: gzip.compress(gzip.decompress(body).replace(b'"oldestEventTime":"2', b'"oldestEventTime":"1', 1)), "signature verification failed"),
    ("no gzip any more", lambda body: b"x" + body, "invalid format"),
    ("deleted", None, "not found"),
]


@pytest.mark.parametrize(("what", "change", "verdict"), DIGEST_CHANGES, ids=[change[0] for change in DIGEST_CHANGES])
def test_a_digest_that_was_touched_is_named(archive, what, change, verdict):
    s3 = archive.client("s3")
    _, key = middle(s3)
    with Tampered(s3, key) as tampered:
        tampered.put(change(tampered.body)) if change else tampered.delete()
        answer = validate(archive)
    assert answer.code == 1
    assert answer.err.strip() == f"Digest file\ts3://{LOGS}/{key}\tINVALID: {verdict}"


def test_a_digest_that_was_moved_is_named(archive):
    s3 = archive.client("s3")
    found = digests(s3)
    last, before = found[-1][0], found[-2][0]
    with Tampered(s3, last) as tampered, Tampered(s3, before) as other:
        tampered.put(other.body, **other.metadata)
        answer = validate(archive)
    assert answer.code == 1
    assert f"Digest file\ts3://{LOGS}/{last}\tINVALID: has been moved from its original location" in answer.err


def test_the_archive_is_as_it_was_after_all_that(archive):
    assert validate(archive).code == 0


def test_a_trail_of_ones_own_has_starting_and_final_digests_and_a_status(house):
    trail = house(interval="1s", flags=["--digest-interval", "2s"]).start()
    s3, cloudtrail = trail.client("s3"), trail.client("cloudtrail")
    s3.create_bucket(Bucket="my-audit")
    arn = cloudtrail.create_trail(Name="mine", S3BucketName="my-audit", S3KeyPrefix="ct", EnableLogFileValidation=True)["TrailARN"]
    status = cloudtrail.get_trail_status(Name="mine")
    assert "LatestDigestDeliveryTime" not in status

    def chain():
        return digests(s3, "my-audit", f"ct/{HOME}", "mine")

    time.sleep(3)
    assert not chain(), "no digests before logging starts"
    cloudtrail.start_logging(Name="mine")
    eventually(lambda: len(chain()) >= 2 and listed(chain()), 20, what="digests")
    status = cloudtrail.get_trail_status(Name="mine")
    assert abs((datetime.now(timezone.utc) - status["LatestDigestDeliveryTime"]).total_seconds()) < 10
    assert "LatestDigestDeliveryError" not in status
    cloudtrail.stop_logging(Name="mine")
    eventually(lambda: any("StopLogging" in str(file) for file in names_of_events(s3, chain())), 20, what="the last event in a digest")
    eventually(lambda: quiet_since(chain), 60, what="the end of the chain")
    before = len(chain())
    cloudtrail.start_logging(Name="mine")
    eventually(lambda: len(chain()) > before + 1, 20, what="a new chain")
    starts = [digest["previousDigestSignature"] is None for _, digest, _, _ in chain()]
    assert starts[0] and starts[before] and sum(starts) == 2
    cloudtrail.update_trail(Name="mine", EnableLogFileValidation=False)
    eventually(lambda: quiet_since(chain), 60, what="no digests without validation")
    answer = validate(trail, arn=arn)
    assert answer.code == 0, answer.err
    assert "No log files were delivered by CloudTrail between" in answer.err, "the gap while it was stopped"
    s3.create_bucket(Bucket="other-audit")
    cloudtrail.update_trail(Name="mine", EnableLogFileValidation=True, S3BucketName="other-audit", S3KeyPrefix="")
    eventually(lambda: digests(s3, "other-audit", HOME, "mine"), 20, what="digests where the trail points now")
    cloudtrail.delete_trail(Name="mine")


def names_of_events(s3, found):
    for _, digest, _, _ in found:
        for file in digest["logFiles"]:
            records = json.loads(gzip.decompress(s3.get_object(Bucket=file["s3Bucket"], Key=file["s3Object"])["Body"].read()))["Records"]
            yield [record["eventName"] for record in records]


def quiet_since(chain, seconds=6):
    before = len(chain())
    time.sleep(seconds)
    return len(chain()) == before


def test_kill_9_again_and_again_leaves_one_chain_that_validates(house):
    trail = house(interval="1s", flags=["--digest-interval", "1s"]).start()
    for number in range(8):
        s3 = trail.client("s3")
        for call in range(5):
            s3.create_bucket(Bucket=f"killed-{number}-{call}")
        time.sleep(0.9 + 0.17 * number)
        trail.kill()
        trail.start()
    time.sleep(3)
    trail.stop()
    trail.start()
    s3 = trail.client("s3")
    found = digests(s3)
    assert [digest["previousDigestSignature"] is None for _, digest, _, _ in found].count(True) == 1, "one chain"
    names = listed(found)
    assert len(names) == len(set(names))
    events = [json.loads(gzip.decompress(s3.get_object(Bucket=LOGS, Key=name)["Body"].read()))["Records"] for name in names]
    buckets = [record["requestParameters"]["bucketName"] for records in events for record in records if record["eventName"] == "CreateBucket"]
    assert sorted(buckets) == sorted(f"killed-{number}-{call}" for number in range(8) for call in range(5))
    answer = validate(trail)
    assert answer.code == 0 and not answer.err, answer.err
