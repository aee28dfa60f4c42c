"""Thousands of hostile files of every format (--all-hostile), some of each every time: none does harm."""

import sys

import pytest

from tests.data.hostile.canary import put_canary

if sys.platform == "win32":
    pytest.skip("each file is read in a forked process", allow_module_level=True)

from tests.data.hostile.corpus import cases, make, quick_cases
from tests.data.hostile.reader import a_reader

MOST_SECONDS, MOST_BYTES = 10.5, 2 << 30  # of processor; the system looks once a second


def pytest_generate_tests(metafunc):
    """Some of the corpus, or all of it."""
    if "case" in metafunc.fixturenames:
        chosen = cases() if metafunc.config.getoption("--all-hostile") else quick_cases()
        metafunc.parametrize("case", chosen, ids=[case.name for case in chosen])


@pytest.fixture(scope="module")
def canary(tmp_path_factory):
    return put_canary(tmp_path_factory.mktemp("canary"))


@pytest.fixture(scope="module")
def reader(tmp_path_factory, canary):
    with a_reader(tmp_path_factory.mktemp("reader"), canary) as reader:
        yield reader


def test_a_hostile_file_does_no_harm(case, reader, canary, tmp_path):
    """Refused in words or read: no library's error, nothing opened elsewhere, ten seconds and two gigabytes at most."""
    outcome = reader.read(make(case, tmp_path / "made", canary))
    assert outcome["kind"] in ("read", "refused", "spent"), (outcome["where"], outcome["said"])
    assert outcome["opened"] == []
    assert outcome["seconds"] <= MOST_SECONDS
    assert outcome["memory_bytes"] <= MOST_BYTES
    assert outcome["kind"] != "refused" or len(outcome["said"]) > 30


@pytest.mark.skipif(sys.platform != "linux", reason="where no watch of files is known")
def test_what_is_opened_elsewhere_would_be_seen(reader, canary, tmp_path):
    """The watch itself: a link that was chosen may be followed."""
    (tmp_path / "x.csv").symlink_to(canary / "secret.txt")
    outcome = reader.read(tmp_path / "x.csv")
    assert (outcome["kind"], outcome["opened"]) == ("refused", ["canary secret.txt"])
