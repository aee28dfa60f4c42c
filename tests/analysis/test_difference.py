"""Why two groups of cells differ, judged by planted truths, numpy, scipy and scikit-learn."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats
from sklearn.metrics import roc_auc_score

from ldvae_core.analysis import sums as sums_module
from ldvae_core.analysis.difference import REST, Measured, compare_groups
from ldvae_core.analysis.difference_words import pair_sentence, sentence, unit_sentence
from ldvae_core.analysis.effects import gene_effects, log10_q_values
from ldvae_core.analysis.factor_effects import auc
from ldvae_core.analysis.programs import top_genes
from ldvae_core.analysis.pseudobulk import FEWEST_CELLS, t_parts
from ldvae_core.analysis.sums import group_sums
from ldvae_core.errors import SettingsError

NAMES = ("stimulated", "control")
GENES = np.array([f"Gene{g}" for g in range(50)])


@pytest.fixture
def stimulated(planted):
    """Cells high on one planted program, as if a stimulus had raised it."""
    return planted.labels == "type 2"


@pytest.fixture
def measured(planted, factors):
    """The counts of the planted model."""
    return Measured(planted.counts, planted.library_size, factors.gene_names)


@pytest.fixture
def compare(measured, factors, stimulated):
    """Compares the stimulated cells of the planted model with the others."""

    def run(first=stimulated, second=None, **more):
        return compare_groups(factors, measured, first, second, **{"names": NAMES, **more})

    return run


def draw_counts(rng, size, fold=1.0, n_cells=300, theta=2.0):
    """Overdispersed counts of 50 genes; the first ten are `fold` times as high."""
    mean = np.outer(size, np.full(50, 0.001) * np.where(np.arange(50) < 10, fold, 1.0))
    return rng.negative_binomial(theta, theta / (theta + mean))


def effects_of(counts, size, first):
    matrix = sparse.csr_matrix(counts.astype(np.uint16))
    sums, leading = group_sums(matrix, size, np.where(first, 0, 1), 2)
    return gene_effects(sums, GENES, leading)


def test_a_programme_planted_in_a_condition_is_found(compare, factors, planted):
    """The factor that follows the stimulus comes first, its own genes are the program's, and all of these differ."""
    found = compare()
    best, moved = int(found.factors.factor[0]), [f"Gene{g}" for g in range(20, 30)]  # of plant_model's third program
    genes = found.genes.set_index("gene").loc[moved]
    own = top_genes(factors, best, 10).gene.tolist()
    assert len(set(moved) & set(own)) >= 9
    assert (genes.q < 1e-6).all()
    assert (np.sign(genes.log2_fold_change) == np.sign(planted.loadings[20:30, 2])).all()
    assert found.genes.gene[0] in moved
    assert best in found.best.pair


def test_every_auc_is_exact(compare, factors, stimulated):
    """Over all pairs of cells, as scikit-learn counts them."""
    for row in compare().factors.itertuples():
        assert row.auc == pytest.approx(
            roc_auc_score(stimulated, factors.representation[:, int(row.factor)]), abs=1e-12
        )


@pytest.mark.parametrize(("n", "m"), [(30, 50), (50, 30)])
def test_tied_values_count_half(n, m):
    """Whichever group is larger."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(1, 5, n).astype(np.float32), rng.integers(0, 5, m).astype(np.float32)
    truth = np.repeat([1, 0], [n, m])
    assert auc(a, b) == pytest.approx(roc_auc_score(truth, np.concatenate([a, b])), abs=1e-12)


def test_sums_agree_with_dense_counts(planted, monkeypatch):
    """In small pieces, and without the cells that are not chosen."""
    monkeypatch.setattr("ldvae_core.analysis.sums.ENTRIES", 1000)
    group = np.random.default_rng(0).integers(-1, 2, 1200)
    group[:300] = -1
    sums, leading = group_sums(planted.counts, planted.library_size, group, 2)
    x, s = planted.counts.toarray().astype(float), planted.library_size[:, None]
    for code in (0, 1):
        own, size = x[group == code], s[group == code]
        weight = 1 / (1 - size / size.sum()) ** 2
        mine = [own.sum(0), (weight * own**2).sum(0), (weight * own * size).sum(0)]
        np.testing.assert_allclose([sums.total[code], sums.squares[code], sums.products[code]], mine)
        np.testing.assert_array_equal(leading.top[code], own.max(0))
        np.testing.assert_array_equal(leading.deepest[code], own[size.argmax()])
        np.testing.assert_array_equal(sums.expressing[code], (x > 0)[group == code].sum(0))


def test_intervals_are_those_of_a_ratio_of_means():
    """For well-measured genes the jackknife by hand: each cell's counts beside the share of the other cells."""
    rng = np.random.default_rng(1)
    size, first = rng.uniform(20_000, 60_000, 300), np.arange(300) < 120
    counts = draw_counts(rng, size)
    row = effects_of(counts, size, first).iloc[0]
    logs, variance = [], 0.0
    for group in (first, ~first):
        x, s = counts[group, 0], size[group]
        share = x.sum() / s.sum()
        logs.append(np.log2(share))
        others = (x.sum() - x) / (s.sum() - s)
        variance += ((x - others * s) ** 2).sum() / (x.sum() * np.log(2)) ** 2
    assert row.log2_fold_change == pytest.approx(logs[0] - logs[1], abs=1e-3)
    assert row.high - row.low == pytest.approx(2 * 1.6449 * np.sqrt(variance), rel=0.03)


