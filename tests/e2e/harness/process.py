"""Free ports, patience, and processes that never outlive their test."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path


def free_port():
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def eventually(look, within, every=0.02, what=None):
    """The first true value of `look()`; a failed assertion after `within` seconds, showing what was seen last."""
    deadline = time.monotonic() + within
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s: {what or look.__name__}; seen last: {seen!r}")
        time.sleep(every)


def clean_environment(**more):
    """Our environment without the AWS and OpenTrail settings of whoever runs the tests."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "OPENTRAIL_"))}
    kept.update(
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
        AWS_DEFAULT_REGION="us-east-1",
        AWS_PAGER="",
        NO_PROXY="127.0.0.1,localhost",
    )
    kept.update(more)
    return kept


def tool(name):
    """A program of the environment that runs us, such as `aws`."""
    path = Path(sys.executable).parent / name
    assert path.exists(), f"{path} is missing: cargo xtask test makes the environment"
    return str(path)


class Process:
    """A child whose output goes to a file."""

    def __init__(self, command, log, env):
        self.command = [str(word) for word in command]
        self.log = Path(log)
        self.env = env
        self.child = None

    def spawn(self):
        assert self.child is None, "it runs already"
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env, start_new_session=True
            )

    @property
    def pid(self):
        return self.child.pid

    def alive(self):
        return self.child is not None and self.child.poll() is None

    def said(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def terminate(self, timeout=30):
        """SIGTERM, then its exit code; if it does not go by itself that is a failure, and it is killed."""
        if self.child is None:
            return None
        self.child.terminate()
        try:
            code = self.child.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.command[0]} ignored SIGTERM for {timeout} s:\n{self.said()[-4000:]}") from None
        self.child = None
        return code

    def kill(self):
        if self.child is not None:
            self.child.kill()
            self.child.wait()
            self.child = None
