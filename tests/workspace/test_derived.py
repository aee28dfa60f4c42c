"""Data sets made of others: everything comes in whole or not at all, and what they were made of stays."""

import anndata
import numpy as np
import pandas as pd
import pytest

from ldvae_core.errors import CountsError, RunError, SettingsError
from ldvae_core.workspace.datasets import Datasets
from ldvae_core.workspace.derived import Combine, Join, Rename, Take, make, recipe_from_dict, recipe_to_dict

from .test_datasets import read_small


@pytest.fixture(name="datasets")
def _datasets(workspace) -> Datasets:
    return Datasets(workspace, read=read_small)


@pytest.fixture(name="first")
def _first(datasets):
    """The id of a small data set."""
    return datasets.add_upload("cells.csv", b"12")


def join(datasets, dataset_id, name, content) -> str:
    return make(datasets, Join(dataset_id, datasets.keep_upload(name, content))).dataset_id


def moods_of(cells) -> bytes:
    return ("cell,mood\n" + "".join(f"{cell},{'good' if cell[-1] < '5' else 'bad'}\n" for cell in cells)).encode()


def test_annotations_of_a_table_make_another_data_set(datasets, first):
    """Named after both; the same table twice is the same data set; the first one stays as it was."""
    table = moods_of(datasets.open(first).cell_ids)
    second = join(datasets, first, "moods.csv", table)
    assert datasets.card(second).name == "cells.csv with moods"
    assert datasets.open(second).annotations["mood"].nunique() == 2
    assert "mood" not in datasets.open(first).annotations
    assert datasets.card(second).fingerprint == datasets.card(first).fingerprint
    assert any("Joined from moods.csv: mood" in notice for notice in datasets.card(second).notices)
    assert join(datasets, first, "moods.csv", table) == second


def test_a_table_that_fits_no_cell_leaves_nothing(datasets, workspace, first):
    """The data sets are those that were there, and the table is not kept either."""
    with pytest.raises(CountsError, match="No column of moods"):
        join(datasets, first, "moods.csv", b"cell,mood\nnobody,bad\nnor this,good\n")
    assert [card.dataset_id for card in datasets.list()] == ["demo", first]
    assert not list(workspace.uploads.iterdir())


def test_annotations_join_the_demo_too(datasets):
    """Which has no folder of its own."""
    cells = datasets.open("demo").cell_ids[:3]
    table = "cell\tmood\n" + "".join(f"{cell}\tgood\n" for cell in cells)
    joined = datasets.open(join(datasets, "demo", "moods.tsv", table.encode()))
    assert joined.annotations["mood"].notna().sum() == 3


def test_data_sets_become_one(datasets, first):
    """A sample each, under a name made of theirs; both stay."""
    second = datasets.add_upload("day 8.csv", b"111")
    both, said = make(datasets, Combine({"day 7": first, "day 8": second}))
    assert datasets.card(both).name == "day 7 + day 8"
    assert datasets.open(both).annotations["sample"].nunique() == 2
    assert datasets.card(both).n_cells == datasets.card(first).n_cells + datasets.card(second).n_cells
    assert said.startswith("Combined from day 7")
    assert len(datasets.list()) == 4


def test_a_type_becomes_a_child_that_knows_its_parent(datasets):
    """All its cells and all genes, counts as they were; levels of other cells are gone."""
    child, said = make(datasets, Take("demo", "cell_type=ExE mesoderm"))
    whole, taken, card = datasets.open("demo"), datasets.open(child), datasets.card(child)
    cells = (whole.annotations["cell_type"] == "ExE mesoderm").to_numpy()
    assert (taken.counts != whole.counts[cells]).nnz == 0
    assert taken.cell_ids.tolist() == whole.cell_ids[cells].tolist()
    assert taken.annotations["cell_type"].cat.categories.tolist() == ["ExE mesoderm"]
    assert (card.parent.dataset_id, card.parent.cells) == ("demo", "cell_type is ExE mesoderm")
    assert card.name.endswith(": cell_type is ExE mesoderm")
    assert said.startswith(f"{cells.sum():,} of the 7,850 cells of")
    assert np.array_equal(taken.tallies.library_size, np.asarray(whole.counts[cells].sum(axis=1)).ravel())
    assert (taken.gene_counts([3]) != whole.counts[cells][:, [3]].tocsc()).nnz == 0


