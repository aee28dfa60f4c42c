"""Genes as people type and paste them."""

import numpy as np
import pytest

from ldvae_core.data.gene_lookup import MOST_ASKED, GeneIndex

NAMES = np.array(["Ttr", "Hba-x", "Apob", "GAPDH", "Gapdh", "odd, name"])
IDS = np.array([f"ENSMUSG0000000000{k}.{k}" for k in range(6)])


@pytest.fixture
def index():
    return GeneIndex.of(NAMES, IDS)


@pytest.mark.parametrize(
    ("text", "positions"),
    [
        ("ttr", [0]),
        ("APOB, hba-X", [2, 1]),
        ("Ttr;Apob\tHba-x\nTtr", [0, 2, 1]),
        ("'Ttr', \"Apob\"", [0, 2]),
        ("ENSMUSG00000000002", [2]),
        ("ensmusg00000000001.9", [1]),
        ("GAPDH", [3]),
        ("gapdh", [3, 4]),
        ("odd, name", [5]),
        ("", []),
    ],
    ids=["case", "comma", "mixed", "quotes", "id", "version", "exact", "both", "whole", "nothing"],
)
def test_a_gene_is_found_however_it_is_written(index, text, positions):
    """Case-blind, in the order asked for, each once; ids with another version or none; exact names first."""
    assert index.find(text).positions.tolist() == positions


def test_what_is_not_there_is_said_as_written(index):
    """Genes that were not modelled come back letter by letter."""
    found = index.find(["Pou5f1 Ttr", "ENSMUSG00000099999.1"])
    assert found.positions.tolist() == [0]
    assert found.missing == ("Pou5f1", "ENSMUSG00000099999.1")


def test_an_endless_list_is_cut_and_says_so(index):
    """No paste can keep the server busy."""
    found = index.find([f"g{k}" for k in range(MOST_ASKED + 1)])
    assert found.cut
    assert len(found.missing) == MOST_ASKED


def test_genes_without_ids_are_found_by_name():
    """Most text tables have no ids."""
    assert GeneIndex.of(NAMES).find("apob ENSMUSG00000000002") == (pytest.approx([2]), ("ENSMUSG00000000002",), False)
