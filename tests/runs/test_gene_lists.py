"""Lists of genes under a name, for all runs of a workspace."""

import json

import pytest

from ldvae_core.errors import RunError
from ldvae_core.runs.gene_lists import FILE, MOST_LISTS, GeneLists
from ldvae_core.workspace.folders import Workspace


@pytest.fixture
def lists(tmp_path):
    return GeneLists(Workspace(tmp_path / "home"))


def test_a_list_comes_back_as_it_was_saved(lists):
    """Name, genes in their order, and who made it; sorted by name."""
    lists.save("Zonation", ["Alb", "Cyp2e1"])
    made = lists.save("  interferon \n response ", ["ISG15", "IFI6", "MX1"], who="Ada")
    assert made.name == "interferon response"
    assert [one.name for one in lists.all()] == ["interferon response", "Zonation"]
    assert lists.all()[0] == made
    assert made.genes == ("ISG15", "IFI6", "MX1")


def test_a_name_stands_once_in_whatever_case(lists):
    """The later list replaces the earlier one, which restore brings back."""
    before = lists.save("T cells", ["CD3D", "CD3E"])
    lists.save("t CELLS", ["CD2", "CD7"])
    assert [one.genes for one in lists.all()] == [("CD2", "CD7")]
    lists.restore(before)
    assert lists.all() == [before]
    lists.delete("T CELLS")
    assert lists.all() == []


@pytest.mark.parametrize(("name", "genes"), [("", ["A", "B"]), ("x" * 61, ["A", "B"]), ("one", ["A"]),
                                             ("many", [f"g{k}" for k in range(501)])],
                         ids=["no name", "long name", "one gene", "many genes"])  # fmt: skip
def test_what_is_no_list_is_refused(lists, name, genes):
    """In words, and nothing is kept."""
    with pytest.raises(RunError, match="this one has"):
        lists.save(name, genes)
    assert lists.all() == []


def test_there_is_an_end_to_lists(lists):
    """And what this version does not understand stays in the file and counts."""
    lists.save("one", ["A", "B"])
    path = next(iter(lists._workspace.root.rglob(FILE)))
    rows = [{"name": f"n{k}", "later": True} for k in range(MOST_LISTS - 1)]
    path.write_text(json.dumps({"lists": [*json.loads(path.read_text())["lists"], *rows], "later": 1}))
    with pytest.raises(RunError, match="the most that are kept"):
        lists.save("two", ["A", "B"])
    assert len(lists.all()) == 1
    lists.save("One", ["C", "D"])
    assert json.loads(path.read_text())["later"] == 1
