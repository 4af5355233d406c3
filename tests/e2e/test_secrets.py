"""Secrets of every kind pass through a house that says all it can: what it leaves is searched for them.

Every house of every story is searched when it ends (harness/secrets.py). This one gets all the secrets that there are."""

import base64
import os

import httpx
import pytest
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from test_forty_services import SERVICES

from harness import secrets
from harness.opentrail import ACCOUNT, client
from harness.raw import Talk, authorization, head, json_call
from harness.records import by_request, delivered, records_of, lookup

LOGS = f"opentrail-logs-{ACCOUNT}"
SESSION = "planted-session-token"
CUSTOMER_KEY = b"planted-customer-key".ljust(32, b"-")
KEY = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": CUSTOMER_KEY}


@pytest.fixture(scope="module")
def trail(house, moto):
    return house(upstream=moto.url, interval="1s", env={"OPENTRAIL_LOG": "trace"}).start()


def quietly(call, *args, **more):
    try:
        return call(*args, **more)
    except ClientError as error:
        return error.response
    except ResponseParserError:
        return None  # moto fell over it


def test_parameters_of_all_services(trail):
    for service, (_, _, calls) in SERVICES.items():
        made = trail.client(service, token=SESSION, parameter_validation=False)
        for operation, given, *_ in calls:
            quietly(made._make_api_call, operation, given)


def test_what_services_hand_out(trail):
    sts, iam, kms = (trail.client(service, token=SESSION) for service in ("sts", "iam", "kms"))
    role = f"arn:aws:iam::{ACCOUNT}:role/r"
    sts.assume_role(RoleArn=role, RoleSessionName="session", SerialNumber="arn:aws:iam::1:mfa/m", TokenCode="123456")
    sts.get_session_token()
    sts.get_federation_token(Name="guest")
    token = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (b"{}", b'{"sub":"u","aud":"a","iss":"https://i.example"}', b"planted"))
    quietly(sts.assume_role_with_web_identity, RoleArn=role, RoleSessionName="web", WebIdentityToken=token)
    quietly(sts.assume_role_with_saml, RoleArn=role, PrincipalArn=role, SAMLAssertion=base64.b64encode(b"<planted-assertion/>").decode())
    iam.create_user(UserName="keeper")
    iam.create_access_key(UserName="keeper")
    iam.create_login_profile(UserName="keeper", Password="planted-Password-1!")
    iam.create_virtual_mfa_device(VirtualMFADeviceName="device")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    sealed = kms.encrypt(KeyId=key, Plaintext=b"planted-plaintext")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"planted-plaintext"
    quietly(kms.generate_random, NumberOfBytes=32)
    trail.client("ec2").create_key_pair(KeyName="k")
    manager, ssm = trail.client("secretsmanager"), trail.client("ssm")
    manager.create_secret(Name="kept", SecretString="planted-string")
    assert manager.get_secret_value(SecretId="kept")["SecretString"] == "planted-string"
    manager.get_random_password(PasswordLength=32)
    ssm.put_parameter(Name="/kept", Value="planted-value", Type="SecureString")
    assert ssm.get_parameter(Name="/kept", WithDecryption=True)["Parameter"]["Value"] == "planted-value"
    assert len(secrets.GIVEN[trail.url]) > 8, "what was handed out is searched for, too"


def test_s3_with_every_way_to_sign(trail):
    s3 = trail.client("s3", token=SESSION)
    s3.create_bucket(Bucket="vault")
    s3.put_object(Bucket="vault", Key="k", Body=b"planted-body", Metadata={"m": "shown"}, **KEY)
    quietly(s3.get_object, Bucket="vault", Key="k", **KEY)
    quietly(s3.copy_object, Bucket="vault", Key="copy", CopySource="vault/k", **{f"CopySource{name}": value for name, value in KEY.items()}, **KEY)
    s3.put_object(Bucket="vault", Key="streamed", Body=open(os.devnull, "rb"), ChecksumAlgorithm="SHA256")
    with httpx.Client() as http:
        for version in ("s3v4", "s3"):
            signer = trail.client("s3", token=SESSION, signature_version=version)
            for operation, more in (("get_object", {}), ("put_object", {"content": b"planted-body"})):
                url = signer.generate_presigned_url(operation, Params={"Bucket": "vault", "Key": "k"})
                assert SESSION in url
                http.request("PUT" if more else "GET", url, **more)
            form = signer.generate_presigned_post("vault", "posted")
            assert form["fields"]["x-amz-security-token"] == SESSION
            http.post(form["url"], data=form["fields"], files={"file": b"planted-file"})


