"""Usage errors end with 2, failures with 1, each with one clear line; help teaches."""

import re
import socket
import subprocess

import pytest

from harness.opentrail import ACCOUNT, binary
from harness.process import clean_environment


def run(*words, timeout=20, **env):
    return subprocess.run([binary(), *map(str, words)], env=clean_environment(**env), capture_output=True, text=True, timeout=timeout)


def test_help_names_the_commands_and_flags():
    help_ = run("--help")
    assert help_.returncode == 0 and all(word in help_.stdout for word in ("serve", "record", "OPENTRAIL_"))
    serve = run("serve", "--help").stdout
    for flag in ("--data-dir", "--listen", "--account", "--region", "--upstream", "--audit", "--auth", "--delivery-interval"):
        assert flag in serve
    assert "OPENTRAIL_LISTEN" in serve and "127.0.0.1:4780" in serve


@pytest.mark.parametrize(
    "words",
    [
        ["serve", "--no-such-flag"],
        ["serve", "--listen", "nonsense"],
        ["serve", "--account", "77"],
        ["serve", "--auth", "maybe"],
        ["serve", "--audit", "sometimes"],
        ["serve", "--threads", "0"],
        ["serve", "--delivery-interval", "soon"],
        ["serve", "--upstream", "nonsense"],
        ["serve", "--upstream", "http://host:99999"],
        ["no-such-command"],
    ],
    ids=" ".join,
)
def test_bad_usage_is_told_and_ends_with_2(words, tmp_path):
    more = ["--data-dir", tmp_path / "data"] if words[0] == "serve" else []
    done = run(*words, *more)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count(words[-1].split("=")[0]) == 1, done.stderr
    assert not (tmp_path / "data").exists()


def test_a_port_that_is_taken_is_told_and_ends_with_1(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run("serve", "--data-dir", tmp_path / "data", "--listen", address)
    assert done.returncode == 1 and address in done.stderr and "panicked" not in done.stderr


def test_a_folder_that_another_one_uses_is_told_and_ends_with_1(house):
    trail = house().start()
    done = run("serve", "--data-dir", trail.data, "--account", ACCOUNT, "--listen", "127.0.0.1:0")
    assert done.returncode == 1 and str(trail.data) in done.stderr
    assert trail.ready()


def test_a_folder_of_another_account_is_refused_and_stays_as_it_is(house):
    trail = house().start()
    key = trail.credentials_file.read_text()
    trail.stop()
    trail.credentials_file.unlink()
    done = run("serve", "--data-dir", trail.data, "--account", "999999999999", "--listen", "127.0.0.1:0")
    assert done.returncode == 1 and ACCOUNT in done.stderr, done.stderr
    assert not trail.credentials_file.exists(), "no key was made for the wrong account"
    trail.start()
    assert trail.credentials_file.read_text() == key, "and the right account finds its own again"


def test_a_folder_that_cannot_be_written_is_told_and_ends_with_1(tmp_path):
    (tmp_path / "file").write_text("")
    done = run("serve", "--data-dir", tmp_path / "file", "--listen", "127.0.0.1:0")
    assert done.returncode == 1 and str(tmp_path / "file") in done.stderr and "panicked" not in done.stderr


def variables():
    """Every variable that `serve --help` names."""
    return sorted(set(re.findall(r"\[env:\s+(OPENTRAIL_\w+)=", run("serve", "--help").stdout)))


def test_variables_that_are_empty_are_none(house):
    assert len(variables()) > 20
    here = house(env={**dict.fromkeys(variables(), ""), "OPENTRAIL_LOG": ""}).start()
    assert "INFO" in here.process.said(), "the default of what is logged holds, too"


def test_a_log_filter_that_cannot_be_read_is_told_once_and_the_default_holds(house):
    here = house(env={"OPENTRAIL_LOG": "opentrail_trail=loud"}).start()
    (told,) = [line for line in here.process.said().splitlines() if "OPENTRAIL_LOG" in line]
    assert "WARN" in told and "opentrail_trail=loud" in told
    assert "INFO" in here.process.said()
