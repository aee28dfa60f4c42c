"""Everybody can use it: axe finds nothing serious in light or dark, and the keyboard reaches what a mouse does."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.conftest import FIGURE, SECONDS, ask_for_epochs, no_exception, settle

PLACES = [
    "",
    "data",
    "train",
    "factors",
    "factors?view=Gallery",
    "factors?view=One+factor",
    "factors?view=Map",
    "factors?view=What+if",
    "genes",
    "genes?genes=Ttr&genes=Apob",
    "cell_types",
    "cell_types?view_types=Why+do+these+differ%3F",
    "cell_types?view_types=Distributions",
    "cell_types?view_types=Design",
    "compare",
    "export",
]
LASSO = ".st-key-pair_0 .js-plotly-plot .nsewdrag"


@pytest.fixture(params=["light", "dark"])
def browser_context_args(browser_context_args, request):
    """A window in each of the two looks; axe is put into the page by the test, which the page's own policy forbids."""
    return {**browser_context_args, "color_scheme": request.param, "viewport": {"width": 1440, "height": 900},
            "bypass_csp": True}  # fmt: skip


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place or "home")
def test_axe_finds_nothing_serious(visit, place):
    """Names, roles and contrast of everything on the page."""
    page = visit(f"{place}{'&' if '?' in place else '?'}run=demo")
    no_exception(page)
    assert serious(page) == []


def test_axe_finds_nothing_serious_while_a_run_is_under_way(visit, page):
    """The panel with its bar and buttons, the queue, and the row on Home."""
    visit("train?run=demo")
    ask_for_epochs(page, 100_000)
    page.locator(".st-key-train button").click()
    page.wait_for_function("() => !/run=demo/.test(location.search)", timeout=SECONDS)
    address = page.url
    stop = page.locator(".st-key-train_stop button").first
    expect(stop).to_be_enabled(timeout=2 * SECONDS)
    try:
        page.wait_for_selector(FIGURE, timeout=SECONDS)
        assert serious(page) == []
        visit("")
        expect(page.locator(".st-key-under_way")).to_be_visible(timeout=SECONDS)
        assert serious(page) == []
    finally:
        page.goto(address)
        expect(stop).to_be_enabled(timeout=2 * SECONDS)
        stop.click()
        expect(page.locator(".st-key-train_to_factors")).to_be_visible(timeout=3 * SECONDS)


def serious(page):
    """What axe holds against the page as it stands: rules and elements."""
    found = Axe().run(page).response["violations"]
    return [(rule["id"], [node["html"][:120] for node in rule["nodes"]]) for rule in found
            if rule["impact"] in ("serious", "critical")]  # fmt: skip


def test_cells_drawn_around_are_counted_and_a_link_selects_them_again(visit, page):
    """A lasso fills the address; opened anew, the same number is selected; clearing forgets it."""
    visit("factors?run=demo")
    page.wait_for_selector(FIGURE, timeout=SECONDS)
    frame = page.locator(LASSO).first.bounding_box()
    x, y, step = frame["x"] + frame["width"] * 0.6, frame["y"] + frame["height"] * 0.6, frame["width"] * 0.35
    page.mouse.move(x, y)
    page.mouse.down()
    for dx, dy in ((1, 0), (1, 1), (0, 1), (0, 0.1)):
        page.mouse.move(x + dx * step, y + dy * step, steps=4)
    page.mouse.up()
    chosen = page.locator(".st-key-selection .gpe-line").first
    expect(chosen).to_contain_text("of 7,850 cells selected", timeout=SECONDS)
    said = chosen.inner_text()
    assert "region=" in page.url
    page.goto(page.url)
    settle(page)
    assert page.locator(".st-key-selection .gpe-line").first.inner_text() == said
    page.locator(".st-key-selection_clear button").click()
    expect(page.locator(".st-key-selection")).to_have_count(0, timeout=SECONDS)


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_a_figure_is_saved_as_a_file(visit, page, kind, tmp_path):
    """The menu below a figure gives a file of the kind it says, large enough to be printed."""
    visit("factors?run=demo")
    page.wait_for_selector(FIGURE, timeout=SECONDS)
    page.locator(".st-key-pair_save button").first.click()
    with page.expect_download(timeout=SECONDS) as saving:
        page.locator(f".gpe-save[data-figure=pair_1][data-format={kind}]").click()
    saving.value.save_as(tmp_path / "figure")
    head = (tmp_path / "figure").read_bytes()[:300]
    assert saving.value.suggested_filename == f"genes_1_2.{kind}"
    assert (b"<svg" in head) if kind == "svg" else head.startswith(b"\x89PNG")
    if kind == "png":  # as wide as a printed page at 300 dots an inch
        assert int.from_bytes(head[16:20], "big") >= 2120


def test_the_keyboard_reaches_what_the_mouse_does(visit, page):
    """Tab walks from the pages to the choices; arrows change them."""
    visit("factors?run=demo")
    page.wait_for_selector(FIGURE, timeout=SECONDS)
    page.get_by_role("radio", name="Factor 1", exact=True).focus()
    page.keyboard.press("ArrowDown")
    settle(page)
    expect(page.get_by_role("radio", name="Factor 2", exact=True)).to_be_checked()
    assert "x=Factor" in page.url


def test_the_glossary_opens_under_the_mouse(visit):
    """The bar that Streamlit lays over the top of every page lets clicks through."""
    page = visit("factors")
    page.get_by_text("Glossary", exact=True).first.click(timeout=SECONDS)
    expect(page.get_by_role("dialog")).to_be_visible(timeout=SECONDS)
