"""`opentrail validate-logs`: what the AWS CLI says, word for word, and what that one misses; from S3 and from a folder."""

import gzip
import json
import subprocess

import pytest

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
    keys.write_text(json.dumps({"PublicKeyList": [{**key, "Value": __import__("base64").b64encode(key["Value"]).decode()} for key in answer["PublicKeyList"]]}, default=str))
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
    assert told["logFiles"]["valid"] == len(listed(found))
    head = s3.head_object(Bucket=LOGS, Key=found[-1][0])
    beside = folder / "logs" / (found[-1][0] + ".metadata.json")
    beside.write_text(json.dumps({"Metadata": head["Metadata"]}))
    told = json.loads(local(folder, "--output", "json").out)
    assert told["digestFiles"] == {"valid": len(found), "invalid": 0, "unsigned": 0}
    beside.unlink()


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
