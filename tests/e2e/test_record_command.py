"""`opentrail record -- COMMAND`: what did this program call?"""

import json
import os
import signal
import subprocess

import pytest

from harness.opentrail import ANY_KEY, binary
from harness.process import clean_environment, eventually, tool
from harness.records import check_shape


@pytest.fixture
def record(moto, tmp_path):
    credentials = tmp_path / "credentials"
    credentials.write_text(f"[default]\naws_access_key_id={ANY_KEY[0]}\naws_secret_access_key={ANY_KEY[1]}\n")

    def start(*words, upstream=True, stdout=subprocess.PIPE, **env):
        env.setdefault("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
        command = [binary(), "record", *(["--upstream", moto.url] if upstream else []), *map(str, words)]
        # A session of its own, as a terminal makes it.
        return subprocess.Popen(command, env=clean_environment(**env), cwd=tmp_path, stdout=stdout, stderr=subprocess.PIPE, text=True, start_new_session=True)

    def run(*words, **more):
        with start(*words, **more) as started:
            try:
                stdout, stderr = started.communicate(timeout=60)
            finally:
                started.kill()
        return subprocess.CompletedProcess(started.args, started.returncode, stdout, stderr)

    run.start = start
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


def test_an_output_that_cannot_be_made_is_told_before_the_command_runs(record, tmp_path):
    done = record("--output", tmp_path / "no" / "calls.json", "--", "touch", tmp_path / "ran")
    assert done.returncode == 1
    assert "cannot write" in done.stderr and "calls.json" in done.stderr
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("code, ends_with", [(0, 1), (7, 7)])
def test_an_output_that_cannot_be_written_loses_neither_the_table_nor_the_exit_code(record, code, ends_with):
    done = record("--output", "/dev/full", "--", "sh", "-c", f"{tool('aws')} sns create-topic --name shown; exit {code}")
    assert done.returncode == ends_with
    assert "CreateTopic" in done.stdout
    assert "cannot write /dev/full" in done.stderr


def test_the_output_is_its_owners_alone(record, tmp_path):
    assert record("--output", tmp_path / "calls.json", "--", "true").returncode == 0
    assert (tmp_path / "calls.json").stat().st_mode & 0o777 == 0o600


def begun(record, tmp_path, rest):
    """A recorder whose command has made one call and goes on."""
    script = f"{tool('aws')} sns create-topic --name before; touch begun; {rest}"
    running = record.start("--output", tmp_path / "calls.json", "--", "sh", "-c", script)
    eventually((tmp_path / "begun").exists, within=60)
    return running


def is_written(running, tmp_path):
    stdout, stderr = running.communicate(timeout=60)
    (record_,) = json.loads((tmp_path / "calls.json").read_text())["Records"]
    assert record_["eventName"] == "CreateTopic"
    assert "CreateTopic" in stdout and "1 calls recorded" in stdout
    assert stderr == ""


def test_ctrl_c_ends_the_command_and_not_the_recorder(record, tmp_path):
    running = begun(record, tmp_path, "sleep 60")
    os.killpg(running.pid, signal.SIGINT)
    is_written(running, tmp_path)
    assert running.returncode == 128 + signal.SIGINT


def test_a_command_may_take_its_time_after_ctrl_c(record, tmp_path):
    running = begun(record, tmp_path, "trap 'sleep 1; exit 7' INT; sleep 60")
    os.killpg(running.pid, signal.SIGINT)
    is_written(running, tmp_path)
    assert running.returncode == 7


def test_sigterm_is_passed_on_to_the_command(record, tmp_path):
    running = begun(record, tmp_path, "trap 'exit 7' TERM; while true; do sleep 0.1; done")
    running.terminate()
    is_written(running, tmp_path)
    assert running.returncode == 7


def test_a_reader_that_is_gone_leaves_the_exit_code_to_the_command(record, tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    done = record("--output", tmp_path / "calls.json", "--", "sh", "-c", "exit 7", stdout=writer)
    os.close(writer)
    assert done.returncode == 7 and done.stderr == ""
    assert json.loads((tmp_path / "calls.json").read_text()) == {"Records": []}


def test_variables_that_are_no_text_are_passed_over(record):
    done = record("--", "sh", "-c", 'printf %s "$ODD" | od -An -tx1', ODD=os.fsdecode(b"\xff"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "ff" in done.stdout.splitlines()[0]
