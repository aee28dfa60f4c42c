"""A factor's card: what it says, the name that follows the factor everywhere, and its direction."""

import json

import numpy as np
import pandas as pd
import pytest

from ldvae_core.runs.store import RunStore


@pytest.fixture
def card(open_page, finished_run):
    """The card of Factor 2."""
    return open_page("factors.py", view="One factor", x="Factor 2")


@pytest.fixture
def kept(workspace, finished_run):
    """What was added to the run."""
    return RunStore(workspace).additions(finished_run)


def chart(at, number):
    return json.loads(at.get("plotly_chart")[number].proto.spec)


def save(at, *, name="", notes="", who="Ada"):
    """Fill the form of the card and press Save."""
    next(field for field in at.text_input if field.label == "Name").set_value(name)
    next(field for field in at.text_area if field.label == "Notes").set_value(notes)
    next(field for field in at.text_input if field.label == "Your name").set_value(who)
    return next(button for button in at.button if button.label == "Save").click().run()


def test_the_card_says_what_the_factor_is_worth(card, words):
    """Explained deviance, activity, what it follows, and that readable axes cost nothing."""
    said = words(card)
    for part in ("Explained deviance", "Activity (SD over cells)", "Follows", "AUC", "99.5 nats per cell: the same"):
        assert part in said


def test_a_name_follows_the_factor_everywhere(card, open_page, words, kept):
    """On the card, in the list, on the axes of cells and genes, in the sentence, and on Cell types."""
    save(card, name="blood")
    assert kept.factor_notes("readable")[1].name == "blood"
    assert "<b>Factor 2 · blood</b>" in words(card)
    pair = open_page("factors.py", y="Factor 2")
    assert chart(pair, 0)["layout"]["yaxis"]["title"]["text"] == "Factor 2 · blood"
    assert chart(pair, 1)["layout"]["yaxis"]["title"]["text"].startswith("Factor 2 · blood (log fold per SD")
    assert pair.radio(key="x").proto.captions[1].startswith("**blood**")
    spread = open_page("cell_types.py", view_types="Distributions")
    assert "Factor 2 · blood" in spread.selectbox(key="spread_factor").options


def test_notes_are_shown_with_who_and_when(card, words):
    """As the letters they are."""
    save(card, notes="<b>look</b> $again$", who="A & B")
    said = words(card)
    assert "&lt;b&gt;look&lt;/b&gt; $again$" in said
    assert "(A &amp; B, 20" in said


def test_turning_round_changes_signs_and_nothing_else(card, kept):
    """The loadings on screen change sign; pressed again, they are as they were."""
    genes = [gene.label for gene in card.button if gene.key and gene.key.startswith("card_positive_gene")]
    card.button(key="card_turn").click().run()
    turned = [gene.label for gene in card.button if gene.key and gene.key.startswith("card_negative_gene")]
    assert kept.factor_notes("readable")[1].flipped
    assert turned == genes
    card.button(key="card_turn").click().run()
    assert not kept.factor_notes("readable")[1].flipped
    assert [g.label for g in card.button if g.key and g.key.startswith("card_positive_gene")] == genes


def test_a_name_and_a_turn_can_be_undone(card, kept):
    """One press each, and the other stays."""
    save(card, name="gut")
    card.button(key="card_turn").click().run()
    card.button(key="undo").click().run()
    assert (kept.factor_notes("readable")[1].name, kept.factor_notes("readable")[1].flipped) == ("gut", False)
    save(card, name="liver")
    card.button(key="undo").click().run()
    assert kept.factor_notes("readable")[1].name == "gut"


def test_usages_cannot_be_turned(open_page, make_run):
    """A share has no sign: there is no such button."""
    at = open_page("factors.py", run=make_run(prior="logistic_normal"), view="One factor")
    with pytest.raises(KeyError):
        at.button(key="card_turn")


def test_a_factor_that_follows_the_batch_is_flagged(open_page, make_run, planted, words):
    """A column that looks like a sequencing batch and splits the factor: a badge with the reason."""
    z = planted.representation[:, 0]
    lanes = pd.Categorical(np.where(z > np.median(z), "lane 1", "lane 2"))
    at = open_page("factors.py", run=make_run(annotations=pd.DataFrame({"batch": lanes})), view="Gallery")
    assert "technical?" in words(at)
    assert "batch" in words(at).split("technical?")[1][:200]


def test_the_gallery_has_a_card_for_every_factor(open_page, finished_run):
    """Each opens its factor."""
    at = open_page("factors.py", view="Gallery")
    at.button(key="card_open_2").click().run()
    assert at.radio(key="x").value == 2


def test_cells_of_a_factor_that_follows_a_condition_are_split_by_it(open_page, make_run, workspace, planted):
    """One click shows whether the condition moves every type."""
    kinds = np.array(["A", "B", "C"])[np.arange(planted.counts.n_cells) % 3]
    second = RunStore(workspace).open(make_run()).factors["readable"].representation[:, 1]
    arm = np.where(second > 0, "treated", "control")
    page = open_page("factors.py", run=make_run(annotations=pd.DataFrame({"cell_type": kinds, "arm": arm})),
                     view="One factor", x="Factor 2")  # fmt: skip
    page.button(key="card_cells").click().run()
    assert (page.selectbox(key="spread_factor").value, page.selectbox(key="split_by").value) == (1, "arm")
    assert not page.exception
