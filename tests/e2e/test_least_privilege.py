"""A trail over a store and a KMS that allow what CloudTrail's own policies allow, and nothing more."""

import pytest
from botocore.exceptions import ClientError

from harness.opentrail import ACCOUNT
from harness.process import eventually
from harness.upstream import Stage, answering

KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/12345678-1234-1234-1234-123456789012"


def answer(status, body=""):
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


DENIED = answer("403 Forbidden", "<Error><Code>AccessDenied</Code></Error>")
REQUESTER_PAYS = "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>"


def store(seen):
    """Buckets that may be asked for their ACL (but for `closed`; and `plain` has none) and written to where deliveries go."""
    bucket = seen.target.lstrip("/").replace("?", "/").split("/")[0]
    if (seen.method, seen.target) == ("GET", f"/{bucket}?acl"):
        return {"closed": DENIED, "plain": answer("501 Not Implemented")}.get(bucket, answer("200 OK"))
    if (seen.method, seen.target) == ("GET", "/paid?requestPayment"):
        return answer("200 OK", REQUESTER_PAYS)
    if seen.method == "PUT" and seen.target.startswith(f"/{bucket}/AWSLogs/{ACCOUNT}/"):
        return answer("200 OK")
    return answer("403 Forbidden") if seen.method == "HEAD" else DENIED


def puts(s3, bucket):
    return [seen for seen in list(s3.seen) if seen.method == "PUT" and seen.target.startswith(f"/{bucket}/AWSLogs/")]


def test_get_bucket_acl_and_put_object_are_all_that_a_trail_needs(house):
    denies = answer("400 Bad Request", '{"__type":"AccessDeniedException","message":"no"}')
    with Stage(answering(store)) as s3, Stage(answering(denies)) as kms:
        trail = house(upstream=s3.url, interval="1s", flags=["--upstream", f"kms={kms.url}"]).start()
        cloudtrail = trail.client("cloudtrail")
        for bucket in ("closed", "paid"):
            with pytest.raises(ClientError) as refused:
                cloudtrail.create_trail(Name="keyed", S3BucketName=bucket)
            assert refused.value.response["Error"]["Code"] == "InsufficientS3BucketPolicyException"
            assert [seen.target for seen in puts(s3, bucket)] == [f"/{bucket}/AWSLogs/{ACCOUNT}/CloudTrail/"], "writing is tried as well"
        cloudtrail.create_trail(Name="without-acls", S3BucketName="plain")
        assert cloudtrail.create_trail(Name="keyed", S3BucketName="audit", KmsKeyId=KEY)["KmsKeyId"] == KEY
        cloudtrail.start_logging(Name="keyed")
        cloudtrail.get_trail(Name="keyed")
        eventually(lambda: [seen for seen in puts(s3, "audit") if seen.target.endswith(".json.gz")], 30, what="a log file")
        assert {seen.header("x-amz-server-side-encryption-aws-kms-key-id") for seen in puts(s3, "audit")} == {KEY}
        trail.stop()  # before the store ends
