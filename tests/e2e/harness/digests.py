"""Archives with digests: made by a real OpenTrail, read with boto3, touched, and verified by the AWS CLI."""

import gzip
import json
import subprocess
import time
from datetime import datetime, timedelta, timezone

from .cli import Cli
from .opentrail import ACCOUNT, REGION, binary
from .process import clean_environment, eventually

LOGS = f"opentrail-logs-{ACCOUNT}"
HOME = f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/{REGION}/"
ARN = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/management-events"
INTERVAL = 3


def digests(s3, bucket=LOGS, prefix=HOME, trail="management-events"):
    """Every digest of a chain, oldest first: key, JSON, its exact bytes, metadata."""
    found = []
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            if f"_{trail}_" not in item["Key"]:
                continue
            answer = s3.get_object(Bucket=bucket, Key=item["Key"])
            assert (answer["ContentType"], answer["ContentEncoding"]) == ("application/json", "gzip")
            text = gzip.decompress(answer["Body"].read())
            found.append((item["Key"], json.loads(text), text, answer["Metadata"]))
    return found


def listed(found):
    return [file["s3Object"] for _, digest, _, _ in found for file in digest["logFiles"]]


def utc(seconds=0):
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def validate(house, *more, region=REGION, arn=ARN, start=None):
    """`aws cloudtrail validate-logs --verbose`."""
    cli = Cli(house.url, house.data / "no-such-file", AWS_ACCESS_KEY_ID="AKIAENDTOENDTESTS001", AWS_SECRET_ACCESS_KEY="x")
    return cli.run("cloudtrail", "validate-logs", "--region", region, "--trail-arn", arn, "--start-time", start or utc(-7200), "--verbose", *more)


def verified(house, arn, *more, region=REGION):
    """`opentrail validate-logs --output json`: what it found."""
    key, secret = house.key()
    env = clean_environment(AWS_ENDPOINT_URL=house.url, AWS_ACCESS_KEY_ID=key, AWS_SECRET_ACCESS_KEY=secret)
    words = ["--region", region, "--trail-arn", arn, "--start-time", utc(-7200), "--output", "json", *more]
    done = subprocess.run([binary(), "validate-logs", *words], env=env, capture_output=True, timeout=60)
    assert done.returncode in (0, 1), done.stderr.decode()
    found = json.loads(done.stdout)
    assert found["valid"] == (done.returncode == 0), found
    return found


def make_archive(house, files=3):
    """Calls in two Regions until several log files of the home Region are in digests, with an empty digest among them; then a clean stop and a start with
    long intervals, so that nothing moves any more."""
    s3 = house.client("s3")
    other = house.client("cloudtrail", region="eu-west-1")
    for number in range(files):
        before = len(listed(digests(s3)))
        s3.create_bucket(Bucket=f"call-{number}-{house.port}")
        other.list_trails()
        eventually(lambda: len(listed(digests(s3))) > before, 40, what="a digest that lists a new log file")
        time.sleep(INTERVAL + 1)
    return digests(s3)


def quiet_archive(house):
    """An OpenTrail with an archive that does not move any more."""
    trail = house(interval="1s", flags=["--digest-interval", f"{INTERVAL}s"]).start()
    make_archive(trail)
    trail.stop()
    quiet = [word for word in trail.process.command if word not in ("--digest-interval", f"{INTERVAL}s")]
    quiet[quiet.index("--delivery-interval") + 1] = "3600s"
    trail.process.command = quiet
    return trail.start()


class Tampered:
    """A change of the archive that is taken back afterwards."""

    def __init__(self, s3, key):
        self.s3, self.key = s3, key
        answer = s3.get_object(Bucket=LOGS, Key=key)
        self.body, self.metadata = answer["Body"].read(), answer["Metadata"]

    def __enter__(self):
        return self

    def put(self, body, key=None, **more):
        self.s3.put_object(Bucket=LOGS, Key=key or self.key, Body=body, ContentType="application/json", ContentEncoding="gzip", Metadata={**self.metadata, **more})

    def delete(self):
        self.s3.delete_object(Bucket=LOGS, Key=self.key)

    def __exit__(self, *_):
        self.put(self.body)


def middle(s3):
    """A log file, and a digest that is neither the first nor the last."""
    found = digests(s3)
    at = next(at for at in range(1, len(found) - 1) if found[at][1]["logFiles"])
    return found[at][1]["logFiles"][0]["s3Object"], found[at][0]
