"""Gene sets: what is shipped."""

import numpy as np
import pytest

from ldvae_core.data import genesets
from ldvae_core.data.genesets import as_mouse, collections, collections_for, load_collection, symbols_of
from ldvae_core.data.gmt import GeneSets
from ldvae_core.errors import SettingsError


def test_every_shipped_collection_names_its_source_and_licence():
    """Sets are data of others: each file says whose."""
    assert [found.key for found in collections()] == ["go_mouse", "go_human", "hallmark", "pathways"]
    assert all(found.source and found.licence for found in collections())
    assert all((genesets.FOLDER / found.file).is_file() for found in collections())


@pytest.mark.parametrize(
    ("key", "n_sets"), [("go_mouse", 6424), ("go_human", 5880), ("hallmark", 50), ("pathways", 1844)]
)
def test_a_shipped_collection_is_whole(key, n_sets):
    """As many sets as the source has lines, none left out."""
    found = load_collection(key)
    assert len(found.sets) == n_sets
    assert found.notices == ()


def test_human_collections_serve_mouse_by_orthologues():
    """Hallmark genes appear under their mouse names, and the collection says that it was translated."""
    found = load_collection("hallmark", "mouse")
    assert found.translated
    assert "Acaa2" in found.sets["HALLMARK_ADIPOGENESIS"]
    assert not load_collection("hallmark", "human").translated


def test_each_species_has_its_own_sets_first():
    """Mouse runs start with GO of mouse, human ones with GO of human; unknown ones see all."""
    assert [found.key for found in collections_for("mouse")] == ["go_mouse", "hallmark", "pathways"]
    assert [found.key for found in collections_for("human")] == ["go_human", "hallmark", "pathways"]
    assert len(collections_for(None)) == 4


def test_an_unknown_collection_is_refused_with_the_known_ones():
    """The message lists what there is."""
    with pytest.raises(SettingsError, match="There are: go_mouse, go_human, hallmark, pathways"):
        load_collection("kegg")


def test_orthologues_ignore_case_and_drop_genes_without_one():
    """HBZ is Hba-x in mouse; a gene without an orthologue is left out, and a set without genes too."""
    found = as_mouse(GeneSets("x", {"blood": ("hbz", "TTR", "NOSUCH1"), "none": ("NOSUCH1",)}))
    assert dict(found.sets) == {"blood": ("Hba-x", "Ttr")}


def test_ensembl_ids_become_symbols():
    """With or without version, mouse and human; other names stay."""
    names = np.array(["ENSMUSG00000061808.4", "ENSG00000118271", "Ttr", "ENSG99999999999"])
    assert symbols_of(names) == ["Ttr", "TTR", "Ttr", "ENSG99999999999"]
