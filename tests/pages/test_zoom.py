"""Zooming into cells: a part of a data set becomes a child that says where it comes from, and Train opens on it."""

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from ldvae_core.data.synthetic import Planted, plant_programs
from ldvae_core.workspace.datasets import Datasets
from ldvae_core.workspace.derived import Take, make


@pytest.fixture
def parent(workspace):
    """The id of a data set of 160 cells of two types, with a score."""
    rng = np.random.default_rng(0)
    obs = pd.DataFrame({"kind": np.repeat(["T cell", "monocyte"], 80), "score": np.linspace(0, 1, 160)},
                       index=[f"cell{n}" for n in range(160)])  # fmt: skip
    var = pd.DataFrame(index=[f"Abc{n}" for n in range(60)])
    cells = anndata.AnnData(sparse.csr_matrix(rng.poisson(2, (160, 60)).astype(np.float32)), obs=obs, var=var)
    cells.write_h5ad(workspace.data_folder / "blood.h5ad")
    datasets = Datasets(workspace)
    return datasets.add_file(datasets.data_files()[0].file_id)


@pytest.fixture
def data_page(open_page, parent):
    return open_page("data.py", data=parent)


def in_use(at) -> str:
    return at.session_state["data"]


def test_a_type_becomes_a_child(data_page, parent, workspace, words):
    """It is in use, says which cells of which data set it holds, and leads back."""
    at = data_page
    assert at.button(key="zoom_now").disabled
    at.multiselect(key="zoom_levels kind").set_value(["monocyte"]).run()
    at.button(key="zoom_now").click().run()
    assert not at.exception
    card = Datasets(workspace).card(in_use(at))
    assert (card.n_cells, card.parent.dataset_id, card.parent.cells) == (80, parent, "kind is monocyte")
    assert "Zoomed in: blood.h5ad › kind is monocyte" in words(at)
    at.button(key="to_parent").click().run()
    assert in_use(at) == parent


def test_several_levels_and_ranges_are_taken(data_page, workspace, words):
    """A range of numbers takes both its ends; what is no part is not offered."""
    at = data_page
    at.multiselect(key="zoom_levels kind").set_value(["monocyte", "T cell"]).run()
    assert at.button(key="zoom_now").disabled
    assert "These are all of them." in words(at)
    at.selectbox(key="zoom_column").set_value("score").run()
    at.number_input(key="zoom_high score").set_value(0.5).run()
    at.button(key="zoom_now").click().run()
    assert Datasets(workspace).card(in_use(at)).n_cells == 80
    assert Datasets(workspace).card(in_use(at)).parent.cells == "score from 0.0 to 0.5"


def test_a_child_of_a_deleted_parent_says_so(open_page, parent, workspace, words):
    """What it was taken from is still named."""
    child = make(Datasets(workspace), Take(parent, "kind=monocyte")).dataset_id
    Datasets(workspace).delete(parent)
    at = open_page("data.py", data=child)
    assert "blood.h5ad › kind is monocyte" in words(at)
    assert "Its parent was deleted." in words(at)


def test_selected_cells_open_train_on_themselves(open_page, make_run, planted, workspace, words):
    """From a figure to the form, in one click."""
    counts = planted.counts
    cells = anndata.AnnData(counts.counts.astype(np.float32), obs=counts.annotations, var={"n": counts.gene_names})
    cells.write_h5ad(workspace.data_folder / "planted.h5ad")
    datasets = Datasets(workspace)
    source = datasets.add_file(datasets.data_files()[0].file_id)
    at = open_page("factors.py", run=make_run(data_source=source), region="readable.0.1!-9_-9~0_-9~0_9~-9_9")
    at.button(key="selection_zoom").click().run()
    assert not at.exception
    card = datasets.card(in_use(at))
    assert (card.parent.dataset_id, card.parent.cells[:31]) == (source, "drawn on Factor 1 and Factor 2 ")
    assert at.selectbox(key="train_data").value == card.dataset_id
    assert f"{card.n_cells:,} cells ×" in words(at)


def test_cells_of_a_file_elsewhere_are_not_taken(open_page, make_run):
    """The button says what to do instead."""
    at = open_page("factors.py", run=make_run(data_source="gone-1a2b3c4d"), region="readable.0.1!-9_-9~0_-9~0_9~-9_9")
    assert at.button(key="selection_zoom").disabled
    assert "Load its file on the Data page" in at.button(key="selection_zoom").help


def test_home_and_train_say_the_chain(open_page, make_run, parent, workspace, words):
    """A run on a child is said to be one, and the form on the child too."""
    child = make(Datasets(workspace), Take(parent, "kind=monocyte")).dataset_id
    run = make_run("child-1a2b3c4d", data_source=child, name="Monocytes")
    assert "zoomed in: blood.h5ad › kind is monocyte" in words(open_page("home.py"))
    assert "Zoomed in: blood.h5ad › kind is monocyte" in words(open_page("train.py", run=run))


def test_a_childs_programs_are_matched_with_the_parents(open_page, make_run, parent, workspace, words):
    """Compare ticks the parent's run by itself; different genes are said, and how many both model."""
    child = make(Datasets(workspace), Take(parent, "kind=monocyte")).dataset_id
    wide = plant_programs(n_cells=300, n_genes=150, n_factors=4, seed=1)
    narrow = Planted(wide.counts.subset(genes=np.arange(120)), wide.representation, wide.loadings[:120],
                     wide.intercept[:120], wide.inverse_dispersion[:120])  # fmt: skip
    make_run("parent-1a2b3c4d", data_source=parent, name="All cells", truth=wide)
    run = make_run("child-1a2b3c4d", data_source=child, name="Monocytes", truth=narrow)
    at = open_page("compare.py", run=run)
    assert not at.exception
    assert at.session_state["runs"].ticked == ["parent-1a2b3c4d", run]
    assert "matched on the <b>120 genes that both model</b>" in words(at)
    assert [box.value for box in at.selectbox if box.label in ("Programs of", "in")] == [run, "parent-1a2b3c4d"]
