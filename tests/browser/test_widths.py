"""From a phone to a wide screen: nothing scrolls sideways, nothing lies on anything else."""

import json
import subprocess
import sys

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from tests.browser.conftest import no_exception

PLACES = ["", "data", "train", "factors?view=Gallery", "factors?view=One+factor", "cell_types", "genes?genes=Ttr",
          "compare", "export"]  # fmt: skip
SIDEWAYS = "() => { const main = document.querySelector('.stMain'); return main.scrollWidth - main.clientWidth; }"
COVERED = """() => {
  const box = element => element.getBoundingClientRect();
  const button = box(document.querySelector('[data-testid=stExpandSidebarButton]'));
  return box(document.querySelector('.stMain h1')).top < button.bottom;
}"""
CUT_CHIPS = """() => [...document.querySelectorAll('.react-aria-ComboBox [data-tag]')].filter(chip => {
  const frame = chip.closest('[data-testid=stMultiSelectTagsContainer]').getBoundingClientRect();
  const box = chip.getBoundingClientRect();
  return box.right > frame.right + 1 || box.bottom > frame.bottom + 1;
}).length"""

CUT_OFF = """() => [...document.querySelectorAll('.gpe-finding, .gpe-line, .gpe-facts, .gpe-run, .gpe-name')]
  .filter(box => box.scrollWidth > box.clientWidth + 1).map(box => box.textContent.slice(0, 60))"""


@pytest.fixture
def browser_context_args(browser_context_args):
    """A phone."""
    return {**browser_context_args, "viewport": {"width": 390, "height": 844}}


def test_no_page_scrolls_sideways_on_a_phone_and_no_title_is_covered(visit):
    """Every page at 390 px; the button of the menu stands above the title."""
    for place in PLACES:
        page = visit(f"{place}{'&' if '?' in place else '?'}run=demo")
        no_exception(page)
        assert page.evaluate(SIDEWAYS) <= 1, place
        assert not page.evaluate(COVERED), place


def test_chosen_types_are_all_readable_on_a_phone(visit):
    """Chips go on in the next line."""
    page = visit("cell_types?run=demo")
    assert page.locator(".react-aria-ComboBox [data-tag]").count() >= 3
    assert page.evaluate(CUT_CHIPS) == 0


def test_the_list_of_factors_shows_four_at_1100_px(visit, page):
    """And no more than fits above the drawing."""
    page.set_viewport_size({"width": 1100, "height": 900})
    visit("factors?run=demo&view=One+pair")
    frame = page.locator(".st-key-factor_list").bounding_box()
    fourth = page.locator(".st-key-factor_list [data-testid=stRadioGroup] > div").nth(3).bounding_box()
    assert fourth["y"] < frame["y"] + frame["height"] - 20


@pytest.fixture(scope="module")
def long_names(server, tmp_path_factory):
    """A run whose cell types, genes and own name have as many letters as names may have; its id."""
    rng, n = np.random.default_rng(0), 400
    genes = [f"{'gene_of_a_name_without_end_' * 9}"[:196] + f"_{k:02d}" for k in range(60)]
    types = [f"{'a type of a name without end, ' * 9}"[:196] + f" {k}" for k in range(3)]
    counts = rng.poisson(np.exp(rng.normal(size=(n, 2)) @ rng.normal(size=(2, 60)) + 0.5))
    file = tmp_path_factory.mktemp("long") / "long.h5ad"
    anndata.AnnData(
        sparse.csr_matrix(counts.astype(np.float32)),
        obs=pd.DataFrame({"cell_type": rng.choice(types, n)}, index=[f"cell {k}" for k in range(n)]),
        var=pd.DataFrame(index=genes),
    ).write_h5ad(file)
    folder = server.workspace / "runs" / "long-00000001"
    command = [sys.executable, "-m", "ldvae_core", "train", str(file), "--out", str(folder), "--factors", "3",
               "--genes", "60", "--epochs", "2", "--label", "cell_type"]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    about = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    about["settings"]["name"] = ("A run of a name without end, " * 5)[:120]
    (folder / "run.json").write_text(json.dumps(about), encoding="utf-8")
    return folder.name


@pytest.mark.parametrize("width", [390, 1440])
def test_names_of_200_letters_push_nothing_off_the_page(visit, page, long_names, width):
    """They wrap, or are shortened in the middle; no page scrolls sideways, no sentence ends at the edge."""
    page.set_viewport_size({"width": width, "height": 900})
    for place in PLACES:
        place = place.removesuffix("?genes=Ttr")
        page = visit(f"{place}{'&' if '?' in place else '?'}run={long_names}")
        no_exception(page)
        assert page.evaluate(SIDEWAYS) <= 1, place
        assert page.evaluate(CUT_OFF) == [], place
