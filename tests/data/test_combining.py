"""Several data sets become one: shared genes only, every count where it was, samples told apart."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from ldvae_core.data import blocks
from ldvae_core.data.combining import combine, shared_genes
from ldvae_core.data.counts import make_count_matrix
from ldvae_core.errors import CountsError

from .conftest import GENES, N_CELLS


@pytest.fixture
def other(matrix):
    """60 cells with the same genes in another order, one of them missing and two more; one annotation is shared."""
    rng = np.random.default_rng(4)
    names = [*rng.permutation(GENES[1:]).tolist(), "Xist", "Tsix"]
    return make_count_matrix(
        rng.poisson(1.5, (60, len(names))) + 1,
        cell_ids=[f"cell{n}" for n in range(60)],
        gene_names=names,
        annotations=pd.DataFrame({"cell_type": ["Epiblast"] * 30 + ["Gut"] * 30, "mouse": np.arange(60) % 2}),
    )


def test_every_count_stands_where_it_was(matrix, other, tmp_path, monkeypatch):
    """In blocks of few cells: shared genes in the order of the first, cells of the one below those of the other."""
    monkeypatch.setattr(blocks, "ENTRIES", 90)
    both = combine({"day 7": matrix, "day 8": other}, tmp_path / "both")
    assert both.gene_names.tolist() == GENES[1:]
    expected = np.vstack([
        matrix.counts.toarray()[:, 1:],
        pd.DataFrame(other.counts.toarray(), columns=other.gene_names)[GENES[1:]].to_numpy(),
    ])  # fmt: skip
    assert np.array_equal(both.counts.toarray(), expected)
    assert np.array_equal(both.gene_counts([3]).toarray(), expected[:, [3]])
    assert np.array_equal(both.library_size, expected.sum(axis=1))
    assert np.array_equal(both.tallies.mitochondrial, expected[:, GENES[1:].index("mt-Co1")])
    assert both.cell_ids.tolist() == [*matrix.cell_ids, *other.cell_ids]


def test_samples_are_told_apart_and_annotations_kept(matrix, other, tmp_path):
    """What one of them lacks is missing there; what was left out is said."""
    both = combine({"day 7": matrix, "day 8": other}, tmp_path / "both")
    assert both.annotations["sample"].tolist() == ["day 7"] * N_CELLS + ["day 8"] * 60
    assert both.annotations["cell_type"].iloc[[0, 139]].tolist() == ["Erythroid", "Gut"]
    assert both.annotations["mouse"].isna().sum() == N_CELLS
    said = " ".join(both.notices)
    assert "day 7 (80 cells), day 8 (60 cells)" in said
    assert "1 gene of day 7 is not in all data sets: left out (Actb)." in said
    assert "2 genes of day 8 are not in all data sets: left out (Xist, Tsix)." in said


def test_cells_of_one_id_stay_two_cells(matrix, tmp_path):
    """The sample is added to all ids; an annotation that was called sample is kept beside the new one."""
    old = replace(matrix, annotations=matrix.annotations.assign(sample="x"))
    both = combine({"a": old, "b": old}, tmp_path / "both")
    assert both.cell_ids[[0, N_CELLS]].tolist() == [f"{matrix.cell_ids[0]}-a", f"{matrix.cell_ids[0]}-b"]
    assert both.annotations["sample"].unique().tolist() == ["a", "b"]
    assert both.annotations["sample-1"].unique().tolist() == ["x"]


def test_genes_agree_by_id_whatever_its_version(matrix):
    """Where all have ids and names share no more."""
    ids = np.array([f"ENSMUSG{n:011d}" for n in range(len(GENES))])
    one = replace(matrix, gene_ids=np.char.add(ids, ".1"))
    renamed = replace(matrix, gene_ids=ids[::-1].copy(), gene_names=np.array([f"other {n}" for n in range(len(GENES))]))
    found = shared_genes([one, renamed])
    assert found.by == "id"
    assert found.columns[1].tolist() == list(range(len(GENES)))[::-1]
    assert shared_genes([one, replace(matrix, gene_ids=None)]).by == "name"


def test_cells_left_without_counts_are_dropped(matrix, other, tmp_path):
    """Those whose molecules are all of genes that the others lack."""
    counts = matrix.counts.toarray()
    counts[5, 1:] = 0
    lonely = replace(matrix, counts=sparse.csr_matrix(counts))
    both = combine({"a": lonely, "b": other}, tmp_path / "both")
    assert matrix.cell_ids[5] not in both.cell_ids
    assert (len(both.annotations), both.n_cells) == (N_CELLS + 59, N_CELLS + 59)
    assert any("1 of 140 cells have no counts" in notice for notice in both.notices)


def test_what_does_not_belong_together_is_refused(matrix, tmp_path):
    """One alone, or another species; nothing is left on the disk."""
    with pytest.raises(CountsError, match="Choose two"):
        combine({"a": matrix}, tmp_path / "both")
    human = replace(matrix, gene_names=np.char.upper(matrix.gene_names))
    with pytest.raises(CountsError, match="only 0 genes in common, of 40"):
        combine({"a": matrix, "b": human}, tmp_path / "both")
    with pytest.raises(CountsError, match="unreadable"):
        combine({"a\n": matrix, "b": matrix}, tmp_path / "both")
    assert not list(tmp_path.iterdir())
