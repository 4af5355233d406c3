"""Proof of completeness: every delivered event is in the trail's transparency log, anybody can verify that, and whoever rewrites history or cuts its tail is found out."""

import base64
import gzip
import hashlib
import json
import time

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from harness.digests import ARN, HOME, LOGS, digests, make_archive, quiet_archive, utc, validate
from harness.forger import Forger
from harness.opentrail import ACCOUNT, REGION
from harness.process import eventually
from harness.records import log_files
from harness.transparency import FOLDER, Checkpoint, Log, Witness, folders, is_consistent, keys, opentrail, parse, path_of, told, verify_proof

WITNESSED = "witnessed"
PLACE = f"s3://{WITNESSED}/checkpoints"


@pytest.fixture(scope="module")
def archive(house):
    return quiet_archive(house)


def delivered(s3, bucket=LOGS, prefix=f"AWSLogs/{ACCOUNT}/CloudTrail/"):
    """Every delivered record: its eventID and SHA-256 of its bytes. Ours are compact JSON as the house writes it, so the bytes are found by their neighbours."""
    found = {}
    for key in keys(s3, bucket, prefix):
        if key.endswith("/"):
            continue
        text = gzip.decompress(s3.get_object(Bucket=bucket, Key=key)["Body"].read()).decode()
        decoder, at = json.JSONDecoder(), len('{"Records":[')
        while text[at] != "]":
            record, end = decoder.raw_decode(text, at)
            assert record["eventID"] not in found
            found[record["eventID"]] = hashlib.sha256(text[at:end].encode()).digest()
            at = end + (text[end] == ",")
    return found


def the_log(s3, trail="management-events", bucket=LOGS):
    (folder,) = folders(s3, bucket, trail)
    return Log(s3, bucket, folder)


def validated(house, *flags):
    return opentrail("validate-logs", "--trail-arn", ARN, "--start-time", utc(-7200), *flags, house=house)


def test_the_log_holds_every_delivered_event_once_and_verifies_with_another_library(archive):
    s3 = archive.client("s3")
    log = the_log(s3)
    page = told(archive)["management-events"]
    log.checkpoint.verify(page["publicKey"])
    assert (log.checkpoint.origin, log.checkpoint.size, log.checkpoint.root.hex()) == (page["origin"], page["size"], page["root"])
    assert log.checkpoint.origin.startswith(f"opentrail/{ACCOUNT}/{REGION}/management-events/")
    files = delivered(s3)
    assert len(files) > 3 and log.events() == files
    for event_id in files:
        assert not any(b"eventName" in entry for entry in log.entries), "no content of a record is in the log"


def test_an_event_is_proven_to_somebody_who_asks_nobody(archive, tmp_path):
    s3 = archive.client("s3")
    event_id = sorted(delivered(s3))[3]
    vkey = told(archive)["management-events"]["publicKey"]
    answer = opentrail("prove", event_id, house=archive, cwd=tmp_path)
    assert answer.code == 0, answer.err
    assert answer.json()["record"]["eventID"] == event_id and answer.json()["signatureVerified"]
    proof = tmp_path / f"{event_id}.tlog-proof"
    # Another implementation says so.
    assert verify_proof(proof.read_text(), vkey)["eventID"] == event_id
    # Ours too, with nobody to ask.
    valid = opentrail("prove", "--verify", proof, "--public-key", vkey)
    assert valid.code == 0 and valid.json()["record"] == answer.json()["record"], valid.err
    other = vkey.replace("management-events", "other")
    for text, key in [(proof.read_text().replace("index ", "index 1"), vkey), (proof.read_text(), other)]:
        changed = tmp_path / "changed"
        changed.write_text(text)
        answer = opentrail("prove", "--verify", changed, "--public-key", key)
        assert answer.code in (1, 2) and '"valid": true' not in answer.out, answer.out


def test_an_event_is_proven_from_a_bucket_and_from_a_folder_too(archive, tmp_path):
    s3 = archive.client("s3")
    event_id = sorted(delivered(s3))[-1]
    vkey = told(archive)["management-events"]["publicKey"]
    for key in keys(s3, LOGS, ""):
        if not key.endswith("/"):
            path = tmp_path / "archive" / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(s3.get_object(Bucket=LOGS, Key=key)["Body"].read())
    for place, house in [(f"s3://{LOGS}", archive), (tmp_path / "archive", None)]:
        proof = tmp_path / "proof"
        answer = opentrail("prove", event_id, "--from", place, "--trail", "management-events", "--output", proof, house=house)
        assert answer.code == 0, answer.err
        assert verify_proof(proof.read_text(), vkey)["eventID"] == event_id
    unknown = opentrail("prove", "00000000-0000-0000-0000-000000000000", "--from", tmp_path / "archive")
    assert unknown.code == 1 and "is in none of" in unknown.err
    nothing = opentrail("prove", event_id, "--from", tmp_path / "archive", "--trail", "other")
    assert nothing.code == 2 and "no transparency log" in nothing.err


