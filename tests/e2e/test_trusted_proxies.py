"""Where a call comes from when somebody stands in between: told by those on the list, and by nobody else."""

import pytest

from harness.proxied import BINARY, CALLER, ENDPOINT, through_endpoint
from harness.raw import Talk, cloudtrail_call, head
from harness.records import recorded


@pytest.fixture(scope="module")
def behind(house):
    return house(flags=["--trusted-proxy", "127.0.0.1"]).start()


@pytest.fixture(scope="module")
def open_to_all(house):
    return house().start()


def source_of(trail, agent, preamble=b"", **more):
    return record_of(trail, agent, preamble, **more)["sourceIPAddress"]


def record_of(trail, agent, preamble=b"", **more):
    headers, body = cloudtrail_call("ListTrails", **{"User-Agent": agent, **more})
    with Talk(trail.port) as talk:
        talk.say(preamble + head("POST", "/", {"Host": "x", **headers, "Content-Length": len(body)}) + body)
        status, _, _ = talk.response()
    assert status == 200
    return recorded(trail.client("cloudtrail"), "ListTrails", lambda record: record["userAgent"] == agent)


def test_a_trusted_proxy_tells_who_called(behind):
    assert source_of(behind, "forwarded/1", **{"X-Forwarded-For": f"9.9.9.9, {CALLER}"}) == CALLER


def test_both_versions_of_the_proxy_protocol_tell_who_called(behind):
    assert source_of(behind, "line/1", f"PROXY TCP4 {CALLER} 203.0.113.9 40000 443\r\n".encode()) == CALLER
    assert source_of(behind, "binary/1", BINARY) == CALLER


def test_a_load_balancer_tells_through_which_vpc_endpoint_a_call_came(behind):
    record = record_of(behind, "endpoint/1", through_endpoint(b"\x01" + ENDPOINT.encode()))
    assert (record["sourceIPAddress"], record["vpcEndpointId"]) == (CALLER, ENDPOINT)
    members = list(record)
    at = members.index("vpcEndpointId")
    assert members[at - 1 : at + 2] == ["recipientAccountId", "vpcEndpointId", "eventCategory"]
    assert "vpcEndpointAccountId" not in record, "nobody said whose it is"
    for agent, value in (("endpoint/2", b'\x01vpce-"},{"'), ("endpoint/3", b"\x02" + ENDPOINT.encode())):
        record = record_of(behind, agent, through_endpoint(value))
        assert record["sourceIPAddress"] == CALLER and "vpcEndpointId" not in record


def test_without_a_word_it_is_the_proxy_itself(behind):
    assert source_of(behind, "silent/1") == "127.0.0.1"


def test_nobody_else_is_believed(open_to_all):
    assert source_of(open_to_all, "liar/1", **{"X-Forwarded-For": CALLER}) == "127.0.0.1"
    with Talk(open_to_all.port) as talk:
        talk.say(f"PROXY TCP4 {CALLER} 203.0.113.9 40000 443\r\n".encode() + head("GET", "/_opentrail/ready", {"Host": "x"}))
        assert b"400" in talk.hear().split(b"\r\n")[0]
