"""Gene sets: what is shipped, and files of strangers."""

import gzip

import numpy as np
import pytest

from ldvae_core.data import genesets
from ldvae_core.data.genesets import (
    GeneSets,
    as_mouse,
    collections,
    collections_for,
    load_collection,
    read_gmt,
    symbols_of,
    write_gmt,
)
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


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["text", "gzip"])
def test_a_gmt_file_is_read(pack):
    """Name, description, genes; each gene once, weights after a comma dropped, Windows line ends accepted."""
    found = read_gmt(pack(b"A\tabout\tTtr\tApob,1.0\tTtr\r\n\r\nB set\t\tGata1\n"), "mine.gmt")
    assert dict(found.sets) == {"A": ("Ttr", "Apob"), "B set": ("Gata1",)}
    assert found.notices == ()


def test_bad_lines_are_named_and_left_out():
    """A sentence for each kind of fault, with the numbers of its lines."""
    found = read_gmt(b"A\tx\tTtr\nA\tx\tApob\nonly a name\nB\tx\n\tx\tTtr\n", "mine.gmt")
    assert list(found.sets) == ["A"]
    assert found.notices == (
        "1 line was left out (a name that stands above already): 2.",
        "2 lines were left out (fewer than three columns): 3, 4.",
        "1 line was left out (no name, or one longer than 200 characters): 5.",
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xfe\x00", "is not text"),
        (b"A\0B\tx\tTtr", "is not text"),
        (b"\x1f\x8bnonsense", "is a damaged gzip file"),
        (b"just words\n", "holds no gene set"),
        (b"", "holds no gene set"),
    ],
    ids=["utf16", "nul", "gzip", "words", "empty"],
)
def test_what_is_no_gmt_file_is_refused(content, words):
    """In words, with what to do."""
    with pytest.raises(SettingsError, match=words):
        read_gmt(content, "mine.gmt")


def test_a_small_file_cannot_unpack_to_a_large_one(monkeypatch):
    """Unpacking stops at the limit."""
    monkeypatch.setattr(genesets, "LARGEST_TEXT", 1 << 20)
    with pytest.raises(SettingsError, match="unpacks to more than 1 MB"):
        read_gmt(gzip.compress(b"A" * (50 << 20)), "bomb.gmt.gz")


def test_sets_survive_being_kept():
    """What is written reads back the same, digest and all; another gene makes another digest."""
    found = read_gmt(b"A\tx\tTtr\tApob\n", "mine.gmt")
    assert read_gmt(write_gmt(found), "mine.gmt").digest == found.digest
    assert read_gmt(b"A\tx\tTtr\n", "mine.gmt").digest != found.digest
