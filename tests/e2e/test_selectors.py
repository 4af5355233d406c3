"""A trail records what its selectors say: data events of some resources, management events of some services, in its Regions."""

import pytest
from botocore.exceptions import ClientError

from harness.process import eventually
from harness.records import delivered, log_files

KEYS = {"KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}], "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}]}


@pytest.fixture(scope="module")
def trail(house, moto):
    return house(upstream=moto.url, interval="1s").start()


def data(resource_type, *more):
    """An advanced selector for data events of a type."""
    fields = [{"Field": "eventCategory", "Equals": ["Data"]}, {"Field": "resources.type", "Equals": [resource_type]}]
    return {"FieldSelectors": [*fields, *more]}


def logging_trail(trail, name, region="us-east-1", **selectors):
    """A trail with these selectors that logs into a bucket of its own; gives a function that waits for its records."""
    s3, cloudtrail = trail.client("s3"), trail.client("cloudtrail", region=region)
    bucket = f"logs-of-{name}"
    s3.create_bucket(Bucket=bucket)
    cloudtrail.create_trail(Name=name, S3BucketName=bucket)
    if selectors:
        cloudtrail.put_event_selectors(TrailName=name, **selectors)
    cloudtrail.start_logging(Name=name)

    def calls(enough, within=20):
        return told(delivered(s3, bucket, lambda records: enough(told(records)), within))

    def told(records):
        return [(record["eventSource"].split(".")[0], record["eventName"]) for record in records]

    calls.bucket = bucket
    calls.stop = lambda: (cloudtrail.stop_logging(Name=name), cloudtrail.delete_trail(Name=name))
    return calls


def test_a_trail_for_one_prefix_of_a_bucket_gets_just_its_objects(trail):
    s3 = trail.client("s3")
    for bucket in ("things", "things-too"):
        s3.create_bucket(Bucket=bucket)
    below = {"Field": "resources.ARN", "StartsWith": ["arn:aws:s3:::things/in/"], "NotEndsWith": [".tmp"]}
    calls = logging_trail(trail, "prefix", AdvancedEventSelectors=[data("AWS::S3::Object", below)])
    for bucket, key in (("things", "in/a"), ("things", "out/b"), ("things", "in/c.tmp"), ("things-too", "in/d")):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    trail.client("sqs").list_queues()
    s3.get_object(Bucket="things", Key="in/a")
    with pytest.raises(ClientError):
        s3.get_object(Bucket="things", Key="in/none")
    found = calls(lambda calls: len(calls) >= 3)
    assert found == [("s3", "PutObject"), ("s3", "GetObject"), ("s3", "GetObject")]
    (records,) = [records for records in log_files(s3, calls.bucket).values()] or [[]]
    assert [record["requestParameters"]["key"] for record in records] == ["in/a", "in/a", "in/none"]
    assert records[2]["errorCode"] == "NoSuchKey"
    calls.stop()


def test_basic_selectors_take_writes_below_a_bucket_and_no_management_events(trail):
    s3 = trail.client("s3")
    s3.create_bucket(Bucket="basics")
    resources = [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::basics/"]}, {"Type": "AWS::DynamoDB::Table", "Values": ["arn:aws:dynamodb"]}]
    selector = {"ReadWriteType": "WriteOnly", "IncludeManagementEvents": False, "DataResources": resources}
    calls = logging_trail(trail, "basic", EventSelectors=[selector])
    s3.put_object(Bucket="basics", Key="k", Body=b"x")
    s3.get_object(Bucket="basics", Key="k")
    dynamodb = trail.client("dynamodb")
    dynamodb.create_table(TableName="music", BillingMode="PAY_PER_REQUEST", **KEYS)
    dynamodb.put_item(TableName="music", Item={"id": {"S": "1"}})
    dynamodb.get_item(TableName="music", Key={"id": {"S": "1"}})
    assert calls(lambda calls: len(calls) >= 2) == [("s3", "PutObject"), ("dynamodb", "PutItem")]
    calls.stop()


def test_data_events_of_other_services_are_taken_by_their_resource_types(trail):
    types = ["AWS::Lambda::Function", "AWS::SQS::Queue", "AWS::SNS::Topic", "AWS::DynamoDB::Table"]
    calls = logging_trail(trail, "types", AdvancedEventSelectors=[data(kind) for kind in types])
    sqs, sns = trail.client("sqs"), trail.client("sns")
    queue = sqs.create_queue(QueueName="typed")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="hello")
    topic = sns.create_topic(Name="typed")["TopicArn"]
    sns.publish(TopicArn=topic, Message="hello")
    with pytest.raises(ClientError):
        trail.client("lambda").invoke(FunctionName="nobody-home")
    dynamodb = trail.client("dynamodb")
    dynamodb.create_table(TableName="typed", BillingMode="PAY_PER_REQUEST", **KEYS)
    dynamodb.put_item(TableName="typed", Item={"id": {"S": "1"}})
    expected = [("sqs", "SendMessage"), ("sns", "Publish"), ("lambda", "Invoke"), ("dynamodb", "PutItem")]
    assert calls(lambda calls: len(calls) >= len(expected)) == expected
    calls.stop()


