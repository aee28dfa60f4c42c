"""Comparisons of groups say what is true: small groups, few samples, leading cells, judged by other programs."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import sparse, stats

from ldvae_core.analysis.difference import Measured, compare_groups
from ldvae_core.analysis.difference_words import factors_sentence, genes_sentence
from ldvae_core.analysis.effects import gene_effects
from ldvae_core.analysis.numbers import interval_words, small_number
from ldvae_core.analysis.pseudobulk import Design, sample_gene_effects
from ldvae_core.analysis.sums import Sums, group_sums

N_GENES = 400


def compared(counts, first, size=None):
    """The table of a comparison of cells; counts (n_cells, n_genes)."""
    matrix = sparse.csr_matrix(np.asarray(counts, np.uint32))
    library = counts.sum(axis=1) + 1.0 if size is None else size
    names = np.array([f"Gene{g}" for g in range(counts.shape[1])])
    return gene_effects(*rearranged(group_sums(matrix, library, np.where(first, 0, 1), 2), names))


def rearranged(summed, names):
    return summed[0], names, summed[1]


@pytest.fixture
def blood():
    """Counts of 2,271 cells without groups: levels over four decades, overdispersed, depths that vary."""
    rng = np.random.default_rng(0)
    level = 10 ** rng.uniform(-3, 1, N_GENES)
    dispersion = rng.gamma(1.0, 0.7, N_GENES) + 0.05

    def draw(n=2271):
        mean = rng.lognormal(0, 0.4, (n, 1)) * level
        return rng.poisson(mean * rng.gamma(1 / dispersion, dispersion, (n, N_GENES)))

    return draw


@pytest.mark.parametrize("n", [10, 30, 100, 300])
def test_a_small_group_against_a_large_one_finds_nothing_where_nothing_is(blood, n):
    """Ten to 300 random cells of 2,271: p below .05 in at most 6%, a finding in at most 5% of splits (plus chance)."""
    rng, below, found, repetitions = np.random.default_rng(n), [], [], 40
    counts = blood()
    for _ in range(repetitions):
        first = np.zeros(len(counts), bool)
        first[rng.choice(len(counts), n, replace=False)] = True
        table = compared(counts, first)
        below.append((table["p"].dropna() < 0.05).mean())
        found.append((table["q"] < 0.05).any())
    assert np.mean(below) <= 0.06
    assert np.mean(found) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / repetitions)


def test_no_counts_in_a_small_group_are_no_finding():
    """0 molecules in 45 cells and 50 in 2,226: Fisher's exact test says .62, and so it is no difference."""
    counts = np.zeros((2271, 2), int)
    counts[:, 1] = 1000
    counts[45 : 45 + 50, 0] = 1
    table = compared(counts, np.arange(2271) < 45)
    assert table["p"][0] > 0.2
    assert stats.fisher_exact([[0, 45], [50, 2176]]).pvalue > 0.5


def test_a_large_difference_of_a_small_group_is_found(blood):
    """Five times as much in 30 cells, and in the others: found in the genes that are expressed."""
    counts = blood()
    first = np.arange(len(counts)) < 30
    strong = np.flatnonzero(counts.mean(axis=0) > 2)[:20]
    rng = np.random.default_rng(1)
    counts[np.ix_(first, strong[:10])] *= 5
    counts[np.ix_(~first, strong[10:])] = rng.binomial(counts[np.ix_(~first, strong[10:])], 1.0) * 5
    table = compared(counts, first)
    assert (table["q"][strong] < 0.05).mean() >= 0.7


def test_a_group_that_lies_low_is_judged_by_the_negative_binomial():
    """Poisson counts in a tiny group against a huge one: the p value of scipy's lower tail, doubled."""
    rng = np.random.default_rng(2)
    counts = np.column_stack([rng.poisson(1.0, 60_000), np.full(60_000, 1000)])
    counts[:20, 0] = 0
    counts[0, 0] = 4
    table = compared(counts, np.arange(60_000) < 20, np.full(60_000, 1000.0))
    assert np.log10(table["p"][0]) == pytest.approx(np.log10(2 * stats.poisson.cdf(4, 20)), abs=0.15)


