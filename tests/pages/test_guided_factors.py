"""What a factor's card says of the gene set that guided it."""

import pytest

from ldvae_core.durable import read_json, write_json

GUIDED = [
    {"set": "Interferon <b>", "active": True, "n_modelled": 5, "not_modelled": ["Mx9"],
     "kept": ["Gene01", "Gene02", "Gene03", "Gene04"], "added": ["Gene07"], "dropped": ["Gene05"]},
    {"set": "Hypoxia", "active": False, "n_modelled": 9, "not_modelled": []},
]  # fmt: skip


@pytest.fixture
def guided_run(finished_run, workspace):
    """A run whose second factor was guided by one set, and whose other set was not found."""
    folder = workspace.runs / finished_run
    write_json(folder / "metrics.json", {**read_json(folder / "metrics.json"), "guided": GUIDED})
    about = folder / "factors" / "readable" / "about.json"
    write_json(about, {**read_json(about), "guided_by": ["", "Interferon <b>", "", ""]})
    return finished_run


def test_the_card_names_what_the_data_added_and_dropped(guided_run, open_page, words):
    """The factor is called after its set until somebody names it."""
    said = words(open_page("factors.py", view="One factor", x="Factor 2"))
    assert "<b>Factor 2 · Interferon &lt;b&gt;</b>" in said
    told = (
        "Guided by the gene set Interferon &lt;b&gt;: 4 of its 5 modelled genes are kept; 1 more is not modelled (Mx9)."
    )
    assert told in said
    assert "Added by the data:</span> <i>Gene07</i>" in said
    assert "Dropped:</span> <i>Gene05</i>" in said
    assert "cannot be told" not in said
    assert "Guided by" not in words(open_page("factors.py", view="One factor", x="Factor 1"))


def test_the_card_says_where_added_genes_cannot_be_told(guided_run, workspace, open_page, words):
    """In place of the genes."""
    path = workspace.runs / guided_run / "metrics.json"
    untold = [{**GUIDED[0], "added": [], "added_can_be_told": False}, GUIDED[1]]
    write_json(path, {**read_json(path), "guided": untold})
    found = words(open_page("factors.py", view="One factor", x="Factor 2"))
    assert "Which genes the data would add cannot be told" in found
    assert "Added by the data" not in found


def test_sets_that_were_not_found_are_named_under_the_cards(guided_run, open_page, words):
    """With what it means: their factors are free."""
    assert "Hypoxia. Their factors are free." in words(open_page("factors.py", view="Gallery"))
