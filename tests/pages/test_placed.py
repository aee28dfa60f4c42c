"""New cells on the Factors page: chosen, drawn over the run's own, strange ones counted."""

import numpy as np
import pytest

from ldvae_core.data.demo import load_demo
from ldvae_core.jobs import worker
from ldvae_core.runs import placing_jobs
from ldvae_core.runs.placing_jobs import PLACING_KIND, placing_status, start_placing
from ldvae_core.workspace.folders import DEMO

ADDRESS = {"run": DEMO, "view": "New cells"}


@pytest.fixture
def placed(workspace, with_demo, monkeypatch):
    """Some cells of the demo, placed on the demo run; five modelled genes are missing."""
    counts = load_demo()
    cells = np.linspace(0, counts.n_cells - 1, 240).astype(int)
    some = counts.subset(cells=cells, genes=np.arange(5, counts.n_genes))
    monkeypatch.setattr(placing_jobs.Datasets, "open", lambda self, dataset_id: some)
    made = start_placing(workspace, DEMO, DEMO)
    assert worker.run(workspace, PLACING_KIND, idle_seconds=0) == 0
    return made


def test_without_any_it_says_what_for_and_begins_on_a_click(workspace, with_demo, open_page, words):
    """The data set to place is asked for, and a job is begun."""
    at = open_page("factors.py", **ADDRESS)
    assert not at.exception
    assert "No new cells yet" in words(at)
    at.button(key="placing_start").click().run()
    assert not at.exception
    started = [placing_status(workspace, DEMO, begun).state for _, begun, _ in [at.session_state["placing_begun"]]]
    assert started == ["queued"]


@pytest.mark.parametrize("way", ["One pair", "Gallery", "One factor"])
def test_placed_cells_are_drawn_over_those_of_the_run(placed, open_page, way, words):
    """In both views, with missing genes named and strange cells counted."""
    at = open_page("factors.py", **ADDRESS, placed_view=way)
    assert not at.exception
    assert len(at.get("plotly_chart")) == {"One pair": 2, "Gallery": 6, "One factor": 1}[way]
    assert "of 240 new cells" in words(at)
    assert "5 of 2,000 modelled genes are not in the new data and count as 0" in words(at)


@pytest.mark.parametrize("way", ["One pair", "Gallery"])
@pytest.mark.parametrize("colour", ["none", "factor:1", "Unlike the run", "Ttr"])
def test_new_cells_take_any_colour(placed, open_page, colour, way):
    """Their number, a factor, an annotation, a gene."""
    at = open_page("factors.py", **ADDRESS, placed_colour=colour, placed_view=way)
    assert not at.exception
    assert len(at.get("plotly_chart")) == {"One pair": 2, "Gallery": 6}[way]


def test_deleting_offers_the_way_back(placed, open_page, words):
    """As whatever deletes does."""
    at = open_page("factors.py", **ADDRESS)
    at.button(key="placed_delete").click().run()
    assert "No new cells yet" in words(at)
    at.button(key="undo").click().run()
    assert not at.exception
    assert "of 240 new cells" in words(at)