def test_well_measured_genes_agree_with_a_negative_binomial_regression():
    """z of statsmodels' NB GLM with log library as offset and the true dispersion, gene by gene."""
    rng = np.random.default_rng(3)
    size, first = rng.lognormal(9, 0.3, 400), np.arange(400) < 150
    mean = np.outer(size, np.full(8, 1e-3)) * np.where(first[:, None], np.linspace(1, 1.5, 8), 1.0)
    counts = rng.negative_binomial(2.0, 2.0 / (2.0 + mean))
    table = compared(counts, first, size)
    for gene in range(8):
        model = sm.GLM(counts[:, gene], sm.add_constant(first.astype(float)),
                       family=sm.families.NegativeBinomial(alpha=0.5), offset=np.log(size))  # fmt: skip
        fitted = model.fit()
        assert table["statistic"][gene] == pytest.approx(fitted.tvalues[1], abs=0.6)
        assert table["log2_fold_change"][gene] == pytest.approx(fitted.params[1] / np.log(2), abs=0.1)


@pytest.mark.parametrize("what", ["all counts of a gene", "a hundred times the depth"])
def test_one_cell_makes_no_unmarked_finding(blood, what):
    """Neither a cell with every molecule of a gene nor one of 100 times the depth and a profile of its own."""
    rng = np.random.default_rng(4)
    counts = blood(500)
    first = np.arange(500) < 60
    if what == "all counts of a gene":
        counts[:, 7], counts[3, 7] = 0, 300
    else:
        counts[3] = rng.permutation(counts[3]) * 100
    table = compared(counts, first)
    assert not ((table["q"] < 0.05) & ~table["carried_by_one_cell"]).any()


@pytest.mark.parametrize(("n", "carried"), [(12, True), (13, False), (30, False)])
def test_a_finding_that_needs_one_cell_is_marked(n, carried):
    """A gene with one molecule in each of n cells: marked just where it is found no more without one of them."""
    counts = np.random.default_rng(8).poisson(1.0, (400, 30))
    first, size = np.arange(400) < 200, np.full(400, 30.0)
    counts[:, :2] = 0
    counts[:40, 0], counts[:n, 1] = 2, 1
    table = compared(counts, first, size)
    assert (table["q"][:2] < 0.05).all()
    assert table["carried_by_one_cell"].tolist() == [False, carried, *[False] * 28]
    assert _without_its_top_cell(counts, first, size) == carried


def _without_its_top_cell(counts, first, size):
    """Whether the second gene is found no more when one of the cells that have it is gone."""
    kept = np.arange(len(counts)) != 0
    table = compared(counts[kept], first[kept], size[kept])
    return bool(table["q"][1] >= 0.05)


def sample_sums(counts, library, groups):
    """Sums of pseudobulk counts (samples, n_genes) as if each sample were in one group: first, then second."""
    n, n_first = len(counts), groups
    total, size, cells = (np.zeros((2 * n, *np.shape(part)[1:])) for part in (counts, library, library))
    rows = np.r_[0:n_first, n + n_first : 2 * n]
    total[rows], size[rows], cells[rows] = counts, library, 100
    empty = np.zeros_like(total)
    return Sums(cells, size, size**2, size**2, total, empty, empty, np.minimum(total, 100))


def drawn_samples(rng, n, fold):
    """Donors that differ by 30% a gene; 5% of 2,000 genes are `fold` times as high in one of the groups."""
    level = rng.lognormal(0, 1.5, 2000)
    level /= level.sum()
    side = np.where(np.arange(2000) < 100, 1 + np.arange(2000) % 2, 0)
    library = rng.integers(300_000, 900_000, 2 * n).astype(float)
    high = np.where(np.arange(2 * n)[:, None] < n, side == 1, side == 2)
    mean = library[:, None] * level * rng.lognormal(0, 0.3, (2 * n, 2000)) * np.where(high, fold, 1.0)
    design = Design(False, np.arange(n), np.arange(n, 2 * n), 0, 2 * n)
    return sample_sums(rng.poisson(mean), library, n), design, side > 0


def test_three_samples_against_three_have_power():
    """Three-fold differences of genes with 200 molecules: at least half are found, at most 6% of findings are false."""
    rng, power, false = np.random.default_rng(5), [], []
    for _ in range(10):
        sums, design, planted = drawn_samples(rng, 3, 3.0)
        table = sample_gene_effects(sums, design, np.arange(2000).astype(str))
        found, strong = (table["q"] < 0.05).to_numpy(), sums.total.sum(axis=0) >= 200
        power.append(found[planted & strong].mean())
        false.append((found & ~planted).sum() / max(found.sum(), 1))
    assert np.mean(power) >= 0.5
    assert np.mean(false) <= 0.06


