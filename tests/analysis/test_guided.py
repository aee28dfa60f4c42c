"""Guided factors: sets that cells bear out and those they do not, axes that are kept, genes added and dropped."""

import numpy as np
import pytest

from ldvae_core.analysis.guided import GuidedAxes, borne_out, changes_of, guided_rotation

N_GENES, N_PROGRAMS = 400, 5
SIZE = 40  # genes of a program


@pytest.fixture
def programs():
    """Loadings (genes, programs) of disjoint programs on a small noise, and the genes that each moves."""
    rng = np.random.default_rng(0)
    moved = np.zeros((N_GENES, N_PROGRAMS), bool)
    for k in range(N_PROGRAMS):
        moved[k * SIZE : (k + 1) * SIZE, k] = True
    loadings = np.where(moved, rng.uniform(0.4, 1.0, moved.shape) * rng.choice([-1, 1], moved.shape), 0.0)
    return loadings + 0.03 * rng.standard_normal(moved.shape), moved


@pytest.fixture
def abundance():
    return np.exp(np.random.default_rng(1).normal(0, 1, N_GENES))


def found_in(loadings, abundance, member):
    """borne_out, as of a thousand cells."""
    return borne_out(loadings, abundance, member, n_cells=1000)


def with_wrong_genes(genes: np.ndarray, share: float = 0.3) -> np.ndarray:
    """The set with a share of its genes exchanged for others."""
    rng, wrong = np.random.default_rng(3), genes.copy()
    wrong[rng.choice(np.flatnonzero(genes), int(share * genes.sum()), replace=False)] = False
    wrong[rng.choice(np.flatnonzero(~genes), int(share * genes.sum()), replace=False)] = True
    return wrong


def test_sets_of_planted_programs_are_borne_out_and_random_ones_are_not(programs, abundance):
    """With 30% wrong genes; of 40 random sets at most three, where one in a hundred is expected."""
    loadings, moved = programs
    sets = np.column_stack([with_wrong_genes(genes) for genes in moved.T])
    assert all(found.active for found in found_in(loadings, abundance, sets))
    rng = np.random.default_rng(5)
    random = [np.isin(np.arange(N_GENES), rng.choice(N_GENES, SIZE, replace=False)) for _ in range(40)]
    assert sum(found_in(loadings, abundance, genes[:, None])[0].active for genes in random) <= 3


def test_a_set_finds_its_program_on_whatever_axes_the_model_ended(programs, abundance):
    """Turned at random: the axis of the set is the direction of the program."""
    loadings, moved = programs
    turn = np.linalg.qr(np.random.default_rng(2).standard_normal((N_PROGRAMS, N_PROGRAMS)))[0]
    (found,) = found_in(loadings @ turn, abundance, with_wrong_genes(moved[:, 2])[:, None])
    assert abs(found.axis @ turn.T[:, 2]) > 0.97


def test_more_sets_than_factors_leave_the_last_ones_inactive(programs, abundance):
    """Each factor follows one set at most."""
    loadings, moved = programs
    found = found_in(loadings[:, :2], abundance, np.column_stack([moved[:, :2], moved[:, :2]]))
    assert sum(each.active for each in found) == 2


def test_two_sets_of_one_program_do_not_share_it(programs, abundance):
    """The second of two equal sets is inactive: its factor is free."""
    loadings, moved = programs
    found = found_in(loadings, abundance, moved[:, [0, 0]])
    assert sorted(each.active for each in found) == [False, True]


def test_only_free_factors_are_turned(programs, abundance):
    """The rotation is orthogonal, its first columns are the guided axes, and the rest is told only the free ones."""
    loadings, moved = programs
    found = found_in(loadings, abundance, moved[:, :2])
    guided = GuidedAxes.of(found, ("a", "b"), moved[:, :2], N_PROGRAMS)
    told = []
    turn = np.linalg.qr(np.random.default_rng(4).standard_normal((3, 3)))[0]
    rotation = guided_rotation(guided.axes, lambda basis: told.append(basis) or turn)
    assert rotation.T @ rotation == pytest.approx(np.eye(N_PROGRAMS), abs=1e-12)
    assert np.array_equal(rotation[:, :2], guided.axes)
    assert np.abs(told[0].T @ guided.axes).max() < 1e-12


def test_a_model_whose_every_factor_is_guided_has_nothing_to_turn():
    """As many sets as factors."""
    assert np.array_equal(guided_rotation(np.eye(3), pytest.fail), np.eye(3))


def test_wrong_genes_are_dropped_and_missing_ones_added(programs):
    """Of a set with 30% wrong genes; of those added and dropped, at most one in ten wrongly."""
    loadings, moved = programs
    given, truth = with_wrong_genes(moved[:, 0]), moved[:, 0]
    changes = changes_of(loadings[:, 0], np.full(N_GENES, 0.03), given)
    for found, wanted in ((changes.added, truth & ~given), (changes.dropped, given & ~truth)):
        assert wanted[found].mean() > 0.9
        assert len(found) >= 0.9 * wanted.sum()
    assert truth[changes.kept].all()
    assert changes.added_can_be_told


def test_no_gene_is_added_where_nearly_all_would_be():
    """Four genes of a small panel in which every gene loads: the set's are not set apart."""
    rng = np.random.default_rng(6)
    loading = rng.uniform(0.3, 1.0, 80) * rng.choice([-1, 1], 80)
    changes = changes_of(loading, np.full(80, 0.03), np.arange(80) < 4)
    assert len(changes.added) == 0
    assert not changes.added_can_be_told


def test_a_gene_of_which_the_counts_say_nothing_stays_where_the_set_put_it(programs):
    """Neither added nor dropped."""
    loadings, moved = programs
    error = np.full(N_GENES, 0.03)
    error[[0, 399]] = 50.0  # one of the set, one outside
    changes = changes_of(loadings[:, 0], error, moved[:, 0])
    assert 0 in changes.kept
    assert 399 not in changes.added
