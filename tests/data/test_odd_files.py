"""Files that are not what their names or their sides say: read as they are, or refused in the right words."""

import gzip
import zipfile

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from ldvae_core.data.orient import by_what_is_said
from ldvae_core.errors import CountsError


@pytest.fixture
def counts():
    """120 cells by 80 genes, whose totals differ as those of real genes do."""
    rng = np.random.default_rng(0)
    return rng.poisson(np.exp(rng.normal(0, 1.8, 80)) * rng.lognormal(0, 0.3, (120, 1)))


def as_text(counts, *, ends="\n") -> bytes:
    rows = [["cell", *(f"Abc{gene}" for gene in range(counts.shape[1]))]]
    rows += [[f"c{cell}", *map(str, values)] for cell, values in enumerate(counts)]
    return (ends.join(",".join(row) for row in rows) + ends).encode()


def unnamed(counts, path, *, obs=None, var=None, form=sparse.csr_matrix):
    """As AnnData whose names tell nothing."""
    rows, columns = (
        pd.DataFrame(side or {}, index=[f"{letter}x{n}" for n in range(length)])
        for side, letter, length in zip((obs, var), "ab", counts.shape, strict=True)
    )
    anndata.AnnData(form(counts.astype(np.float32)), obs=rows, var=columns).write_h5ad(path)
    return path


@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csc_matrix, np.asarray])
def test_sides_are_told_by_their_totals(counts, tmp_path, read_here, form):
    """Whatever the order in which the counts are stored; the usual order stays."""
    turned = read_here(unnamed(counts.T, tmp_path / "turned.h5ad", form=form))
    assert np.array_equal(turned.counts.toarray(), counts)
    assert any("told by their totals" in notice and "read it with genes in the columns" in notice
               for notice in turned.notices)  # fmt: skip
    usual = read_here(unnamed(counts, tmp_path / "usual.h5ad", form=form))
    assert np.array_equal(usual.counts.toarray(), counts)
    assert not any("turned around" in notice for notice in usual.notices)


def test_totals_that_spread_alike_turn_nothing(tmp_path, read_here):
    """In doubt the sides are where the format has them, and people can say otherwise."""
    flat = np.random.default_rng(0).poisson(3, (100, 60))
    assert read_here(unnamed(flat, tmp_path / "flat.h5ad")).counts.shape == (100, 60)
    assert read_here(tmp_path / "flat.h5ad", genes_in="rows").counts.shape == (60, 100)


def test_sides_are_told_by_what_is_said_of_them(tmp_path, read_here):
    """Columns beside them that only genes have, or only cells; it counts more than totals."""
    flat = np.random.default_rng(0).poisson(3, (100, 60))
    gene, cell = {"highly_variable": [True] * 100}, {"leiden": ["1"] * 60}
    found = read_here(unnamed(flat, tmp_path / "said.h5ad", obs=gene, var=cell))
    assert found.counts.shape == (60, 100)
    assert any("told by what is said of them" in notice for notice in found.notices)
    assert by_what_is_said(["leiden"], ["gene_ids"]) is False
    assert by_what_is_said(["leiden", "gene_ids"], []) is None
    assert by_what_is_said(["anything"], []) is None


@pytest.mark.parametrize("name", ["cells.csv.gz", "cells.csv", "cells.h5ad.gz"])
def test_a_zip_under_another_name_is_read(counts, tmp_path, read_here, name):
    """By its first bytes."""
    with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cells.csv", as_text(counts))
    assert np.array_equal(read_here(tmp_path / name).counts.toarray(), counts)


def test_a_spreadsheet_under_another_name_is_called_one(tmp_path, read_here):
    """With the way out."""
    with zipfile.ZipFile(tmp_path / "cells.csv", "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
    with pytest.raises(CountsError, match=r"is a spreadsheet, whatever.*save the sheet as CSV"):
        read_here(tmp_path / "cells.csv")


@pytest.mark.parametrize("ends", ["\r\r\n", "\r\n", "\r"])
def test_lines_may_end_oddly(counts, tmp_path, read_here, ends):
    """CR CR LF is what two programs make that both write for Windows."""
    (tmp_path / "cells.csv").write_bytes(as_text(counts, ends=ends))
    (tmp_path / "cells.csv.gz").write_bytes(gzip.compress(as_text(counts, ends=ends)))
    for name in ("cells.csv", "cells.csv.gz"):
        assert np.array_equal(read_here(tmp_path / name).counts.toarray(), counts)


def test_annotations_beyond_the_first_thousand_are_named(counts, tmp_path, read_here, monkeypatch):
    """As too many, not as unreadable."""
    monkeypatch.setattr("ldvae_core.data.h5ad.MOST_COLUMNS", 3)
    found = read_here(unnamed(counts, tmp_path / "many.h5ad", obs={f"score {n}": np.arange(120.0) for n in range(5)}))
    assert found.annotations.columns.tolist() == ["score 0", "score 1", "score 2"]
    assert "Annotation columns beyond the first 3 were left out: score 3, score 4." in found.notices
    assert "3 annotations, 2 left out (too many)" in found.reading.sentence
