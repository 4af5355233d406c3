"""With `--auth verify` nobody gets in without a signature that is right, and nobody who failed is recorded."""

import base64
import datetime
import hashlib
import hmac
import json
import urllib.error
import urllib.request

import botocore.auth
import pytest
from botocore.exceptions import ClientError

from harness.opentrail import client
from harness.process import eventually
from harness.records import by_request, lookup, recorded, records_of


@pytest.fixture(scope="module")
def trail(house):
    return house(auth="verify").start()


WRONG = [
    ("a wrong secret", lambda key: (key[0], "x" * 40), {"InvalidSignatureException", "SignatureDoesNotMatch"}),
    ("an unknown key", lambda key: ("AKIAUNKNOWNUNKNOWN00", key[1]), {"UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId"}),
]


@pytest.mark.parametrize(("mistake", "key", "codes"), WRONG, ids=[mistake for mistake, _, _ in WRONG])
@pytest.mark.parametrize(
    ("service", "call", "name"),
    [("cloudtrail", lambda c: c.get_trail(Name="management-events"), "GetTrail"), ("s3", lambda c: c.create_bucket(Bucket="intruder"), "CreateBucket")],
    ids=["json", "rest-xml"],
)
def test_a_call_that_is_not_proven_gets_the_modeled_error_and_no_record(trail, service, call, name, mistake, key, codes):
    with pytest.raises(ClientError) as refused:
        call(client(trail.url, service, key(trail.key()), user_agent_extra="intruder/1"))
    answer = refused.value.response
    assert answer["Error"]["Code"] in codes, answer
    assert answer["ResponseMetadata"]["HTTPStatusCode"] in (400, 403)
    assert_unrecorded(trail, name)


def assert_unrecorded(trail, name):
    """A later call of the same door is visible; the refused one before it is not."""
    cloudtrail = trail.client("cloudtrail")
    later = by_request(cloudtrail.get_trail_status(Name="management-events"))
    recorded(cloudtrail, "GetTrailStatus", later)
    assert not [record for record in records_of(lookup(cloudtrail, "EventName", name)) if "intruder" in record["userAgent"]]


def test_without_a_signature_nothing_is_told(trail):
    request = urllib.request.Request(trail.url + "/", data=b"{}", method="POST")
    request.add_header("X-Amz-Target", "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.DescribeTrails")
    request.add_header("Content-Type", "application/x-amz-json-1.1")
    request.add_header("User-Agent", "intruder/2")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert refused.value.code in (400, 403)
    answer = json.loads(refused.value.read())
    assert "MissingAuthenticationToken" in answer["__type"], answer
    assert_unrecorded(trail, "DescribeTrails")
    metrics = trail.get("/_opentrail/metrics")[1].decode()
    assert 'opentrail_calls_unrecorded_total{reason="unauthenticated"} 1\n' in metrics, metrics


def test_who_wants_a_record_of_everything_has_one_of_a_stranger_too(house):
    trail = house(auth="verify", flags=["--record-unauthenticated"]).start()
    forged = (trail.key()[0], "x" * 40)
    for service, call in (("cloudtrail", lambda c: c.describe_trails()), ("sts", lambda c: c.get_caller_identity()), ("iam", lambda c: c.list_users())):
        with pytest.raises(ClientError):
            call(client(trail.url, service, forged, user_agent_extra="intruder/3"))
    for name in ("DescribeTrails", "GetCallerIdentity", "ListUsers"):
        (record,) = eventually(lambda: [record for record in records_of(lookup(trail.client("cloudtrail"), "EventName", name)) if "intruder/3" in record["userAgent"]], 10, what=name)  # noqa: B023
        identity = record["userIdentity"]
        assert identity["type"] == "Unknown" and identity["accessKeyId"] == forged[0] and "arn" not in identity, identity
        assert record["errorCode"] in {"InvalidSignatureException", "SignatureDoesNotMatch"}, record


def test_an_object_is_not_public(trail):
    s3 = trail.client("s3")
    s3.create_bucket(Bucket="private")
    s3.put_object(Bucket="private", Key="k", Body=b"x")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(trail.url + "/private/k", timeout=10)
    assert refused.value.code == 403 and b"<Code>AccessDenied</Code>" in refused.value.read()


def test_a_changed_body_is_refused(trail):
    """What was signed is what is done."""
    cloudtrail = trail.client("cloudtrail")

    def forge(request, **_):
        request.body = request.body.replace(b"management-events", b"management-evenTs")

    cloudtrail.meta.events.register_last("before-send.cloudtrail.GetTrail", forge)
    with pytest.raises(ClientError) as refused:
        cloudtrail.get_trail(Name="management-events")
    assert refused.value.response["Error"]["Code"] == "InvalidSignatureException", refused.value.response


