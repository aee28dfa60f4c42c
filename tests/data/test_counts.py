"""CountMatrix: what is checked, what is mended with a notice, what is refused."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from ldvae_core.data import counts as counts_module
from ldvae_core.data.counts import make_count_matrix, sum_by_cell, sum_by_gene
from ldvae_core.data.names import tidy_names
from ldvae_core.errors import CountsError

from .conftest import CELLS, GENES


def build(counts, **parts):
    return make_count_matrix(counts, **{"cell_ids": CELLS, "gene_names": GENES, **parts})


def test_counts_are_kept_exactly_and_small(matrix, molecules):
    """Whole numbers below 65,536 are stored as uint16, sorted, without zeros, and equal what was given."""
    assert matrix.counts.dtype == np.uint16
    assert matrix.counts.has_canonical_format
    assert matrix.counts.nnz == np.count_nonzero(molecules)
    assert np.array_equal(matrix.counts.toarray(), molecules)


def test_large_counts_take_32_bits(molecules):
    """A count of 70,000 does not fit 16 bits and is not cut."""
    molecules[3, 5] = 70_000
    assert build(molecules).counts[3, 5] == 70_000


@pytest.mark.parametrize("together", [1, 7, 1000])
def test_sums_are_the_same_in_pieces_of_any_size(together, monkeypatch):
    """Cells and genes without counts have 0, wherever a piece ends; no counts at all are no trouble."""
    monkeypatch.setattr(counts_module, "SUMMED_TOGETHER", together)
    dense = np.random.default_rng(0).poisson(0.4, (60, 9)).astype(np.uint16)
    dense[[0, 1, 30, 59]] = dense[:, 4] = 0
    for table in (dense, dense * 0):
        np.testing.assert_array_equal(sum_by_cell(sparse.csr_matrix(table)), table.sum(axis=1))
        np.testing.assert_array_equal(sum_by_gene(sparse.csr_matrix(table)), table.sum(axis=0))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.nan, "2 of {n} entries in X are not a number"),
        (np.inf, "2 of {n} entries in X are infinite"),
        (-np.inf, "2 of {n} entries in X are infinite"),
        (-1.0, "2 of {n} entries in X are negative"),
        (0.5, "2 of {n} entries in X are not whole numbers"),
        (2.0**40, "2 of {n} entries in X are larger than 4,294,967,295"),
    ],
    ids=["nan", "infinite", "minus_infinite", "negative", "fractional", "too_large"],
)
def test_entries_that_are_no_molecules_are_refused_with_their_number(molecules, value, words):
    """The message says the kind of fault, in how many entries and where."""
    molecules[[3, 4], 5] = value
    with pytest.raises(CountsError, match=words.format(n=f"{np.count_nonzero(molecules):,}")):
        build(molecules)


def test_all_problems_are_told_at_once(molecules):
    """A negative entry, a gene name too few and an unreadable cell name give three problems."""
    molecules[0, 0] = -1
    with pytest.raises(CountsError) as refusal:
        build(molecules, cell_ids=["a\x00b", *CELLS[1:]])
    assert len(refusal.value.problems) >= 2
    assert "control" in refusal.value.problems[0]
    assert "negative" in refusal.value.problems[1]


def test_lengths_that_disagree_are_refused(molecules):
    """Names must be as many as rows and columns."""
    with pytest.raises(CountsError, match="The matrix has 40 genes, but there are 39 gene names"):
        build(molecules, gene_names=GENES[1:])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (np.log1p, r"They look like log\(1 \+ counts\)"),
        (lambda x: np.log1p(x / x.sum(1, keepdims=True) * 1e4), "log-normalised .* total of 10,000"),
        (lambda x: x / x.sum(1, keepdims=True) * 1e4, r"normalised \(every cell adds up to 10,000\)"),
        (lambda x: x - x.mean(axis=0), "They look scaled or centred"),
    ],
    ids=["log1p", "log_normalised", "normalised", "scaled"],
)
def test_the_likely_normalisation_is_named(molecules, change, words):
    """A biologist learns what was done to the values, and that raw counts are asked for."""
    with pytest.raises(CountsError, match=words) as refusal:
        build(change(molecules))
    assert "raw counts" in refusal.value.remedy


def test_repeated_names_become_unique_with_a_notice(molecules):
    """Later copies get -1, -2, passing over names that exist; the notice names them."""
    names = ["Actb", "Actb", "Actb-1", "Actb", *GENES[4:]]
    built = build(molecules, gene_names=names)
    assert built.gene_names[:4].tolist() == ["Actb", "Actb-2", "Actb-1", "Actb-3"]
    assert "1 of 38 gene names repeat (Actb)" in built.notices[0]


def test_empty_cells_are_dropped_and_empty_genes_counted(molecules):
    """A cell without counts says nothing; genes without stay, so that the shape is that of the file."""
    molecules[:7] = 0
    molecules[:, 9] = 0
    built = build(molecules)
    assert built.counts.shape == (73, 40)
    assert built.cell_ids[0] == CELLS[7]
    assert built.notices == (
        "7 of 80 cells have no counts: dropped.",
        "1 of 40 genes have no counts in any cell: never modelled.",
    )


@pytest.mark.parametrize("shape", [(49, 40), (80, 19), (0, 0)], ids=["few_cells", "few_genes", "nothing"])
def test_too_small_data_are_refused(shape):
    """At least 50 cells and 20 genes with counts."""
    with pytest.raises(CountsError, match="are needed"):
        make_count_matrix(np.ones(shape), cell_ids=range(shape[0]), gene_names=range(shape[1]))


def test_names_longer_than_any_real_one_are_refused(molecules):
    """A name of a megabyte is refused by its beginning, not shown whole."""
    with pytest.raises(CountsError, match=r"longer than 200 characters \(the longest has 1,000,000\)") as refusal:
        build(molecules, gene_names=["A" * 1_000_000, *GENES[1:]])
    assert len(str(refusal.value)) < 1000


def test_the_callers_matrix_is_left_alone(molecules):
    """Sorting and summing happen on a copy."""
    given = sparse.coo_matrix(molecules).tocsr()
    given.indices[:2] = given.indices[:2][::-1]
    given.has_sorted_indices = False
    before = given.indices.copy(), given.data.copy()
    build(given)
    assert np.array_equal(before[0], given.indices)
    assert np.array_equal(before[1], given.data)


def test_repeated_entries_are_added_up(molecules):
    """Two entries for one cell and gene are one count, as the sparse formats define."""
    once = sparse.csr_matrix(molecules)
    twice = sparse.csr_matrix((np.repeat(once.data, 2), np.repeat(once.indices, 2), 2 * once.indptr), shape=once.shape)
    assert np.array_equal(build(twice).counts.toarray(), 2 * molecules)


def test_the_fingerprint_follows_counts_and_names_only(molecules, matrix):
    """Equal counts and names give equal fingerprints; a changed count or name does not; annotations do not matter."""
    assert build(molecules.astype(np.int64)).fingerprint == matrix.fingerprint
    assert build(molecules, gene_names=["Other", *GENES[1:]]).fingerprint != matrix.fingerprint
    molecules[0, 0] += 1
    assert build(molecules).fingerprint != matrix.fingerprint


def test_a_subset_keeps_all_parts_together(matrix):
    """Counts, names and annotations of chosen cells and genes, in the order asked for."""
    part = matrix.subset(cells=np.array([5, 2]), genes=np.array([3, 1]))
    assert np.array_equal(part.counts.toarray(), matrix.counts.toarray()[[5, 2]][:, [3, 1]])
    assert part.counts.has_sorted_indices
    assert part.cell_ids.tolist() == part.annotations.index.tolist() == [CELLS[5], CELLS[2]]
    assert part.gene_names.tolist() == ["Eef1a1", "Gapdh"]


def test_library_size_and_genes_per_cell_are_row_sums(matrix, molecules):
    """Molecules per cell, and genes seen in it."""
    assert np.array_equal(matrix.library_size, molecules.sum(axis=1))
    assert np.array_equal(matrix.genes_per_cell, (molecules > 0).sum(axis=1))
    assert matrix.nonzero_share == np.mean(molecules > 0)


def test_annotations_of_odd_kinds_do_not_stop_the_counts(molecules):
    """Mixed columns become text, lists are left out by name, missing values stay missing."""
    table = pd.DataFrame(
        {"mixed": [1, "a", None, *range(77)], "lists": [[n] for n in range(80)], "number": np.arange(80)}
    )
    built = build(molecules, annotations=table)
    assert built.annotations["mixed"].tolist()[:3] == ["1", "a", None]
    assert built.annotations["number"].dtype == np.int64
    assert "neither text nor numbers were left out: lists" in built.notices[0]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=12), min_size=60, max_size=60))
def test_any_names_give_unique_names_or_a_refusal(names):
    """Whatever the text, names end up unique, printable and as many; or the refusal says which are unreadable."""
    tidy, problems, _ = tidy_names(names, kind="cell")
    if all(name.isprintable() for name in names):
        assert len(set(tidy.tolist())) == 60
        assert all(name.isprintable() and name for name in tidy.tolist())
    else:
        assert "unreadable characters" in problems[0]
