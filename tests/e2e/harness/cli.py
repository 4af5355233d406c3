"""The unmodified AWS CLI, as a newcomer runs it."""

import json
import subprocess

from . import secrets
from .process import clean_environment, tool


class Answer:
    def __init__(self, done):
        self.code = done.returncode
        self.out = done.stdout
        self.err = done.stderr.decode(errors="replace")

    @property
    def json(self):
        return json.loads(self.out)


# Version 1 of the AWS CLI has addresses of its own for these, which win over AWS_ENDPOINT_URL
# (awscli/customizations/overridesslcommonname.py): they need --endpoint-url. Version 2 does not.
OF_THEIR_OWN = {"sqs", "emr", "rds", "docdb", "neptune", "health"}


class Cli:
    """`aws` with an endpoint and a credentials file, and nothing else of ours."""

    def __init__(self, url, credentials, **more):
        self.url = url
        self.env = clean_environment(
            AWS_ENDPOINT_URL=url, AWS_SHARED_CREDENTIALS_FILE=str(credentials), AWS_MAX_ATTEMPTS="1", **more
        )

    def run(self, *words, stdin=None):
        endpoint = ["--endpoint-url", self.url] if words[0] in OF_THEIR_OWN else []
        done = subprocess.run([tool("aws"), *endpoint, *map(str, words)], env=self.env, input=stdin, capture_output=True, timeout=120)
        if done.stdout[:1] == b"{":
            try:
                secrets.given(self.url, json.loads(done.stdout))
            except ValueError:
                pass  # an object that was asked for, not an answer
        return Answer(done)

    def __call__(self, *words, stdin=None):
        """Runs and must succeed."""
        answer = self.run(*words, stdin=stdin)
        assert answer.code == 0, f"aws {' '.join(map(str, words))} ended with {answer.code}: {answer.err}"
        return answer
