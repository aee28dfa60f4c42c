"""What was deleted can be had back for ten minutes, and is gone afterwards."""

import time

import pytest

from ldvae_core import durable
from ldvae_core.errors import RunError
from ldvae_core.workspace.trash import in_trash, put_in_trash, take_from_trash


@pytest.fixture(name="parent")
def _parent(tmp_path):
    """A folder of two runs."""
    for name in ("kept-1", "gone-2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text("{}")
    return tmp_path


@pytest.fixture(name="later")
def _later(monkeypatch):
    """Let so many seconds pass."""
    now = time.time()
    return lambda seconds: monkeypatch.setattr(time, "time", lambda: now + seconds)


def test_what_is_in_the_trash_is_whole_and_comes_back(parent):
    """Nothing but the mark is written, and it goes again."""
    put_in_trash(parent / "gone-2")
    assert durable.is_deleted(parent / "gone-2")
    assert [entry.entry_id for entry in in_trash(parent)] == ["gone-2"]
    assert take_from_trash(parent, "gone-2") == parent / "gone-2"
    assert sorted(path.name for path in (parent / "gone-2").iterdir()) == ["run.json"]


def test_after_ten_minutes_it_cannot_be_had_back(parent, later):
    """Whoever comes too late is told so."""
    put_in_trash(parent / "gone-2")
    later(599)
    assert in_trash(parent)[0].seconds_left == pytest.approx(1, abs=1)
    later(601)
    assert in_trash(parent) == []
    with pytest.raises(RunError, match="deleted for good meanwhile"):
        take_from_trash(parent, "gone-2")


def test_a_server_that_starts_leaves_the_trash_its_time(parent, later):
    """A restart takes no way back from anybody; the time over, it sweeps."""
    put_in_trash(parent / "gone-2")
    durable.sweep_deleted(parent)
    assert (parent / "gone-2" / "run.json").exists()
    later(601)
    durable.sweep_deleted(parent)
    assert sorted(path.name for path in parent.iterdir()) == ["kept-1"]


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff"])
def test_a_mark_without_a_time_means_at_once(parent, content):
    """As earlier versions wrote it."""
    (parent / "gone-2" / durable.DELETED).write_bytes(content)
    assert in_trash(parent) == []
    durable.sweep_deleted(parent)
    assert not (parent / "gone-2").exists()


def test_a_disk_that_refuses_leaves_everything_as_it_was(parent, monkeypatch):
    """And says what can be done instead."""
    monkeypatch.setattr(
        durable, "write_bytes", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(RunError, match=r"No space left on device.*Delete it for good instead"):
        put_in_trash(parent / "gone-2")
    assert not durable.is_deleted(parent / "gone-2")


@pytest.mark.parametrize("name", ["kept-1", "..", "../kept-1", "", "nothing"])
def test_only_what_is_in_the_trash_is_taken_from_it(parent, name):
    """No path from outside gets through."""
    put_in_trash(parent / "gone-2")
    with pytest.raises(RunError):
        take_from_trash(parent, name)