def test_validate_logs_says_nothing_of_a_log_that_is_right_unless_asked(archive):
    plain = validated(archive)
    assert plain.code == 0 and "transparency" not in plain.out + plain.err, plain.out + plain.err
    vkey = told(archive)["management-events"]["publicKey"]
    asked = validated(archive, "--log-key", vkey)
    assert asked.code == 0 and "entries: valid" in asked.out, asked.out + asked.err
    summary = validated(archive, "--output", "json").json()
    assert summary["valid"] and summary["transparency"]["valid"]
    (log,) = summary["transparency"]["logs"]
    assert log["valid"] and log["signatureVerified"] and log["entries"] == the_log(archive.client("s3")).checkpoint.size
    assert summary["transparency"]["logFilesCompared"] > 3


def test_a_log_that_was_touched_is_named(archive):
    s3 = archive.client("s3")
    log = the_log(s3)
    index, last = divmod(log.checkpoint.size, 256)
    assert last
    changes = {
        "checkpoint": lambda body: body.replace(f"\n{log.checkpoint.size}\n".encode(), f"\n{log.checkpoint.size - 1}\n".encode()),
        "tile/0/" + path_of(index, last): lambda body: bytes([body[0] ^ 1]) + body[1:],
        "tile/entries/" + path_of(index, last): lambda body: body[:20] + bytes([body[20] ^ 1]) + body[21:],
    }
    for path, change in changes.items():
        before = log.read(path)
        s3.put_object(Bucket=LOGS, Key=log.folder + path, Body=change(before))
        answer = validated(archive)
        s3.put_object(Bucket=LOGS, Key=log.folder + path, Body=before, ContentType="text/plain; charset=utf-8")
        assert answer.code == 1 and f"Transparency log\t{log.checkpoint.origin}\tINVALID: " in answer.err, (path, answer.err)
    assert validated(archive).code == 0


@pytest.fixture
def witnessed(house):
    """A house whose checkpoints are copied to a bucket elsewhere, stopped, and a client of its store."""
    trail = house(interval="1s", flags=["--digest-interval", "3s", "--witness", PLACE]).start()
    trail.client("s3").create_bucket(Bucket=WITNESSED)
    make_archive(trail)
    eventually(lambda: len(keys(trail.client("s3"), WITNESSED, "checkpoints/")) > 2, 20, what="checkpoints that are witnessed")
    trail.stop()
    quiet = [word for word in trail.process.command if word not in ("--digest-interval", "3s", "--witness", PLACE)]
    quiet[quiet.index("--delivery-interval") + 1] = "3600s"
    trail.process.command = quiet
    forger = Forger(trail, trail.client("s3"))
    trail.start()
    yield trail, forger


def test_a_tail_that_was_cut_off_with_everything_that_tells_of_it_is_seen_by_the_witness(witnessed):
    trail, forger = witnessed
    s3 = trail.client("s3")
    log = the_log(s3)
    assert validated(trail, "--witness", PLACE).code == 0
    # The newest files, the digests that list them, and their entries: gone, and the rest is whole.
    newest = [(key, digest) for key, digest, _, _ in digests(s3)]
    with_files = [at for at, (_, digest) in enumerate(newest) if digest["logFiles"]]
    cut = newest[with_files[-2] :]
    gone = {file["s3Object"] for _, digest in cut for file in digest["logFiles"]}
    for key in [key for key, _ in cut] + sorted(gone):
        s3.delete_object(Bucket=LOGS, Key=key)
    at = next(at for at, entry in enumerate(log.entries) if parse(entry)[0] == "file" and parse(entry)[3].split("/", 1)[1] in gone)
    rest = [key for key in keys(s3, LOGS, f"AWSLogs/{ACCOUNT}/CloudTrail/") for entry in log.entries[at:] if parse(entry)[0] == "file" and parse(entry)[3] == f"{LOGS}/{key}"]
    for key in rest:
        s3.delete_object(Bucket=LOGS, Key=key)
    forger.write_log(log, log.entries[:at])
    theirs = validate(trail, "--end-time", cut[0][1]["digestStartTime"])
    assert theirs.code == 0 and b"INVALID" not in theirs.out, "the AWS CLI sees nothing"
    ours = validated(trail, "--witness", PLACE)
    assert ours.code == 1
    assert f"Transparency log\t{log.checkpoint.origin}\tINVALID: it has {at} entries, and {PLACE} has seen {log.checkpoint.size}: its end was cut off" in ours.err, ours.err
    assert ours.err.count("its end was cut off") == 1, "however many checkpoints tell of it"


