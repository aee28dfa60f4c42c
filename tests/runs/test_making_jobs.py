"""Data sets are made in the lane of readings: with progress, a stop, and words for what is refused."""

import pytest

from ldvae_core.errors import LdvaeError
from ldvae_core.jobs.queue import Queue
from ldvae_core.runs.reading_jobs import READING, read_data, reading_status, start_making
from ldvae_core.workspace.datasets import Datasets
from ldvae_core.workspace.derived import Combine, Join, Take

TAKE = Take("demo", "cell_type=Epiblast/ectoderm")


class Told:
    """A control that remembers, and asks for a stop after some reports."""

    def __init__(self, stop_after: int = 1_000) -> None:
        self.reports, self._stop_after = [], stop_after

    def answer(self):
        return "cancel" if len(self.reports) > self._stop_after else "go"

    def report(self, progress):
        self.reports.append((progress.stage, progress.share))


@pytest.fixture
def work(workspace):
    """work(recipe, control) does the job that start_making puts into the queue; its id and state."""

    def do(recipe, control):
        made_id = start_making(workspace, recipe)
        job = Queue(workspace).find(READING, made_id)
        try:
            state = read_data(workspace, job, control)
        except LdvaeError:
            state = "failed"
        with Queue(workspace).changing() as change:
            change.settle(job, state)
        return made_id, state

    return do


def test_a_job_makes_a_data_set(workspace, work):
    """The page is told which one, and in a sentence what it is."""
    control = Told()
    made_id, state = work(TAKE, control)
    told = reading_status(workspace, made_id)
    assert state == "finished"
    assert Datasets(workspace).card(told.dataset_id).n_cells == 913
    assert told.said.startswith("913 of the 7,850 cells of")
    assert [share for _, share in control.reports] == sorted(share for _, share in control.reports)
    assert control.reports[-1][1] == pytest.approx(1.0)


@pytest.mark.parametrize("recipe", [TAKE, Combine({"a": "demo", "b": "demo"})])
def test_a_stopped_job_keeps_nothing(workspace, work, recipe):
    """It ends at its next report."""
    made_id, state = work(recipe, Told(stop_after=2))
    assert state == "cancelled"
    assert reading_status(workspace, made_id).dataset_id is None
    assert [card.dataset_id for card in Datasets(workspace).list()] == ["demo"]
    assert not list(workspace.uploads.iterdir())


def test_a_joining_is_stopped_while_its_table_is_read(workspace, work):
    """The child that reads it is ended, and the table is gone."""
    table = Datasets(workspace).keep_upload("moods.csv", b"cell,mood\na,good\n")
    _, state = work(Join("demo", table), Told(stop_after=1))
    assert state == "cancelled"
    assert not list(workspace.uploads.iterdir())


def test_what_is_refused_is_told(workspace, work):
    """In the words of whoever refused it."""
    made_id, state = work(Take("demo", "cell_type=Nowhere"), Told())
    assert state == "failed"
    assert "no level 'Nowhere'" in str(reading_status(workspace, made_id).refusal)