def test_what_is_no_call_of_aws(trail):
    """Broken, unknown and foreign: counted, or recorded as far as they can be read."""
    secret = b"planted-in-a-broken-body"
    put = lambda body: json_call("secretsmanager", "secretsmanager.PutSecretValue", body)
    cut = put(b'{"SecretId":"s","SecretString":"%s' % secret)
    twice = put(b'{"SecretId":"s","SecretString":"%s","SecretString":"%s","Unknown":"%s"}' % (secret, secret, secret))
    unknown = json_call("secretsmanager", "secretsmanager.Frobnicate", b'{"SecretString":"%s"}' % secret)
    foreign = json_call("nothing", "Nothing.Frobnicate", b'{"Password":"%s"}' % secret)
    form = {"Authorization": authorization("iam"), "Content-Type": "application/x-www-form-urlencoded", "Host": "h"}
    requests = [("POST", "/", headers, body) for headers, body in (cut, twice, unknown, foreign)]
    requests += [
        ("POST", "/", form, b"Action=CreateLoginProfile&Version=2010-05-08&UserName=u&Password=" + secret),
        ("GET", f"/?Action=CreateLoginProfile&Version=2010-05-08&UserName=u&Password={secret.decode()}", {"Authorization": authorization("iam")}, b""),
        ("POST", "/", {**form, "Authorization": f"Bearer {secret.decode()}"}, b"Action=ListUsers&Version=2010-05-08"),
        ("POST", "/", {**form, "Authorization": f"Basic {base64.b64encode(b'u:' + secret).decode()}"}, b"Action=ListUsers&Version=2010-05-08"),
        ("GET", f"/federation?Action=getSigninToken&Session=%7B%22sessionKey%22%3A%22{secret.decode()}%22%7D", {}, b""),
        ("GET", "/federation/credentials?role_name=r&account_id=111122223333", {"X-Amz-Sso_Bearer_Token": secret.decode()}, b""),
        ("POST", "/v1/token", {"Content-Type": "application/json"}, b'{"clientId":"c","grantType":"refresh_token","refreshToken":"%s"}' % secret),
    ]
    for method, target, headers, body in requests:
        with Talk(trail.port) as talk:
            talk.say(head(method, target, {"Host": f"127.0.0.1:{trail.port}", "Content-Length": str(len(body)), **headers}) + body)
            talk.response(method)
    for broken in (b"GET / HTTP/1.1\r\nHost: a\r\nX-Amz-Security-Token planted\r\n\r\n", b"planted\r\n\r\n", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: planted\r\n\r\n"):
        with Talk(trail.port, timeout=5) as talk:
            talk.say(broken)
            talk.hear()


def test_nothing_of_it_is_left(trail, moto):
    mark = by_request(trail.client("cloudtrail").list_trails())
    records = delivered(client(moto.url, "s3"), LOGS, lambda records: any(mark(record) for record in records), within=30)
    names = {record["eventName"] for record in records}
    assert {"AssumeRole", "CreateAccessKey", "Encrypt", "CreateSecret", "PutParameter", "CreateLoginProfile", "CreateKeyPair"} <= names
    everything = records_of(lookup(trail.client("cloudtrail"), "EventName", "CreateLoginProfile"))
    assert len(everything) >= 3, "the calls by hand are recorded, too"
    trail.say_last()
    trail.stop()
    left = dict(secrets.left_by(trail))
    holding = {name for name, content in left.items() if b"CreateLoginProfile" in content}
    assert any(name.startswith("journal") for name in holding), f"the search sees the journal: {list(left)}"
    assert any("AWSLogs/" in name for name in holding), "and log files"
    assert b"opentrail_events_recorded" in left["/_opentrail/metrics"] and len(left["log"]) > 1000
    assert secrets.found(trail) == []


def test_a_secret_that_is_left_is_found(house):
    """The search can fail: names are no secrets, and are shown."""
    trail = house(auth="verify", interval="1s")
    trail.shows_secrets = True
    trail.start()
    cloudtrail, s3 = trail.client("cloudtrail"), trail.client("s3")
    s3.create_bucket(Bucket="planted-names")
    s3.put_object(Bucket="planted-names", Key="k", Body=b"planted-body")
    mark = by_request(quietly(cloudtrail.get_trail_status, Name="planted-name"))
    delivered(s3, LOGS, lambda records: any(mark(record) for record in records), within=30)
    trail.say_last()
    trail.stop()
    told = secrets.found(trail)
    for place in ("journal", "AWSLogs/"):
        assert any(f"is in {place}" in line for line in told), (place, told)
    assert not any("s3/" in line.split(": …")[0] for line in told), "objects of clients are theirs"
    with (trail.data / "kept").open("wb") as kept:
        kept.write(b"a " + trail.own_secret())
    trail.process.log.write_text("xy" + base64.b64encode(b"1planted").decode())
    told = secrets.found(trail)
    assert any("is in kept" in line for line in told) and any("is in log" in line for line in told)


@pytest.mark.parametrize("secret", [b"planted", b"a secret/with+signs", bytes(range(200, 233))], ids=["word", "signs", "bytes"])
def test_a_secret_is_found_in_every_form(secret):
    for before in range(4):
        for after in range(4):
            content = b"x" * before + secret + b"y" * after
            for written in (content, base64.b64encode(content), base64.urlsafe_b64encode(content), content.hex().encode(), content.hex().upper().encode()):
                assert secrets.found_in(b"{'" + written + b"'}", {secret}), (before, after, written)
    assert not secrets.found_in(b"nothing to see", {secret})
