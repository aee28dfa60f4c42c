"""What goes through cells in blocks gives the very numbers that all cells at once give."""

import numpy as np
import pytest
from scipy import sparse

from ldvae_core.data import blocks
from ldvae_core.data.blocks import row_blocks
from ldvae_core.data.choices import DataChoices
from ldvae_core.data.histogram import FEW, GeneHistogram
from ldvae_core.data.prepare import prepare


@pytest.fixture
def three_cells_together(matrix, monkeypatch):
    """Blocks of about three cells."""
    monkeypatch.setattr(blocks, "ENTRIES", 3 * matrix.counts.nnz // matrix.n_cells)


def test_blocks_are_the_matrix(matrix, three_cells_together):
    """Every row once, in order, with its counts; copies, so that a block may be changed."""
    pieces = list(row_blocks(matrix.counts))
    assert len(pieces) > matrix.n_cells / 5
    assert [place.start for place, _ in pieces[1:]] == [place.stop for place, _ in pieces[:-1]]
    assert (sparse.vstack([block for _, block in pieces]) != matrix.counts).nnz == 0
    pieces[0][1].data[:] = 0
    assert matrix.counts.data.all()


@pytest.mark.parametrize("method", ["seurat_v3", "variance"])
@pytest.mark.parametrize("batch", [None, "lane"], ids=["all", "batches"])
def test_prepared_counts_do_not_depend_on_the_blocks(matrix, monkeypatch, method, batch):
    """The same genes, cells and counts, bit for bit, whether cells come three at a time or all at once."""
    matrix.annotations["lane"] = np.array(["a", "b"] * (matrix.n_cells // 2), dtype=object)
    choices = DataChoices(n_genes=20, gene_selection=method, batch_column=batch if method == "seurat_v3" else None)
    whole = prepare(matrix, choices)
    monkeypatch.setattr(blocks, "ENTRIES", 3 * matrix.counts.nnz // matrix.n_cells)
    pieces = prepare(matrix, choices)
    assert pieces.fingerprint == whole.fingerprint
    assert pieces.notices == whole.notices


def test_a_histogram_counts_cells_by_gene_and_count():
    """Against numpy's own count, for small counts and for those beyond the table."""
    dense = np.random.default_rng(0).poisson(FEW - 2, size=(300, 7))
    dense[0, 0] = 4_000_000_000
    histogram = GeneHistogram.of([sparse.csr_matrix(dense[:5]), sparse.csr_matrix(dense[5:])], 7)
    for gene in range(7):
        counts, cells = np.unique(dense[:, gene][dense[:, gene] > 0], return_counts=True)
        mine = histogram.genes == gene
        assert histogram.counts[mine].tolist() == counts.tolist()
        assert histogram.cells[mine].tolist() == cells.tolist()
