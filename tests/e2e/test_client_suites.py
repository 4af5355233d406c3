"""What the AWS clients do on their own: the same conversation with moto directly and through OpenTrail, with the same results."""

import datetime
import hashlib
import io
import re

import httpx
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError, WaiterError

from harness.cli import Cli
from harness.opentrail import ANY_KEY, client

# What differs between two runs of one conversation, by name of the member. The length of a body is among them: times are
# written as fractions of any length. That no byte is changed is proved in test_wire.py.
VARYING = re.compile(
    r"(?i)^(requestid|hostid|content-length|x-amzn?-request-?id|x-amz-id-2|date|.*(id|handle|token|time|timestamp|date|created|modified)|md5ofmessage.*|x-amz-crc32)$"
)


def steady(value):
    """A result without ids, dates and addresses; streams are read."""
    if isinstance(value, dict):
        return {key: "VARIES" if VARYING.match(key) and not isinstance(item, (dict, list)) else steady(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [steady(item) for item in value]
    if hasattr(value, "read"):
        return hashlib.sha256(value.read()).hexdigest()
    if isinstance(value, datetime.datetime):
        return "VARIES"
    if isinstance(value, str):
        return re.sub(r"127\.0\.0\.1:\d+", "HOST", value)
    return value


def told(call, *args, **more):
    """A result or an error, as the client tells it."""
    try:
        return steady(call(*args, **more))
    except ClientError as error:
        return steady(error.response)


def multipart_by_hand(url):
    s3 = client(url, "s3")
    s3.create_bucket(Bucket="suite")
    upload = s3.create_multipart_upload(Bucket="suite", Key="parts", Metadata={"a": "b"})["UploadId"]
    said, parts, named = [], [], {"Bucket": "suite", "Key": "parts", "UploadId": upload}
    for number, fill in ((1, b"a" * (5 << 20)), (2, b"b" * 1000)):
        part = s3.upload_part(**named, PartNumber=number, Body=fill)
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
        said.append(steady(part))
    listed = told(s3.list_parts, **named)
    listed["ResponseMetadata"]["HTTPHeaders"].pop("content-length")  # an upload's id has no fixed length
    said.append(listed)
    said.append(told(s3.complete_multipart_upload, **named, MultipartUpload={"Parts": parts[::-1]}))
    said.append(told(s3.complete_multipart_upload, **named, MultipartUpload={"Parts": parts}))
    said.append(told(s3.get_object, Bucket="suite", Key="parts", Range="bytes=5242870-5242890"))
    said.append(told(s3.head_object, Bucket="suite", Key="parts"))
    said.append(told(s3.upload_part_copy, **named, PartNumber=3, CopySource="suite/parts"))
    return said


def transfer_manager(url):
    s3 = client(url, "s3", max_pool_connections=8)
    s3.create_bucket(Bucket="suite")
    content = hashlib.sha256(b"transfer").digest() * (20 << 15)  # 20 MiB
    config = TransferConfig(multipart_threshold=1 << 20, multipart_chunksize=5 << 20, max_concurrency=8)
    s3.upload_fileobj(io.BytesIO(content), "suite", "big", Config=config, ExtraArgs={"ChecksumAlgorithm": "CRC32"})
    got = io.BytesIO()
    s3.download_fileobj("suite", "big", got, Config=config)
    s3.copy({"Bucket": "suite", "Key": "big"}, "suite", "copy", Config=config)
    return [got.getvalue() == content, told(s3.head_object, Bucket="suite", Key="big"), told(s3.get_object, Bucket="suite", Key="copy")]


def objects(url):
    s3 = client(url, "s3")
    s3.create_bucket(Bucket="suite")
    said = [told(s3.put_object, Bucket="suite", Key=f"dir {n}/ü+%&={n}", Body=b"x" * n, ContentType="text/x", Metadata={"n": str(n)}) for n in range(12)]
    for algorithm in ("CRC32", "SHA1", "SHA256"):
        stream = io.BytesIO(b"streamed " * 10_000)
        said.append(told(s3.put_object, Bucket="suite", Key=algorithm, Body=stream, ChecksumAlgorithm=algorithm))
        said.append(told(s3.get_object, Bucket="suite", Key=algorithm, ChecksumMode="ENABLED"))
    etag = s3.head_object(Bucket="suite", Key="CRC32")["ETag"]
    for condition in ({"IfMatch": etag}, {"IfMatch": '"no"'}, {"IfNoneMatch": etag}, {"Range": "bytes=5-9"}, {"Range": "bytes=-3"}, {"Range": "bytes=999999-"}):
        said.append(told(s3.get_object, Bucket="suite", Key="CRC32", **condition))
    said += [told(s3.head_object, Bucket="suite", Key=key) for key in ("CRC32", "none")]
    said.append([steady(page) for page in s3.get_paginator("list_objects_v2").paginate(Bucket="suite", PaginationConfig={"PageSize": 5})])
    said.append(told(s3.list_objects_v2, Bucket="suite", Delimiter="/"))
    said.append(told(s3.delete_objects, Bucket="suite", Delete={"Objects": [{"Key": "CRC32"}, {"Key": "none"}, {"Key": "dir 1/ü+%&=1"}]}))
    said += [told(s3.put_object_tagging, Bucket="suite", Key="SHA1", Tagging={"TagSet": [{"Key": "k", "Value": "v&<ü"}]}), told(s3.get_object_tagging, Bucket="suite", Key="SHA1")]
    said += [told(s3.get_bucket_policy, Bucket="suite"), told(s3.delete_bucket, Bucket="suite"), told(s3.list_objects_v2, Bucket="nowhere")]
    return said


def presigned(url):
    s3 = client(url, "s3", signature_version="s3v4")
    s3.create_bucket(Bucket="suite")
    said = []
    with httpx.Client() as http:
        for verb, operation, more in (("PUT", "put_object", {"content": b"by url"}), ("GET", "get_object", {}), ("HEAD", "head_object", {}), ("DELETE", "delete_object", {}), ("GET", "get_object", {})):
            signed = s3.generate_presigned_url(operation, Params={"Bucket": "suite", "Key": "k"}, ExpiresIn=60)
            answer = http.request(verb, signed, **more)
            said.append((answer.status_code, re.sub(r"<(RequestI[dD]|HostId)>.*?<", "<", answer.text), steady({**answer.headers})))
        form = s3.generate_presigned_post("suite", "posted", Fields={"acl": "private"}, Conditions=[{"acl": "private"}])
        said.append(http.post(form["url"], data=form["fields"], files={"file": b"by form"}).status_code)
    said.append(told(s3.get_object, Bucket="suite", Key="posted"))
    return said


def waiters(url):
    s3, dynamodb, iam = client(url, "s3"), client(url, "dynamodb"), client(url, "iam")
    quick = {"Delay": 1, "MaxAttempts": 1}
    said = []
    for call in (
        lambda: s3.get_waiter("bucket_exists").wait(Bucket="waited", WaiterConfig=quick),
        lambda: s3.create_bucket(Bucket="waited"),
        lambda: s3.get_waiter("bucket_exists").wait(Bucket="waited", WaiterConfig=quick),
        lambda: s3.get_waiter("object_not_exists").wait(Bucket="waited", Key="k", WaiterConfig=quick),
        lambda: dynamodb.get_waiter("table_not_exists").wait(TableName="waited", WaiterConfig=quick),
        lambda: iam.get_waiter("user_exists").wait(UserName="waited", WaiterConfig=quick),
    ):
        try:
            said.append(steady(call()))
        except WaiterError as error:
            said.append([str(error), steady(error.last_response)])
    return said


def tables(url):
    dynamodb = client(url, "dynamodb")
    schema = {"KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}], "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}]}
    said = [told(dynamodb.create_table, TableName="suite", BillingMode="PAY_PER_REQUEST", **schema)]
    puts = [{"PutRequest": {"Item": {"id": {"S": f"{n:02}"}, "b": {"B": bytes([n] * 50)}, "l": {"L": [{"N": "1.50"}, {"NULL": True}]}}}} for n in range(25)]
    said.append(told(dynamodb.batch_write_item, RequestItems={"suite": puts}))
    said.append(told(dynamodb.batch_get_item, RequestItems={"suite": {"Keys": [{"id": {"S": "03"}}, {"id": {"S": "99"}}]}}))
    said.append([steady(page) for page in dynamodb.get_paginator("scan").paginate(TableName="suite", PaginationConfig={"PageSize": 7})])
    said.append(told(dynamodb.put_item, TableName="suite", Item={"id": {"S": "03"}}, ConditionExpression="attribute_not_exists(id)"))
    said.append(told(dynamodb.transact_write_items, TransactItems=[
        {"Put": {"TableName": "suite", "Item": {"id": {"S": "new"}}}},
        {"Delete": {"TableName": "suite", "Key": {"id": {"S": "03"}}, "ConditionExpression": "attribute_exists(nothing)"}},
    ]))
    said += [told(dynamodb.get_item, TableName="none", Key={"id": {"S": "1"}}), told(dynamodb.execute_statement, Statement="SELECT id FROM suite WHERE id='04'")]
    return said


