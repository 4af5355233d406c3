"""How fast archives are verified: `opentrail validate-logs` against `aws cloudtrail validate-logs`, and against the bytes alone.

    python bench/validate_logs.py --opentrail BINARY --bytes-alone BINARY [--files 2000] [--records 60] [--rounds 3]

Makes one archive of `--files` log files in hourly digests (records of a real trail, signed with a key of its own), puts it into the S3 of an `opentrail serve` and into a
folder, and lets in turns

* the AWS CLI (of the Python environment that runs this) and `opentrail validate-logs` verify it from S3: the same server, the same answers of DescribeTrails and ListPublicKeys;
* `opentrail validate-logs --local` verify the folder, and `inflate_and_hash` (an example of crates/out/trail) inflate and hash the same log files from memory.

Each does everything `--rounds` times, and its fastest time counts. What the two ratios are of is printed with them.

Bars: at least 20 times as fast as the AWS CLI, and at least 70 % of the speed of the bytes alone. A build with debug assertions is slower at everything of ours.
"""

import argparse
import base64
import gzip
import hashlib
import http.server
import json
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import boto3
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "crates/out/trail/testdata/invictus/218007301253_CloudTrail_us-east-1_20230710T1200Z_iLj9fb7yyUG9X4Bf.json.gz"
ACCOUNT, REGION, TRAIL, BUCKET = "111122223333", "us-east-1", "bench", "bench-audit"
ARN = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/{TRAIL}"
BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)
PER_DIGEST = 20


def iso(time):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def make_archive(folder, files, records):
    """Writes log files and digests below `folder`; the metadata of digests by key, the answer of ListPublicKeys, and the end."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    fingerprint = hashlib.md5(der).hexdigest()
    chance = random.Random(7)
    sample = json.loads(gzip.decompress(SAMPLE.read_bytes()))["Records"]
    signatures, previous, number = {}, None, 0
    end = BEGIN
    while number < files:
        start, end = end, end + timedelta(hours=1)
        listed = []
        for _ in range(min(PER_DIGEST, files - number)):
            text = json.dumps({"Records": chance.choices(sample, k=max(1, int(chance.gauss(records, records / 3))))}, separators=(",", ":")).encode()
            name = f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/{start:%Y/%m/%d}/{ACCOUNT}_CloudTrail_{REGION}_{start:%Y%m%dT%H}05Z_{number:016d}.json.gz"
            put(folder, name, gzip.compress(text, 6, mtime=0))
            times = {"newestEventTime": iso(start), "oldestEventTime": iso(start)}
            listed.append({"s3Bucket": BUCKET, "s3Object": name, "hashValue": hashlib.sha256(text).hexdigest(), "hashAlgorithm": "SHA-256", **times})
            number += 1
        name = f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/{REGION}/{end:%Y/%m/%d}/{ACCOUNT}_CloudTrail-Digest_{REGION}_{TRAIL}_{REGION}_{end:%Y%m%dT%H%M%SZ}.json.gz"
        before = previous or dict.fromkeys(("bucket", "object", "hash", "algorithm", "signature"))
        digest = {
            "awsAccountId": ACCOUNT,
            "digestStartTime": iso(start),
            "digestEndTime": iso(end),
            "digestS3Bucket": BUCKET,
            "digestS3Object": name,
            "digestPublicKeyFingerprint": fingerprint,
            "digestSignatureAlgorithm": "SHA256withRSA",
            "newestEventTime": iso(start),
            "oldestEventTime": iso(start),
            "previousDigestS3Bucket": before["bucket"],
            "previousDigestS3Object": before["object"],
            "previousDigestHashValue": before["hash"],
            "previousDigestHashAlgorithm": before["algorithm"],
            "previousDigestSignature": before["signature"],
            "logFiles": listed,
        }
        text = json.dumps(digest, separators=(",", ":")).encode()
        hashed = hashlib.sha256(text).hexdigest()
        signed = "\n".join([iso(end), f"{BUCKET}/{name}", hashed, before["signature"] or "null"])
        signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()).hex()
        put(folder, name, gzip.compress(text, 6, mtime=0))
        signatures[name] = {"signature": signature, "signature-algorithm": "SHA256withRSA"}
        previous = {"bucket": BUCKET, "object": name, "hash": hashed, "algorithm": "SHA-256", "signature": signature}
    newest = previous["object"]
    put(folder, f"{newest}.metadata.json", json.dumps({"Metadata": signatures[newest]}).encode())
    validity = {"ValidityStartTime": BEGIN.timestamp() - 3600, "ValidityEndTime": end.timestamp() + 3600}
    keys = {"PublicKeyList": [{"Value": base64.b64encode(der).decode(), "Fingerprint": fingerprint, **validity}]}
    return signatures, keys, end


def put(folder, name, content):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def cloudtrail(keys):
    """A CloudTrail that knows one trail and its keys; gives its URL."""
    answers = {
        "DescribeTrails": {"trailList": [{"Name": TRAIL, "TrailARN": ARN, "S3BucketName": BUCKET, "HomeRegion": REGION, "IsOrganizationTrail": False}]},
        "ListPublicKeys": keys,
        "GetTrailStatus": {"IsLogging": False},
    }

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: otherwise each answer waits 40 ms for an acknowledgement

        def do_POST(self):
            self.rfile.read(int(self.headers.get("content-length", 0)))
            body = json.dumps(answers[self.headers["x-amz-target"].rsplit(".", 1)[1]]).encode()
            self.send_response(200)
            self.send_header("content-type", "application/x-amz-json-1.1")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def serve(binary, folder):
    """An S3 to verify from: its process and URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [binary, "serve", "--auth", "trust", "--data-dir", folder / "data", "--listen", f"127.0.0.1:{port}", "--account", ACCOUNT]
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(600):
        try:
            with socket.create_connection(("127.0.0.1", port), 1):
                return process, f"http://127.0.0.1:{port}"
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the server does not come up")


