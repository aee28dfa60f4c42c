"""Genes as people type and paste them."""

import numpy as np
import pytest

from ldvae_core.data.gene_aliases import ALIASES, bare
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
    assert GeneIndex.of(NAMES).find("apob ENSMUSG00000000002") == (
        pytest.approx([2]),
        ("ENSMUSG00000000002",),
        False,
        (),
    )


@pytest.mark.parametrize(
    ("text", "positions"),
    [("Hba.x", [1]), ("hbax", [1]), ("CD20", [6]), ("pd-l1", [7]), ("PDL1", [7]), ("IFN-γ", [8]), ("CD-45", [])],
    ids=["R", "bare", "protein", "case", "punctuation", "greek", "not here"],
)
def test_a_gene_is_found_by_what_it_is_called_at_the_bench(text, positions):
    """In any punctuation, and by the name of its protein; that it has another name here is said."""
    found = GeneIndex.of(np.array([*NAMES, "MS4A1", "Cd274", "IFNG"])).find(text)
    assert found.positions.tolist() == positions
    assert found.renamed == tuple((text, place) for place in positions)


def test_a_gene_that_is_itself_written_so_comes_before_a_protein_of_that_name():
    """A file of antibodies has CD20."""
    found = GeneIndex.of(np.array(["MS4A1", "cd20"])).find("CD20")
    assert (found.positions.tolist(), found.renamed) == ([1], ())


def test_genes_that_differ_only_in_punctuation_are_not_guessed_at():
    """Of A-1.1 and A-11, which is A11?"""
    assert GeneIndex.of(np.array(["A-1.1", "A-11"])).find("A11").missing == ("A11",)


def test_all_genes_that_begin_alike_are_found(index):
    """By name or id in any case; one letter would be everything."""
    assert index.begin_with("GAP") == [3, 4]
    assert index.begin_with("ensmusg0000000000") == [0, 1, 2, 3, 4, 5]
    assert index.begin_with("g") == []


@pytest.mark.parametrize(("written", "symbols"), ALIASES.items(), ids=list(ALIASES))
def test_another_name_leads_to_symbols(written, symbols):
    """Of a protein: letters and digits alone, to one to four symbols, none of which is written so itself."""
    assert written == bare(written)
    assert 1 <= len(symbols) <= 4
    assert written not in [bare(symbol) for symbol in symbols]
