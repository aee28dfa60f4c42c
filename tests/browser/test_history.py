"""Back in the browser: the page that was left, as it was left."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import settle


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
