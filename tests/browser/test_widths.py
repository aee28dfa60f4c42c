"""From a phone to a wide screen: nothing scrolls sideways, nothing lies on anything else."""

import pytest

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
