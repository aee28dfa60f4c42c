"""Which run is best, and how many programs are enough: said only where it is more than chance over the cells."""

import numpy as np
import pytest

from ldvae_core.analysis.metrics import mean_and_error, reconstruction_error
from ldvae_core.analysis.standing import Loss, lead_over, standing_of
from ldvae_core.analysis.standing_words import come_back_sentence, enough_sentence, standing_sentence
from ldvae_core.data.synthetic import plant_programs

CELLS = 400


def loss(cells):
    return Loss(*mean_and_error(cells), cells)


def runs(random, *ahead, spread=1.0):
    """Runs on the same cells, which differ far more than runs do; ahead: by how many nats each is better."""
    cells = 500 + 100 * random.standard_normal(CELLS)
    return {f"run {number}": loss(cells - lead + spread * random.standard_normal(CELLS))
            for number, lead in enumerate(ahead)}  # fmt: skip


def planted_losses(seed, numbers, *, n_cells=600):
    """-log p of cells at their true factors, of decoders with so many programs; beyond the four true ones: noise."""
    truth = plant_programs(n_cells=n_cells, n_genes=80, n_factors=4, seed=seed)
    random = np.random.default_rng(seed)
    z = np.hstack([truth.representation, random.standard_normal((n_cells, 4))])
    loadings = np.hstack([truth.loadings, 0.02 * random.standard_normal((len(truth.loadings), 4))])
    return {number: loss(reconstruction_error(truth.counts.counts, z[:, :number], loadings[:, :number],
                                              truth.intercept, truth.inverse_dispersion))
            for number in numbers}  # fmt: skip


def gain_of(losses):
    """Of the best model over none."""
    return losses[0].mean - min(loss.mean for loss in losses.values())


def test_equal_runs_have_no_winner():
    """Of 400 times four equal runs, a winner is named in one of twenty at most."""
    random = np.random.default_rng(0)
    named = [standing_of(runs(random, 0, 0, 0, 0)).is_sure for _ in range(400)]
    assert np.mean(named) <= 0.05


def test_a_better_run_is_found_though_cells_differ_more_than_runs():
    """Ahead by 0.5 nats a cell where cells differ by 100: cell by cell that is seen."""
    random = np.random.default_rng(1)
    found = [standing_of(runs(random, 0, 0.5, 0)) for _ in range(100)]
    assert np.mean([standing.is_sure and standing.best == "run 1" for standing in found]) >= 0.95


def test_no_winner_is_named_by_less_than_the_error():
    """0.5 nats with an error of 7.3 is no lead."""
    said = standing_sentence(standing_of({"A": Loss(100.0, 7.3), "B": Loss(100.5, 7.3)}))
    assert "whether that is beyond error is not known" in said
    assert "best" not in said


def test_level_runs_are_said_to_be_level():
    """With the difference and its error, taken over the same cells."""
    random = np.random.default_rng(2)
    said = standing_sentence(standing_of(runs(random, 0, 0, -20)))
    assert "do not differ beyond error" in said
    assert "run 2 is 20" in said


def test_the_best_run_is_named_with_its_lead():
    """How far the next one is behind, and that cells were compared one by one."""
    said = standing_sentence(standing_of(runs(np.random.default_rng(3), 0, 5)))
    assert said.startswith("run 1 predicts unseen cells best: run 0 is ")
    assert "cell by cell on the same test cells" in said


@pytest.mark.parametrize("shared", [0.0, 0.9, -0.9])
def test_without_single_cells_the_error_lies_between_its_bounds(shared):
    """Whatever two runs have in common."""
    random = np.random.default_rng(4)
    first = random.standard_normal(CELLS)
    second = shared * first + np.sqrt(1 - shared**2) * random.standard_normal(CELLS)
    a, b = loss(first), loss(2 * second)
    bounds, exact = lead_over(Loss(a.mean, a.error), Loss(b.mean, b.error)), lead_over(a, b)
    assert bounds.least_error <= exact.error <= bounds.error
    assert bounds.mean == pytest.approx(exact.mean)


@pytest.mark.parametrize("seed", range(10))
def test_the_planted_number_of_programs_is_enough(seed):
    """Four were planted: two are too few, and eight add nothing."""
    losses = planted_losses(seed, (0, 2, 4, 8))
    said = enough_sentence({number: losses[number] for number in (2, 4, 8)}, gain=gain_of(losses))
    assert said.startswith("4 programs are enough: with 8, predictions of unseen cells are")
    assert "with 2 they are worse, by " in said


def test_programs_that_were_not_tried_are_not_called_needless():
    """The largest number is the best one: more might be better still."""
    losses = planted_losses(0, (0, 2, 4))
    said = enough_sentence({number: losses[number] for number in (2, 4)}, gain=gain_of(losses))
    assert said.startswith("More programs predict unseen cells better: 4 than 2, by ")
    assert said.endswith("More than 4 were not tried.")


def test_few_cells_never_make_few_programs_enough():
    """Twelve cells tell nothing: that three programs are not seen to be worse does not make them enough."""
    whole = planted_losses(0, (0, 3, 4, 8))
    losses = {number: loss(values.cells[:12]) for number, values in whole.items()}
    said = enough_sentence({number: losses[number] for number in (3, 4, 8)}, gain=gain_of(losses))
    assert not said.startswith("3 programs are enough")


def test_one_number_of_programs_says_nothing():
    """There is nothing to compare it with."""
    assert enough_sentence({4: Loss(1.0, 0.1)}, gain=10.0) == ""
    assert enough_sentence({4: Loss(1.0, 0.1), 8: Loss(1.0, 0.1)}, gain=float("nan")) == ""


@pytest.mark.parametrize(
    ("active", "back", "others", "said"),
    [
        (12, 10, 1, "10 of the 12 active programs of A come back in the other run, which learned from other cells"),
        (12, 1, 3, "1 of the 12 active programs of A comes back in the 3 other runs"),
        (12, 12, 1, "All 12 active programs of A come back"),
        (12, 0, 1, "None of the 12 active programs of A come back"),
        (1, 0, 1, "The one active program of A does not come back"),
        (0, 0, 1, "A has no active programs."),
    ],
)
def test_programs_that_come_back_are_counted(active, back, others, said):
    """In grown-up English for every number."""
    assert come_back_sentence(active, back, name="A", n_others=others, where="other cells").startswith(said)