def queues(url):
    sqs = client(url, "sqs")
    queue = sqs.create_queue(QueueName="suite")["QueueUrl"]
    entries = [{"Id": str(n), "MessageBody": f"message {n} <&ü>", "MessageAttributes": {"n": {"DataType": "Number", "StringValue": str(n)}}} for n in range(10)]
    said = [told(sqs.send_message_batch, QueueUrl=queue, Entries=entries)]
    received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=2, MessageAttributeNames=["All"])["Messages"]
    said.append(sorted((message["Body"], message["MD5OfBody"]) for message in received))
    said.append(told(sqs.delete_message_batch, QueueUrl=queue, Entries=[{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(received)]))
    said.append(told(sqs.receive_message, QueueUrl=queue, WaitTimeSeconds=1))
    said += [told(sqs.send_message_batch, QueueUrl=queue, Entries=[entries[0]] * 2), told(sqs.get_queue_url, QueueName="none")]
    return said


def pages(url):
    iam, logs = client(url, "iam"), client(url, "logs")
    for n in range(7):
        iam.create_user(UserName=f"user-{n}", Path="/suite/")
        logs.create_log_group(logGroupName=f"/suite/{n}")
    users = iam.get_paginator("list_users").paginate(PathPrefix="/suite/", PaginationConfig={"PageSize": 3})
    groups = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix="/suite/", PaginationConfig={"PageSize": 3})
    return [[steady(page) for page in users], [steady(page) for page in groups], told(iam.create_user, UserName="user-1"), told(iam.delete_user, UserName="none")]