def test_listed_cells_become_a_child_of_a_child(datasets):
    """The chain goes up to the first data set, and says which of them are gone."""
    child = make(datasets, Take("demo", "cell_type=ExE mesoderm")).dataset_id
    ids = datasets.open(child).cell_ids[10:90]
    kept = datasets.keep_upload("selected cells.txt", "\n".join(ids).encode())
    grandchild = make(datasets, Take(child, f"@{kept}", "drawn around")).dataset_id
    assert datasets.open(grandchild).cell_ids.tolist() == ids.tolist()
    assert [(one.dataset_id, there) for one, there in datasets.chain(datasets.card(grandchild))] == [
        (child, True), ("demo", True)
    ]  # fmt: skip
    datasets.delete(child)
    assert [there for _, there in datasets.chain(datasets.card(grandchild))] == [False]
    assert not list(datasets.workspace.uploads.iterdir())


@pytest.mark.parametrize(
    ("cells", "kind", "said"),
    [
        ("cell_type=Nowhere", SettingsError, "no level"),
        ("cell_type=Cardiomyocytes", CountsError, "67 of 7,850 cells were chosen; at least 70"),
        ("@" + "0" * 32, RunError, "not kept any more"),
    ],
)
def test_cells_that_cannot_be_taken_are_refused(datasets, cells, kind, said, monkeypatch):
    """In words, with nothing kept."""
    monkeypatch.setattr("ldvae_core.data.taking.FEWEST_CELLS", 70)
    with pytest.raises(kind, match=said):
        make(datasets, Take("demo", cells))
    assert [card.dataset_id for card in datasets.list()] == ["demo"]


def test_all_cells_are_no_part(datasets, first):
    """A child is smaller than its parent."""
    kept = datasets.keep_upload("cells.txt", "\n".join(datasets.open(first).cell_ids).encode())
    with pytest.raises(CountsError, match="all cells"):
        make(datasets, Take(first, f"@{kept}"))


def test_recipes_are_plain_values(datasets):
    """A job keeps them as JSON; one of a later version is refused."""
    for recipe in (Join("a", "b"), Combine({"x": "a", "y": "b"}), Take("a", "cell_type=T", "T")):
        assert recipe_from_dict(recipe_to_dict(recipe)) == recipe
    with pytest.raises(RunError, match="not known"):
        recipe_from_dict({"make": "bread"})


def test_names_make_another_data_set(workspace):
    """The old one stays, so that runs made from it still find their genes; where it came from is still known."""
    rng = np.random.default_rng(0)
    var = pd.DataFrame({"symbol": [f"Abc{n}" for n in range(30)]}, [f"ENSMUSG{n:011d}" for n in range(30)])
    file = workspace.make().data_folder / "cells.h5ad"
    anndata.AnnData(rng.poisson(2, (60, 30)).astype(np.float32), var=var).write_h5ad(file)
    datasets = Datasets(workspace)
    first = datasets.add_file(datasets.data_files()[0].file_id)
    made = make(datasets, Rename(first, genes="index"))
    assert datasets.card(made.dataset_id).name == "cells.h5ad, genes by index"
    assert datasets.card(made.dataset_id).source == datasets.card(first).source
    assert datasets.open(first).gene_names[0] == "Abc0"
    assert datasets.open(made.dataset_id).gene_names[0].startswith("ENSMUSG")
    assert "Genes are named by index now" in made.said
    child = make(datasets, Take(first, f"@{datasets.keep_upload('a.txt', chr(10).join(map(str, range(55))).encode())}"))
    assert make(datasets, Rename(child.dataset_id, genes="index")).said == made.said  # a child's names too
