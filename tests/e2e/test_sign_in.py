"""A console sign-in: the keys that `aws login` gets are known to be the person's who signed in, for as long as they live."""

import json
from base64 import urlsafe_b64encode

import botocore
import pytest

from harness.opentrail import ACCOUNT
from harness.records import lookup, recorded, records_of
from harness.upstream import Stage, answering

ALICE = f"arn:aws:sts::{ACCOUNT}:assumed-role/Admin/alice@example.com"
DEVICE = "arn:aws:signin:::devtools/same-device"


def part(content):
    return urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def tokens(number, id_token):
    answer = {
        "accessToken": {"accessKeyId": f"ASIASIGNEDIN{number}", "secretAccessKey": f"planted-secret-key-{number}", "sessionToken": f"planted-session-token-{number}"},
        "tokenType": "aws_sigv4", "expiresIn": 900, "refreshToken": f"planted-refresh-token-{number}",
    }
    if id_token:
        answer["idToken"] = ".".join([part({"alg": "none"}), part({"sub": ALICE, "amr": ["mfa"]}), "planted-signature"])
    return answer


@pytest.fixture(scope="module")
def sign_in():
    """AWS Sign-In, and a DynamoDB that has nothing."""

    def answer(seen):
        if seen.target == "/v1/token":
            asked = json.loads(seen.body)
            number = int(asked["refreshToken"].rsplit("-", 1)[1]) + 1 if "refreshToken" in asked else 1
            body = json.dumps(tokens(number, "code" in asked)).encode()
        else:
            body = b'{"TableNames":[]}'
        return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    with Stage(answering(answer)) as stage:
        yield stage


@pytest.fixture(scope="module")
def trail(house, sign_in):
    return house(upstream=sign_in.url).start()


def exchange(trail, **token):
    client = trail.client("signin", signature_version=botocore.UNSIGNED)
    return client.create_o_auth2_token(tokenInput={"clientId": DEVICE, **token})["tokenOutput"]


def caller(trail, output):
    """Who the record of a call with these keys names."""
    keys = output["accessToken"]
    trail.client("dynamodb", key=(keys["accessKeyId"], keys["secretAccessKey"]), token=keys["sessionToken"]).list_tables()
    of_this = lambda record: record["userIdentity"].get("accessKeyId") == keys["accessKeyId"]
    return recorded(trail.client("cloudtrail"), "ListTables", of_this)["userIdentity"]


def test_signed_in_keys_are_the_persons_also_renewed_and_after_a_restart(trail):
    first = exchange(trail, grantType="authorization_code", code="planted-code", codeVerifier="planted-verifier-" + "v" * 43, redirectUri="http://127.0.0.1:5/oauth/callback")
    record = recorded(trail.client("cloudtrail"), "CreateOAuth2Token")
    assert record["userIdentity"]["arn"] == ALICE and "accessKeyId" not in record["userIdentity"]
    assert record["requestParameters"] == {"client_id": DEVICE} and record["responseElements"] is None
    assert record["additionalEventData"] == {"grant_type": "authorization_code", "success": "true"}
    who = caller(trail, first)
    assert (who["type"], who["arn"], who["accountId"]) == ("AssumedRole", ALICE, ACCOUNT)
    assert who["sessionContext"]["attributes"]["mfaAuthenticated"] == "true"

    second = exchange(trail, grantType="refresh_token", refreshToken=first["refreshToken"])
    renewed = caller(trail, second)
    assert renewed == {**who, "accessKeyId": second["accessToken"]["accessKeyId"]}

    trail.stop()
    trail.start()
    third = exchange(trail, grantType="refresh_token", refreshToken=second["refreshToken"])
    assert caller(trail, third) == {**who, "accessKeyId": third["accessToken"]["accessKeyId"]}
    events = lookup(trail.client("cloudtrail"), "EventName", "CreateOAuth2Token")
    assert [record["userIdentity"]["arn"] for record in records_of(events)] == [ALICE] * 3
