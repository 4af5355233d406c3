"""Who made a call: what passes through tells, a file may, and every session leads back to a person."""

import json
import subprocess
from base64 import urlsafe_b64encode
from urllib.request import urlopen

import pytest

from harness.opentrail import ACCOUNT, binary
from harness.process import clean_environment, eventually
from harness.records import by_request, lookup, recorded, records_of

TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]})
ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"
STATED = ("AKIAIDENTITYFILE0001", "any-secret-will-do")


@pytest.fixture(scope="module")
def identity_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("identities") / "identities.json"
    path.write_text(json.dumps({STATED[0]: {"userName": "stated"}}))
    return path


@pytest.fixture(scope="module")
def trail(house, moto, identity_file):
    return house(upstream=moto.url, flags=["--identities", str(identity_file)]).start()


@pytest.fixture(scope="module")
def alice(trail):
    iam = trail.client("iam")
    iam.create_user(UserName="alice")
    for role in ("developer", "deployer"):
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=TRUST)
    key = iam.create_access_key(UserName="alice")["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def session(answer):
    credentials = answer["Credentials"]
    return {"key": (credentials["AccessKeyId"], credentials["SecretAccessKey"]), "token": credentials["SessionToken"]}


def assume(trail, role, name, **by):
    return session(trail.client("sts", **by).assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{role}", RoleSessionName=name))


def record_of(trail, name, **by):
    """The record of a call that is made by `by`."""
    answer = trail.client("sns", **by).create_topic(Name=name)
    return recorded(trail.client("cloudtrail"), "CreateTopic", by_request(answer))


def chain(record):
    return (record.get("additionalEventData") or {}).get("opentrailSessionChain")


def arns(record):
    return [link.get("arn") for link in chain(record)]


def found_by(trail, arn):
    return [record["eventID"] for record in records_of(lookup(trail.client("cloudtrail"), "ResourceName", arn))]


def test_a_user_has_no_chain(trail, alice):
    record = record_of(trail, "by-alice", key=alice)
    assert record["userIdentity"]["arn"] == ALICE
    assert "additionalEventData" not in record


def test_a_chained_session_leads_back_to_the_person(trail, alice):
    first = assume(trail, "developer", "alice", key=alice)
    second = assume(trail, "deployer", "release-7", **first)
    record = record_of(trail, "by-chain", **second)
    assert record["userIdentity"]["sessionContext"]["sessionIssuer"]["userName"] == "deployer"
    assert arns(record) == [ALICE, f"arn:aws:sts::{ACCOUNT}:assumed-role/developer/alice", f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/release-7"]
    assert [link["accessKeyId"] for link in chain(record)] == [alice[0], first["key"][0], second["key"][0]]
    assert record["eventID"] in found_by(trail, ALICE)
    assert second["key"][1] not in json.dumps(record) and second["token"] not in json.dumps(record)


def test_session_and_federation_tokens_lead_back_to_the_person(trail, alice):
    token = session(trail.client("sts", key=alice).get_session_token(SerialNumber=f"arn:aws:iam::{ACCOUNT}:mfa/alice", TokenCode="123456"))
    record = record_of(trail, "by-token", **token)
    assert record["userIdentity"]["userName"] == "alice"
    assert record["userIdentity"]["sessionContext"]["attributes"]["mfaAuthenticated"] == "true"
    assert [link["accessKeyId"] for link in chain(record)] == [alice[0], token["key"][0]]
    guest = session(trail.client("sts", key=alice).get_federation_token(Name="guest"))
    record = record_of(trail, "by-guest", **guest)
    assert record["userIdentity"]["type"] == "FederatedUser"
    assert arns(record)[0] == ALICE and len(chain(record)) == 2


def test_a_web_identity_is_the_person(trail, alice):
    part = lambda content: urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")
    token = ".".join([part({"alg": "none"}), part({"sub": "user-1", "aud": "app", "iss": "https://accounts.google.com"}), "sig"])
    answer = trail.client("sts").assume_role_with_web_identity(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/developer", RoleSessionName="web", WebIdentityToken=token)
    record = record_of(trail, "by-web", **session(answer))
    assert [link["type"] for link in chain(record)] == ["WebIdentityUser", "AssumedRole"]
    if subject := answer.get("SubjectFromWebIdentityToken"):
        assert chain(record)[0]["userName"] == subject
        assert record["eventID"] in found_by(trail, subject)


def test_a_presigned_url_names_its_signer(trail, alice):
    by = assume(trail, "developer", "presigner", key=alice)
    s3 = trail.client("s3", **by)
    s3.create_bucket(Bucket="presigned")
    url = s3.generate_presigned_url("get_bucket_location", Params={"Bucket": "presigned"})
    assert urlopen(url).status == 200
    look = lambda: records_of(lookup(trail.client("cloudtrail"), "EventName", "GetBucketLocation"))
    (record,) = eventually(look, 2, what="the record of a presigned URL")
    assert record["userIdentity"]["accessKeyId"] == by["key"][0]
    assert record["additionalEventData"]["AuthenticationMethod"] == "QueryString"
    assert arns(record)[0] == ALICE


def test_the_identity_file_says_who_a_key_is(trail):
    record = record_of(trail, "by-stated", key=STATED)
    assert record["userIdentity"] == {
        "type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/stated", "accountId": ACCOUNT, "accessKeyId": STATED[0], "userName": "stated"}
    by = assume(trail, "developer", "stated", key=STATED)
    assert arns(record_of(trail, "by-stated-session", **by))[0] == f"arn:aws:iam::{ACCOUNT}:user/stated"


def test_a_key_that_was_taken_away_is_unknown(trail, alice):
    iam = trail.client("iam")
    key = iam.create_access_key(UserName="alice")["AccessKey"]
    by = {"key": (key["AccessKeyId"], key["SecretAccessKey"])}
    assert record_of(trail, "before", **by)["userIdentity"]["type"] == "IAMUser"
    iam.update_access_key(UserName="alice", AccessKeyId=by["key"][0], Status="Inactive")
    assert record_of(trail, "inactive", **by)["userIdentity"]["type"] == "Unknown"
    iam.update_access_key(UserName="alice", AccessKeyId=by["key"][0], Status="Active")
    assert record_of(trail, "active", **by)["userIdentity"]["userName"] == "alice"
    iam.delete_access_key(UserName="alice", AccessKeyId=by["key"][0])
    assert record_of(trail, "deleted", **by)["userIdentity"]["type"] == "Unknown"


def test_chains_survive_a_restart(trail, alice):
    first = assume(trail, "developer", "before", key=alice)
    before = record_of(trail, "before-restart", **first)
    trail.stop()
    trail.start()
    after = record_of(trail, "after-restart", **first)
    assert after["userIdentity"] == before["userIdentity"]
    assert chain(after) == chain(before) and arns(after)[0] == ALICE
    second = assume(trail, "deployer", "after", **first)
    assert len(chain(record_of(trail, "chained-after-restart", **second))) == 3
    assert {before["eventID"], after["eventID"]} <= set(found_by(trail, ALICE))


@pytest.mark.parametrize(("text", "part"), [
    ("{", "write a JSON object"),
    ('{"AKIA1": {}}', "key `AKIA1`"),
    ('{"AKIA1": {"userNam": "alice", "type": "Root"}}', "`userNam` is no member"),
])
def test_a_bad_identity_file_ends_the_start(tmp_path, text, part):
    bad = tmp_path / "bad.json"
    bad.write_text(text)
    command = [binary(), "serve", "--data-dir", str(tmp_path / "data"), "--identities", str(bad)]
    ended = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, timeout=30)
    assert ended.returncode == 2, ended
    assert str(bad) in ended.stderr and part in ended.stderr and len(ended.stderr.splitlines()) == 1
    assert not (tmp_path / "data").exists()
