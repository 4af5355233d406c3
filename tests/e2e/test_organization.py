"""The trail of an organization: events of all its accounts, one file and one chain of digests for each account and Region."""

import gzip
import json
import time

import pytest
from botocore.exceptions import ClientError

from harness.digests import digests, listed, validate, verified
from harness.opentrail import ACCOUNT, REGION
from harness.process import eventually

ORGANIZATION = "o-exampleorgid"
MEMBER, ADMINISTRATOR, STRANGER = "444455556666", "777788889999", "999900001111"
KEYS = {account: f"AKIAOFACCOUNT{account[:4]}" for account in (MEMBER, ADMINISTRATOR, STRANGER)}
ARN = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/all"


@pytest.fixture(scope="module")
def trail(house, tmp_path_factory):
    stated = tmp_path_factory.mktemp("identities") / "identities.json"
    stated.write_text(json.dumps({key: {"userName": "jo", "principalId": f"AIDA{account}", "accountId": account} for account, key in KEYS.items()}))
    flags = ["--identities", stated, "--digest-interval", "3s", "--organization", ORGANIZATION]
    flags += [word for account in (MEMBER, ADMINISTRATOR) for word in ("--organization-account", account)]
    trail = house(interval="1s", flags=flags).start()
    trail.client("s3").create_bucket(Bucket="of-all")
    trail.client("cloudtrail").create_trail(Name="all", S3BucketName="of-all", IsOrganizationTrail=True, IsMultiRegionTrail=True, EnableLogFileValidation=True)
    trail.client("cloudtrail").start_logging(Name="all")
    return trail


def of(trail, account, service="cloudtrail", region=REGION):
    return trail.client(service, key=(KEYS[account], "planted-any-secret-will-do"), region=region)


def refusal(call, **more):
    with pytest.raises(ClientError) as refused:
        call(**more)
    return refused.value.response["Error"]["Code"]


def records(s3, bucket="of-all", prefix="AWSLogs/"):
    """The records of a bucket, by the folder of their file."""
    found = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            folder, _, name = item["Key"].partition("/CloudTrail/")
            if name.endswith(".gz"):
                body = gzip.decompress(s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read())
                found.setdefault(f"{folder} {name.split('/')[0]}", []).extend(json.loads(body)["Records"])
    return found


def test_each_account_and_region_has_its_own_files(trail):
    of(trail, MEMBER).list_trails()
    of(trail, MEMBER, region="eu-west-1").list_trails()
    of(trail, ADMINISTRATOR, "sts").get_caller_identity()
    of(trail, STRANGER).list_trails()
    trail.client("cloudtrail").list_trails()
    s3 = trail.client("s3")
    places = {f"AWSLogs/{ORGANIZATION}/{MEMBER} us-east-1", f"AWSLogs/{ORGANIZATION}/{MEMBER} eu-west-1", f"AWSLogs/{ORGANIZATION}/{ADMINISTRATOR} us-east-1", f"AWSLogs/{ORGANIZATION}/{ACCOUNT} us-east-1"}
    found = eventually(lambda: places <= set(found := records(s3)) and found, 30, what="files of all accounts")
    assert set(found) == places, "nothing lies outside of the organization's folder"
    for place, events in found.items():
        account, region = place.split("/")[-1].split(" ")
        assert {(event["recipientAccountId"], event["awsRegion"]) for event in events} == {(account, region)}
    assert {event["userIdentity"]["accountId"] for event in found[f"AWSLogs/{ORGANIZATION}/{MEMBER} us-east-1"]} == {MEMBER}
    default = records(s3, f"opentrail-logs-{ACCOUNT}")
    assert default and all(place.startswith(f"AWSLogs/{ACCOUNT} ") for place in default)
    assert {event["recipientAccountId"] for events in default.values() for event in events} == {ACCOUNT}, "a trail of one account takes no other's"


@pytest.mark.parametrize(("account", "region"), [(MEMBER, REGION), (MEMBER, "eu-west-1"), (ADMINISTRATOR, REGION), (ACCOUNT, REGION)])
def test_the_chain_of_each_account_validates(trail, account, region):
    s3 = trail.client("s3")
    (trail.client("cloudtrail", region=region) if account == ACCOUNT else of(trail, account, region=region)).list_trails()

    def chain():
        return digests(s3, "of-all", f"AWSLogs/{ORGANIZATION}/{account}/CloudTrail-Digest/{region}/", "all")

    found = eventually(lambda: len(found := chain()) > 1 and listed(found) and found, 40, what="digests")
    assert {digest["awsAccountId"] for _, digest, _, _ in found} == {account}
    assert all(f"AWSLogs/{ORGANIZATION}/{account}/CloudTrail/{region}/" in name for name in listed(found))
    answer = validate(trail, "--account-id", account, region=region, arn=ARN)
    assert answer.code == 0 and not answer.err, answer.err
    for name in listed(found):
        assert f"Log file\ts3://of-all/{name}\tvalid" in answer.out.decode()
    # What came since may be in no digest yet: that is for the next one to list.
    counts = verified(trail, ARN, "--account-id", account, region=region)
    assert counts["valid"], counts
    assert verified(trail, ARN, "--account-id", account, "--organization-id", ORGANIZATION, region=region)["valid"]


