"""The binary under test, and clients that speak to it."""

import configparser
import http.client
import os
import re
from pathlib import Path

import boto3
from botocore.config import Config

from . import secrets
from .process import Process, clean_environment, eventually, free_port

ACCOUNT = "123456789012"
REGION = "us-east-1"
# Any key will do with `--auth trust`.
ANY_KEY = ("AKIAENDTOENDTESTS001", "planted-any-secret-will-do")


def binary():
    path = os.environ.get("OPENTRAIL_BIN")
    assert path, "OPENTRAIL_BIN names no binary: run `cargo xtask test --only e2e`"
    assert Path(path).exists(), f"OPENTRAIL_BIN={path} does not exist"
    return path


class OpenTrail:
    """One `opentrail serve` with a folder and a port of its own; may be stopped, killed and started again."""

    def __init__(self, folder, upstream=None, auth="trust", interval="2s", flags=(), scheme="http", address="127.0.0.1", env=None):
        self.data = Path(folder) / "data"
        self.port = free_port()
        self.auth = auth
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        # Where others keep the log files that it delivers: makes a client that can read them.
        self.log_files_elsewhere = None
        # What it said last of itself, by path; and whether a story lets it show secrets, to see that they are found.
        self.last_answers = {}
        self.shows_secrets = False
        command = [binary(), "serve", "--data-dir", self.data, "--listen", f"{address}:{self.port}"]
        command += ["--auth", auth, "--account", ACCOUNT, "--delivery-interval", interval]
        if upstream:
            command += ["--upstream", upstream]
        environment = clean_environment(RUST_BACKTRACE="1", **(env or {}))
        self.process = Process([*command, *flags], Path(folder) / "opentrail.log", environment)

    def start(self, within=30):
        self.process.spawn()
        eventually(lambda: self.ready() or self._gone(), within, what=f"ready; log:\n{self.process.said()[-2000:]}")
        return self

    def _gone(self):
        assert self.process.alive(), f"opentrail ended while starting:\n{self.process.said()[-4000:]}"
        return False

    def ready(self):
        return self.status("/_opentrail/ready") == 200

    def status(self, path):
        """The status of a plain GET, or None if nobody answers."""
        return (self.get(path) or (None, b""))[0]

    def get(self, path):
        make = http.client.HTTPSConnection if self.url.startswith("https") else http.client.HTTPConnection
        options = {}
        if self.url.startswith("https"):
            import ssl

            options["context"] = ssl._create_unverified_context()
        connection = make("127.0.0.1", self.port, timeout=10, **options)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except OSError:
            return None
        finally:
            connection.close()

    def stop(self, timeout=30):
        """SIGTERM: drains and ends with 0."""
        return self.process.terminate(timeout)

    def kill(self):
        """As a power cut: SIGKILL."""
        self.process.kill()

    def end(self):
        """The end of a test: whatever happened, it never panicked, and it left no secret where somebody may read it."""
        self.say_last()
        self.process.kill()
        said = self.process.said()
        at = said.find("panicked at")
        assert at < 0, f"opentrail panicked:\n{said[at : at + 4000]}"
        metrics = self.last_answers.get("/_opentrail/metrics", b"").decode()
        reduced = re.search(r"^opentrail_records_reduced_total (\d+)$", metrics, re.M)
        assert not metrics or reduced and reduced[1] == "0", f"records without their details:\n{metrics}"
        if not self.shows_secrets:
            told = secrets.found(self)
            assert not told, "secrets are left:\n" + "\n".join(told)[:10_000]

    def say_last(self):
        """Keeps what it says of itself now."""
        if self.process.alive():
            answers = {path: self.get(path) for path in ("/_opentrail/metrics", "/_opentrail/health")}
            self.last_answers = {path: answer[1] for path, answer in answers.items() if answer}

    def memory(self, field="VmRSS"):
        """Resident memory in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+) kB", status, re.M).group(1)) / 1024

    @property
    def credentials_file(self):
        return self.data / "credentials"

    def key(self):
        """The administrator's key pair when signatures are verified, any pair when they are not."""
        if self.auth == "trust":
            return ANY_KEY
        parser = configparser.ConfigParser()
        parser.read(self.credentials_file)
        section = parser["default"]
        return section["aws_access_key_id"], section["aws_secret_access_key"]

    def own_secret(self):
        """The secret of the key that it made for its administrator, if it made one."""
        parser = configparser.ConfigParser()
        parser.read(self.credentials_file)
        return parser.get("default", "aws_secret_access_key", fallback="").encode() or None

    def client(self, service, key=None, region=REGION, token=None, **config):
        return client(self.url, service, key or self.key(), region, token, **config)


def client(url, service, key=ANY_KEY, region=REGION, token=None, **config):
    """A boto3 client of `url` that tries once and tells everything."""
    settings = {"retries": {"total_max_attempts": 1}, "connect_timeout": 5, "read_timeout": 60, "s3": {"addressing_style": "path"}}
    settings.update(config)
    made = boto3.session.Session().client(
        service,
        endpoint_url=url,
        region_name=region,
        aws_access_key_id=key[0],
        aws_secret_access_key=key[1],
        aws_session_token=token,
        config=Config(**settings),
        verify=False,
    )
    made.meta.events.register("after-call", lambda parsed, **_: secrets.given(url, parsed))
    return made
