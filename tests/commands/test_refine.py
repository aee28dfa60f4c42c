"""`refine`: an older run, refined on the command line."""

import shutil

import numpy as np

from ldvae_core.durable import read_json, write_json
from ldvae_core.runs.opened import open_run_folder


def test_an_older_run_is_refined_into_a_new_folder(answer, refusal, trained, tmp_path):
    """With its cells and a figure of its own; refined already, or the demo: refused."""
    run, out = shutil.copytree(trained(), tmp_path / "run"), tmp_path / "refined"
    assert "refined already" in refusal("refine", run, "--out", out)
    assert "demo run" in refusal("refine", "demo", "--out", out)
    metrics = read_json(run / "metrics.json")
    write_json(run / "metrics.json", {**metrics, "positions": "encoder"})
    found, words = answer("refine", run, "--out", out)
    assert "analysing" in words
    opened = open_run_folder(out)
    assert opened.has_refined_positions
    assert found["test_reconstruction_error"] == opened.metrics["test_reconstruction_error"]
    assert np.array_equal(opened.split, open_run_folder(run).split)