CONVERSATIONS = [multipart_by_hand, transfer_manager, objects, presigned, waiters, tables, queues, pages]


@pytest.fixture(scope="module")
def trail(house, moto):
    return house(upstream=moto.url, interval="1h").start()


@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda conversation: conversation.__name__)
def test_boto3_is_told_the_same(trail, moto, conversation):
    answers = []
    for url in (moto.url, trail.url):
        moto.reset()
        answers.append(conversation(url))
    directly, through = answers
    assert through == directly
    assert directly, "a conversation of no words proves nothing"


COMMANDS = [
    ("s3", "mb", "s3://suite"),
    ("s3", "cp", "{file}", "s3://suite/a/file"),
    ("s3", "cp", "s3://suite/a/file", "-"),
    ("s3", "sync", "{folder}", "s3://suite/tree", "--no-progress"),
    ("s3", "ls", "s3://suite/", "--recursive", "--summarize"),
    ("s3", "rm", "s3://suite/", "--recursive"),
    ("s3", "cp", "s3://suite/none", "-"),
    ("sqs", "create-queue", "--queue-name", "suite"),
    ("iam", "get-user", "--user-name", "none"),
]


def test_the_aws_cli_is_told_the_same(trail, moto, tmp_path):
    (tmp_path / "tree/deep").mkdir(parents=True)
    for n in range(5):
        (tmp_path / f"tree/deep/{n}").write_bytes(bytes([n]) * 1000 * n)
    (tmp_path / "file").write_bytes(b"0123456789abcdef" * (9 << 16))  # 9 MiB: in parts
    key = tmp_path / "credentials"
    key.write_text(f"[default]\naws_access_key_id = {ANY_KEY[0]}\naws_secret_access_key = {ANY_KEY[1]}\n")
    said = []
    for url in (moto.url, trail.url):
        moto.reset()
        cli = Cli(url, key)
        said.append([])
        for command in COMMANDS:
            answer = cli.run(*(word.format(file=tmp_path / "file", folder=tmp_path / "tree") for word in command))
            out = re.sub(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|127\.0\.0\.1:\d+", b"X", answer.out)
            # Progress and the order of parallel transfers depend on time.
            lines = sorted(line.rsplit(b"\r", 1)[-1] for line in out.split(b"\n"))
            said[-1].append((command, answer.code, hashlib.sha256(out).hexdigest() if len(out) > 1 << 20 else lines, answer.err))
    directly, through = said
    assert through == directly
    assert [code == 0 for _, code, *_ in directly] == [True] * 6 + [False, True, False], directly
