"""Digests in an upstream's buckets: under a trail's KMS key, and of a trail that was deleted while nobody could write them."""

import gzip
import json
import os
import signal

import pytest
from botocore.exceptions import ClientError

from harness.digests import HOME, digests, listed, validate, verified
from harness.opentrail import ACCOUNT, client
from harness.process import eventually


def test_logs_and_digests_under_a_trails_key_are_put_with_it_and_validate(house, moto):
    trail = house(upstream=moto.url, interval="1s", flags=["--digest-interval", "2s"]).start()
    s3, kms, cloudtrail = (trail.client(service) for service in ("s3", "kms", "cloudtrail"))
    key = kms.create_key()["KeyMetadata"]["Arn"]
    s3.create_bucket(Bucket="sealed")
    arn = cloudtrail.create_trail(Name="sealed", S3BucketName="sealed", KmsKeyId=key, EnableLogFileValidation=True)["TrailARN"]
    cloudtrail.start_logging(Name="sealed")
    trail.client("sqs").create_queue(QueueName="under-a-key")
    store = client(moto.url, "s3")  # what is asked of it directly is in nobody's log file
    eventually(lambda: len(found := digests(store, "sealed", HOME, "sealed")) > 2 and listed(found), 40, what="a digest that lists a log file")
    cloudtrail.stop_logging(Name="sealed")
    keys = [item["Key"] for item in store.list_objects_v2(Bucket="sealed")["Contents"]]
    assert {key.split("/")[2] for key in keys} == {"CloudTrail", "CloudTrail-Digest", "CloudTrail-Transparency"}
    for name in keys:
        head = store.head_object(Bucket="sealed", Key=name)
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key), name
    answer = validate(trail, arn=arn)
    assert answer.code == 0 and b"INVALID" not in answer.out, answer.err
    ours = verified(trail, arn)
    assert ours["valid"], ours
    for name in keys:
        if "/CloudTrail/" in name and name.endswith(".gz"):
            assert f"Log file\ts3://sealed/{name}\tvalid" in answer.out.decode()
    cloudtrail.delete_trail(Name="sealed")


def test_what_a_deleted_trail_left_when_the_process_died_is_in_its_final_digest(house, moto):
    trail = house(upstream=moto.url, interval="1s", flags=["--digest-interval", "1h"]).start()
    s3, cloudtrail = trail.client("s3"), trail.client("cloudtrail")
    s3.create_bucket(Bucket="left")
    arn = cloudtrail.create_trail(Name="left", S3BucketName="left", EnableLogFileValidation=True)["TrailARN"]
    cloudtrail.start_logging(Name="left")
    trail.client("sqs").create_queue(QueueName="left-behind")
    store = client(moto.url, "s3")

    def files(folder):
        found = store.list_objects_v2(Bucket="left", Prefix=f"AWSLogs/{ACCOUNT}/{folder}/").get("Contents", [])
        return {item["Key"] for item in found if item["Size"]}

    def has_the_call():
        events = [json.loads(gzip.decompress(store.get_object(Bucket="left", Key=key)["Body"].read()))["Records"] for key in files("CloudTrail")]
        return any(event["eventName"] == "CreateQueue" for records in events for event in records)

    eventually(has_the_call, 20, what="a log file")
    assert not listed(digests(store, "left", HOME, "left")), "none of them is in the starting digest"
    before = files("CloudTrail")
    os.kill(moto.process.pid, signal.SIGSTOP)
    try:
        cloudtrail.delete_trail(Name="left")
        trail.kill()
    finally:
        os.kill(moto.process.pid, signal.SIGCONT)
    trail.start()
    found = eventually(lambda: len(found := digests(store, "left", HOME, "left")) > 1 and found, 20, what="the final digest")
    (key, digest, _, metadata) = found[-1]
    assert not key.endswith("_backfill.json.gz") and "backfill-generation-timestamp" not in metadata
    assert before <= set(listed(found)) and digest["previousDigestSignature"], "it goes on with the chain"
    answer = validate(trail, "--s3-bucket", "left", arn=arn)
    assert answer.code == 0, answer.err
    assert f"Digest file\ts3://left/{key}\tvalid" in answer.out.decode()
    for name in listed(found):
        assert f"Log file\ts3://left/{name}\tvalid" in answer.out.decode()
    assert verified(trail, arn, "--s3-bucket", "left")["valid"]
    trail.stop()
    trail.start()
    assert len(digests(store, "left", HOME, "left")) == len(found), "what is done is not done again"


def test_a_store_that_cannot_be_reached_is_named_and_nothing_is_changed(house):
    trail = house(flags=["--upstream", "s3=http://127.0.0.1:9"]).start()
    cloudtrail = trail.client("cloudtrail")
    before = cloudtrail.describe_trails()["trailList"]
    for change, name in ((cloudtrail.create_trail, "unreached"), (cloudtrail.update_trail, "management-events")):
        with pytest.raises(ClientError) as refused:
            change(Name=name, S3BucketName="far-away")
        error, status = refused.value.response["Error"], refused.value.response["ResponseMetadata"]["HTTPStatusCode"]
        assert (status, error["Code"]) == (400, "InsufficientS3BucketPolicyException")
        assert "far-away" in error["Message"] and "http://127.0.0.1:9 cannot be reached" in error["Message"]
    assert cloudtrail.describe_trails()["trailList"] == before
