"""Any gene of the data set, in the cells of a run: modelled or not, with an index or without."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.folder import load_counts, save_counts
from ldvae_core.data.store import CountsWriter
from ldvae_core.runs.all_genes import all_genes, counts_of_known, dataset_of, known_genes, reads_a_file
from ldvae_core.workspace.datasets import Datasets


@pytest.fixture
def whole(store, finished_run):
    """The cells of a run in another order, more cells, and three genes before those that were modelled."""
    modelled = store.open(finished_run).counts
    rng, n_cells = np.random.default_rng(0), modelled.n_cells
    more = sparse.csr_matrix(rng.poisson(1.0, (n_cells, 3)).astype(np.uint16))
    counts = sparse.hstack([more, modelled.counts], format="csr")
    order = rng.permutation(n_cells + 10)
    return CountMatrix(
        counts=sparse.vstack([counts, counts[:10]], format="csr")[order],
        cell_ids=np.concatenate([modelled.cell_ids, [f"other{k}" for k in range(10)]])[order],
        gene_names=np.array(["Xist", "Nanog", "Sox2", *modelled.gene_names]),
        gene_ids=None,
        annotations=pd.DataFrame(index=range(n_cells + 10)),
    )


@pytest.fixture(params=["index", "rows"])
def opened(request, store, finished_run, whole, workspace):
    """The run, said to be made of that data set, which has an index or is older."""
    folder = workspace.datasets / "mine"
    save_counts(whole, folder)
    if request.param == "index":
        writer = CountsWriter(folder, whole.n_genes, by_gene=True)
        writer.append(whole.counts.copy())
        writer.close()
    run = store.open(finished_run)
    return replace(run, settings=replace(run.settings, data_source="mine"))


def test_other_genes_come_after_the_modelled_ones(opened, workspace, whole):
    """Which keep their places; all genes of the data set are known."""
    known = known_genes(opened, all_genes(opened, workspace))
    n = opened.counts.n_genes
    assert known.names[:n].tolist() == opened.counts.gene_names.tolist()
    assert known.names[n:].tolist() == ["Xist", "Nanog", "Sox2"]
    assert (known.n_modelled, known.n_others) == (n, 3)
    assert (whole.gene_names[known.columns] == known.names).all()


def test_counts_of_any_gene_stand_in_the_order_of_the_run(opened, workspace, whole):
    """Cells that the run does not have are left out."""
    everything = all_genes(opened, workspace)
    known = known_genes(opened, everything)
    n = opened.counts.n_genes
    wanted = [n + 1, 2, n, 0, 2]
    found = counts_of_known(opened, everything, known, wanted)
    expected = whole.counts[everything.cells][:, known.columns[wanted]].toarray()
    assert np.array_equal(found.toarray(), expected)
    assert np.array_equal(found[:, [1]].toarray(), opened.counts.counts[:, [2]].toarray())
    assert found.has_sorted_indices


def test_without_the_data_set_only_modelled_genes_are_known(opened):
    """And their counts come from the run."""
    known = known_genes(opened, None)
    assert known.n_others == 0
    found = counts_of_known(opened, None, known, [3, 1])
    assert np.array_equal(found.toarray(), opened.counts.counts[:, [3, 1]].toarray())
    with pytest.raises(IndexError):
        counts_of_known(opened, None, known, [opened.counts.n_genes])


@pytest.fixture
def of_file(store, finished_run, tmp_path):
    """The run, said to be made by the command line from a file that is gone."""
    run = store.open(finished_run)
    return replace(run, settings=replace(run.settings, data_source=str(tmp_path / "gone" / "cells.h5ad")))


def keep(workspace, whole, name="cells.h5ad") -> str:
    """Put a data set into the workspace, as loading a file does."""
    datasets = Datasets(workspace)
    with datasets.scratch_folder() as scratch:
        save_counts(whole, scratch / "counts")
        return datasets.keep(load_counts(scratch / "counts"), name, scratch)


def test_a_run_of_a_file_knows_all_genes_once_the_file_is_loaded(of_file, whole, workspace):
    """The data set is found by its counts, whatever it is called."""
    noted = replace(of_file, data_fingerprint=whole.fingerprint)
    assert reads_a_file(noted, workspace)
    assert all_genes(noted, workspace) is None
    dataset_id = keep(workspace, whole, "renamed.csv")
    assert dataset_of(noted, workspace) == dataset_id
    assert not reads_a_file(noted, workspace)
    assert known_genes(noted, all_genes(noted, workspace)).n_others == 3


def test_an_older_run_of_a_file_looks_for_its_name(of_file, whole, workspace):
    """And believes no other counts of that name."""
    assert dataset_of(of_file, workspace) is None
    keep(workspace, whole)
    assert known_genes(of_file, all_genes(of_file, workspace)).n_others == 3
    other = replace(of_file, counts=replace(of_file.counts, counts=of_file.counts.counts * 2))
    assert all_genes(other, workspace) is None
