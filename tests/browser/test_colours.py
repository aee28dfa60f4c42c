"""What cells are coloured by: a legend that answers, a gene by its name, and links that show the same."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import FIGURE, SECONDS, no_exception, settle


def test_a_type_is_isolated_by_click_and_hidden_by_double_click_or_key(visit, page):
    """One click shows it alone, another all again; a double click, or Delete, hides it; Escape brings all back."""
    visit("factors?run=demo")
    page.wait_for_selector(FIGURE, timeout=SECONDS)
    legend = page.get_by_role("group", name="Types of cell_type")
    kind, other = (legend.get_by_role("button", name=re.compile(name)) for name in ("ExE endoderm", "Endothelium"))
    expect(kind).to_contain_text("558")
    for act, own, others in (
        (kind.click, "true", "false"),
        (kind.click, "true", "true"),
        (kind.dblclick, "false", "true"),
        (lambda: other.press("Delete"), "false", "false"),
        (lambda: other.press("Escape"), "true", "true"),
        (lambda: kind.press("Enter"), "true", "false"),
    ):
        act()
        expect(kind).to_have_attribute("aria-pressed", own, timeout=SECONDS)
        expect(other).to_have_attribute("aria-pressed", others, timeout=SECONDS)
        settle(page)
    no_exception(page)


def test_a_typed_gene_colours_the_cells_and_stands_in_the_address(visit, page):
    """Typed and taken by Enter; the figure says its name, and the link shows the same."""
    visit("factors?run=demo")
    page.wait_for_selector(FIGURE, timeout=SECONDS)
    field = page.locator(".st-key-colour input")
    field.fill("ttr")
    page.wait_for_timeout(300)
    field.press("Enter")
    settle(page)
    said = page.locator(".st-key-pair_0 .annotation-text", has_text="mean ln(1 + CP10k)")
    expect(said.first).to_contain_text("Ttr", timeout=SECONDS)
    page.goto(page.url)
    settle(page)
    expect(said.first).to_contain_text("Ttr", timeout=SECONDS)
    assert "colour=" in page.url


def test_the_name_of_an_arrow_opens_its_gene(visit, page):
    """Not only the arrow's line: the word is what people click."""
    page.set_viewport_size({"width": 1440, "height": 900})
    visit("factors?run=demo")
    page.wait_for_selector(FIGURE, timeout=SECONDS)
    settle(page)
    name = page.locator(".st-key-pair_1 .js-plotly-plot text", has_text="Ldoc1").first.bounding_box()
    at = name["x"] + name["width"] / 2, name["y"] + name["height"] / 2
    page.mouse.move(*at)
    page.wait_for_selector(".st-key-pair_1 .hovertext", timeout=SECONDS)
    page.mouse.click(*at)
    page.wait_for_url("**/genes**", timeout=SECONDS)
    expect(page.get_by_text("Genes that load like")).to_contain_text("Ldoc1", timeout=SECONDS)
