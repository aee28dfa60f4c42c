"""Runs by how well they predict unseen cells: the best of a group, how many programs are enough, and distinct names."""

import shutil

import numpy as np
import pytest

from ldvae_core.durable import read_json, write_json
from ldvae_core.model.config import ModelConfig, TrainingConfig
from ldvae_core.runs.by_cell import read_by_cell, write_by_cell
from ldvae_core.runs.comparable import Basis
from ldvae_core.runs.names import distinct_names, short_names
from ldvae_core.runs.settings import RunSettings
from ldvae_core.runs.standings import by_model, leaders, learned_from, losses_of, metric_of, programs_enough
from ldvae_core.runs.table import METRICS

ERROR, ELBO, IWLL, GAIN = METRICS
TEST = np.arange(3, 300, 3)
CELLS = 500 + 100 * np.random.default_rng(0).standard_normal(len(TEST))  # cells differ far more than runs do


@pytest.fixture(name="make")
def _make(workspace, store, finished_folder):
    """A finished run of so many factors whose IWLL in every cell is ahead of the others by so much."""

    def make(run_id, *, n_factors=10, ahead=None, seed=0, name="", **metrics):
        folder = workspace.runs / run_id
        shutil.copytree(finished_folder, folder)
        training = TrainingConfig(seed=seed)
        RunSettings(name=name or run_id, data_source="demo", model=ModelConfig(n_factors=n_factors), training=training,
                    ).write(folder)  # fmt: skip
        if ahead is not None:
            noise = np.random.default_rng(len(run_id) + 100 * seed).standard_normal(len(TEST))
            iwll = ahead - CELLS + 0.5 * noise
            write_by_cell(folder, TEST, error=-iwll, iwll=(TEST, iwll))
            metrics |= {"test_iwll": iwll.mean(), "test_iwll_se": 7.0, "gain": 50.0, "gain_se": 2.0}
        write_json(folder / "metrics.json", read_json(folder / "metrics.json") | metrics | {"n_factors": n_factors})
        return store.card(run_id)

    return make


@pytest.fixture(name="cells")
def _cells(workspace):
    """The figures of single cells of runs."""
    return lambda cards: {card.run_id: read_by_cell(workspace.runs / card.run_id) for card in cards}


def test_the_best_is_marked_within_its_group_only(make):
    """Lowest error, highest ELBO; a run alone in its group is best of nothing."""
    errors = {"test_reconstruction_error_se": 0.1, "test_elbo_se": 0.1}
    cards = [make("a", test_reconstruction_error=9.0, test_elbo=-13.0, **errors), make("b", **errors),
             make("c", test_elbo=-1.0)]  # fmt: skip
    numbers = {"a": 1, "b": 1, "c": 2}
    assert leaders(cards, ERROR, numbers, {}) == {"a": "best"}
    assert leaders(cards, ELBO, numbers, {}) == {"a": "best"}
    assert leaders(cards, IWLL, numbers, {}) == {}


def test_a_lead_within_the_error_makes_no_best_run(make):
    """494.7 ± 7.3 beside 495.2 ± 7.3, with nothing known of single cells."""
    figures = {"test_reconstruction_error_se": 7.3}
    cards = [
        make("a", test_reconstruction_error=494.7, **figures),
        make("b", test_reconstruction_error=495.2, **figures),
    ]
    assert leaders(cards, ERROR, {"a": 1, "b": 1}, {}) == {"a": "ahead"}


def test_a_small_lead_is_found_cell_by_cell(make, cells):
    """Half a nat in every cell is beyond error, though both runs' own errors are 7."""
    cards = [make("a", ahead=0.5), make("b", ahead=0.0)]
    assert leaders(cards, IWLL, {"a": 1, "b": 1}, cells(cards)) == {"a": "best"}