def test_a_log_that_lies_where_the_trail_delivered_in_between_is_found(house):
    trail = house(interval="1s", flags=["--digest-interval", "3s", "--witness", PLACE]).start()
    s3, cloudtrail = trail.client("s3"), trail.client("cloudtrail")
    s3.create_bucket(Bucket=WITNESSED)
    for number, prefix in enumerate(["moved", ""]):
        cloudtrail.update_trail(Name="management-events", S3KeyPrefix=prefix)
        below = f"{prefix}/" if prefix else ""
        s3.create_bucket(Bucket=f"moved-{number}")
        eventually(lambda: any(digest["logFiles"] for _, digest, _, _ in digests(s3, prefix=below + HOME)[-3:]), 40, what=f"a digest under {below!r} that lists a file")  # noqa: B023
    moved, here = (folders(s3, LOGS, folder=folder) for folder in (f"moved/{FOLDER}", FOLDER))
    assert moved and here
    origin = Log(s3, LOGS, moved[0]).checkpoint.origin
    eventually(lambda: any(origin in s3.get_object(Bucket=WITNESSED, Key=key)["Body"].read().decode() for key in keys(s3, WITNESSED, "checkpoints/")), 20, what="a witness of the log that moved")
    answer = eventually(lambda: (said := validated(trail, "--witness", PLACE)).code == 0 and said, 20, what="all logs found and right")
    assert f"transparency log {origin} with" in answer.out, answer.out
    s3.put_object(Bucket=LOGS, Key=f"{moved[0]}checkpoint", Body=b"rewritten")
    answer = validated(trail, "--witness", PLACE)
    assert answer.code == 1 and f"Transparency log\t{origin}\tINVALID: " in answer.err, answer.err


def test_a_record_that_was_rewritten_by_the_holder_of_all_keys_is_named(witnessed, tmp_path):
    trail, forger = witnessed
    s3 = trail.client("s3")
    log = the_log(s3)
    seen = tmp_path / "seen"
    seen.write_text(log.checkpoint.note)
    key = next(file["s3Object"] for _, digest, _, _ in digests(s3) for file in digest["logFiles"])
    before = delivered(s3)
    hashes = forger.rewrite_file(key, lambda text: text.replace(b'"CreateBucket"', b'"DeleteBucket"', 1) if b'"CreateBucket"' in text else text.replace(b'"us-east-1"', b'"us-east-2"', 1))
    forger.sign_digests_again()
    theirs = validate(trail)
    assert theirs.code == 0 and b"INVALID" not in theirs.out, "the AWS CLI sees nothing"
    ours = validated(trail)
    assert ours.code == 1 and f"Log file\ts3://{LOGS}/{key}\tINVALID: differs from what the transparency log says: its record " in ours.err, ours.err
    # And with the log's key, too, there is a whole new history. Those who have seen the old one know.
    after = delivered(s3)
    changed = {before[event]: after[event] for event in before if before[event] != after[event]}
    forger.write_log(log, forger.entries_with(log, hashes, changed))
    assert validated(trail).code == 0, "nobody can tell who has seen nothing"
    for flags in (["--witness", PLACE], ["--checkpoint", seen]):
        ours = validated(trail, *flags)
        assert ours.code == 1 and "has seen: it was rewritten" in ours.err, ours.err


