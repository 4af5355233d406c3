"""Fixtures: an upstream per worker, an OpenTrail per story."""

import os
import warnings
from pathlib import Path

import pytest

from harness.opentrail import OpenTrail, client
from harness.process import clean_environment
from harness.upstream import Moto

warnings.filterwarnings("ignore", message="Unverified HTTPS request")


@pytest.fixture(scope="session", autouse=True)
def nobody_elses_settings():
    """boto3 reads the environment: only ours counts."""
    ours = clean_environment()
    for key in [key for key in os.environ if key.startswith(("AWS_", "OPENTRAIL_")) and key != "OPENTRAIL_BIN"]:
        del os.environ[key]
    os.environ.update({key: value for key, value in ours.items() if key.startswith("AWS_")})


@pytest.fixture(scope="session")
def moto_process(tmp_path_factory):
    moto = Moto(tmp_path_factory.mktemp("moto"))
    yield moto.start()
    moto.process.kill()


@pytest.fixture(scope="module")
def moto(moto_process):
    """moto, empty at the beginning of a story."""
    moto_process.reset()
    return moto_process


STARTED = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows what the OpenTrails of its story said last: their folders are gone afterwards."""
    report = yield
    if report.failed:
        for trail in STARTED[-3:]:
            if said := trail.process.said():
                report.sections.append((f"log of opentrail on port {trail.port}", said[-3000:]))
    return report


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """Makes OpenTrails in folders of their own: `house(upstream=..., auth=..., flags=[...])`; ends them with the story, and
    searches what each of them leaves for secrets (harness/secrets.py)."""
    made = []

    def make(**options):
        trail = OpenTrail(Path(tmp_path_factory.mktemp("opentrail")), **options)
        if options.get("upstream") in Moto.URLS:
            trail.log_files_elsewhere = lambda: client(options["upstream"], "s3")
        made.append(trail)
        STARTED.append(trail)
        return trail

    yield make
    failed = []
    for trail in made:
        try:
            trail.end()
        except AssertionError as error:
            failed.append(str(error))
    STARTED.clear()
    assert not failed, "\n".join(failed)
