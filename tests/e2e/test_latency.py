"""How soon a call is visible: to the first lookup after its answer, and within a second always."""

import time

import pytest

from harness.records import lookup, records_of

CALLS = 50


@pytest.fixture(scope="module")
def trail(house):
    return house(interval="1h").start()


def test_the_first_lookup_after_a_call_finds_it_within_a_second(trail):
    cloudtrail = trail.client("cloudtrail")
    times = []
    for _ in range(CALLS):
        answer = cloudtrail.get_trail_status(Name="management-events")
        answered = time.monotonic()
        attribute = [{"AttributeKey": "EventName", "AttributeValue": "GetTrailStatus"}]
        newest = cloudtrail.lookup_events(LookupAttributes=attribute, MaxResults=3)["Events"]
        times.append(time.monotonic() - answered)
        assert answer["ResponseMetadata"]["RequestId"] in [record["requestID"] for record in records_of(newest)]
    times.sort()
    p50, p99 = times[len(times) // 2] * 1000, times[-1] * 1000
    print(f"\nvisible after: median {p50:.1f} ms, slowest of {CALLS} {p99:.1f} ms (the lookup itself included)")
    assert p99 < 1000
    assert len(lookup(cloudtrail, "EventName", "GetTrailStatus")) == CALLS
