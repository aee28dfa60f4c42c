"""The same workspace, queue and runs as the tests of runs have."""

from tests.runs.conftest import _jobs, _lanes, _store, _workspace  # noqa: F401
