"""Some of the cells alone: by a level of an annotation, or by a file of names."""

from dataclasses import replace

import numpy as np
import pytest

from ldvae_core.data.chosen_cells import chosen_cells
from ldvae_core.data.prepare import DataChoices, prepare
from ldvae_core.data.synthetic import plant_programs
from ldvae_core.errors import SettingsError


@pytest.fixture(name="matrix", scope="module")
def _matrix():
    """300 cells of some types; one annotation has a "=" in its name and a missing value."""
    counts = plant_programs(n_cells=300, n_genes=60, n_factors=3, seed=0).counts
    odd = [None, *("a=b" if cell % 2 else "c" for cell in range(counts.n_cells - 1))]
    return replace(counts, annotations=counts.annotations.assign(**{"dose=high": odd}))


def test_a_level_is_chosen(matrix):
    """Exactly its cells, and genes are chosen among them."""
    kind = matrix.annotations["cell_type"].iloc[0]
    cells, words = chosen_cells(matrix, f"cell_type={kind}")
    assert (cells == (matrix.annotations["cell_type"] == kind).to_numpy()).all()
    assert words == f"cell_type is {kind}"
    found = prepare(matrix, DataChoices(n_genes=20, gene_selection="variance", cells=f"cell_type={kind}"))
    assert set(found.annotations["cell_type"]) == {kind}
    assert any(f"{int(cells.sum())} of {matrix.n_cells} cells were chosen" in notice for notice in found.notices)


def test_names_may_hold_the_sign(matrix):
    """The first sign after which an annotation's name ends is the one."""
    assert chosen_cells(matrix, "dose=high=a=b")[0].sum() == (matrix.annotations["dose=high"] == "a=b").sum()


@pytest.mark.parametrize(
    ("chosen", "words"),
    [("nothing", "names no annotation"), ("tissue=skin", "names no annotation"),
     ("cell_type=skin", "has no level 'skin'"), ("@/no/such/list", "cannot be read")],
)  # fmt: skip
def test_what_cannot_be_chosen_is_said(matrix, chosen, words):
    """With what there is instead."""
    with pytest.raises(SettingsError, match=words):
        chosen_cells(matrix, chosen)


def test_cells_named_in_a_file_are_chosen(matrix, tmp_path):
    """In any order, in quotes or not, with an empty line; names that are no cells are counted."""
    path = tmp_path / "cells.txt"
    path.write_text(f'"{matrix.cell_ids[5]}"\n{matrix.cell_ids[2]}\r\n\nnobody\n', encoding="utf-8-sig")
    cells, words = chosen_cells(matrix, f"@{path}")
    assert np.flatnonzero(cells).tolist() == [2, 5]
    assert words == "listed in cells.txt, of which 1 are no cells of the data"


@pytest.mark.parametrize("content", [b"", b"nobody\n", b"\xff\xfe\x00"])
def test_a_file_without_cells_is_refused(matrix, tmp_path, content):
    """Nothing is trained on all cells by mistake."""
    (tmp_path / "cells.txt").write_bytes(content)
    with pytest.raises(SettingsError):
        chosen_cells(matrix, f"@{tmp_path / 'cells.txt'}")


def test_too_few_cells_are_refused(matrix, tmp_path):
    """As with any other filter."""
    (tmp_path / "cells.txt").write_text("\n".join(matrix.cell_ids[:10]))
    with pytest.raises(SettingsError, match="10 of"):
        prepare(matrix, DataChoices(n_genes=20, cells=f"@{tmp_path / 'cells.txt'}"))


def test_a_range_of_numbers_is_chosen(matrix):
    """Both ends are in; a level of that name comes first, and words have no range."""
    depth = np.arange(matrix.n_cells) / 10
    ranged = replace(matrix, annotations=matrix.annotations.assign(depth=depth, odd=["1..2"] * matrix.n_cells))
    cells, words = chosen_cells(ranged, "depth=1..2.5")
    assert cells.tolist() == ((depth >= 1) & (depth <= 2.5)).tolist()
    assert words == "depth from 1 to 2.5"
    assert chosen_cells(ranged, "odd=1..2")[0].all()
    with pytest.raises(SettingsError, match="no level"):
        chosen_cells(ranged, "cell_type=1..2")