def test_a_touched_file_of_a_member_is_named(trail):
    s3 = trail.client("s3")
    of(trail, MEMBER).list_trails()
    chain = f"AWSLogs/{ORGANIZATION}/{MEMBER}/CloudTrail-Digest/{REGION}/"
    name = eventually(lambda: listed(digests(s3, "of-all", chain, "all")), 40, what="a digest that lists a file")[0]
    body = s3.get_object(Bucket="of-all", Key=name)["Body"].read()
    s3.put_object(Bucket="of-all", Key=name, Body=gzip.compress(b'{"Records":[]}'))
    answer = validate(trail, "--account-id", MEMBER, arn=ARN)
    assert answer.code == 1 and f"Log file\ts3://of-all/{name}\tINVALID: hash value doesn't match" in answer.err
    assert not verified(trail, ARN, "--account-id", MEMBER)["valid"]
    assert validate(trail, "--account-id", ACCOUNT, arn=ARN).code == 0, "the other chains are as they were"
    s3.put_object(Bucket="of-all", Key=name, Body=body)
    assert validate(trail, "--account-id", MEMBER, arn=ARN).code == 0


def test_members_see_the_trail_and_only_administrators_change_it(trail):
    member, management = of(trail, MEMBER), trail.client("cloudtrail")
    (seen,) = of(trail, MEMBER, region="eu-west-1").describe_trails()["trailList"]
    assert (seen["TrailARN"], seen["IsOrganizationTrail"], seen["HomeRegion"]) == (ARN, True, REGION)
    assert member.get_trail_status(Name=ARN)["IsLogging"]
    assert refusal(member.get_trail, Name="all") == "TrailNotFoundException"
    for call in (member.stop_logging, member.delete_trail, member.update_trail):
        assert refusal(call, Name=ARN) == "NotOrganizationMasterAccountException"
    stranger = of(trail, STRANGER)
    assert {found["Name"] for found in stranger.describe_trails()["trailList"]} == {"all", "management-events"}, "whose account is not in the organization is of the house"
    administrator = of(trail, ADMINISTRATOR)
    assert refusal(administrator.stop_logging, Name=ARN) == "NotOrganizationMasterAccountException"
    assert refusal(member.register_organization_delegated_admin, MemberAccountId=ADMINISTRATOR) == "NotOrganizationManagementAccountException"
    management.register_organization_delegated_admin(MemberAccountId=ADMINISTRATOR)
    administrator.add_tags(ResourceId=ARN, TagsList=[{"Key": "by", "Value": "delegate"}])
    made = administrator.create_trail(Name="second", S3BucketName="of-all", IsOrganizationTrail=True)
    assert made["TrailARN"] == ARN.replace("/all", "/second")
    management.delete_trail(Name="second")
    management.deregister_organization_delegated_admin(DelegatedAdminAccountId=ADMINISTRATOR)
    assert refusal(administrator.stop_logging, Name=ARN) == "NotOrganizationMasterAccountException"


def test_event_history_is_of_each_account(trail):
    def accounts(client):
        events = client.lookup_events(MaxResults=50)["Events"]
        return {json.loads(event["CloudTrailEvent"])["recipientAccountId"] for event in events}

    for client, account in ((of(trail, MEMBER), MEMBER), (trail.client("cloudtrail"), ACCOUNT)):
        client.list_trails()
        assert eventually(lambda: accounts(client), 10, what="events") == {account}


def test_without_the_organization_it_is_a_trail_of_one_account_with_a_chain_of_its_own(trail):
    of(trail, MEMBER).list_trails()
    trail.stop()
    words = trail.process.command
    at = words.index("--organization")
    del words[at : at + 6]
    trail.start()
    s3, cloudtrail = trail.client("s3"), trail.client("cloudtrail")
    assert cloudtrail.get_trail(Name="all")["Trail"]["IsOrganizationTrail"] is False
    assert refusal(cloudtrail.update_trail, Name="all", IsOrganizationTrail=True) == "OrganizationsNotInUseException"
    own = eventually(lambda: listed(digests(s3, "of-all", f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/{REGION}/", "all")), 40, what="a digest of one account")
    assert all(name.startswith(f"AWSLogs/{ACCOUNT}/CloudTrail/") for name in own)
    ended = digests(s3, "of-all", f"AWSLogs/{ORGANIZATION}/{MEMBER}/CloudTrail-Digest/{REGION}/", "all")
    time.sleep(4)
    assert len(digests(s3, "of-all", f"AWSLogs/{ORGANIZATION}/{MEMBER}/CloudTrail-Digest/{REGION}/", "all")) == len(ended), "the chains of the members have ended"
    answer = validate(trail, arn=ARN)
    assert answer.code == 0, answer.err
