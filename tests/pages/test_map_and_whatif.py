"""The map and the what-if views, each opened by a page that holds nothing else."""

import re

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from ldvae_core.durable import write_array, write_json
from ldvae_core.jobs.kinds import Outcome
from ldvae_core.jobs.lanes import Lanes
from ldvae_core.jobs.progress import Progress, write_progress
from ldvae_core.jobs.worker import progress_file
from ldvae_core.runs.map_jobs import CELL_MAP, MAP_KIND, map_status, start_map
from ldvae_core.runs.store import RunStore
from ldvae_core.workspace import processes


def view(run_id, which):
    """A page with one of the views."""
    import streamlit as st

    from pages.parts.factors.map import show_map
    from pages.parts.factors.whatif import show_whatif
    from pages.parts.runs import RUN, open_run

    st.session_state[RUN] = run_id
    opened = open_run(run_id)
    if which == "map":
        show_map(opened, opened.factors[opened.axes])
    else:
        show_whatif(opened, opened.factors[opened.axes], "shrunken")


@pytest.fixture(name="show")
def _show(workspace, no_demo):
    """Open a view of a run; address: its query parameters."""

    def opened(run_id, which, **address):
        at = AppTest.from_function(view, args=(run_id, which), default_timeout=60)
        for name, value in address.items():
            at.query_params[name] = value
        return at.run()

    return opened


@pytest.fixture(name="mapped")
def _mapped(workspace, finished_run, planted):
    """A finished run with a map: the first two planted factors, two clusters."""
    folder, n = RunStore(workspace).additions(finished_run).make() / "map", planted.counts.n_cells
    folder.mkdir()
    write_array(folder / "umap.npy", planted.representation[:, :2].astype(np.float32))
    write_array(folder / "leiden.npy", (np.arange(n) % 3 == 0).astype(np.int32))
    write_json(folder / "about.json", {"resolution": 1.0, "n_clusters": 2, "n_cells": n})
    return finished_run


def claimed(workspace, run_id, owner=None):
    """The run's map in the hands of a worker."""
    owner = owner or processes.this_process()
    start_map(workspace, run_id)
    Lanes(workspace).take(MAP_KIND, owner, processes.Watch())
    return Lanes(workspace).claim(CELL_MAP, owner)


def titles(at):
    figures = [figure.proto.spec for figure in at.get("plotly_chart")]
    return [(spec.count("UMAP 1"), spec.count("UMAP 2")) for spec in figures]


def said(at, words):
    assert not at.exception
    return words(at)


def test_without_a_map_it_says_what_it_is_and_how_long_it_takes(show, finished_run, words):
    """One sentence, one button, one estimate."""
    at = show(finished_run, "map")
    assert "No map yet" in said(at, words)
    assert re.search(r"Takes about \d+ seconds", words(at))
    assert at.button(key="map_start").label == "Compute the map"


def test_the_button_starts_the_process_once(show, finished_run, monkeypatch):
    """With the run and the usual resolution."""
    begun = []
    monkeypatch.setattr(
        "pages.parts.factors.map_progress.start_map", lambda *given, **more: begun.append((given[1], more))
    )
    show(finished_run, "map").button(key="map_start").click().run()
    assert begun == [(finished_run, {"resolution": 1.0})]


def test_a_finished_map_is_shown_twice_with_its_clusters(show, mapped, words):
    """Coloured by type and by cluster, titled, with a sentence."""
    at = show(mapped, "map")
    assert "2 clusters in the space of the factors" in said(at, words)
    assert all(x and y for x, y in titles(at))
    assert len(titles(at)) == 2
    assert at.selectbox(key="map_right").value == "Leiden clusters (this run)"


@pytest.mark.parametrize("colour", ["none", "cell_type", "factor:1"])
def test_every_colouring_can_be_chosen(show, mapped, colour):
    """Density, an annotation, a factor's mean."""
    at = show(mapped, "map")
    at.selectbox(key="map_left").set_value(colour).run()
    assert not at.exception
    assert len(titles(at)) == 2


def test_a_dead_process_is_said_and_offered_again(show, workspace, finished_run, words):
    """Interrupted: a box with the reason, and the button."""
    claimed(workspace, finished_run, owner="gone:1/1/1")
    at = show(finished_run, "map")
    assert "has ended before it was done" in said(at, words)
    assert at.button(key="map_start").label == "Compute the map again"


def test_a_failure_says_its_reason(show, workspace, finished_run, words):
    """And the view stays usable."""
    job = claimed(workspace, finished_run)
    Lanes(workspace).settle(job.owner, job, Outcome("failed", "The disk is full."))
    assert "The disk is full" in said(show(finished_run, "map"), words).replace("\\", "")