def test_what_was_verified_before_is_remembered(archive, tmp_path):
    s3, state = archive.client("s3"), tmp_path / "state.json"
    log = the_log(s3)
    assert validated(archive, "--state", state).code == 0
    remembered = json.loads(state.read_text())["logs"]
    assert [(one["origin"], one["size"], one["root"]) for one in remembered] == [(log.checkpoint.origin, log.checkpoint.size, log.checkpoint.root.hex())]
    again = json.loads(validated(archive, "--state", state, "--output", "json").out)
    assert again["valid"] and again["transparency"]["checkpointsAgreed"] == 1 and again["transparency"]["logFilesCompared"] == 0
    # The log is taken away as if there had never been one.
    objects = {key: s3.get_object(Bucket=LOGS, Key=key)["Body"].read() for key in keys(s3, LOGS, log.folder)}
    for key in objects:
        s3.delete_object(Bucket=LOGS, Key=key)
    answer = validated(archive, "--state", state)
    for key, body in objects.items():
        s3.put_object(Bucket=LOGS, Key=key, Body=body, ContentType="text/plain; charset=utf-8")
    assert answer.code == 1 and "not found, and an earlier run has seen" in answer.err, answer.err


def renamed(vkey, name):
    """The same key under another name: that of another log of the house."""
    material = vkey.split("+", 2)[2]
    key_id = hashlib.sha256(name.encode() + b"\n" + base64.b64decode(material)).digest()[:4]
    return f"{name}+{key_id.hex()}+{material}"


def test_a_check_that_was_asked_for_and_cannot_be_made_is_told(archive, witness, tmp_path):
    s3 = archive.client("s3")
    log, vkey = the_log(s3), told(archive)["management-events"]["publicKey"]
    other = log.checkpoint.origin.replace("management-events", "other")
    seen = tmp_path / "seen"
    seen.write_text(log.checkpoint.note.replace(log.checkpoint.origin, other))
    assert validated(archive, "--log-key", renamed(vkey, log.checkpoint.origin[:-4] + "000Z")).code == 0, "another log of the trail"
    for flags, code, said in [
        (["--witness", f"s3://{LOGS}/mistyped"], 1, f"Witness\ts3://{LOGS}/mistyped\tINVALID: it has no checkpoint of a log of this trail"),
        (["--witness", tmp_path], 1, "it has no checkpoint of a log of this trail"),
        (["--witness", f"{witness.url}#{witness.vkey}"], 1, f"Witness\t{witness.url}\tINVALID: it has seen no log of this trail"),
        (["--witness", f"{witness.url}#{witness.vkey[:-3]}"], 2, "what stands after the # is no Ed25519 key of a witness"),
        (["--witness", f"{witness.url}#{vkey}"], 2, "what stands after the # is no Ed25519 key of a witness"),
        (["--checkpoint", seen], 2, f"is of {other}, which is no log of this trail"),
        (["--log-key", renamed(vkey, other)], 2, "no key of --log-key is that of a log of this trail"),
        (["--log-key", witness.vkey], 2, "no key of --log-key is that of a log of this trail"),
    ]:
        answer = validated(archive, *flags)
        assert answer.code == code and said in answer.err, (flags, answer.out, answer.err)
    told_as_json = validated(archive, "--witness", f"s3://{LOGS}/mistyped", "--output", "json").json()
    assert told_as_json["transparency"]["findings"][0]["kind"] == "witness" and not told_as_json["valid"]


def test_a_log_is_no_witness_of_itself(archive, tmp_path):
    event_id = sorted(delivered(archive.client("s3")))[0]
    vkey, proof = told(archive)["management-events"]["publicKey"], tmp_path / "proof"
    assert opentrail("prove", event_id, "--output", proof, house=archive).code == 0
    answer = opentrail("prove", "--verify", proof, "--public-key", vkey, "--witness-key", vkey)
    assert answer.code == 2 and "--witness-key asks for that of a witness" in answer.err, answer.out


def test_a_log_that_is_gone_is_missed_by_whoever_asks_for_it(archive, witness):
    s3 = archive.client("s3")
    log, vkey = the_log(s3), told(archive)["management-events"]["publicKey"]
    witness.seen[log.checkpoint.origin] = log.checkpoint
    objects = {key: s3.get_object(Bucket=LOGS, Key=key)["Body"].read() for key in keys(s3, LOGS, log.folder)}
    for key in objects:
        s3.delete_object(Bucket=LOGS, Key=key)
    plain, asked, witnessed = validated(archive), validated(archive, "--log-key", vkey), validated(archive, "--witness", witness.url)
    for key, body in objects.items():
        s3.put_object(Bucket=LOGS, Key=key, Body=body, ContentType="text/plain; charset=utf-8")
    assert plain.code == 0, plain.err
    assert asked.code == 1 and "INVALID: not found: the trail has no transparency log in this bucket" in asked.err, asked.err
    assert witnessed.code == 1 and f"INVALID: not found, and {witness.url}/" in witnessed.err and f"has seen {log.checkpoint.size} entries of it" in witnessed.err, witnessed.err


