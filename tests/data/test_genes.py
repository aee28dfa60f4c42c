"""Choosing genes, and what names and columns tell about themselves."""

import anndata
import numpy as np
import pandas as pd
import pytest

from ldvae_core.data.annotations import label_columns
from ldvae_core.data.genes import guess_roles, guess_species, mitochondrial_mask, ribosomal_mask, select_genes
from ldvae_core.data.histogram import GeneHistogram
from ldvae_core.data.seurat import normalised_variance, rank_genes
from ldvae_core.data.synthetic import plant_programs
from ldvae_core.errors import SettingsError


@pytest.fixture(scope="module")
def cells():
    return plant_programs(n_cells=600, n_genes=400, depth=600, seed=1).counts


def judged(cells, **settings):
    """scanpy's table of genes for 120 wanted ones."""
    scanpy = pytest.importorskip("scanpy")
    judge = anndata.AnnData(cells.counts.astype(np.float32), obs=cells.annotations.copy())
    settings = {"flavor": "seurat_v3", "n_top_genes": 120, "inplace": False, "check_values": False, **settings}
    return scanpy.pp.highly_variable_genes(judge, **settings)


def test_seurat_v3_agrees_with_scanpy(cells):
    """The same genes as scanpy's highly_variable_genes(flavor="seurat_v3")."""
    assert select_genes(cells, n_genes=120).tolist() == np.flatnonzero(judged(cells)["highly_variable"]).tolist()


def test_seurat_v3_over_batches_agrees_with_scanpy(cells):
    """Every batch's variances are scanpy's of that batch alone, and its genes are among ours but for a few.

    Not all: over batches, versions of scanpy differ from what they say of a batch alone by up to a tenth, although the
    variances they start from agree to 1e-14; the genes at the last places then change.
    """
    cells.annotations["lane"] = np.array(["a", "b", "c"])[np.arange(cells.n_cells) % 3]
    for lane in "abc":
        part = cells.subset(np.flatnonzero(cells.annotations["lane"].to_numpy() == lane))
        np.testing.assert_allclose(
            normalised_variance(GeneHistogram.of([part.counts], part.n_genes)),
            judged(part)["variances_norm"],
            rtol=1e-9,
        )
    theirs = np.flatnonzero(judged(cells, batch_key="lane")["highly_variable"])
    assert np.isin(theirs, select_genes(cells, n_genes=120, batch_column="lane")).sum() >= 116


def test_genes_are_placed_by_their_median_rank_over_batches():
    """Among the first three in both batches, in one, in none; between equals more batches come first."""
    first, second = np.array([9.0, 8, 7, 1, 0]), np.array([6.0, 9, 1, 8, 0])
    # ranks: gene 0 has 0 and 2, gene 1 has 1 and 0, gene 2 has 2, gene 3 has 1; medians 1, 0.5, 2, 1
    assert rank_genes([first, second], 3).tolist() == [1, 0, 3, 2, 4]


def test_variance_takes_the_highest_variance_of_raw_counts(cells):
    """As in the paper's notebooks: the variance of raw counts, nothing else."""
    variance = cells.counts.toarray().var(axis=0)
    assert select_genes(cells, method="variance", n_genes=50).tolist() == sorted(np.argsort(-variance)[:50])


def test_kept_genes_are_always_in(cells):
    """Genes asked for by name count among n_genes, whatever their variance and the case of their letters."""
    last = np.argsort(-cells.counts.toarray().var(axis=0))[-2:]
    names = cells.gene_names[last]
    chosen = select_genes(cells, method="variance", n_genes=10, keep=(names[0], names[1].upper()))
    assert len(chosen) == 10
    assert set(last) <= set(chosen.tolist())


def test_unknown_kept_genes_are_named(cells):
    """A misspelt gene stops the selection and is said."""
    with pytest.raises(SettingsError, match="1 of 2 genes to keep are not in the data: Hbbx"):
        select_genes(cells, keep=("Gene001", "Hbbx"))