def test_a_map_can_be_drawn_without_annotations(show, mapped, workspace, make_run, planted, words):
    """Then the largest cluster is told by the factor it is farthest out on, if it is anywhere."""
    none = pd.DataFrame(index=planted.counts.annotations.index)
    run_id = make_run(annotations=none)
    assert "the largest, holds" in said(at := show(run_id, "map"), words)
    assert not re.search(r"lie (high|low) on", words(at))  # a cluster of every third cell lies nowhere
    factors = RunStore(workspace).open(run_id).factors["readable"]
    low = np.asarray(factors.representation[:, 2]) < factors.centre[2] + 0.2 * factors.scale[2]
    write_array(RunStore(workspace).additions(run_id).make() / "map" / "leiden.npy", (~low).astype(np.int32))
    write_json(RunStore(workspace).additions(run_id).folder / "map" / "about.json",
               {"resolution": 2.0, "n_clusters": 2, "n_cells": planted.counts.n_cells})  # fmt: skip
    st.cache_resource.clear()
    assert "lie low on Factor 3" in said(show(run_id, "map"), words)


def test_progress_is_shown_while_it_runs(show, workspace, finished_run, words):
    """The step in words, and a way out."""
    job = claimed(workspace, finished_run)
    write_progress(progress_file(workspace, job), Progress("placing cells", 0.5, 1.0, 3.0))
    assert map_status(workspace, finished_run).state == "running"
    at = show(finished_run, "map")
    assert "Step 2 of 3: placing the cells" in said(at, words)
    at.button(key="map_stop").click().run()
    assert map_status(workspace, finished_run).job.request == "cancel"


def test_a_map_that_waits_says_so_and_can_be_stopped(show, workspace, finished_run, words):
    """Before its process has begun."""
    start_map(workspace, finished_run)
    at = show(finished_run, "map")
    assert "starting" in said(at, words)
    at.button(key="map_stop").click().run()
    assert "No map yet" in said(at, words)


def test_a_frozen_process_can_be_ended(show, workspace, finished_run, words, monkeypatch):
    """Said in seconds, with a button that frees the queue."""
    ended = []
    monkeypatch.setattr("pages.parts.factors.map_progress.end_map", lambda *given: ended.append(given[1]))
    monkeypatch.setattr("ldvae_core.jobs.queue.LIVES.silent_seconds", lambda owner, heartbeat: 400.0)
    claimed(workspace, finished_run)
    at = show(finished_run, "map")
    assert "not answering for 400 s" in said(at, words)
    at.button(key="map_end").click().run()
    assert ended == [finished_run]


def sliders(at):
    return [slider for slider in at.slider if slider.key.startswith("whatif_")]


def test_every_active_factor_has_a_slider_and_the_change_is_said(show, finished_run, words):
    """The strongest one is moved to begin with, and a sentence names what follows."""
    at = show(finished_run, "whatif")
    assert re.search(r"From the mean cell, raising Factor 1 by 2 SD raises \S+ most", said(at, words))
    assert [slider.value for slider in sliders(at)] == [2.0, 0.0, 0.0, 0.0]


def test_reset_puts_every_slider_back(show, finished_run, words):
    """And says that nothing has changed."""
    at = show(finished_run, "whatif")
    sliders(at)[1].set_value(-1.0).run()
    assert "lowering Factor 2 by 1 SD" in words(at)
    at.button(key="whatif_reset").click().run()
    assert {slider.value for slider in sliders(at)} == {0.0}
    assert "Nothing has changed yet" in said(at, words)


def test_a_cell_is_found_by_a_part_of_its_id(show, finished_run, planted, words):
    """And named in the sentence."""
    at = show(finished_run, "whatif", whatif_from="A cell")
    at.text_input(key="whatif_cell").set_value(str(planted.counts.cell_ids[7])).run()
    assert f"From cell {planted.counts.cell_ids[7]}, raising" in said(at, words)
    at.text_input(key="whatif_cell").set_value("no such <b>cell").run()
    assert "id contains" in said(at, words)
    assert "<b>" not in words(at).replace("<b>No", "")


def test_a_random_cell_is_of_the_type_asked_for(show, finished_run, planted):
    """Its id is put into the field."""
    at = show(finished_run, "whatif", whatif_from="A cell")
    at.selectbox(key="whatif_type").set_value("program 2").run()
    at.button(key="whatif_random").click().run()
    found = at.text_input(key="whatif_cell").value
    assert planted.counts.annotations["cell_type"].astype(str)[found] == "program 2"


def test_usages_say_how_the_rest_is_shared(show, make_run, words):
    """Under a logistic-normal prior shares are named in percent."""
    at = show(make_run(prior="logistic_normal"), "whatif")
    assert re.search(r"Usage of Factor\S* 1 from .*%.* to .*%", said(at, words))
    assert "share the rest" in words(at)
