"""Counts of other cells on the genes of a run."""

from dataclasses import replace

import numpy as np
import pytest

from ldvae_core.data import align
from ldvae_core.data.align import aligned_blocks, find_genes, match_genes
from ldvae_core.data.synthetic import plant_programs
from ldvae_core.errors import CountsError


@pytest.fixture(scope="module")
def cells():
    """Sixty cells of 40 genes with names and mouse ids."""
    counts = plant_programs(n_cells=60, n_genes=40, n_factors=2, seed=1).counts
    return replace(counts, gene_ids=np.array([f"ENSMUSG{i:011d}" for i in range(counts.n_genes)]))


def test_a_name_comes_before_an_id(cells):
    """Where both are there and disagree, the gene of that name is taken; each gene of the data once."""
    wanted = np.array([cells.gene_names[3], "unknown", "unknown too"])
    ids = np.array([cells.gene_ids[5], cells.gene_ids[7] + ".2", cells.gene_ids[7]])
    assert match_genes(cells, wanted, ids).tolist() == [3, 7, -1]


def test_case_of_letters_matters(cells):
    """Gapdh is a mouse's gene and GAPDH a human's."""
    upper = np.array([name.upper() for name in cells.gene_names.tolist()])
    assert (match_genes(cells, upper, None) == -1).all()


def test_names_that_are_ids_are_matched_as_ids(cells):
    """A file that calls its genes by Ensembl id needs no further column."""
    named = replace(cells, gene_names=cells.gene_ids, gene_ids=None)
    assert match_genes(named, cells.gene_names, cells.gene_ids).tolist() == list(range(40))


def test_counts_stand_under_the_wanted_genes(cells, monkeypatch):
    """In their order, block by block; zeros for those that are missing."""
    blocks = [(slice(start, start + 20), cells.counts[start : start + 20]) for start in (0, 20, 40)]
    monkeypatch.setattr(align, "row_blocks", lambda counts: blocks)
    wanted = np.array([*cells.gene_names[::-1][:30].tolist(), "unknown"])
    places = find_genes(cells, wanted, None)
    rows, aligned = zip(*aligned_blocks(cells.counts, places), strict=True)
    assert [(each.start, each.stop) for each in rows] == [(0, 20), (20, 40), (40, 60)]
    whole = np.vstack([block.toarray() for block in aligned])
    assert (whole[:, :30] == cells.counts.toarray()[:, ::-1][:, :30]).all()
    assert not whole[:, 30].any()
    assert (places >= 0).tolist() == [True] * 30 + [False]


def test_half_of_the_genes_is_enough_and_less_is_not(cells):
    """Positions from fewer genes say what is missing."""
    other = [f"other {i}" for i in range(21)]
    assert (find_genes(cells, np.array([*cells.gene_names[:20].tolist(), *other[:20]]), None) >= 0).sum() == 20
    with pytest.raises(CountsError, match="20 of the 41 modelled genes are in the data; at least half are needed"):
        find_genes(cells, np.array([*cells.gene_names[:20].tolist(), *other]), None)
