"""One state out of two words: the queue's and the folder's."""

import pytest

from ldvae_core.runs.states import STAGES, STATES, cancel_folder, merged_state, read_folder_state
from tests.links import make_link
from tests.runs.conftest import settings_named

DECISIONS = [
    # queue, folder, owner alive -> state
    ("queued", None, False, "queued"),
    ("queued", "paused", False, "queued"),  # resumed, waits
    ("queued", "failed", False, "queued"),
    ("running", None, True, "running"),  # claimed, not begun
    ("running", "paused", True, "running"),  # resumed, not begun
    ("running", "training", True, "running"),
    ("running", "finished", True, "running"),  # about to be settled
    ("running", None, False, "interrupted"),
    ("running", "preparing", False, "interrupted"),
    ("running", "training", False, "interrupted"),
    ("running", "analysing", False, "interrupted"),
    ("running", "finished", False, "finished"),  # killed between the last file and the queue
    ("running", "stopped", False, "stopped"),
    ("running", "failed", False, "failed"),
    ("running", "paused", False, "paused"),
    ("running", "cancelled", False, "cancelled"),
    ("interrupted", "training", False, "interrupted"),
    ("interrupted", "finished", False, "finished"),
    ("paused", "paused", False, "paused"),
    ("paused", None, False, "paused"),  # paused while it waited
    ("paused", "training", False, "paused"),
    ("failed", "training", False, "failed"),  # the disk was too full for the folder's word
    ("failed", "failed", False, "failed"),
    ("cancelled", "training", False, "cancelled"),
    ("finished", None, False, "finished"),
    (None, None, False, "interrupted"),  # killed between the folder and the queue
    (None, "training", False, "interrupted"),
    (None, "training", True, "running"),  # the command line's
    (None, "finished", False, "finished"),
    (None, "finished", True, "finished"),
    (None, "paused", True, "paused"),
    (None, "cancelled", False, "cancelled"),
]


@pytest.mark.parametrize(("job", "stage", "alive", "state"), DECISIONS)
def test_the_two_words_give_one_state(job, stage, alive, state):
    """The queue knows who waits and who works, the folder what was finished."""
    assert merged_state(job, stage, alive=alive) == state


@pytest.mark.parametrize("job", [None, *STATES])
@pytest.mark.parametrize("stage", [None, *STAGES])
@pytest.mark.parametrize("alive", [True, False])
def test_every_combination_has_a_state(job, stage, alive):
    """No combination is left out, and nothing without a live owner is called running."""
    state = merged_state(job, stage, alive=alive)
    assert state in STATES
    assert state != "running" or alive


def test_cancelling_leaves_only_what_was_asked_for(tmp_path):
    """run.json stays, so that the run can be looked at; partial results go, whatever they are."""
    folder = tmp_path / "run"
    settings_named().write(folder)
    (folder / "factors" / "readable").mkdir(parents=True)
    make_link(folder / "link", tmp_path)
    (folder / "checkpoint.npz").write_bytes(b"x")
    cancel_folder(folder)
    assert sorted(entry.name for entry in folder.iterdir()) == ["run.json", "state.json"]
    assert read_folder_state(folder).stage == "cancelled"
