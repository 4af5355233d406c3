"""Makes signed-requests.json: requests signed by botocore's own signers, as a client would send them.

    python make_vectors.py > signed-requests.json        (botocore 1.43.11)

The keys are AWS's documentation examples. Nothing here is secret, and nothing was ever sent.
"""

import datetime
import json
from unittest import mock
from urllib.parse import urlsplit

import botocore
import botocore.auth as auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

NOW = datetime.datetime(2026, 1, 15, 10, 2, 3, tzinfo=datetime.timezone.utc)
KEY = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
SESSION = Credentials("ASIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "FwoGZXIvYXdzEXAMPLETOKEN")
HOST = "http://127.0.0.1:4780"
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}


def json_headers(operation):
    target = f"com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.{operation}"
    return {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target}


def sigv4(service, region="us-east-1", key=KEY):
    return service, region, auth.SigV4Auth(key, service, region)


def s3(region="eu-west-1", key=KEY):
    return "s3", region, auth.S3SigV4Auth(key, "s3", region)


CASES = [
    ("json", sigv4("cloudtrail", "eu-west-1"), "POST", "/", json_headers("GetTrail"), b'{"Name":"main"}'),
    ("json without a body", sigv4("cloudtrail"), "POST", "/", json_headers("DescribeTrails"), b"{}"),
    ("query", sigv4("sts"), "POST", "/", FORM, b"Action=GetCallerIdentity&Version=2011-06-15"),
    ("query in the query string", sigv4("iam"), "GET", "/?Action=ListUsers&Version=2010-05-08&PathPrefix=%2Fa%20b%2F", {}, b""),
    ("rest path that is encoded twice", sigv4("lambda", "us-west-2"), "GET",
     "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-west-2%3A111122223333%3Afunction%3Af/policy?Qualifier=1", {}, b""),
    ("headers with runs of spaces", sigv4("sqs"), "POST", "/", {**json_headers("GetTrail"), "X-Amz-Meta-A": "a   b  c "}, b"{}"),
    ("a session", sigv4("cloudtrail", key=SESSION), "POST", "/", json_headers("ListTrails"), b"{}"),
    ("s3 put", s3(), "PUT", "/audit/a%20b/%C3%A9%2Bc.txt", {"x-amz-meta-colour": "blue"}, b"hello"),
    ("s3 sub-resource", s3(), "GET", "/audit?versioning", {}, b""),
    ("s3 path that is not normalised", s3(), "GET", "/audit//a/../b/", {}, b""),
    ("s3 list", s3(), "GET", "/audit?list-type=2&prefix=a%2Fb%20c&delimiter=%2F&continuation-token=x%3D%3D", {}, b""),
    ("presigned query", ("sts", "us-east-1", auth.SigV4QueryAuth(KEY, "sts", "us-east-1", expires=60)), "GET",
     "/?Action=GetCallerIdentity&Version=2011-06-15", {}, b""),
    ("presigned s3", ("s3", "eu-west-1", auth.S3SigV4QueryAuth(KEY, "s3", "eu-west-1", expires=3600)), "GET",
     "/audit/a%20b.txt?response-content-type=text%2Fplain", {}, b""),
]


def main():
    vectors = []
    for name, (service, region, signer), method, path, headers, body in CASES:
        request = AWSRequest(method=method, url=HOST + path, data=body, headers=headers)
        with mock.patch("botocore.auth.get_current_datetime", lambda *a, **k: NOW.replace(tzinfo=None)):
            signer.add_auth(request)
        prepared = request.prepare()
        url = urlsplit(prepared.url)
        sent = [[key, value if isinstance(value, str) else value.decode()] for key, value in prepared.headers.items()]
        if not any(key.lower() == "host" for key, _ in sent):
            sent.insert(0, ["Host", url.netloc])
        vectors.append({
            "name": name, "service": service, "region": region, "method": method, "path": url.path, "query": url.query,
            "headers": sent, "body": body.decode(),
        })
    made_with = f"botocore {botocore.__version__}, make_vectors.py"
    print(json.dumps({"madeWith": made_with, "now": "2026-01-15T10:02:03Z", "requests": vectors}, indent=1))


main()