def test_all_genes_are_taken_when_more_are_asked_for(cells):
    """A number above what there is takes all."""
    assert select_genes(cells, n_genes=5000).tolist() == list(range(cells.n_genes))


def test_dropped_kinds_are_never_chosen(matrix):
    """Mitochondrial and ribosomal genes leave when asked, unless they are kept by name."""
    chosen = select_genes(matrix, method="variance", n_genes=30, drop_mitochondrial=True, drop_ribosomal=True)
    assert not {"mt-Co1", "Rps2"} & set(matrix.gene_names[chosen])
    kept = select_genes(matrix, method="variance", n_genes=30, drop_mitochondrial=True, keep=("mt-Co1",))
    assert "mt-Co1" in matrix.gene_names[kept]


def test_seurat_v3_on_few_cells_is_quiet_and_answers(matrix, recwarn, capfd):
    """80 cells, 40 genes: a wider fit serves, and no library message reaches the screen."""
    assert len(select_genes(matrix, n_genes=20)) == 20
    assert not recwarn.list
    assert capfd.readouterr() == ("", "")


def test_a_batch_too_small_for_a_trend_offers_variance(matrix):
    """Two cells in a batch: the message says what to choose instead."""
    matrix.annotations["lane"] = ["lonely"] * 2 + ["full"] * 78
    with pytest.raises(SettingsError, match=r"lonely \(2\).*gene selection 'variance'"):
        select_genes(matrix, n_genes=20, batch_column="lane")


def test_an_unknown_batch_column_lists_the_known_ones(matrix):
    """The message shows what can be chosen."""
    with pytest.raises(SettingsError, match="'plate' is not in the data, which has: cell_type, depth"):
        select_genes(matrix, n_genes=20, batch_column="plate")


def test_mitochondrial_and_ribosomal_genes_of_both_species_are_known():
    """Mouse and human symbols; kinases and nuclear genes of mitochondrial ribosomes are not among them."""
    names = np.array(["mt-Co1", "MT-ND1", "Mtor", "Rps2", "RPLP0", "RPSA", "Rpl13a-ps1", "RPS6KA1", "Mrpl3", "RPS4Y1"])
    assert names[mitochondrial_mask(names)].tolist() == ["mt-Co1", "MT-ND1"]
    assert names[ribosomal_mask(names)].tolist() == ["Rps2", "RPLP0", "RPSA", "Rpl13a-ps1", "RPS4Y1"]


def test_roles_are_guessed_from_names_and_values():
    """Well-known names win; numbers, identifiers and single-valued columns are never roles."""
    n = 300
    table = pd.DataFrame(
        {
            "celltype": ["a", "b", "c"] * 100,
            "Donor.ID": ["p1", "p2"] * 150,
            "sample": ["s"] * n,
            "stim": ["ctrl", "ifn"] * 150,
            "n_counts": np.arange(n),
            "barcode": [f"c{k}" for k in range(n)],
        }
    )
    assert guess_roles(table) == {"cell_type": "celltype", "donor": "Donor.ID", "batch": None, "condition": "stim"}


def test_a_column_with_too_many_values_is_an_identifier():
    """More than 100 values on 20,000 cells cannot colour a figure; 60 can."""
    table = pd.DataFrame(
        {"clone": [f"k{n % 101}" for n in range(20_000)], "type": [f"t{n % 60}" for n in range(20_000)]}
    )
    assert label_columns(table) == ("type",)


@pytest.mark.parametrize(
    ("names", "species"),
    [
        (["Gapdh", "Actb", "Hbb-y", "Rps2"] * 5, "mouse"),
        (["GAPDH", "ACTB", "HBB", "RPS2", "C1orf112"] * 5, "human"),
        (["ENSMUSG00000025902"] * 5, "mouse"),
        (["ENSG00000237683"] * 5, "human"),
        (["x1", "y2"] * 10, None),
    ],
    ids=["mouse_symbols", "human_symbols", "mouse_ids", "human_ids", "neither"],
)
def test_species_is_guessed_from_names(names, species):
    """Ensembl prefixes decide, else the case of the symbols; else nothing is claimed."""
    assert guess_species(np.array(names)) == species