def test_a_signature_of_yesterday_is_refused(trail, monkeypatch):
    yesterday = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: yesterday.replace(tzinfo=None))
    with pytest.raises(ClientError) as refused:
        trail.client("cloudtrail").get_trail(Name="management-events")
    assert refused.value.response["Error"]["Code"] in {"InvalidSignatureException", "SignatureDoesNotMatch"}, refused.value.response


def test_a_presigned_url_lets_its_holder_do_that_one_thing(trail):
    s3 = trail.client("s3", signature_version="s3v4")
    s3.create_bucket(Bucket="presigned")
    upload = s3.generate_presigned_url("put_object", Params={"Bucket": "presigned", "Key": "a b.txt"}, ExpiresIn=60)
    with urllib.request.urlopen(urllib.request.Request(upload, data=b"by url", method="PUT"), timeout=10) as answer:
        assert answer.status == 200
    download = s3.generate_presigned_url("get_object", Params={"Bucket": "presigned", "Key": "a b.txt"}, ExpiresIn=60)
    with urllib.request.urlopen(download, timeout=10) as answer:
        assert answer.read() == b"by url"
    other = download.replace("a%20b.txt", "other.txt")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(other, timeout=10)
    assert refused.value.code == 403


# What urllib sends with a body unless told otherwise; Version 2 signs it.
FORM = "application/x-www-form-urlencoded"


def sent(method, url, **headers):
    """The status and the body of a plain request."""
    request = urllib.request.Request(url, method=method, headers=headers, data=b"" if method == "PUT" else None)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_what_was_not_signed_does_not_count(trail, version):
    s3 = trail.client("s3")
    s3.create_bucket(Bucket="upload-here")
    s3.create_bucket(Bucket="private")
    s3.put_object(Bucket="private", Key="secret", Body=b"planted-for-the-copy")
    signer = trail.client("s3", signature_version=version)
    url = signer.generate_presigned_url("put_object", {"Bucket": "upload-here", "Key": "k", "ContentType": FORM}, ExpiresIn=600)
    status, body = sent("PUT", url, **{"x-amz-copy-source": "/private/secret"})
    assert status == 403 and ("headers present in the request which were not signed" if version == "s3v4" else "SignatureDoesNotMatch") in body
    assert sent("PUT", url)[0] == 200, "what was signed is done"
    assert s3.get_object(Bucket="upload-here", Key="k")["Body"].read() == b""


def test_signatures_that_never_end_are_refused(trail):
    key, secret = trail.key()
    s3 = client(trail.url, "s3", (key, secret), signature_version="s3v4")
    s3.create_bucket(Bucket="for-a-while")
    date = "Tue, 15 Jan 2019 10:00:00 GMT"
    signature = base64.b64encode(hmac.new(secret.encode(), f"GET\n\n\n{date}\n/for-a-while".encode(), hashlib.sha1).digest()).decode()
    status, body = sent("GET", trail.url + "/for-a-while", Date=date, Authorization=f"AWS {key}:{signature}")
    assert status == 400 and "Please use AWS4-HMAC-SHA256" in body
    too_long = s3.generate_presigned_url("list_objects_v2", {"Bucket": "for-a-while"}, ExpiresIn=604801)
    assert sent("GET", too_long)[0] in (400, 403)
    token = trail.client("s3", token="planted-token")
    with pytest.raises(ClientError) as refused:
        token.list_buckets()
    assert refused.value.response["Error"]["Code"] == "InvalidAccessKeyId"


def test_a_call_on_a_bucket_is_recorded_where_the_bucket_is(trail):
    trail.client("s3").create_bucket(Bucket="at-home")
    elsewhere = trail.client("s3", region="xx-nowhere-9")
    tagged = elsewhere.put_bucket_tagging(Bucket="at-home", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    record = recorded(trail.client("cloudtrail"), "PutBucketTagging", by_request(tagged))
    assert record["awsRegion"] == "us-east-1"
    gone = elsewhere.delete_bucket(Bucket="at-home")
    assert recorded(trail.client("cloudtrail"), "DeleteBucket", by_request(gone))["awsRegion"] == "us-east-1"


def test_trust_is_only_for_loopback(house):
    trail = house(auth="trust", address="0.0.0.0")
    trail.process.spawn()
    code = trail.process.child.wait(20)
    assert code in (1, 2), f"it must not serve strangers: exit {code}"
    said = trail.process.said()
    assert "trust" in said and "loopback" in said, said
