"""Groups of a run's cells: read from words, found in the data set, and what they were chosen by."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ldvae_core.data.folder import save_counts
from ldvae_core.errors import SettingsError
from ldvae_core.runs.all_genes import all_genes
from ldvae_core.runs.groups import (
    Level,
    basis_sentence,
    cells_at,
    chosen_factors,
    factors_of_plane,
    measured,
    read_level,
    share_sentence,
)
from ldvae_core.runs.opened import with_additions


@pytest.fixture
def opened(store, finished_run):
    """A finished run of small counts."""
    return store.open(finished_run)


@pytest.fixture
def from_data_set(opened, workspace):
    """The same, made of a data set of the workspace that has its cells in another order."""
    rng = np.random.default_rng(0)
    save_counts(opened.counts.subset(cells=rng.permutation(opened.counts.n_cells)), workspace.datasets / "mine")
    return replace(opened, settings=replace(opened.settings, data_source="mine"))


def annotated(opened, **columns):
    counts = replace(opened.counts, annotations=opened.counts.annotations.assign(**columns))
    return replace(opened, counts=counts)


def test_a_group_is_split_at_the_first_equals_sign_behind_an_annotation(opened):
    """Annotations and values may hold equals signs of their own."""
    n = opened.counts.n_cells
    odd = annotated(opened, **{"a=b": pd.Categorical(["x=y"] * 10 + ["z"] * (n - 10))})
    assert read_level(odd, "a=b=x=y") == Level("a=b", "x=y")
    assert cells_at(odd, Level("a=b", "x=y")).sum() == 10
    assert read_level(odd, "cell_type=blood") == Level("cell_type", "blood")


def test_values_are_compared_as_text(opened):
    """Numbers too."""
    n = opened.counts.n_cells
    numbered = annotated(opened, day=np.arange(n) % 3)
    assert cells_at(numbered, read_level(numbered, "day=2")).sum() == (np.arange(n) % 3 == 2).sum()


@pytest.mark.parametrize(
    ("text", "said"), [("cell_type=bone", "It has blood, gut"), ("sex=f", "cell_type"), ("f", "COLUMN=")]
)
def test_what_is_no_group_is_refused_with_what_there_is(opened, text, said):
    """Annotations, or values."""
    with pytest.raises(SettingsError, match=said):
        read_level(opened, text)


def test_cells_are_found_in_the_data_set_by_id(from_data_set, workspace):
    """Whatever their order there."""
    found = all_genes(from_data_set, workspace)
    assert (found.counts.cell_ids[found.cells] == from_data_set.counts.cell_ids).all()
    assert basis_sentence(from_data_set, found).startswith("All ")


def test_other_data_under_the_same_name_is_not_taken(from_data_set, workspace):
    """Counts that are not the run's, a cell that is gone, or no data set at all: the modelled genes are left."""
    counts = from_data_set.counts
    other = replace(from_data_set, counts=replace(counts, counts=(counts.counts * 2).tocsr()))
    assert all_genes(other, workspace) is None
    renamed = replace(from_data_set, counts=replace(counts, cell_ids=np.array([f"x{c}" for c in counts.cell_ids])))
    assert all_genes(renamed, workspace) is None
    gone = replace(from_data_set, settings=replace(from_data_set.settings, data_source="nowhere"))
    assert all_genes(gone, workspace) is None
    assert "only the" in basis_sentence(gone, None)


def test_older_runs_fall_back_to_the_modelled_genes_and_say_so(from_data_set):
    """Without a whole library in the folder."""
    assert from_data_set.counts.whole_library is None
    np.testing.assert_array_equal(measured(from_data_set, None).library_size, from_data_set.counts.library_size)
    assert "made before whole libraries were kept" in share_sentence(from_data_set)
    newer = replace(
        from_data_set, counts=replace(from_data_set.counts, whole_library=np.full(from_data_set.counts.n_cells, 9e3))
    )
    assert measured(newer, None).library_size[0] == 9e3
    assert "all molecules of a cell" in share_sentence(newer)


def test_a_selection_knows_the_axes_it_was_drawn_on(opened, store):
    """Those two; on other axes, on the map, or where it was not noted, all of them."""
    kept = store.additions(opened.run_id)
    for name, view in (
        ("pair", "A and B: plane=readable.0.1t&view=All"),
        ("old", "A and B: view=All"),
        ("map", "the map: plane=map&x=1"),
    ):
        kept.save_selection(name, np.arange(opened.counts.n_cells) < 20, who="", view=view, taken=[])
    shown = with_additions(opened, kept)
    factors = shown.factors["readable"]
    everything = tuple(range(factors.n_factors))
    assert chosen_factors(shown, factors, ["pair", None]) == (0, 1)
    assert chosen_factors(shown, shown.factors["as_trained"], ["pair"]) == everything
    assert chosen_factors(shown, factors, ["old"]) == chosen_factors(shown, factors, ["map"]) == everything
    assert chosen_factors(shown, factors, ["cell_type"]) == ()


@pytest.mark.parametrize(
    "plane", ["", "map", "readable", "readable.x.1", "readable.0.99", "readable.0.", "as_trained.0.1"]
)
def test_a_plane_that_is_not_known_is_all_factors(opened, plane):
    """Whoever wrote it."""
    factors = opened.factors["readable"]
    assert factors_of_plane(factors, plane) == tuple(range(factors.n_factors))
