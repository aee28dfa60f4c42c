"""Back in the browser: the page that was left, as it was left."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import SECONDS, settle


@pytest.mark.parametrize("view", ["One factor", "What if"])
def test_back_returns_to_the_view_that_was_left(visit, page, view):
    """A view is chosen, another page opened by its link: one step back shows that view, and says so in the address."""
    visit("factors?run=demo")
    page.locator(".st-key-view").get_by_text(view).click()
    settle(page)
    page.get_by_test_id("stSidebar").get_by_role("link", name="Genes").click()
    page.wait_for_url("**/genes**")
    settle(page)
    page.go_back()
    settle(page)
    expect(page.get_by_role("radio", name=view)).to_be_checked()
    assert f"view={view.replace(' ', '+')}" in page.url


@pytest.mark.parametrize("width", [1440, 1000])
def test_a_factor_opened_by_a_link_is_in_view_in_its_list(visit, page, width):
    """However far down it stands."""
    page.set_viewport_size({"width": width, "height": 900})
    visit("factors?run=demo&x=Factor+12")
    row = page.locator(".st-key-factor_list [data-selected=true]").first
    expect(row).to_contain_text("Factor 12", timeout=SECONDS)
    inside = """() => {
      const list = document.querySelector(".st-key-factor_list");
      const frame = list.getBoundingClientRect();
      const own = list.querySelector("[data-selected=true]").getBoundingClientRect();
      return own.top >= frame.top && own.bottom <= frame.bottom;
    }"""
    page.wait_for_function(inside, timeout=SECONDS)
