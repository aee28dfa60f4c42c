"""What holds for every test: one thread, and nothing written into the home of whoever runs them.

The environment variable TEST_THREADS asks for another number of threads.
"""

import os
import sys

import pytest


def pytest_addoption(parser):
    """What is too much for every time."""
    parser.addoption("--all-hostile", action="store_true", help="read the whole corpus of hostile files (minutes)")


@pytest.fixture(scope="session", autouse=True)
def _home_of_its_own(tmp_path_factory):
    """What a run remembers of this machine goes into a temporary folder, also in processes that tests start."""
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["XDG_CACHE_HOME"]
    else:
        os.environ["XDG_CACHE_HOME"] = before


@pytest.fixture(scope="session")
def threads() -> int:
    """For products of matrices."""
    return int(os.environ.get("TEST_THREADS", "1"))


@pytest.fixture(scope="session", autouse=True)
def _limit_threads(threads):
    """Products this small are slower on several threads, and much slower where other work runs beside the tests."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(threads):
        yield


@pytest.fixture(autouse=True)
def _whole_floating_point():
    """Training has its processor flush the tiniest numbers to zero; the next test gets them back."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)
