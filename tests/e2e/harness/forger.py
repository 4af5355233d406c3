"""Somebody who holds everything: the data folder with all its keys, and the bucket. Rewrites an archive so that its digests verify, and its transparency log, too."""

import base64
import gzip
import hashlib
import json
import sqlite3
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_der_private_key

from .digests import LOGS, digests
from .transparency import leaf_hash, mth, parse, path_of


class Forger:
    def __init__(self, house, s3):
        """The house must be stopped; `s3` a client of what holds the bucket."""
        self.s3 = s3
        sealing = AESGCM(bytes.fromhex((house.data / "digest.key").read_text()))
        database = sqlite3.connect(house.data / "registry")
        rows = database.execute("SELECT kind, body FROM documents WHERE kind IN ('signing-key', 'log-key')").fetchall()
        database.close()
        self.digest_keys, self.log_keys = {}, {}
        for kind, body in rows:
            key = json.loads(body)["document"]
            sealed = base64.b64decode(key["sealed_private_key"])
            if kind == "signing-key":
                plain = sealing.decrypt(sealed[:12], sealed[12:], f"{key['region']}/{key['fingerprint']}".encode())
                self.digest_keys[key["fingerprint"]] = load_der_private_key(plain, None)
            else:
                plain = sealing.decrypt(sealed[:12], sealed[12:], f"transparency-log/{key['public_key']}".encode())
                self.log_keys[key["public_key"]] = Ed25519PrivateKey.from_private_bytes(plain)

    def put(self, key, body, metadata=None, **headers):
        self.s3.put_object(Bucket=LOGS, Key=key, Body=body, Metadata=metadata or {}, **headers)

    def rewrite_file(self, key, change):
        """Changes the text of a log file."""
        answer = self.s3.get_object(Bucket=LOGS, Key=key)
        before = gzip.decompress(answer["Body"].read())
        after = change(before)
        assert after != before
        self.put(key, gzip.compress(after), ContentType="application/json", ContentEncoding="gzip")
        return hashlib.sha256(before).digest(), hashlib.sha256(after).digest()

    def sign_digests_again(self, trail="management-events"):
        """Makes every digest of the home Region say what the log files are now, and signs the whole chain."""
        previous = None
        for key, digest, _, metadata in digests(self.s3, trail=trail):
            for file in digest["logFiles"]:
                body = self.s3.get_object(Bucket=file["s3Bucket"], Key=file["s3Object"])["Body"].read()
                file["hashValue"] = hashlib.sha256(gzip.decompress(body)).hexdigest()
            if digest["previousDigestS3Object"]:
                digest["previousDigestHashValue"], digest["previousDigestSignature"] = previous
            text = json.dumps(digest, separators=(",", ":")).encode()
            signed = "\n".join([digest["digestEndTime"], f"{LOGS}/{key}", hashlib.sha256(text).hexdigest(), digest["previousDigestSignature"] or "null"])
            pair = self.digest_keys[digest["digestPublicKeyFingerprint"]]
            signature = pair.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()).hex()
            self.put(key, gzip.compress(text), {**metadata, "signature": signature}, ContentType="application/json", ContentEncoding="gzip")
            previous = hashlib.sha256(text).hexdigest(), signature

    def write_log(self, log, entries):
        """Makes a log have these entries, with all its tiles, and signs it."""
        for name in [item["Key"] for item in self.s3.list_objects_v2(Bucket=LOGS, Prefix=log.folder)["Contents"]]:
            self.s3.delete_object(Bucket=LOGS, Key=name)
        for at in range(0, len(entries), 256):
            row = entries[at : at + 256]
            self.put(log.folder + "tile/entries/" + path_of(at // 256, len(row)), b"".join(struct.pack(">H", len(entry)) + entry for entry in row))
        level, row = 0, [leaf_hash(entry) for entry in entries]
        root = mth(row)
        while row:
            for at in range(0, len(row), 256):
                tile = row[at : at + 256]
                self.put(f"{log.folder}tile/{level}/" + path_of(at // 256, len(tile)), b"".join(tile))
            row = [mth(row[at : at + 256]) for at in range(0, len(row) - 255, 256)]
            level += 1
        origin = log.checkpoint.origin
        text = f"{origin}\n{len(entries)}\n{base64.b64encode(root).decode()}\n"
        ((public, pair),) = self.log_keys.items()
        key_id = hashlib.sha256(origin.encode() + b"\n\1" + bytes.fromhex(public)).digest()[:4]
        line = f"\u2014 {origin} {base64.b64encode(key_id + pair.sign(text.encode())).decode()}\n"
        self.put(log.folder + "checkpoint", f"{text}\n{line}".encode())

    def entries_with(self, log, file_hashes, record_change):
        """The log's entries as they would be, had the changed file been delivered so."""
        before, after = file_hashes
        entries = []
        for entry in log.entries:
            kind, _, digest, _ = parse(entry)
            if kind == "file" and digest == before:
                entry = entry[:6] + after + entry[38:]
            if kind == "event" and digest in record_change:
                entry = entry[:6] + record_change[digest] + entry[38:]
            entries.append(entry)
        assert entries != log.entries
        return entries
