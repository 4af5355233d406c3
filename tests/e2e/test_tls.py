"""A door with a certificate: the record tells how it was opened."""

import socket
import ssl
import struct
import threading
import time

import httpx
import pytest
from botocore.exceptions import ClientError

from harness.certificate import make_certificate
from harness.process import eventually
from harness.raw import Talk, cloudtrail_call, head, json_call
from harness.records import by_request, recorded
from harness.upstream import Stage


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def trail(house, certificate):
    flags = ["--tls-cert", certificate / "cert.pem", "--tls-key", certificate / "key.pem"]
    return house(scheme="https", flags=flags).start()


def test_the_record_tells_version_cipher_and_host(trail):
    cloudtrail = trail.client("cloudtrail")
    record = recorded(cloudtrail, "ListTrails", by_request(cloudtrail.list_trails()))
    details = record["tlsDetails"]
    assert details["tlsVersion"] in ("TLSv1.2", "TLSv1.3")
    assert details["cipherSuite"].startswith(("TLS_", "ECDHE-"))
    assert details["clientProvidedHostHeader"] == f"127.0.0.1:{trail.port}"


def test_http_2_is_agreed_on_and_recorded_too(trail):
    headers, body = cloudtrail_call("DescribeTrails", **{"User-Agent": "two-over-tls/1"})
    with httpx.Client(http2=True, verify=False) as http:
        answer = http.post(trail.url + "/", headers=headers, content=body)
    assert answer.http_version == "HTTP/2" and answer.status_code == 200
    record = recorded(trail.client("cloudtrail"), "DescribeTrails", lambda record: record["userAgent"] == "two-over-tls/1")
    assert record["tlsDetails"]["tlsVersion"] == "TLSv1.3"


def test_objects_pass_both_ways(trail):
    s3 = trail.client("s3")
    s3.create_bucket(Bucket="over-tls")
    s3.put_object(Bucket="over-tls", Key="k", Body=b"x" * 3_000_000)
    assert s3.get_object(Bucket="over-tls", Key="k")["Body"].read() == b"x" * 3_000_000


def test_plain_http_on_the_tls_port_is_turned_away(trail):
    with Talk(trail.port) as talk:
        talk.say(b"GET /_opentrail/ready HTTP/1.1\r\nHost: x\r\n\r\n")
        heard = talk.hear()
    assert heard is not None and b" 200 " not in heard
    assert trail.ready()


@pytest.mark.parametrize("broken", ["cert.pem", "key.pem"])
def test_a_certificate_that_cannot_be_used_is_told(house, certificate, tmp_path, broken):
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).write_bytes(b"nonsense" if name == broken else (certificate / name).read_bytes())
    trail = house(scheme="https", flags=["--tls-cert", tmp_path / "cert.pem", "--tls-key", tmp_path / "key.pem"])
    trail.process.spawn()
    assert trail.process.child.wait(20) == 1
    assert broken in trail.process.said()


def test_a_client_that_is_reset_during_a_long_poll_is_noticed_at_once(house, certificate):
    ended = threading.Event()

    def poll(wire, stage):
        stage.saw(wire.head())
        try:
            while wire.socket.recv(65536):
                pass
        except ConnectionResetError:
            ended.set()

    stage = Stage(poll)
    flags = ["--tls-cert", certificate / "cert.pem", "--tls-key", certificate / "key.pem"]
    trail = house(upstream=f"sqs={stage.url}", scheme="https", flags=flags).start()
    body = b'{"QueueUrl":"http://h/123456789012/q","WaitTimeSeconds":20}'
    headers, body = json_call("sqs", "AmazonSQS.ReceiveMessage", body, Host="h", **{"Content-Length": len(body)})
    context = ssl._create_unverified_context()
    with socket.create_connection(("127.0.0.1", trail.port)) as plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wrapped = context.wrap_socket(plain)
        wrapped.sendall(head("POST", "/", headers) + body)
        eventually(lambda: stage.seen, 5, what="the upstream is asked")
        time.sleep(0.2)
        wrapped.close()
    assert ended.wait(2), "the upstream still works for a client that has gone"
    stage.close()


def test_an_upstream_whom_only_a_private_authority_vouches_for(house, tmp_path):
    private = make_certificate(tmp_path, ca=False)
    behind = house(scheme="https", flags=["--tls-cert", private / "cert.pem", "--tls-key", private / "key.pem"]).start()

    stranger = house(upstream=f"s3={behind.url}").start()
    with pytest.raises(ClientError) as refused:
        stranger.client("s3", retries={"total_max_attempts": 1}).list_buckets()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert "name a PEM file in SSL_CERT_FILE" in stranger.process.said()

    trail = house(upstream=f"s3={behind.url}", interval="1s", env={"SSL_CERT_FILE": str(private / "cert.pem")}).start()
    answer = trail.client("s3").create_bucket(Bucket="over-there")
    assert recorded(trail.client("cloudtrail"), "CreateBucket", by_request(answer))
    s3 = behind.client("s3")
    assert "over-there" in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    bucket = trail.client("cloudtrail").describe_trails()["trailList"][0]["S3BucketName"]
    eventually(lambda: s3.list_objects_v2(Bucket=bucket).get("Contents"), 20, what="a log file is there")


def test_a_file_of_authorities_that_names_none_is_told(house, tmp_path):
    (tmp_path / "none.pem").write_text("nonsense")
    (tmp_path / "empty").mkdir()
    trail = house(upstream="https://127.0.0.1:9", env={"SSL_CERT_FILE": str(tmp_path / "none.pem"), "SSL_CERT_DIR": str(tmp_path / "empty")})
    trail.process.spawn()
    assert trail.process.child.wait(20) == 1
    assert "none.pem holds no certificate" in trail.process.said()
