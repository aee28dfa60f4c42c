"""The number of programs is found, kept, and gone on with; shuffled counts have none."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ldvae_core.data.counts import make_count_matrix
from ldvae_core.data.guide import Guide
from ldvae_core.data.prepare import DataChoices
from ldvae_core.data.synthetic import plant_programs
from ldvae_core.durable import read_array
from ldvae_core.errors import SettingsError
from ldvae_core.model.config import ModelConfig, TrainingConfig
from ldvae_core.runs import searching
from ldvae_core.runs.execute import execute
from ldvae_core.runs.search import ADVICE_FILE, CERTIFICATES_FILE, NoStructureError, Search, read_certificates
from ldvae_core.runs.settings import RunSettings
from ldvae_core.runs.states import read_folder_state

N_PROGRAMS = 3


@pytest.fixture(scope="module")
def counts():
    """Six hundred cells of 100 genes with three strong programs, from five donors."""
    planted = plant_programs(n_cells=600, n_genes=100, n_factors=N_PROGRAMS, seed=2).counts
    donors = pd.DataFrame({"donor": np.arange(600) % 5, "lane": np.arange(600) % 3}, index=planted.cell_ids)
    return replace(planted, annotations=donors)


@pytest.fixture(scope="module")
def permuted(counts):
    """Every gene's counts in other cells."""
    values = np.random.default_rng(0).permuted(counts.counts.toarray(), axis=0)
    return make_count_matrix(
        values, cell_ids=counts.cell_ids, gene_names=counts.gene_names, annotations=counts.annotations
    )


@pytest.fixture
def asked(tmp_path):
    """A run folder whose number of programs is to be found among ten."""

    def make(**search):
        folder = tmp_path / f"run {len(list(tmp_path.iterdir()))}"
        settings = RunSettings("a run", "cells", choices=DataChoices(n_genes=100), model=ModelConfig(n_factors=10),
                               training=TrainingConfig(n_epochs=30, device="cpu"),
                               search=Search(auto=True, most=10, **search))  # fmt: skip
        settings.write(folder)
        return folder

    return make


def test_the_planted_number_is_found_and_trained(asked, counts):
    """The run has that many factors, all certified, and its settings say so."""
    folder = asked()
    summary = execute(folder, open_counts=lambda: counts)
    found, advice = (read_certificates(folder / name) for name in (CERTIFICATES_FILE, ADVICE_FILE))
    assert summary["n_factors"] == advice.n_programs == RunSettings.read(folder).model.n_factors == N_PROGRAMS
    assert len(advice.programs) == 10
    assert [program.certified for program in found.programs] == [True] * N_PROGRAMS
    assert found.unit == "cells"
    assert json.loads((folder / "run.json").read_text())["settings"]["search"]["auto"] is True


def test_every_gene_set_that_guides_takes_a_factor(asked, counts):
    """Also where fewer programs are found: the search is not lost, and the reason says so."""
    folder, names = asked(), counts.gene_names
    sets = tuple((f"set {s}", tuple(names[s * 5 : s * 5 + 5])) for s in range(N_PROGRAMS + 2))
    replace(RunSettings.read(folder), guide=Guide("mine", sets)).write(folder)
    summary = execute(folder, open_counts=lambda: counts)
    assert summary["n_factors"] == RunSettings.read(folder).model.n_factors == N_PROGRAMS + 2
    assert "Trained with 5 factors, one for each gene set that guides." in summary["reason"]
    assert read_certificates(folder / ADVICE_FILE).n_programs == N_PROGRAMS


def test_sets_that_cannot_guide_are_refused_before_the_search(asked, counts):
    """A set of genes that are not modelled."""
    folder = asked()
    replace(RunSettings.read(folder), guide=Guide("mine", (("none", ("X1", "X2", "X3")),))).write(folder)
    with pytest.raises(SettingsError, match="Fewer than 3 genes"):
        execute(folder, open_counts=lambda: counts)
    assert not (folder / "search").exists()


def test_shuffled_counts_hold_no_program(asked, permuted):
    """The run ends in words, and keeps what was tried."""
    folder = asked()
    with pytest.raises(NoStructureError, match="no structure is found") as refusal:
        execute(folder, open_counts=lambda: permuted)
    assert refusal.value.found.n_certified == 0
    assert read_folder_state(folder).stage == "failed"
    assert read_certificates(folder / ADVICE_FILE).n_programs == 0


def test_an_interrupted_search_goes_on_with_the_next_training(asked, counts):
    """What was trained is not trained again, and the outcome is that of a search without a pause."""
    whole, parts = asked(), asked()
    execute(whole, open_counts=lambda: counts)
    n_asked = 0

    def pause_in_the_third():
        nonlocal n_asked
        n_asked += 1
        return "pause" if (parts / "search" / "seed_1.npy").exists() else "go"

    execute(parts, open_counts=lambda: counts, should_stop=pause_in_the_third)
    assert read_folder_state(parts).stage == "paused"
    assert not (parts / "search" / "half_0_0.npy").exists()
    before = (parts / "search" / "seed_1.npy").stat().st_mtime_ns
    execute(parts, open_counts=lambda: counts, resume=True)
    assert (parts / "search" / "seed_1.npy").stat().st_mtime_ns == before
    for name in ("seed_1.npy", "half_1_1.npy", "shuffled_half_0.npy"):
        np.testing.assert_array_equal(read_array(parts / "search" / name), read_array(whole / "search" / name))
    assert read_certificates(parts / CERTIFICATES_FILE) == read_certificates(whole / CERTIFICATES_FILE)


def test_a_cancelled_search_leaves_no_results(asked, counts):
    """As a cancelled training does."""
    folder = asked()
    execute(folder, open_counts=lambda: counts, should_stop=lambda: "cancel")
    assert read_folder_state(folder).stage == "cancelled"


@pytest.mark.parametrize(("column", "unit"), [("donor", "samples"), (None, "cells")])
def test_samples_are_halved_where_they_are_named(asked, counts, column, unit, monkeypatch):
    """Of five donors; without any the cells are halved."""
    monkeypatch.setattr(searching, "WORKS", searching.WORKS[:0])
    folder = asked(sample=column)
    (folder / "search").mkdir()
    one = searching.Searching(folder, counts, np.zeros(600, np.int8), model=ModelConfig(n_genes=100, n_factors=10),
                              training=TrainingConfig(), search=Search(auto=True, sample=column))  # fmt: skip
    assert one.unit == unit


def test_too_few_samples_to_halve_are_refused(asked, counts):
    """Three lanes; halving the cells instead would answer another question."""
    with pytest.raises(SettingsError, match="'lane': halving takes at least 4 samples, and these cells have 3"):
        execute(asked(sample="lane"), open_counts=lambda: counts)


def test_a_column_that_is_not_there_is_named(asked, counts):
    """With those that are."""
    with pytest.raises(SettingsError, match="no annotation 'patient' to take samples from; it has: donor, lane"):
        execute(asked(sample="patient"), open_counts=lambda: counts)


@pytest.mark.parametrize("model", [ModelConfig(method="pca"), ModelConfig(decoder="neural"),
                                   ModelConfig(prior="logistic_normal")])  # fmt: skip
def test_the_number_is_found_for_models_it_was_tried_on_alone(model):
    """Others need a number."""
    with pytest.raises(SettingsError, match="give a number here"):
        RunSettings("a run", "cells", model=model, search=Search(auto=True))
