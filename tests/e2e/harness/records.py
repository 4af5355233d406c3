"""Records: what LookupEvents tells, what log files hold, and what every record must be."""

import gzip
import json
import re
import time
import uuid

from .process import eventually

LOG_FILE = re.compile(
    r"^(?:.+/)?AWSLogs/(?P<account>\d{12})/(?P<kind>CloudTrail(?:-NetworkActivity)?)/(?P<region>[a-z]{2}(?:-[a-z]+)+-\d)/(?P<y>\d{4})/(?P<m>\d\d)/(?P<d>\d\d)/"
    r"(?P=account)_(?P=kind)_(?P=region)_(?P=y)(?P=m)(?P=d)T(?:[01]\d|2[0-3])[0-5][05]Z_[A-Za-z0-9]{16}\.json\.gz$"
)

# The order in which real log files write the fields.
ORDER = """eventVersion userIdentity eventTime eventSource eventName awsRegion sourceIPAddress userAgent errorCode errorMessage
requestParameters responseElements additionalEventData requestID eventID readOnly resources eventType apiVersion managementEvent
recipientAccountId sharedEventID vpcEndpointId vpcEndpointAccountId serviceEventDetails eventCategory sessionCredentialFromConsole tlsDetails""".split()
ALWAYS = """eventVersion userIdentity eventTime eventSource eventName awsRegion sourceIPAddress requestParameters responseElements
eventID eventType recipientAccountId eventCategory readOnly managementEvent""".split()
# What a record of network activity has in AWS.
NETWORK = """eventVersion userIdentity eventTime eventSource eventName awsRegion sourceIPAddress requestID eventID eventType
recipientAccountId vpcEndpointId eventCategory""".split()


def check_shape(record):
    """What holds for every record of an API call, whatever the call."""
    if record["eventCategory"] == "NetworkActivity":
        assert [field for field in record if field not in ("errorCode", "errorMessage")] == NETWORK, list(record)
        assert record["eventType"] == "AwsVpceEvent"
        return record
    missing = [field for field in ALWAYS if field not in record]
    assert not missing, f"{missing} are missing in {record}"
    known = [ORDER.index(field) for field in record if field in ORDER]
    assert known == sorted(known), f"fields out of order: {list(record)}"
    assert re.fullmatch(r"1\.\d\d", record["eventVersion"]), record["eventVersion"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", record["eventTime"]), record["eventTime"]
    assert re.fullmatch(r"[a-z0-9.-]+\.amazonaws\.com", record["eventSource"]), record["eventSource"]
    assert re.fullmatch(r"[A-Za-z0-9_]+", record["eventName"]), record["eventName"]
    uuid.UUID(record["eventID"])
    # The portal of IAM Identity Center writes service events.
    is_portal = record["eventSource"] == "sso.amazonaws.com" and record["eventType"] == "AwsServiceEvent"
    assert is_portal or record["eventType"] == "AwsApiCall"
    assert record["eventCategory"] == ("Management" if record["managementEvent"] else "Data")
    assert isinstance(record["readOnly"], bool)
    assert re.fullmatch(r"\d{12}", record["recipientAccountId"])
    assert record["userIdentity"].get("type"), record["userIdentity"]
    if "errorCode" in record:
        assert record["responseElements"] is None, record
    return record


def lookup(cloudtrail, key=None, value=None, **more):
    """All events of the history by one attribute, newest first, over all pages."""
    if key:
        more["LookupAttributes"] = [{"AttributeKey": key, "AttributeValue": value}]
    found, asked = [], dict(more)
    while True:
        page = cloudtrail.lookup_events(**asked)
        found += page.get("Events", [])
        if "NextToken" not in page:
            return found
        asked["NextToken"] = page["NextToken"]


def records_of(events):
    return [json.loads(event["CloudTrailEvent"]) for event in events]


def recorded(cloudtrail, name, where=lambda record: True, within=1.0):
    """The record of a call named `name` for which `where` holds, at most `within` seconds after its answer."""
    seen = []

    def look():
        seen[:] = records_of(lookup(cloudtrail, "EventName", name))
        return [record for record in seen if where(record)]

    found = eventually(look, within, what=f"a record of {name} (there are {len(seen)} of that name)")
    assert len(found) == 1, f"{len(found)} records of one call: {found}"
    return check_shape(found[0])


def by_request(answer):
    """Tells the record of a boto3 answer or error from others, by the request id that the service gave."""
    metadata = answer["ResponseMetadata"]
    headers = {name.lower(): value for name, value in metadata["HTTPHeaders"].items()}
    ids = {metadata.get("RequestId"), headers.get("x-amzn-requestid"), headers.get("x-amz-request-id")} - {None, ""}
    assert ids, f"an answer without request id: {headers}"
    return lambda record: record.get("requestID") in ids


def log_files(s3, bucket, prefix=""):
    """Every log file below `prefix`: key -> records. Keys, headers and contents are checked on the way."""
    files = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            key = item["Key"]
            if key.endswith("/"):
                assert item["Size"] == 0, f"{key} marks a folder and is not empty"
            elif "/CloudTrail-Digest/" not in key and "/CloudTrail-Transparency/" not in key:
                files[key] = log_file(s3, bucket, key)
    return files


def log_file(s3, bucket, key):
    name = LOG_FILE.match(key)
    assert name, f"not the name of a log file: {key}"
    answer = s3.get_object(Bucket=bucket, Key=key)
    assert answer["ContentType"] == "application/json", answer["ContentType"]
    assert answer["ContentEncoding"] == "gzip", answer.get("ContentEncoding")
    body = answer["Body"].read()
    text = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
    content = json.loads(text)
    assert list(content) == ["Records"] and content["Records"], f"{key} holds {list(content)}"
    for record in content["Records"]:
        check_shape(record)
        assert record["awsRegion"] == name["region"], f"{record['awsRegion']} in a file of {name['region']}"
        assert record["recipientAccountId"] == name["account"]
        assert (record["eventCategory"] == "NetworkActivity") == (name["kind"] != "CloudTrail"), key
    return content["Records"]


def delivered(s3, bucket, wanted, within, prefix=""):
    """Waits until `wanted(records)` holds for the records of all log files; gives those records."""
    deadline = time.monotonic() + within
    while True:
        try:
            records = [record for file in log_files(s3, bucket, prefix).values() for record in file]
        except s3.exceptions.NoSuchBucket:
            records = []
        if wanted(records):
            return records
        if time.monotonic() > deadline:
            names = sorted({record["eventName"] for record in records})
            raise AssertionError(f"not delivered within {within} s; {len(records)} records in {bucket}: {names}")
        time.sleep(0.2)
