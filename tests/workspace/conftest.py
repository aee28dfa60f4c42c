"""The same workspace as the tests of runs have."""

from tests.runs.conftest import _workspace  # noqa: F401