@pytest.mark.parametrize("n", [3, 4, 6])
def test_equal_samples_differ_in_nothing(n):
    """A finding in at most 5% of null data sets, and two binomial standard errors; p values are even."""
    rng, below, found, repetitions = np.random.default_rng(6), [], [], 60
    for _ in range(repetitions):
        sums, design, _ = drawn_samples(rng, n, 1.0)
        table = sample_gene_effects(sums, design, np.arange(2000).astype(str))
        below.append((table["p"].dropna() < 0.05).mean())
        found.append((table["q"] < 0.05).any())
    assert np.mean(below) == pytest.approx(0.05, abs=0.012)
    assert np.mean(found) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / repetitions)


def test_what_the_cells_were_chosen_by_gets_no_p_value(planted, factors):
    """Cells cut along a factor: neither it nor the genes that load on it are tested; the others are."""
    first = np.asarray(factors.representation[:, 1]) > 0.5
    counted = Measured(planted.counts, planted.library_size, factors.gene_names)
    free, bound = (compare_groups(factors, counted, first, chosen_on=chosen) for chosen in ((), (1,)))
    assert not free.genes["chosen_by"].any()
    chosen = bound.genes["chosen_by"]
    assert 0 < chosen.sum() < len(chosen)
    assert bound.genes.loc[chosen, ["p", "q"]].isna().all(axis=None)
    assert bound.genes.loc[~chosen, "p"].notna().all()
    assert bound.factors.set_index("factor")["p"].isna().to_dict() == {0: False, 1: True, 2: False, 3: False}
    assert factors_sentence(bound, factors).startswith("Beyond the axes they were chosen on, ")
    assert f"{chosen.sum()} genes load on the axes of the choice" in genes_sentence(bound)


def test_cells_chosen_on_all_factors_leave_nothing_to_test(planted, factors):
    """It is said instead of a p value."""
    counted = Measured(planted.counts, planted.library_size, factors.gene_names)
    found = compare_groups(factors, counted, planted.labels == "type 1", chosen_on=range(4))
    assert found.factors["p"].isna().all()
    assert factors_sentence(found, factors).endswith("chosen on these axes: p values do not apply.")


def test_genes_beside_the_modelled_ones_and_cells_beside_the_runs(planted, factors):
    """A wider data set, its cells in another order: the modelled genes come out the same, the others are marked."""
    rng = np.random.default_rng(7)
    order = rng.permutation(1300)
    wide = sparse.vstack([planted.counts, planted.counts[:100]]).tocsr()
    wide = sparse.hstack([wide, sparse.csr_matrix(rng.poisson(2.0, (1300, 1)).astype(np.uint16))]).tocsr()[order]
    library = np.concatenate([planted.library_size, planted.library_size[:100]])[order]
    names = np.array([*factors.gene_names, "Other"])
    first = planted.labels == "type 2"
    narrow = compare_groups(factors, Measured(planted.counts, planted.library_size, factors.gene_names), first)
    found = compare_groups(factors, Measured(wide, library, names, np.argsort(order)[:1200]), first)
    assert found.genes.set_index("gene")["modelled"].to_dict() == {
        **dict.fromkeys(factors.gene_names, True),
        "Other": False,
    }
    a, b = (each.genes.set_index("gene").loc[factors.gene_names] for each in (narrow, found))
    pd.testing.assert_frame_equal(a[["p", "low", "high", "mean_first"]], b[["p", "low", "high", "mean_first"]])


@pytest.mark.parametrize(
    ("log10", "said"), [(-1066.0, "< 1e-300"), (-300.0, "< 1e-300"), (-17.3, "5e-18"), (-1.3, "0.050"), (np.nan, "")]
)
def test_small_numbers_end_at_1e_300(log10, said):
    """Nothing smaller is told apart."""
    assert small_number(log10) == said


@pytest.mark.parametrize(("ends", "said"), [((1.81, 1.83), "1.81 to 1.83"), ((30.2, 30.4), "30.2 to 30.4"),
                                            ((1.8, 2.1), "1.8 to 2.1"), ((0.01, 9), "0.0 to 9.0")])  # fmt: skip
def test_the_ends_of_an_interval_are_told_apart(ends, said):
    """Never "1.8 to 1.8"."""
    assert interval_words(*ends) == said


def test_genes_of_the_choice_stand_where_their_fold_change_puts_them(planted, factors):
    """They describe the cells: with fold change and interval, without q, and named in the sentence."""
    first = np.asarray(factors.representation[:, 1]) > 0.5
    counted = Measured(planted.counts, planted.library_size, factors.gene_names)
    found = compare_groups(factors, counted, first, chosen_on=(1,))
    top = found.genes.iloc[0]
    assert top["chosen_by"]
    assert f"Furthest apart among these: {top['gene']} (" in genes_sentence(found)