def test_figures_of_cells_survive_the_way(tmp_path):
    """Cells that a figure was not worked out for are missing in it."""
    write_by_cell(
        tmp_path, np.array([2, 5, 7]), error=np.array([1.0, 2.0, 3.0]), iwll=(np.array([5]), np.array([-4.0]))
    )
    table = read_by_cell(tmp_path)
    assert table["error"].to_dict() == {2: 1.0, 5: 2.0, 7: 3.0}
    assert table["iwll"].dropna().to_dict() == {5: -4.0}
    assert table["elbo"].isna().all()


@pytest.mark.parametrize("content", [b"", b"not parquet"])
def test_damaged_figures_of_cells_are_as_if_there_were_none(tmp_path, content):
    """The comparison does without."""
    (tmp_path / "test_cells.parquet").write_bytes(content)
    assert read_by_cell(tmp_path) is None
    assert read_by_cell(tmp_path / "gone") is None


def test_the_smallest_number_that_loses_nothing_is_enough(make, cells):
    """12 predict as well as 20, and 4 do not; seeds of one number count as one."""
    cards = [make("four", n_factors=4, ahead=-5.0), make("twelve", n_factors=12, ahead=0.0),
             make("twelve-too", n_factors=12, ahead=0.0, seed=1), make("twenty", n_factors=20, ahead=0.0)]  # fmt: skip
    said = programs_enough(cards, cells(cards))
    assert said.startswith("12 programs are enough: with 20, predictions of unseen cells are no better beyond error")
    assert "with 4 they are worse, by 5.1 ± " in said


def test_seeds_of_one_model_are_one_model(make, cells):
    """How much they differ tells how much a lead between models is worth."""
    cards = [make("a", ahead=1.0), make("b", ahead=0.0, seed=1), make("c", n_factors=4, ahead=0.0)]
    models, spread = by_model(cards, losses_of(cards, IWLL, cells(cards)))
    assert list(models) == ["a", "c"]
    assert spread == pytest.approx(1.0, abs=0.2)
    assert models["c"].mean - models["a"].mean == pytest.approx(0.5, abs=0.2)


def test_models_that_differ_in_more_than_their_number_are_not_asked(make, cells, workspace, store):
    """A longer training may be what made the larger model better."""
    first, second = make("four", n_factors=4, ahead=-5.0), make("twelve", n_factors=12, ahead=0.0)
    RunSettings(name="longer", data_source="demo", model=ModelConfig(n_factors=12), training=TrainingConfig(n_epochs=9),
                ).write(workspace.runs / second.run_id)  # fmt: skip
    cards = [first, store.card(second.run_id)]
    assert programs_enough(cards, cells(cards)) == ""


def test_what_the_other_runs_learned_from_is_said_only_where_it_is_one():
    """Other cells, another split of the same ones, or the same."""
    one = Basis(data="d", cells="c", genes="g", counts="x", split="s")
    elsewhere, split = Basis("e", "f", "g", "y", "t"), Basis("d", "c", "g", "x", "t")
    assert learned_from(one, [elsewhere]) == "other cells"
    assert learned_from(one, [split, split]) == "partly other cells"
    assert learned_from(one, [one]) == "the same cells"
    assert learned_from(one, [one, elsewhere]) == ""


def test_runs_of_one_name_are_told_apart_by_what_differs(make):
    """The seed comes first, since it is all that differs."""
    cards = [make("a", name="10 factors · Kang"), make("b", name="10 factors · Kang", seed=3), make("c", name="Mine")]
    assert distinct_names(cards) == {"a": "seed 0 · 10 factors · Kang", "b": "seed 3 · 10 factors · Kang", "c": "Mine"}
    assert short_names(cards) == {"a": "seed 0", "b": "seed 3", "c": "Mine"}


def test_runs_that_are_alike_in_everything_get_the_end_of_their_id(make):
    """Nothing else tells them apart."""
    cards = [make("a-0001", name="Same"), make("b-0002", name="Same")]
    assert distinct_names(cards) == {"a-0001": "Same (0001)", "b-0002": "Same (0002)"}


def test_every_figure_has_its_column():
    """Asked for by the name of the column."""
    assert [metric_of(metric.column) for metric in METRICS] == list(METRICS)
