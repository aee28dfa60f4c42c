"""While a run is trained: the panel stands still, tab and sidebar say how far it is, and its end calls."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import FIGURE, SECONDS, ask_for_epochs, settle

STUB = """
window.calls = []; window.asked = 0;
window.Notification = class { constructor(words, more) { window.calls.push(words + ': ' + more.body); } };
Notification.permission = 'default';
Notification.requestPermission = () => {
  window.asked += 1; Notification.permission = 'granted'; return Promise.resolve('granted');
};
"""
TOP = "() => document.querySelector('.st-key-train_curves_0').getBoundingClientRect().top"


@pytest.fixture
def started(visit, page):
    """A run named Mine on the demo, some epochs long, a moment after Train was pressed."""
    page.set_viewport_size({"width": 1440, "height": 900})
    page.add_init_script(STUB)
    visit("train?run=demo")
    ask_for_epochs(page, 40)
    page.get_by_label("Name of the run").fill("Mine")
    page.get_by_label("Name of the run").press("Enter")
    settle(page)
    page.locator(".st-key-train button").click()
    page.wait_for_function("() => !/run=demo/.test(location.search)", timeout=SECONDS)
    page.wait_for_selector(FIGURE, timeout=SECONDS)
    return page


def test_the_panel_stands_still_and_the_end_of_a_run_calls(started):
    """From the queue to the analysis the chart keeps its place; nobody is asked at load, one click asks once."""
    page, tops, titles = started, set(), set()
    expect(page.locator(".gpe-notify")).to_be_visible(timeout=SECONDS)
    assert page.evaluate("() => window.asked") == 0
    page.locator(".gpe-notify").click()
    expect(page.locator(".gpe-notify")).to_have_text("You will be told when it ends", timeout=SECONDS)
    while not page.locator(".st-key-train_to_factors").is_visible():
        if page.locator(".st-key-train_stop").is_visible():
            tops.add(round(page.evaluate(TOP)))
            titles.add(page.title())
        page.wait_for_timeout(150)
    assert len(tops) == 1
    assert any("% · " in title for title in titles)
    page.wait_for_function("() => window.calls.length > 0", timeout=SECONDS)
    assert page.evaluate("() => [window.asked, window.calls]") == [1, ["Finished: Mine"]]
    page.wait_for_function("() => document.title === 'Gene Program Explorer'", timeout=SECONDS)