def test_log_files_after_the_end_of_an_earlier_run_are_compared_by_the_next(archive, tmp_path):
    state = tmp_path / "state.json"
    files = {file["s3Object"] for _, digest, _, _ in digests(archive.client("s3")) for file in digest["logFiles"]}
    before = utc(-1800)
    assert validated(archive, "--state", state, "--end-time", before).code == 0
    again = json.loads(validated(archive, "--state", state, "--output", "json").out)
    assert again["valid"] and again["transparency"]["logFilesCompared"] >= len(files), again["transparency"]
    nothing_new = json.loads(validated(archive, "--state", state, "--output", "json").out)
    assert nothing_new["valid"] and nothing_new["transparency"]["logFilesCompared"] == 0, nothing_new["transparency"]


def test_an_older_log_whose_key_was_lost_is_not_called_invalid(archive, tmp_path):
    s3 = archive.client("s3")
    log = the_log(s3)
    # A log of the trail before this one, signed with a key that nobody holds any more.
    pair, older = Ed25519PrivateKey.generate(), log.folder.rstrip("/")[:-16] + "20260101T000000Z/"
    origin = f"opentrail/{ACCOUNT}/{REGION}/management-events/20260101T000000Z"
    material = b"\1" + pair.public_key().public_bytes_raw()
    key_id = hashlib.sha256(origin.encode() + b"\n" + material).digest()[:4]
    text = f"{origin}\n0\n{base64.b64encode(hashlib.sha256(b'').digest()).decode()}\n"
    s3.put_object(Bucket=LOGS, Key=older + "checkpoint", Body=f"{text}\n\u2014 {origin} {base64.b64encode(key_id + pair.sign(text.encode())).decode()}\n".encode())
    lost, vkey = f"{origin}+{key_id.hex()}+{base64.b64encode(material).decode()}", told(archive)["management-events"]["publicKey"]
    plain, summary = validated(archive), validated(archive, "--output", "json").json()
    both = tmp_path / "keys"
    both.write_text(f"{vkey}\n{lost}\n")
    named, one = validated(archive, "--log-key", both), validated(archive, "--log-key", vkey)
    s3.delete_object(Bucket=LOGS, Key=older + "checkpoint")
    assert plain.code == 0, plain.err
    assert [one["signatureVerified"] for one in summary["transparency"]["logs"]] == [False, True] and summary["valid"], summary
    assert named.code == 0 and named.out.count("entries: valid") == 2, named.out + named.err
    assert one.code == 1 and f"{origin}\tINVALID: checkpoint: it is not signed with the log's key" in one.err, one.err


@pytest.fixture
def witness():
    made = Witness()
    yield made
    made.close()


def test_a_witness_signs_checkpoints_and_holds_up_nobody_while_it_is_away(house, witness, tmp_path):
    witness.away = True
    trail = house(interval="1s", flags=["--witness", f"{witness.url}#{witness.vkey}"]).start()
    s3 = trail.client("s3")
    s3.create_bucket(Bucket="while-it-is-away")
    eventually(lambda: the_size(trail) > 0, 20, what="a log, without its witness")
    eventually(lambda: log_files(s3, LOGS), 20, what="log files, without the witness")
    status = eventually(lambda: next((w for w in told(trail)["management-events"]["witnesses"] if w["lastError"]), None), 20, what="the trouble is told")
    assert "503" in status["lastError"] and status["size"] == 0
    metrics = trail.get("/_opentrail/metrics")[1].decode()
    assert f'opentrail_witness_failing{{trail="{ARN}",witness="{witness.url}"}} 1' in metrics, metrics
    witness.away = False
    s3.create_bucket(Bucket="when-it-is-back")
    vkey = told(trail)["management-events"]["publicKey"]

    def cosigned():
        (folder,) = folders(s3, LOGS)
        checkpoint = Checkpoint(s3.get_object(Bucket=LOGS, Key=folder + "checkpoint")["Body"].read().decode())
        try:
            return checkpoint.verify(vkey).verify(witness.vkey)
        except KeyError:
            return None

    first = eventually(cosigned, 60, every=0.2, what="a checkpoint with the witness's signature")
    # It grows, and is proven to have only grown.
    s3.create_bucket(Bucket="one-more")
    second = eventually(lambda: (found := cosigned()) and found.size > first.size and found, 30, every=0.2, what="the next one")
    # The proof of an event carries the signature.
    event_id = next(iter(delivered(s3)))
    trail.stop()
    trail.start()
    proof = tmp_path / "proof"
    eventually(lambda: cosigned(), 30, every=0.2, what="signed after a restart, too")
    answer = opentrail("prove", event_id, "--output", proof, house=trail)
    assert answer.code == 0, answer.err
    if witness.name in answer.json()["witnesses"]:
        verify_proof(proof.read_text(), vkey, witness.vkey)
        valid = opentrail("prove", "--verify", proof, "--public-key", vkey, "--witness-key", witness.vkey)
        assert valid.code == 0 and valid.json()["witnesses"][0]["witness"] == witness.name, valid.out
    assert 422 not in witness.answers and 403 not in witness.answers and second.size > first.size
    ours = validated(trail, "--witness", witness.url)
    assert ours.code == 0 and "seen before or elsewhere agree" in ours.out, ours.out + ours.err


