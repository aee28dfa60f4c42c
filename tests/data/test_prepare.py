"""From loaded to modelled: filters, genes, and no cell without molecules."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ldvae_core.data.describe import describe
from ldvae_core.data.prepare import DataChoices, mitochondrial_share, outline, prepare
from ldvae_core.errors import SettingsError


def test_every_modelled_cell_has_molecules(matrix, molecules):
    """A cell whose only counts lie outside the chosen genes is left out with a notice."""
    counts = matrix.counts.tolil()
    counts[4] = 0
    counts[4, 7] = 1
    object.__setattr__(matrix, "counts", counts.tocsr())
    chosen = prepare(matrix, DataChoices(gene_selection="variance", n_genes=2, keep_genes=("Actb", "Gapdh")))
    assert chosen.n_cells == 79
    assert (chosen.library_size > 0).all()
    assert chosen.notices[-1] == "1 of 80 cells have no counts in these genes: left out."


def test_cell_filters_leave_out_what_fails_them(matrix, molecules):
    """Least counts, least genes and largest mitochondrial share, over all genes."""
    share = molecules[:, 6] / molecules.sum(axis=1)
    assert np.allclose(mitochondrial_share(matrix), share)
    choices = DataChoices(n_genes=20, min_counts=55, max_mitochondrial_share=0.05, gene_selection="variance")
    passing = (molecules.sum(axis=1) >= 55) & (share <= 0.05)
    assert prepare(matrix, choices).cell_ids.tolist() == matrix.cell_ids[passing].tolist()


def test_filters_that_leave_too_few_cells_are_refused(matrix):
    """The message has the number that would be left."""
    with pytest.raises(SettingsError, match="leave 0 of 80 cells; at least 50 are needed"):
        prepare(matrix, DataChoices(min_counts=10**6))


def test_more_genes_than_there_are_gives_all_with_a_notice(matrix):
    """Asking for 1,000 of 40 genes is no error."""
    modelled = prepare(matrix, DataChoices(n_genes=1000))
    assert modelled.n_genes == 40
    assert modelled.notices == ("1,000 genes were asked for; all 40 with counts are modelled.",)


def test_choices_survive_being_written_down():
    """to_dict and from_dict are inverse."""
    choices = DataChoices(n_genes=500, keep_genes=("Actb",), batch_column="lane", max_mitochondrial_share=0.2)
    assert DataChoices.from_dict(choices.to_dict()) == choices


def test_wrong_choices_are_told_all_at_once():
    """Three wrong numbers, three problems."""
    with pytest.raises(SettingsError) as refusal:
        DataChoices(gene_selection="best", n_genes=1, max_mitochondrial_share=20)
    assert len(refusal.value.problems) == 3


def test_choices_of_a_newer_version_are_named():
    """An unknown choice is not silently lost."""
    with pytest.raises(SettingsError, match="Unknown data choices: magic"):
        DataChoices.from_dict({"magic": 1})


def test_a_summary_has_what_the_data_page_shows(matrix):
    """Sizes, origin of the counts, roles and one value of quality per cell."""
    summary = describe(matrix)
    assert (summary.n_cells, summary.n_genes, summary.counts_from) == (80, 40, "X")
    assert summary.labels == ("cell_type",)
    assert summary.roles["cell_type"] == "cell_type"
    assert len(summary.library_size) == len(summary.genes_per_cell) == len(summary.mitochondrial_share) == 80


def test_cells_keep_the_molecules_of_all_their_genes(matrix, molecules):
    """Those of genes that are dropped or not chosen too; filtered cells are gone."""
    choices = DataChoices(gene_selection="variance", n_genes=10, drop_mitochondrial=True, min_counts=55)
    modelled = prepare(matrix, choices)
    whole = molecules.sum(axis=1)
    np.testing.assert_array_equal(modelled.molecules, whole[whole >= 55])
    assert (modelled.library_size < modelled.molecules).any()


def test_counts_that_no_cell_holds_are_refused_by_gene(matrix):
    """Four thousand million molecules of a gene ended in a traceback of the training."""
    counts = matrix.counts.astype(np.uint32)
    counts.data[0] = 4_000_000_000
    with pytest.raises(
        SettingsError, match=rf"4,000,000,000 molecules of one gene.*{matrix.gene_names[counts.indices[0]]}"
    ):
        prepare(replace(matrix, counts=counts), DataChoices(n_genes=40, gene_selection="variance"))


def test_cells_without_a_batch_are_a_level_that_is_said(matrix):
    """Missing values of the batch column make a batch of their own, with a notice."""
    lane = pd.Series(["a", "b", None, "b"] * 20, index=matrix.annotations.index, dtype=object)
    with_lane = replace(matrix, annotations=matrix.annotations.assign(lane=lane))
    modelled = prepare(with_lane, DataChoices(n_genes=20, batch_column="lane"))
    assert "20 cells have no value of 'lane': taken as a level of its own." in modelled.notices


def test_a_batch_column_that_is_not_used_asks_for_nothing(matrix):
    """Highest variance ranks over all cells, whatever a batch column of the settings is called."""
    choices = DataChoices(n_genes=20, batch_column="gone", gene_selection="variance")
    assert prepare(matrix, choices).n_genes == 20


@pytest.mark.parametrize("least", [0, 20])
def test_an_outline_says_what_would_be_modelled(matrix, least):
    """The same genes, molecules and cells as the prepared counts, without holding them."""
    choices = DataChoices(n_genes=12, min_genes=least)
    found, whole = outline(matrix, choices), prepare(matrix, choices)
    assert matrix.gene_names[found.genes].tolist() == whole.gene_names.tolist()
    assert np.array_equal(found.molecules, np.asarray(whole.counts.sum(axis=0), dtype=float).ravel())
    assert np.array_equal(found.cells, np.bincount(whole.counts.indices, minlength=12))
    assert found.n_cells == whole.n_cells
