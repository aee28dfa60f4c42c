"""A workspace of its own for every test, and runs whose truth is known, made without any training."""

import contextlib
import re
import uuid
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from ldvae_core.analysis.factors import build_factors, save_factors
from ldvae_core.data.folder import save_counts
from ldvae_core.data.prepare import DataChoices
from ldvae_core.data.split import split_cells
from ldvae_core.data.synthetic import plant_programs
from ldvae_core.durable import write_array, write_json, write_table
from ldvae_core.errors import LdvaeError
from ldvae_core.jobs.queue import Job
from ldvae_core.model.config import ModelConfig
from ldvae_core.runs.reading_jobs import read_data
from ldvae_core.runs.settings import RunSettings
from ldvae_core.runs.states import write_folder_state
from ldvae_core.runs.store import HISTORY_COLUMNS
from ldvae_core.workspace.folders import HOME_VARIABLE, Workspace

ROOT = Path(__file__).parents[2]
SHELL = str(ROOT / "pages" / "shell.py")
PAGES = ("home.py", "data.py", "train.py", "factors.py", "cell_types.py", "genes.py", "compare.py", "export.py")
RUN = "planted-1a2b3c4d"


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """An empty workspace, which every page of this test uses."""
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    return Workspace.default().make()


@pytest.fixture(autouse=True)
def _read_at_once(monkeypatch):
    """A file is read where the page asks for it: no worker looks after the queue of these tests."""

    class AtOnce:
        answer = staticmethod(lambda: "go")
        report = staticmethod(lambda _progress: None)

    def put(workspace, arguments):
        reading_id = uuid.uuid4().hex
        job = Job(1, "reading", reading_id, "", arguments, 1, "running", "", "", 0, "")
        with contextlib.suppress(LdvaeError):
            read_data(workspace, job, AtOnce())
        return reading_id

    monkeypatch.setattr("ldvae_core.runs.reading_jobs._put", put)


@pytest.fixture
def no_demo(monkeypatch, tmp_path):
    """A program that was shipped without its finished run."""
    monkeypatch.setattr("ldvae_core.runs.store.DEMO_RUN", tmp_path / "no such run")


@pytest.fixture(scope="session")
def planted():
    """300 cells with 4 planted programs."""
    return plant_programs(n_cells=300, n_genes=60, n_factors=4, seed=1)


@pytest.fixture
def make_run(workspace, planted):
    """Put a finished run with the planted truth into the workspace; returns its id."""

    def make(run_id=RUN, *, prior="normal", decoder="linear", annotations=None, truth=planted, **settings):
        folder, counts = workspace.runs / run_id, truth.counts
        if annotations is not None:
            counts = counts.subset()
            object.__setattr__(counts, "annotations", annotations.set_axis(counts.annotations.index))
        label = "cell_type" if "cell_type" in counts.annotations else None
        named = {"name": "Planted programs", "label_column": label, **settings}
        model = ModelConfig(n_factors=truth.loadings.shape[1], prior=prior, decoder=decoder)
        settings = {"data_source": "demo", **named}
        RunSettings(choices=DataChoices(n_genes=60), model=model, **settings).write(folder)
        split = split_cells(counts.n_cells, seed=0)
        save_counts(counts, folder / "counts")
        write_array(folder / "split.npy", split)
        save_axes(folder, truth, counts, split, prior)
        write_json(folder / "metrics.json", {"test_reconstruction_error": 99.5, "test_elbo": -101.0, "epochs": 3,
                                             "n_cells": counts.n_cells, "n_genes": counts.n_genes})  # fmt: skip
        curves = pd.DataFrame(np.ones((3, len(HISTORY_COLUMNS))), columns=HISTORY_COLUMNS)
        write_table(folder / "history.parquet", curves)
        write_folder_state(folder, "finished")
        return run_id

    return make


def save_axes(folder, planted, counts, split, prior):
    """The planted factors as a run keeps them; usages are the softmax of what was planted."""
    z, usage = planted.representation.astype(np.float32), prior == "logistic_normal"
    if usage:
        z = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    for axes in ("as_trained",) if usage else ("as_trained", "readable"):
        factors = build_factors(
            representation=z, posterior_variance=None if usage else np.full_like(z, 0.1), loadings=planted.loadings,
            intercept=planted.intercept, inverse_dispersion=planted.inverse_dispersion, counts=counts.counts,
            library_size=None, split=split, prior=prior, axes=axes, gene_names=counts.gene_names,
        )  # fmt: skip
        save_factors(factors, folder / "factors" / axes)


@pytest.fixture
def finished_run(make_run):
    """The id of one finished run, the latest one and so the run in use."""
    return make_run()


@pytest.fixture
def with_demo():
    """Asked for by tests that look at the demo run; without it, the demo's figures would only cost time."""
    return "demo"


@pytest.fixture
def open_page(workspace, request):
    """Open a page through the shell, as every visitor does; address: its query parameters."""
    if "with_demo" not in request.fixturenames:
        request.getfixturevalue("no_demo")

    def go(page, **address):
        at = AppTest.from_file(SHELL, default_timeout=60)
        for name, value in address.items():
            at.query_params[name] = value
        return at.run() if page == "home.py" else at.run().switch_page(page).run()

    return go


@pytest.fixture
def words():
    """Everything a page says, in one text, without the marks of terms that are explained."""

    def collect(at):
        said = [element.value for kind in ("html", "markdown", "caption", "info", "error", "warning")
                for element in getattr(at, kind)]  # fmt: skip
        return re.sub(r"</?abbr[^>]*>", "", "\n".join(str(text) for text in said if "<style>" not in str(text)))

    return collect
