"""The Factors page of a run that was made before positions were refined."""

import shutil

from ldvae_core.durable import read_json, write_json
from ldvae_core.runs.refine_jobs import refine_status, refined_id


def test_an_older_run_is_refined_with_one_click(open_page, workspace, finished_run, words):
    """The button starts it, and the refined run is then one click away."""
    (workspace.runs / finished_run / "model.npz").touch()
    at = open_page("factors.py", run=finished_run)
    assert not at.exception
    at.button(key="refine_start").click().run()
    assert refine_status(workspace, finished_run).state == "queued"
    assert "The run is about to be refined" in words(at)
    at.button(key="refine_stop").click().run()
    shutil.copytree(workspace.runs / finished_run, workspace.runs / refined_id(finished_run))
    at = open_page("factors.py", run=finished_run)
    at.button(key="refine_open").click().run()
    assert at.query_params["run"] == refined_id(finished_run)


def test_a_run_without_its_network_says_why_there_is_no_button(open_page, finished_run, words):
    """It was made before that was kept."""
    at = open_page("factors.py", run=finished_run)
    assert "cannot be refined: it does not keep its trained network" in words(at)


def test_a_refined_run_offers_nothing(open_page, workspace, finished_run, words):
    """Nor does it speak of it."""
    path = workspace.runs / finished_run / "metrics.json"
    write_json(path, {**read_json(path), "positions": "refined"})
    at = open_page("factors.py", run=finished_run)
    assert "refined" not in words(at)
    assert not [button for button in at.button if button.key == "refine_start"]
