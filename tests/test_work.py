"""The kinds of work, put together: every lane once, and a server that starts whatever the disk holds."""

import pytest

from ldvae_core.jobs.queue import Queue
from ldvae_core.runs.machine import MACHINE
from ldvae_core.work import KINDS, start_work
from ldvae_core.workspace.folders import Workspace


@pytest.fixture(name="workspace")
def _workspace(tmp_path, monkeypatch) -> Workspace:
    """Its own, in which no process is ever started."""
    monkeypatch.setattr("ldvae_core.jobs.dispatcher.Dispatcher.tick", lambda self: None)
    return Workspace(tmp_path / "home").make()


def test_every_kind_has_a_lane_of_its_own():
    """By its own name."""
    assert {lane: kind.lane for lane, kind in KINDS.items()} == {lane: lane for lane in KINDS}
    assert set(KINDS) == {"training", "refining", "map", "enrichment", "machine", "placing", "reading"}


def test_a_server_asks_for_its_machine_and_clears_away(workspace):
    """At the start, before anybody looks."""
    upload = workspace.uploads / "left"
    upload.mkdir()
    (upload / "owner").write_text("boot-before:1/1/1")
    start_work(workspace).stop()
    assert [job.state for job in Queue(workspace).all(MACHINE)] == ["queued"]
    assert not upload.exists()


def test_a_server_starts_beside_a_damaged_queue(workspace, caplog):
    """So that its pages can say what is wrong."""
    workspace.index.write_bytes(b"this is no database" * 100)
    start_work(workspace).stop()
    assert "is damaged" in caplog.text
