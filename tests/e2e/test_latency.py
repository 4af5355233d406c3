"""How soon a call is visible: within a second always, and usually much sooner."""

import time

import pytest

from harness.records import lookup, records_of

CALLS = 50


@pytest.fixture(scope="module")
def trail(house):
    return house(interval="1h").start()


def test_a_call_is_visible_within_a_second_of_its_answer(trail):
    cloudtrail = trail.client("cloudtrail")
    times = []
    for _ in range(CALLS):
        answer = cloudtrail.get_trail_status(Name="management-events")
        answered = time.monotonic()
        wanted = answer["ResponseMetadata"]["RequestId"]
        while True:
            newest = cloudtrail.lookup_events(LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "GetTrailStatus"}], MaxResults=3)
            if any(record["requestID"] == wanted for record in records_of(newest["Events"])):
                break
            assert time.monotonic() - answered < 5, "not visible after 5 s"
            time.sleep(0.002)
        times.append(time.monotonic() - answered)
    times.sort()
    p50, p99 = times[len(times) // 2] * 1000, times[-1] * 1000
    print(f"\nvisible after: median {p50:.1f} ms, slowest of {CALLS} {p99:.1f} ms (the lookup itself included)")
    assert p99 < 1000
    assert len(lookup(cloudtrail, "EventName", "GetTrailStatus")) == CALLS