def test_ninety_per_cent_of_intervals_hold_the_truth():
    """Overdispersed counts, library sizes that vary, groups of unequal size."""
    rng = np.random.default_rng(2)
    held = []
    for _ in range(40):
        size, first = 3000 * rng.lognormal(0, 0.4, 300), np.arange(300) < 90
        counts = np.where(first[:, None], draw_counts(rng, size, fold=3.0), draw_counts(rng, size))
        table = effects_of(counts, size, first)
        truth = np.where(np.arange(50) < 10, np.log2(3.0), 0.0)
        held.append(((table.low <= truth) & (truth <= table.high)).mean())
    assert np.mean(held) == pytest.approx(0.9, abs=0.02)


def test_equal_groups_give_even_p_values():
    """Without a difference, 5% of p values lie below 0.05, and hardly ever a gene is found."""
    rng = np.random.default_rng(3)
    below, found = [], []
    for _ in range(40):
        size, first = 3000 * rng.lognormal(0, 0.4, 300), np.arange(300) < 90
        table = effects_of(draw_counts(rng, size), size, first)
        below.append((table.p < 0.05).mean())
        found.append((table.q < 0.05).any())
    assert np.mean(below) == pytest.approx(0.05, abs=0.015)
    assert np.mean(found) <= 0.15


def test_a_gene_that_one_group_lacks_has_a_finite_fold_change():
    """With a wide interval; a gene that nobody has differs by nothing."""
    counts = np.zeros((40, 50), int)
    counts[:20, 0] = 5
    counts[:, 2] = 3
    table = effects_of(counts, np.full(40, 100.0), np.arange(40) < 20)
    assert np.isfinite(table[["log2_fold_change", "low", "high"]]).all(axis=None)
    assert table.low[0] > 0
    assert table.log2_fold_change[1] == 0.0
    assert np.isnan([table.p[1], table.q[1]]).all()


def test_q_values_are_scipys_even_where_numbers_end():
    """Benjamini-Hochberg over all genes; 10 to the minus 700 is no 0."""
    p = np.random.default_rng(4).uniform(0, 1, 200) ** 3
    np.testing.assert_allclose(10 ** log10_q_values(np.log10(p)), stats.false_discovery_control(p))
    assert log10_q_values(np.array([-700.0, -1.0]))[0] == pytest.approx(-700 + np.log10(2))


@pytest.mark.parametrize("paired", [False, True])
def test_samples_are_compared_by_scipys_t_tests(paired):
    """Welch's between different samples, the paired one within the same."""
    a, b = np.random.default_rng(5).normal(0, [[1.0]], (2, 6, 1))
    b = b if paired else b[:4]
    effect, error, df = t_parts(a, b, paired=paired)
    theirs = stats.ttest_rel(a, b) if paired else stats.ttest_ind(a, b, equal_var=False)
    assert effect[0] / error[0] == pytest.approx(theirs.statistic[0])
    assert df[0] == pytest.approx(theirs.df[0])


def test_the_sample_is_the_unit(planted, factors, compare):
    """A gene's statistic is that of the samples' log shares, not of the cells; donors in both groups are paired."""
    donors = np.array([f"d{i}" for i in np.arange(1200) % 6], object)
    found = compare(samples=donors)
    row = found.genes.set_index("gene").loc["Gene20"]
    values = []
    for group in (planted.labels == "type 2", planted.labels != "type 2"):
        cells = [group & (donors == f"d{i}") for i in range(6)]
        size = np.array([planted.library_size[c].sum() for c in cells])
        values.append((np.array([planted.counts[c, 20].sum() for c in cells]), size))
    middle = np.concatenate([size for _, size in values]).mean()
    logs = [np.log2((y + 0.5 * size / middle) / size) for y, size in values]
    assert row.log2_fold_change == pytest.approx(np.mean(logs[0] - logs[1]))
    assert "6 samples with cells in both groups" in unit_sentence(found)