def test_a_management_trail_leaves_a_service_and_reads_out(trail):
    fields = [
        {"Field": "eventCategory", "Equals": ["Management"]},
        {"Field": "readOnly", "Equals": ["false"]},
        {"Field": "eventSource", "NotEquals": ["kms.amazonaws.com"]},
    ]
    calls = logging_trail(trail, "writes", AdvancedEventSelectors=[{"Name": "writes", "FieldSelectors": fields}])
    trail.client("kms").create_key()
    trail.client("sqs").create_queue(QueueName="written")
    trail.client("sqs").list_queues()
    trail.client("iam").list_users()
    trail.client("s3").list_objects_v2(Bucket="logs-of-writes")
    trail.client("iam").create_user(UserName="written")
    found = calls(lambda calls: ("iam", "CreateUser") in calls)
    # Files of two Regions: which comes first is left to chance.
    assert sorted(call for call in found if call[0] != "cloudtrail") == [("iam", "CreateUser"), ("sqs", "CreateQueue")]
    calls.stop()


def test_a_trail_of_one_region_leaves_the_others_out(trail):
    calls = logging_trail(trail, "paris", region="eu-west-3")
    trail.client("sqs").create_queue(QueueName="not-in-paris")
    trail.client("iam").create_user(UserName="not-in-paris")
    trail.client("sqs", region="eu-west-3").create_queue(QueueName="in-paris")
    found = calls(lambda calls: ("sqs", "CreateQueue") in calls)
    assert [call for call in found if call[0] != "cloudtrail"] == [("sqs", "CreateQueue")]
    calls.stop()


def test_new_selectors_hold_from_the_next_call_on(trail):
    s3, cloudtrail = trail.client("s3"), trail.client("cloudtrail")
    s3.create_bucket(Bucket="changes")
    calls = logging_trail(trail, "changing", AdvancedEventSelectors=[data("AWS::SQS::Queue")])
    below = lambda prefix: {"Field": "resources.ARN", "StartsWith": [f"arn:aws:s3:::changes/{prefix}/"]}
    for turn in range(5):
        cloudtrail.put_event_selectors(TrailName="changing", AdvancedEventSelectors=[data("AWS::S3::Object", below(turn))])
        s3.put_object(Bucket="changes", Key=f"{turn}/in-time", Body=b"x")
        s3.put_object(Bucket="changes", Key=f"{turn - 1}/too-late", Body=b"x")
    calls(lambda calls: len(calls) >= 5)
    keys = [record["requestParameters"]["key"] for records in log_files(s3, calls.bucket).values() for record in records]
    assert sorted(keys) == [f"{turn}/in-time" for turn in range(5)]
    calls.stop()


def test_a_trail_whose_bucket_is_gone_says_so_and_delays_no_other(trail):
    s3, cloudtrail = trail.client("s3"), trail.client("cloudtrail")
    bad, good = logging_trail(trail, "bad"), logging_trail(trail, "good")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bad.bucket):
        for item in page.get("Contents", []):
            s3.delete_object(Bucket=bad.bucket, Key=item["Key"])
    s3.delete_bucket(Bucket=bad.bucket)
    trail.client("sqs").create_queue(QueueName="while-one-is-gone")
    good(lambda calls: ("sqs", "CreateQueue") in calls, within=10)

    def error():
        return cloudtrail.get_trail_status(Name="bad").get("LatestDeliveryError")

    assert eventually(error, 10, what="an error in the status") == "NoSuchBucket"
    s3.create_bucket(Bucket=bad.bucket)
    assert ("sqs", "CreateQueue") in bad(lambda calls: ("sqs", "CreateQueue") in calls, within=60)
    eventually(lambda: not error(), 10, what="no error in the status")
    for calls in (bad, good):
        calls.stop()


def test_what_is_selected_survives_a_restart(trail):
    s3 = trail.client("s3")
    s3.create_bucket(Bucket="lasting")
    below = {"Field": "resources.ARN", "StartsWith": ["arn:aws:s3:::lasting/in/"]}
    calls = logging_trail(trail, "lasting", AdvancedEventSelectors=[data("AWS::S3::Object", below)])
    s3.put_object(Bucket="lasting", Key="in/before", Body=b"x")
    trail.kill()
    trail.start()
    s3.put_object(Bucket="lasting", Key="out/after", Body=b"x")
    s3.put_object(Bucket="lasting", Key="in/after", Body=b"x")
    assert calls(lambda calls: len(calls) >= 2) == [("s3", "PutObject")] * 2
    calls.stop()
