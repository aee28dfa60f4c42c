"""Cells are coloured by an annotation, a factor, a gene or a list, on every page that draws them."""

import json

import numpy as np
import pandas as pd
import pytest

from ldvae_core.plots.theme import OKABE_ITO
from ldvae_core.runs.additions import OTHERS
from ldvae_core.runs.opened import open_run_folder
from ldvae_core.workspace.folders import Workspace
from pages.parts.runs import OF_NO_KIND, colours_of


@pytest.fixture
def names(planted):
    """The modelled genes."""
    return [str(name) for name in planted.counts.gene_names]


def chart(at, number):
    return json.loads(at.get("plotly_chart")[number].proto.spec)


def remarks(at, number):
    return " ".join(note["text"] for note in chart(at, number)["layout"].get("annotations", []))


@pytest.mark.parametrize("written", ["Gene03", "gene03", "GENE03"])
def test_a_gene_is_found_in_any_case(open_page, finished_run, written):
    """Typed or in the address; the scale says its name."""
    at = open_page("factors.py", colour=written)
    assert not at.exception
    assert "Gene03, mean ln" in remarks(at, 0)


def test_a_pasted_list_colours_by_its_mean_and_names_what_is_missing(open_page, finished_run):
    """Two of three genes are modelled."""
    at = open_page("factors.py", colour="Gene03 Gene04, Nope")
    assert "the mean of 2 genes" in remarks(at, 0)
    assert any("Nope" in caption.value for caption in at.caption)


def test_a_factor_colours_the_cells(open_page, finished_run):
    """By its position, on the pair of two others."""
    at = open_page("factors.py", colour="Factor 4")
    assert "Mean Factor 4" in remarks(at, 0)


def test_a_run_with_types_opens_coloured_by_them(open_page, finished_run):
    """Nobody has to know that colours can be asked for."""
    assert open_page("factors.py").selectbox(key="colour").value == "cell_type"


@pytest.mark.parametrize("colour", ["cell_type", "Factor 2", "Gene03", "none"])
def test_the_gallery_takes_the_same_colours(open_page, finished_run, colour):
    """A thumbnail's cells are a picture where they are coloured, else their density."""
    at = open_page("factors.py", view="Gallery", colour=colour)
    assert not at.exception
    assert bool(chart(at, 0)["layout"].get("images")) == (colour != "none")


def test_a_new_gene_on_the_genes_page_brings_its_own_colours(open_page, finished_run, names):
    """Until something else is chosen, which lasts as long as the gene."""
    at = open_page("genes.py", genes=names[3])
    assert f"{names[3]}, mean ln" in remarks(at, 1)
    at.selectbox(key="genes_colour").set_value("cell_type").run()
    assert "mean ln" not in remarks(at, 1)
    at.multiselect(key="genes").set_value([names[7]]).run()
    assert f"{names[7]}, mean ln" in remarks(at, 1)


def test_cells_of_no_named_kind_are_grey(make_run, planted):
    """A saved selection colours its own cells; the others are background."""
    kinds = np.where(np.arange(planted.counts.n_cells) % 3, OTHERS, "late erythroid")
    opened = open_run_folder(Workspace.default().runs / make_run(annotations=pd.DataFrame({"cell_type": kinds})))
    assert colours_of(opened, "cell_type") == {"late erythroid": OKABE_ITO[0], OTHERS: OF_NO_KIND}