def upload(url, folder, signatures):
    s3 = boto3.client("s3", endpoint_url=url, region_name=REGION, aws_access_key_id="AKIAEXAMPLE", aws_secret_access_key="x")
    s3.create_bucket(Bucket=BUCKET)
    for path in sorted(folder.rglob("*.gz")):
        name = str(path.relative_to(folder))
        s3.put_object(Bucket=BUCKET, Key=name, Body=path.read_bytes(), Metadata=signatures.get(name, {}), ContentEncoding="gzip", ContentType="application/json")


def timed(command, env, expected):
    """Seconds on the clock and of the processor; the command must find everything valid."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    done = subprocess.run([str(word) for word in command], env=env, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0 or expected not in done.stdout:
        raise SystemExit(f"{command[0]} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return seconds, after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--opentrail", required=True, help="the opentrail binary")
    arguments.add_argument("--bytes-alone", required=True, help="the inflate_and_hash example")
    arguments.add_argument("--files", type=int, default=2000)
    arguments.add_argument("--records", type=int, default=60, help="records in a log file, on average")
    arguments.add_argument("--rounds", type=int, default=3)
    options = arguments.parse_args()
    aws = shutil.which("aws", path=str(Path(sys.executable).parent)) or shutil.which("aws")
    threads = os.cpu_count()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        logs = folder / "archive"
        signatures, keys, end = make_archive(logs, options.files, options.records)
        (folder / "keys.json").write_text(json.dumps(keys))
        sizes = [path.stat().st_size for path in (logs / f"AWSLogs/{ACCOUNT}/CloudTrail").rglob("*.gz")]
        print(f"{len(sizes)} log files, {sum(sizes) / 1e6:.1f} MB compressed, {len(signatures)} digests, {threads} processors")
        process, s3 = serve(options.opentrail, folder)
        try:
            upload(s3, logs, signatures)
            env = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
            env.update(AWS_ACCESS_KEY_ID="AKIAEXAMPLE", AWS_SECRET_ACCESS_KEY="x", AWS_DEFAULT_REGION=REGION, AWS_CONFIG_FILE=os.devnull)
            env.update(AWS_SHARED_CREDENTIALS_FILE=os.devnull, AWS_ENDPOINT_URL_S3=s3, AWS_ENDPOINT_URL_CLOUDTRAIL=cloudtrail(keys))
            what = ["--trail-arn", ARN, "--start-time", iso(BEGIN), "--end-time", iso(end)]
            expected = f"{options.files}/{options.files} log files valid"
            contenders = {
                "aws cloudtrail validate-logs": [aws, "cloudtrail", "validate-logs", *what],
                "opentrail validate-logs, S3": [options.opentrail, "validate-logs", *what],
                "opentrail validate-logs, folder": [options.opentrail, "validate-logs", *what, "--local", logs, "--public-keys", folder / "keys.json"],
            }
            best = {}
            for _ in range(options.rounds):
                for name, command in contenders.items():
                    figures = timed(command, env, expected)
                    best[name] = min(best.get(name, figures), figures)
                alone = subprocess.run([options.bytes_alone, logs / f"AWSLogs/{ACCOUNT}/CloudTrail", str(threads)], capture_output=True, text=True, check=True)
                count, inflated, seconds = alone.stdout.split()
                assert int(count) == options.files
                best["the bytes alone"] = min(best.get("the bytes alone", (9e9, 0)), (float(seconds), 0))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
    print(f"{int(inflated) / 1e6:.1f} MB inflated\n")
    for name, (seconds, processor) in best.items():
        print(f"{name:34} {seconds:8.3f} s  {int(inflated) / seconds / 1e6:8.0f} MB/s" + (f"  {processor:7.3f} s of processor" if processor else ""))
    ours, theirs = best["opentrail validate-logs, S3"][0], best["aws cloudtrail validate-logs"][0]
    local, alone = best["opentrail validate-logs, folder"][0], best["the bytes alone"][0]
    print(f"\nagainst the AWS CLI, same S3:  {theirs / ours:6.1f} times as fast: {theirs:.3f} s for {ours:.3f} s, both from the same server (bar: 20)")
    print(f"against the bytes alone:       {100 * alone / local:6.1f} % of the speed: {alone:.3f} s on {threads} threads from memory for {local:.3f} s of the whole program from a folder (bar: 70)")


if __name__ == "__main__":
    main()