def the_size(trail):
    return told(trail).get("management-events", {}).get("size", 0)


@pytest.mark.timeout(240)
def test_killed_again_and_again_there_are_never_two_logs_of_one_size(house, witness):
    flags = ["--digest-interval", "1h", "--witness", PLACE, "--witness", f"{witness.url}#{witness.vkey}"]
    trail = house(interval="1s", flags=flags).start()
    trail.client("s3").create_bucket(Bucket=WITNESSED)
    number = 0
    # How many rounds there are time for between the kills, is the machine's business.
    while number < 15 or len(keys(trail.client("s3"), WITNESSED, "checkpoints/")) <= 10:
        assert number < 60, "the log grows between the kills"
        for count in range(6):
            trail.client("s3").create_bucket(Bucket=f"call-{number}-{count}-{trail.port}")
        time.sleep(0.13 * (number % 9))
        trail.kill()
        trail.start()
        number += 1
    s3 = trail.client("s3")
    s3.create_bucket(Bucket=f"last-{trail.port}")

    def is_settled():
        answers = trail.get("/_opentrail/transparency")[1].decode()
        (log,) = json.loads(answers)["logs"]
        return log["waitingCuts"] == 0 and all(one["size"] == log["size"] for one in log["witnesses"]) and set(delivered(s3)) == set(the_log(s3).events())

    eventually(is_settled, 60, every=0.3, what="all is delivered, logged and witnessed")
    log = the_log(s3)
    copies = [Checkpoint(s3.get_object(Bucket=WITNESSED, Key=key)["Body"].read().decode()) for key in keys(s3, WITNESSED, "checkpoints/")]
    assert len(copies) > 10 and len({copy.size for copy in copies}) == len(copies)
    for copy in copies:
        assert copy.origin == log.checkpoint.origin and copy.root == log.root_at(copy.size), copy.size
    assert 422 not in witness.answers, "the witness never saw a fork"
    assert log.events() == delivered(s3)
    (before,) = witness.seen.values()
    assert is_consistent(before.size, before.root, before.size, log.root_at(before.size), [])


def test_without_validation_or_with_the_log_switched_off_there_is_none(house, tmp_path):
    off = house(interval="1s", flags=["--transparency-log", "off"]).start()
    off.client("s3").create_bucket(Bucket="some-bucket")
    eventually(lambda: log_files(off.client("s3"), LOGS), 20, what="log files")
    assert not keys(off.client("s3"), LOGS, f"AWSLogs/{ACCOUNT}/CloudTrail-Transparency/") and told(off) == {}
    on = house(interval="1s").start()
    s3, cloudtrail = on.client("s3"), on.client("cloudtrail")
    s3.create_bucket(Bucket="plain")
    cloudtrail.create_trail(Name="plain", S3BucketName="plain")
    cloudtrail.start_logging(Name="plain")
    eventually(lambda: any(key.endswith(".gz") for key in keys(s3, "plain", "")), 20, what="log files")
    assert not folders(s3, "plain", "plain")
    cloudtrail.update_trail(Name="plain", EnableLogFileValidation=True)
    eventually(lambda: folders(s3, "plain", "plain"), 20, what="a log, once the trail validates")
    log = eventually(lambda: the_log_or_none(s3, "plain"), 10, what="a whole log")
    log.checkpoint.verify(told(on)["plain"]["publicKey"])


def the_log_or_none(s3, trail):
    try:
        return the_log(s3, trail, trail)
    except (s3.exceptions.NoSuchKey, InvalidSignature):
        return None
