"""`opentrail record -- COMMAND`: what did this program call?"""

import json
import subprocess

import pytest

from harness.opentrail import ANY_KEY, binary
from harness.process import clean_environment, tool
from harness.records import check_shape


@pytest.fixture
def record(moto, tmp_path):
    credentials = tmp_path / "credentials"
    credentials.write_text(f"[default]\naws_access_key_id={ANY_KEY[0]}\naws_secret_access_key={ANY_KEY[1]}\n")

    def run(*words, upstream=True, **env):
        env.setdefault("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
        command = [binary(), "record", *(["--upstream", moto.url] if upstream else []), *map(str, words)]
        return subprocess.run(command, env=clean_environment(**env), cwd=tmp_path, capture_output=True, text=True, timeout=60)

    return run


def test_a_table_of_the_calls(record):
    done = record("--", tool("aws"), "sns", "create-topic", "--name", "shown")
    assert done.returncode == 0, done.stderr
    assert '"TopicArn"' in done.stdout, "the command's own output comes through"
    (line,) = [line for line in done.stdout.splitlines() if "CreateTopic" in line]
    assert "sns" in line and ANY_KEY[0] in line and "shown" in line and "ok" in line


def test_output_is_cloudtrail_json(record, tmp_path):
    script = "import boto3; c=boto3.client('dynamodb'); c.create_table(TableName='t', BillingMode='PAY_PER_REQUEST', KeySchema=[dict(AttributeName='id', KeyType='HASH')], AttributeDefinitions=[dict(AttributeName='id', AttributeType='S')]); c.put_item(TableName='t', Item={'id': {'S': '1'}})"
    done = record("--output", tmp_path / "calls.json", "--", tool("python"), "-c", script)
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "calls.json").read_text())
    assert list(content) == ["Records"]
    records = [check_shape(record) for record in content["Records"]]
    assert [record["eventName"] for record in records] == ["CreateTable", "PutItem"], "data events are calls too"
    assert records[0]["requestParameters"]["tableName"] == "t"


def test_a_failed_call_shows_its_error(record):
    done = record("--", tool("aws"), "iam", "get-user", "--user-name", "nobody")
    assert done.returncode in (254, 255), "the exit code of the AWS CLI (255 in version 1)"
    (line,) = [line for line in done.stdout.splitlines() if "GetUser" in line]
    assert "iam" in line and "nobody" in line and "NoSuchEntity" in line


@pytest.mark.parametrize("code", [0, 7, 255])
def test_the_exit_code_is_the_commands(record, code):
    assert record("--", "sh", "-c", f"exit {code}").returncode == code


def test_the_environment_says_which_upstream(record, moto, tmp_path):
    done = record("--output", tmp_path / "calls.json", "--", tool("aws"), "sns", "create-topic", "--name", "by-environment", upstream=False, AWS_ENDPOINT_URL=moto.url)
    assert done.returncode == 0, done.stderr
    (record_,) = json.loads((tmp_path / "calls.json").read_text())["Records"]
    assert record_["eventName"] == "CreateTopic"


def test_a_command_that_calls_nothing_leaves_an_empty_list(record, tmp_path):
    assert record("--output", tmp_path / "calls.json", "--", "true").returncode == 0
    assert json.loads((tmp_path / "calls.json").read_text()) == {"Records": []}


def test_a_command_that_is_not_there_is_told_in_one_line(record):
    done = record("--", "there-is-no-such-program")
    assert done.returncode != 0
    assert "there-is-no-such-program" in done.stderr and "panicked" not in done.stderr


def test_no_command_is_bad_usage(record):
    assert record().returncode == 2


def test_nothing_is_left_behind(record, tmp_path):
    before = sorted(path.name for path in tmp_path.iterdir())
    record("--", "true")
    assert sorted(path.name for path in tmp_path.iterdir()) == before