def test_samples_of_one_group_each_are_not_paired(compare, stimulated):
    """Three treated samples against three controls."""
    samples = np.where(stimulated, "t", "c").astype(object) + (np.arange(1200) % 3).astype(str)
    found = compare(samples=samples)
    assert found.design.paired is False
    assert unit_sentence(found) == "Unit: the sample. 3 samples against 3 (t test, variances of genes moderated)."
    assert set(found.factors.auc) <= {k / 9 for k in range(10)}


def test_fewer_than_two_samples_a_group_are_refused(compare, stimulated):
    """With the counts, the names and the way out."""
    samples = np.where(stimulated, "t1", np.where(np.arange(1200) % 2, "c1", "c2"))
    said = (
        "The sample is the unit here, and stimulated has 1 sample (t1) and control has 2 samples (c1, c2) with at "
        "least 10 cells; 2 are needed in each group. Choose cells as the unit"
    )
    with pytest.raises(SettingsError, match="^" + said.replace("(", r"\(").replace(")", r"\)")):
        compare(samples=samples)


def test_samples_of_few_cells_and_cells_without_sample_count_for_nothing(compare, stimulated):
    """They are left out, and the sentence says how many samples were."""
    samples = np.array([f"d{i}" for i in np.arange(1200) % 4], object)
    samples[np.flatnonzero(stimulated)[: FEWEST_CELLS - 1]] = "small"
    samples[np.flatnonzero(~stimulated)[:50]] = None
    samples[np.flatnonzero(~stimulated)[50:110]] = "small"  # enough in one group only
    found = compare(samples=samples)
    assert found.n_cells == (stimulated.sum() - (FEWEST_CELLS - 1), (~stimulated).sum() - 110)
    assert "1 sample with too few cells" in unit_sentence(found)


def test_one_group_is_compared_with_all_other_cells(compare, stimulated):
    """By default; the same as naming them."""
    pd.testing.assert_frame_equal(compare().genes, compare(second=~stimulated).genes)
    pd.testing.assert_frame_equal(compare().factors, compare(second=~stimulated).factors)


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (slice(0, 3), slice(10, 40), "stimulated has 3 cells here; 5 are needed."),
        (slice(0, 20), slice(10, 40), "stimulated and control share 10 cells."),
    ],
    ids=["few", "shared"],
)
def test_groups_that_cannot_be_compared_are_refused(compare, first, second, said):
    """With what is wrong and what to do."""
    masks = np.zeros((2, 1200), bool)
    masks[0, first] = masks[1, second] = True
    with pytest.raises(SettingsError, match=f"^{said} Choose two groups of different cells."):
        compare(*masks)


@pytest.mark.parametrize("unit", ["cells", "samples"])
def test_a_bar_moves_while_groups_are_compared(compare, factors, planted, monkeypatch, unit):
    """Told piece by piece of the counts and factor by factor, always further, never beyond the whole."""
    monkeypatch.setattr(sums_module, "ENTRIES", planted.counts.nnz // 10)
    told = []
    donors = pd.Series(np.arange(factors.n_cells) % 4).astype(str) if unit == "samples" else None
    compare(samples=donors, report=told.append)
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0.0, pytest.approx(0.8))
    assert len(set(told)) >= 9 + factors.n_factors


def test_the_pair_tells_cells_apart_that_it_was_not_drawn_on(compare, factors, stimulated):
    """Its AUC is about that of the same line fitted by scikit-learn, and no luck makes noise look separable."""
    noise = np.random.default_rng(6).random(1200) < 0.5
    assert compare().pair_auc > 0.95
    assert compare(noise).pair_auc == pytest.approx(0.5, abs=0.06)


def test_a_single_factor_has_no_pair(measured, factors, stimulated):
    """The rest is still told."""
    names = ("representation", "loadings", "loadings_shrunken", "loadings_se", "loadings_shrunken_sd")
    one = replace(factors, **{name: getattr(factors, name)[:, :1] for name in names})
    found = compare_groups(one, measured, stimulated, names=NAMES)
    assert found.best is None
    assert pair_sentence(found, one) == ""
    assert "differ most on Factor 1" in sentence(found, one)


def test_the_finding_is_said_in_words(compare, factors):
    """Groups, factor with AUC, its end and genes, how many genes differ, fold change with interval."""
    said = sentence(compare(names=("stimulated", REST)), factors)
    assert said.startswith("stimulated and all other cells differ most on Factor ")
    assert "stimulated at its " in said
    assert " of 150 genes differ (false discovery rate 5%), most surely Gene2" in said
    assert "-fold, 90% interval " in said


def test_usages_are_told_by_their_high_end(planted_usage, usage_factors):
    """A share near 0 has no genes of its own."""
    counted = Measured(planted_usage.counts, planted_usage.library_size, usage_factors.gene_names)
    others = planted_usage.labels != "type 1"
    found = compare_groups(usage_factors, counted, others, names=("the others", "type 1"))
    assert "type 1 at its high end" in sentence(found, usage_factors)
