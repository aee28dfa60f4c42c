"""The index by gene: the very columns of the counts, whatever the blocks, and nothing in place of a damaged one."""

import numpy as np
import pytest
from scipy import sparse

from ldvae_core import durable
from ldvae_core.data import by_gene
from ldvae_core.data.by_gene import FOLDER, GeneIndex, gene_columns
from ldvae_core.data.folder import load_counts, save_counts
from ldvae_core.data.store import CountsWriter
from ldvae_core.errors import RunError

from .conftest import CELLS, GENES


@pytest.fixture
def large():
    """100 cells by 12 genes, with counts around every limit, empty cells and a silent gene."""
    rng = np.random.default_rng(3)
    counts = rng.poisson(0.7, (100, 12)).astype(np.int64)
    counts[:, 5] = 0
    counts[::9] = 0
    counts[[1, 2, 3, 4, 50, 98], 2] = [254, 255, 256, 65_535, 65_536, 4_000_000_000]
    return counts


@pytest.fixture
def few(monkeypatch):
    """Blocks of few cells and few entries, pieces of seven entries."""
    monkeypatch.setattr(by_gene, "MOST_CELLS", 8)
    monkeypatch.setattr(by_gene, "MOST_ENTRIES", 30)
    monkeypatch.setattr(by_gene, "ENTRIES_AT_ONCE", 7)


def written(counts, folder, *, rows=13):
    """The index of counts that come in blocks of so many rows."""
    writer = CountsWriter(folder, counts.shape[1], by_gene=True)
    for start in range(0, len(counts), rows):
        writer.append(sparse.csr_matrix(counts[start : start + rows].astype(np.uint32)))
    n_cells = int(writer.close().kept.sum())
    return GeneIndex.of(folder, n_cells=n_cells, n_genes=counts.shape[1])


@pytest.mark.parametrize("rows", [1, 13, 100])
@pytest.mark.parametrize("wanted", [[2], [7, 2, 2, 5, 0], []])
def test_an_index_gives_the_columns_of_the_counts(large, tmp_path, few, rows, wanted):
    """In any order, also twice; cells without counts are not counted; large counts are whole."""
    found = written(large, tmp_path, rows=rows).counts_of(wanted)
    kept = large[large.any(axis=1)]
    assert np.array_equal(found.toarray(), kept[:, wanted])
    assert found.has_sorted_indices
    assert np.array_equal(gene_columns(sparse.csr_matrix(kept), wanted).toarray(), kept[:, wanted])


def test_blocks_of_the_usual_size_give_the_same(large, tmp_path):
    """More cells than a block's, the last of them alone in its own."""
    counts = np.zeros((by_gene.MOST_CELLS + 1, 2), np.int64)
    counts[:, 1] = 1
    counts[[0, by_gene.MOST_CELLS - 1, by_gene.MOST_CELLS], 0] = [300, 1, 70_000]
    index = written(counts, tmp_path, rows=50_000)
    assert np.array_equal(index.counts_of([0, 1]).toarray(), counts)


def test_a_data_set_gives_the_counts_of_its_genes(saved, read_here, molecules):
    """What was read has an index; part of it, and what is older, goes through its rows: the same counts."""
    read = read_here(saved())
    assert read.gene_index is not None
    assert np.array_equal(read.gene_counts([3, 0]).toarray(), molecules[:, [3, 0]])
    part = read.subset(cells=np.array([5, 2]), genes=np.array([4, 1, 0]))
    assert part.gene_index is None
    assert np.array_equal(part.gene_counts([1]).toarray(), molecules[[5, 2]][:, [1]])
    for gene in (-1, len(GENES)):
        with pytest.raises(IndexError):
            read.gene_counts([gene])


def test_older_data_sets_have_no_index(matrix, tmp_path, molecules):
    """Their counts come all the same."""
    save_counts(matrix, tmp_path / "older")
    older = load_counts(tmp_path / "older")
    assert older.gene_index is None
    assert np.array_equal(older.gene_counts([1]).toarray(), molecules[:, [1]])


@pytest.mark.parametrize("name", ["cells", "counts", "starts", "blocks", "large_at", "large"])
@pytest.mark.parametrize("damage", ["gone", "cut", "shorter"])
def test_a_damaged_index_is_refused(large, tmp_path, name, damage):
    """Before any count of it is believed."""
    written(large, tmp_path)
    path = tmp_path / FOLDER / f"{name}.npy"
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        np.save(path, np.load(path)[:-1])
    index = GeneIndex.of(tmp_path, n_cells=int(large.any(axis=1).sum()), n_genes=12)
    with pytest.raises(RunError):
        index.counts_of([2])


def test_an_index_of_other_counts_is_refused(large, tmp_path):
    """Of more genes, or of cells that are not there."""
    written(large, tmp_path)
    for n_cells, n_genes in ((88, 13), (20, 12)):
        with pytest.raises(RunError, match="does not fit its counts"):
            GeneIndex.of(tmp_path, n_cells=n_cells, n_genes=n_genes).counts_of([2])


def test_starts_that_run_backwards_are_refused(large, tmp_path):
    """A turned bit among them would give one gene the counts of another."""
    written(large, tmp_path)
    path = tmp_path / FOLDER / "starts.npy"
    starts = np.load(path)
    starts[3] += 100_000
    np.save(path, starts)
    with pytest.raises(RunError, match="Load the data set again"):
        GeneIndex.of(tmp_path, n_cells=88, n_genes=12).counts_of([2])


def test_what_is_abandoned_leaves_nothing(tmp_path):
    """No folder, no file."""
    writer = CountsWriter(tmp_path, len(GENES), by_gene=True)
    writer.append(sparse.csr_matrix(np.ones((len(CELLS), len(GENES)), np.uint32)))
    writer.abandon()
    assert not list(tmp_path.iterdir())


def test_an_index_that_stays_on_disk_gives_the_same(large, tmp_path, monkeypatch):
    """Mapped, as those of large data sets are, and told which pieces come next."""
    monkeypatch.setattr(durable, "MAPPED_FROM", 0)
    found = written(large, tmp_path).counts_of([2, 0])
    assert np.array_equal(found.toarray(), large[large.any(axis=1)][:, [2, 0]])
