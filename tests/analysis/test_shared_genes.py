"""Programs of runs on different genes are compared on the genes that both model."""

import numpy as np
import pytest

from ldvae_core.analysis.comparison import matching_table
from ldvae_core.analysis.factors import build_factors
from ldvae_core.analysis.shared_genes import n_shared_genes, on_shared_genes
from ldvae_core.data.split import split_cells
from ldvae_core.data.synthetic import plant_programs


@pytest.fixture(scope="module")
def planted():
    return plant_programs(n_cells=300, n_genes=240, n_factors=4, seed=1)


def factors_on(planted, genes, order=(0, 1, 2, 3)):
    """The planted programs as a run on some of the genes has them, its factors in some order."""
    counts, order = planted.counts.subset(genes=genes), list(order)
    z = planted.representation[:, order].astype(np.float32)
    return build_factors(
        representation=z, posterior_variance=np.full_like(z, 0.1), loadings=planted.loadings[genes][:, order],
        intercept=planted.intercept[genes], inverse_dispersion=planted.inverse_dispersion[genes],
        counts=counts.counts, library_size=None, split=split_cells(300, seed=0), prior="normal", axes="as_trained",
        gene_names=counts.gene_names,
    )  # fmt: skip


def test_programs_are_matched_whatever_genes_a_run_has_besides(planted):
    """Other genes, in another order: the same programs are found."""
    n = planted.counts.n_genes
    first = factors_on(planted, np.arange(0, 180))
    second = factors_on(planted, np.arange(n - 1, 60, -1), order=(2, 0, 3, 1))
    a, b = on_shared_genes([first, second])
    assert n_shared_genes([first.gene_names, second.gene_names]) == a.n_genes == b.n_genes == 119
    assert a.gene_names.tolist() == b.gene_names.tolist() == first.gene_names[61:].tolist()
    assert np.array_equal(a.loadings, first.loadings[61:])
    table = matching_table(a, b)
    assert (table["match"] > 0.95).all()
    truth = [first.loadings[61:].T @ b.loadings[:, k] for k in range(4)]
    assert table["partner"].tolist() == [int(np.argmax([abs(row[k]) for row in truth])) for k in range(4)]


def test_runs_on_the_same_genes_stay_as_they_are(planted):
    """Nothing is copied."""
    one = factors_on(planted, np.arange(100))
    assert on_shared_genes([one, one])[1] is one
