"""One gene or a list: expression and partners, against truth made by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.stats import binned_statistic_2d

from ldvae_core.analysis.genes import (
    expression_by_group,
    gene_finding,
    genes_of,
    group_finding,
    loading_table,
    mean_expression,
    partners,
    strongest_factors,
)
from ldvae_core.analysis.raster import density_raster
from ldvae_core.data import by_gene
from tests.analysis.test_enrichment import factors_of

NAMES = np.array(["A", "B", "C"])


def gathered(counts, genes):
    """The counts of some genes, as pages have them of a data set without an index."""
    return genes_of(by_gene.gene_columns(counts, genes), genes)


@pytest.fixture
def counts():
    """Four cells, three genes; every cell has 10 counts."""
    return sparse.csr_matrix(np.array([[10, 0, 0], [5, 5, 0], [0, 10, 0], [0, 0, 10]], np.uint16))


@pytest.fixture
def four():
    """A and B point the same way, C the other way, D across, E nowhere."""
    return factors_of(np.array([[1.0, 1.0], [2.0, 2.0], [-1.0, -1.0], [1.0, -1.0], [0.0, 0.0]]))


@pytest.mark.parametrize("at_once", [1, 3, 100])
@pytest.mark.parametrize("wanted", [[1], [2, 0], [4, 0, 1, 3]])
def test_gathered_columns_are_those_of_the_matrix(monkeypatch, at_once, wanted):
    """However the stored counts are cut into pieces, as scipy's own columns."""
    monkeypatch.setattr(by_gene, "ENTRIES_AT_ONCE", at_once)
    matrix = sparse.random(40, 5, density=0.3, format="csr", random_state=1)
    for gene, found in gathered(matrix, wanted).items():
        column = matrix[:, [gene]].toarray().ravel()
        assert found.cells.tolist() == np.flatnonzero(column).tolist()
        assert found.counts.tolist() == column[column > 0].tolist()


def test_expression_by_group_is_share_and_mean_over_all_cells(counts):
    """Zeros count: half of group x has gene B, the mean is half of ln(1 + 5000)."""
    labels = pd.Series(pd.Categorical(["x", "x", "y", "y"], categories=["x", "y", "empty"]))
    table = expression_by_group(gathered(counts, [1]), labels, np.full(4, 10.0), NAMES)
    assert table["group"].tolist() == ["x", "y"]
    assert table["share"].tolist() == [0.5, 0.5]
    assert table["mean"].tolist() == pytest.approx([np.log1p(5000) / 2, np.log1p(10000) / 2])
    assert group_finding(table, "kind") == ""


def test_a_group_of_few_cells_is_not_named_as_the_highest():
    """Three cells of 20 molecules lie above the other groups by luck."""
    labels = pd.Series(pd.Categorical(["large"] * 40 + ["next"] * 20 + ["tiny"] * 3))
    matrix = sparse.csr_matrix(np.r_[np.tile([0, 1], 20), np.tile([0, 0, 0, 1], 5), 20, 20, 20][:, None])
    table = expression_by_group(gathered(matrix, [0]), labels, np.full(63, 100.0), np.array(["A"]))
    assert table["mean"].idxmax() == 2
    assert group_finding(table, "kind").startswith("A is highest in large: 50% of its 40 cells")
    assert group_finding(table[table["group"] == "tiny"], "kind") == ""


def test_mean_per_bin_averages_the_cells_in_it(counts):
    """Two cells in one bin: the mean of their values; empty bins are NaN."""
    x = np.array([0.0, 0.0, 1.0, 1.0])
    raster = density_raster(x, x)
    mean = mean_expression(gathered(counts, [0])[0], x, x, np.full(4, 10.0), raster)
    assert sorted(mean[raster.counts > 0]) == pytest.approx([0.0, (np.log1p(10000) + np.log1p(5000)) / 2])
    assert np.isnan(mean[raster.counts == 0]).all()


def test_mean_per_bin_is_that_of_every_cell():
    """Cells without counts of the gene are not placed, yet they count: as scipy has it from all cells."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 3000)).astype(np.float32)
    matrix, size = sparse.random(3000, 2, 0.3, format="csr", random_state=1), rng.uniform(5, 50, 3000)
    matrix.data = np.ceil(9 * matrix.data)
    raster = density_raster(x, y, bins=16)
    mean = mean_expression(gathered(matrix, [1])[1], x, y, size, raster)
    values = np.log1p(1e4 * matrix[:, [1]].toarray().ravel() / size)
    theirs = binned_statistic_2d(y, x, values, bins=[raster.y_edges, raster.x_edges]).statistic
    np.testing.assert_allclose(mean, theirs, rtol=1e-12)


def test_partners_are_sorted_by_cosine(four):
    """Same direction 1, across 0, opposite -1; the gene itself and those that point nowhere are left out."""
    table = partners(four, 0)
    assert table["gene"].tolist() == ["Gene1", "Gene3", "Gene2"]
    assert table["cosine"].tolist() == pytest.approx([1.0, 0.0, -1.0], abs=1e-6)
    assert table["strength"].iloc[0] == pytest.approx(np.hypot(2, 2))


def test_a_gene_that_points_nowhere_has_no_partners(four):
    """And its sentence says so."""
    assert partners(four, 4).empty
    assert gene_finding(four, 4) == "Gene4 loads on no factor."


def test_factors_count_by_how_much_they_move_genes(four):
    """A loading on a factor that hardly varies weighs little in the cosine."""
    still = factors_of(np.array([[1.0, 5.0], [1.0, -5.0], [0.2, 1.0]]))
    still.representation[:, 1] *= 0.001
    assert partners(still, 0)["cosine"].iloc[0] == pytest.approx(1.0, abs=1e-3)


def test_the_sentence_tells_factor_fold_and_partners(four):
    """Fold per standard deviation, and the genes most alike."""
    assert gene_finding(four, 0, partners(four, 0)) == (
        "Gene0 loads most on Factor 1 (share of molecules 2.72-fold higher per SD); the genes most like it are Gene1."
    )


def test_a_list_has_a_row_for_every_gene_and_factor(four):
    """In the order asked for."""
    table = loading_table(four, [3, 0])
    assert table["gene"].tolist() == ["Gene3", "Gene3", "Gene0", "Gene0"]
    assert table["loading"].tolist() == pytest.approx([1.0, -1.0, 1.0, 1.0])


def test_the_strongest_factor_comes_first_whatever_its_sign():
    """By the size of the loading."""
    assert strongest_factors(factors_of(np.array([[0.1, -3.0, 1.0], [1.0, 1.0, 1.0]])), 0).tolist() == [1, 2, 0]
