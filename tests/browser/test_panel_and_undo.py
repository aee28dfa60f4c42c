"""What is saved: a figure of print size as SVG, and a way back from every change."""

import re
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import FIGURE, SECONDS, no_exception, settle


def test_a_figure_for_a_paper_is_saved_as_svg(visit):
    """At its own size, whatever the window's is."""
    page = visit("export?run=demo")
    page.wait_for_selector(f".st-key-paper_panel {FIGURE}", timeout=SECONDS)
    no_exception(page)
    with page.expect_download(timeout=SECONDS) as saved:
        page.locator('.gpe-save[data-figure="paper_panel"][data-format="svg"]').click()
    assert saved.value.suggested_filename == "demo_panel.svg"
    drawing = Path(saved.value.path()).read_text(encoding="utf-8")
    assert re.match(r"<svg[^>]* width=\"1000\"", drawing)
    for words in ("Factor 1 loading", "ExE endoderm", "AUC"):
        assert words in drawing


def test_a_saved_name_closes_its_form_says_so_and_can_be_undone(visit):
    """The form goes, a bar with Undo comes, and one press takes the name back."""
    page = visit("factors?run=demo&view=One+factor")
    page.locator("[class*='st-key-card_edit'] button").first.click()
    name = page.get_by_label("Name", exact=True)
    name.fill("my own name")
    page.get_by_role("button", name="Save", exact=True).last.click()
    settle(page)
    expect(page.locator(".gpe-line", has_text="Name and notes are saved.")).to_be_visible(timeout=SECONDS)
    expect(page.get_by_label("Name", exact=True)).to_have_count(0)
    expect(page.locator(".st-key-factor_card")).to_contain_text("my own name")
    page.locator(".st-key-undo button").first.click()
    settle(page)
    expect(page.locator(".st-key-factor_card")).not_to_contain_text("my own name")
    expect(page.locator(".st-key-undo")).to_have_count(0)
