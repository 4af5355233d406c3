"""A trail's topic is told of each log file, once it is there: through a topic that dies, a process that dies, and a service that hangs."""

import json
import ssl
import time

import pytest
from botocore.exceptions import ClientError

from harness.certificate import make_certificate
from harness.cli import Cli
from harness.opentrail import ACCOUNT, REGION, client
from harness.process import eventually
from harness.records import log_files
from harness.upstream import Stage, Wire, answering

VALIDATION = "CloudTrail validation message."


class Listener:
    """A topic with a queue behind it, at moto itself: what is done here is recorded nowhere."""

    def __init__(self, moto, name):
        self.sns, self.sqs = client(moto.url, "sns"), client(moto.url, "sqs")
        self.name, self.arn, self.heard = name, f"arn:aws:sns:{REGION}:{ACCOUNT}:{name}", []
        self.queue = self.sqs.create_queue(QueueName=f"behind-{name}")["QueueUrl"]
        self.create()

    def create(self):
        assert self.sns.create_topic(Name=self.name)["TopicArn"] == self.arn
        self.sns.subscribe(TopicArn=self.arn, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:behind-{self.name}")

    def delete(self):
        self.sns.delete_topic(TopicArn=self.arn)

    def messages(self):
        """Everything that was said so far."""
        while found := self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                envelope = json.loads(message["Body"])
                assert "Subject" not in envelope
                self.heard.append(envelope["Message"])
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return self.heard

    def keys(self, bucket):
        """The log files that were announced, in the order in which they were."""
        told = [json.loads(message) for message in self.messages() if message != VALIDATION]
        for message in told:
            assert list(message) == ["s3Bucket", "s3ObjectKey"] and message["s3Bucket"] == bucket and len(message["s3ObjectKey"]) == 1
        return [message["s3ObjectKey"][0] for message in told]


@pytest.fixture(scope="module")
def trail(house, moto):
    return house(upstream=moto.url, interval="1s", flags=["--digest-interval", "2s"]).start()


def make(trail, moto, name, topic):
    """A trail that logs into a bucket of its own and tells a topic."""
    client(moto.url, "s3").create_bucket(Bucket=name)
    cloudtrail = trail.client("cloudtrail")
    made = cloudtrail.create_trail(Name=name, S3BucketName=name, SnsTopicName=topic, EnableLogFileValidation=True)
    cloudtrail.start_logging(Name=name)
    return made


def status(trail, name):
    return trail.client("cloudtrail").get_trail_status(Name=name)


def everything_is_told(trail, moto, listener, bucket):
    """Every log file is announced, once; gives how many there are."""
    s3 = client(moto.url, "s3")
    eventually(lambda: set(log_files(s3, bucket)) and set(log_files(s3, bucket)) <= set(listener.keys(bucket)), 20, every=0.3, what="every file announced")
    told = listener.keys(bucket)
    assert len(told) == len(set(told)), "announced twice"
    return len(told)


def test_each_log_file_is_announced_once_and_digests_are_not(trail, moto):
    listener = Listener(moto, "told")
    made = make(trail, moto, "audit-told", "told")
    assert (made["SnsTopicName"], made["SnsTopicARN"]) == ("told", listener.arn)
    assert listener.messages() == [VALIDATION]
    for number in range(3):
        trail.client("sqs").create_queue(QueueName=f"told-{number}")
        time.sleep(1.2)
    assert everything_is_told(trail, moto, listener, "audit-told") >= 3
    told = listener.keys("audit-told")
    eventually(lambda: "LatestDigestDeliveryTime" in status(trail, "audit-told"), 20, what="a digest")
    assert not [key for key in listener.keys("audit-told") if "Digest" in key]
    files = client(moto.url, "s3").list_objects_v2(Bucket="audit-told")["Contents"]
    written = {item["Key"]: item["LastModified"] for item in files}
    assert [written[key] for key in told] == sorted(written[key] for key in told), "in the order of delivery"
    shown = status(trail, "audit-told")
    assert "LatestNotificationError" not in shown and shown["LatestNotificationTime"] >= shown["LatestDeliveryTime"].replace(microsecond=0)
    assert shown["LatestNotificationAttemptTime"] and shown["LatestNotificationAttemptSucceeded"]
    metrics = trail.get("/_opentrail/metrics")[1].decode()
    assert 'opentrail_notifications_total{result="published"}' in metrics


def test_a_topic_that_dies_holds_up_no_log_file_and_is_told_what_it_missed(trail, moto):
    listener = Listener(moto, "frail")
    make(trail, moto, "audit-frail", listener.arn)
    trail.client("sqs").create_queue(QueueName="frail-0")
    before = everything_is_told(trail, moto, listener, "audit-frail")
    listener.delete()
    s3, sqs = client(moto.url, "s3"), trail.client("sqs")
    for number in range(1, 3):
        files = len(log_files(s3, "audit-frail"))
        sqs.create_queue(QueueName=f"frail-{number}")
        eventually(lambda: len(log_files(s3, "audit-frail")) > files, 10, every=0.3, what="a log file all the same")
    eventually(lambda: status(trail, "audit-frail").get("LatestNotificationError") == "NotFound", 10, every=0.2, what="the error")
    shown = status(trail, "audit-frail")
    assert "LatestDeliveryError" not in shown and shown["LatestNotificationAttemptTime"] > shown["LatestNotificationAttemptSucceeded"]
    listener.create()
    assert everything_is_told(trail, moto, listener, "audit-frail") > before + 1
    eventually(lambda: "LatestNotificationError" not in status(trail, "audit-frail"), 10, every=0.2, what="the error is gone")


def test_a_kill_between_delivery_and_message_still_tells(trail, moto):
    listener = Listener(moto, "late")
    make(trail, moto, "audit-late", "late")
    trail.client("sqs").create_queue(QueueName="late-0")
    everything_is_told(trail, moto, listener, "audit-late")
    listener.delete()
    s3 = client(moto.url, "s3")
    files = len(log_files(s3, "audit-late"))
    trail.client("sqs").create_queue(QueueName="late-1")
    eventually(lambda: len(log_files(s3, "audit-late")) > files, 10, every=0.2, what="a log file")
    eventually(lambda: "LatestNotificationError" in status(trail, "audit-late"), 10, every=0.2, what="an error")
    trail.kill()
    listener.create()
    trail.start()
    assert everything_is_told(trail, moto, listener, "audit-late") > files


def test_topics_that_cannot_be_told_are_refused(trail, moto):
    client(moto.url, "s3").create_bucket(Bucket="audit-refused")
    aws = Cli(trail.url, trail.credentials_file)
    for topic, code in [
        ("nobody-made-this", "InsufficientSnsTopicPolicyException"),
        (f"arn:aws:sns:{REGION}:{ACCOUNT}:nobody-made-this", "InsufficientSnsTopicPolicyException"),
        ("orders.fifo", "InvalidSnsTopicNameException"),
    ]:
        answer = aws.run("cloudtrail", "create-trail", "--name", "refused", "--s3-bucket-name", "audit-refused", "--sns-topic-name", topic)
        assert answer.code != 0 and code in answer.err, answer.err
    listener = Listener(moto, "spelled")
    made = aws("cloudtrail", "create-trail", "--name", "spelled", "--s3-bucket-name", "audit-refused", "--sns-topic-name", listener.arn).json
    assert (made["SnsTopicName"], made["SnsTopicARN"]) == (listener.arn, listener.arn)
    cleared = aws("cloudtrail", "update-trail", "--name", "spelled", "--sns-topic-name", "").json
    assert "SnsTopicName" not in cleared and "SnsTopicARN" not in cleared
    aws("cloudtrail", "delete-trail", "--name", "spelled")


def test_without_an_upstream_for_sns_the_error_says_so(house):
    alone = house().start()
    alone.client("s3").create_bucket(Bucket="alone")
    with pytest.raises(ClientError) as refused:
        alone.client("cloudtrail").create_trail(Name="alone", S3BucketName="alone", SnsTopicName="told")
    error = refused.value.response["Error"]
    assert error["Code"] == "UnsupportedOperationException" and "--upstream sns=URL" in error["Message"]


PUBLISHED = b"<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult><ResponseMetadata><RequestId>2</RequestId></ResponseMetadata></PublishResponse>"


def test_an_sns_that_hangs_delays_neither_log_files_nor_the_end(house, moto):
    first = []

    def scene(wire, stage):
        while (seen := wire.request()) is not None:
            stage.saw(seen)
            if first:
                time.sleep(120)
            first.append(seen)
            wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s" % (len(PUBLISHED), PUBLISHED))

    with Stage(scene) as sns:
        trail = house(upstream=moto.url, interval="1s", flags=["--upstream", f"sns={sns.url}"]).start()
        make(trail, moto, "audit-hangs", "hangs")
        assert b"TopicArn=arn%3Aaws%3Asns" in sns.seen[0].body and b"Subject" not in sns.seen[0].body
        assert f"/{REGION}/sns/aws4_request" in sns.seen[0].header("authorization")
        s3 = client(moto.url, "s3")
        for number in range(3):
            files = len(log_files(s3, "audit-hangs"))
            trail.client("sqs").create_queue(QueueName=f"hangs-{number}")
            eventually(lambda: len(log_files(s3, "audit-hangs")) > files, 5, every=0.2, what="a log file in its time")
        shown = status(trail, "audit-hangs")
        assert "LatestNotificationError" not in shown and "LatestNotificationTime" not in shown
        began = time.monotonic()
        assert trail.stop() == 0
        assert time.monotonic() - began < 15


def test_a_refusal_is_shown_by_its_code(house, moto):
    denied = b"<ErrorResponse><Error><Type>Sender</Type><Code>AuthorizationError</Code><Message>no</Message></Error><RequestId>1</RequestId></ErrorResponse>"

    def answer(seen):
        status, body = (b"200 OK", PUBLISHED) if VALIDATION.replace(" ", "+").encode() in seen.body.replace(b"%20", b"+") else (b"403 Forbidden", denied)
        return b"HTTP/1.1 %s\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)

    with Stage(answering(answer)) as sns:
        trail = house(upstream=moto.url, interval="1s", flags=["--upstream", f"sns={sns.url}"]).start()
        make(trail, moto, "audit-denied", "denied")
        trail.client("sqs").create_queue(QueueName="denied")
        eventually(lambda: status(trail, "audit-denied").get("LatestNotificationError") == "AuthorizationError", 15, every=0.2, what="the code")
        assert "LatestDeliveryError" not in status(trail, "audit-denied")


def test_an_sns_behind_tls_is_told_too_and_sigterm_tells_what_is_still_open(house, moto, tmp_path):
    folder = make_certificate(tmp_path, ca=False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")

    def scene(wire, stage):
        with context.wrap_socket(wire.socket, server_side=True) as secured:
            answering(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s" % (len(PUBLISHED), PUBLISHED))(Wire(secured), stage)

    with Stage(scene) as sns:
        flags = ["--upstream", f"sns=https://127.0.0.1:{sns.port}"]
        trail = house(upstream=moto.url, interval="1h", flags=flags, env={"SSL_CERT_FILE": str(folder / "cert.pem")}).start()
        make(trail, moto, "audit-secured", "secured")
        assert len(sns.seen) == 1, trail.process.said()[-2000:]
        trail.client("sqs").create_queue(QueueName="secured")
        assert trail.stop() == 0
        (key,) = log_files(client(moto.url, "s3"), "audit-secured")
        assert len(sns.seen) == 2 and key.replace("/", "%2F").encode() in sns.seen[1].body
