"""The whole story, as a newcomer lives it: the demo, a training, its programs, and what separates cell types."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import FIGURE, SECONDS, ask_for_epochs, no_exception, settle

LONGEST_LINE = (
    "Math.max(0, ...[...document.querySelectorAll('.js-plotly-plot')]"
    ".flatMap(figure => (figure._fullData || []).map(trace => trace._length || 0)))"
)
PAGES = ["", "data", "train", "factors", "cell_types", "genes", "compare", "export"]


@pytest.fixture(autouse=True)
def loud(page):
    """A script error of the page itself, or a request that leaves this machine, fails the test."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "request",
        lambda request: (
            errors.append(f"asks {request.url}")
            if not re.match(r"(https?://127\.0\.0\.1|ws://127\.0\.0\.1|data:|blob:|about:)", request.url)
            else None
        ),
    )
    yield
    assert errors == []


@pytest.mark.parametrize("place", PAGES, ids=lambda place: place or "home")
def test_every_page_stands_on_a_fresh_server(visit, place):
    """Opened by its own address: the shell is around it, and nothing has broken."""
    page = visit(place)
    no_exception(page)
    expect(page.get_by_test_id("stSidebar")).to_contain_text("Gene Program Explorer")
    assert page.locator(".stMain h1").count() == 1


def test_the_first_page_shows_real_programs(visit):
    """Cells and genes of the demo are drawn before anything is pressed."""
    page = visit()
    page.wait_for_selector(FIGURE, timeout=SECONDS)
    expect(page.locator(".js-plotly-plot")).to_have_count(2)
    expect(page.locator(".gpe-finding").first).to_contain_text("Erythroid (primitive)")


def test_from_the_demo_to_programs_of_ones_own(visit, server):
    """Open the demo; train three epochs on it; read the factors; separate cell types."""
    page = visit()
    page.get_by_role("button", name="Open the demo").click()
    page.wait_for_url("**/factors**", timeout=SECONDS)
    page.wait_for_selector(FIGURE, timeout=SECONDS)
    page.get_by_role("link", name="Train").click()
    settle(page)
    ask_for_epochs(page, 3)
    page.locator(".st-key-train button").click()
    page.wait_for_function("() => !/run=demo/.test(location.search)", timeout=SECONDS)
    assert "run=demo" not in page.url
    page.wait_for_function(f"() => {LONGEST_LINE} === 3", timeout=3 * SECONDS)
    expect(page.locator(".st-key-train_to_factors")).to_be_visible(timeout=SECONDS)
    no_exception(page)
    page.locator(".st-key-train_to_factors button").click()
    page.wait_for_url("**/factors**", timeout=SECONDS)
    page.wait_for_selector(FIGURE, timeout=SECONDS)
    no_exception(page)
    page.get_by_role("link", name="Cell types").click()
    page.wait_for_url("**/cell_types**", timeout=SECONDS)
    page.wait_for_selector(FIGURE, timeout=SECONDS)
    expect(page.locator(".gpe-finding").first).to_contain_text("apart", timeout=SECONDS)
    no_exception(page)


def test_a_training_outlives_the_window_and_the_server(visit, server, page):
    """The curve grows; closed in the middle the run goes on; a restarted server finds it, and it stops and keeps."""
    visit("train?run=demo")
    ask_for_epochs(page, 100_000)
    page.locator(".st-key-train button").click()
    page.wait_for_function("() => !/run=demo/.test(location.search)", timeout=SECONDS)
    address = page.url
    stop = page.get_by_role("button", name="Stop and keep")
    expect(stop.first).to_be_visible(timeout=SECONDS)
    seen = curve_has_more_points_than(page, curve_has_more_points_than(page, 1))
    page.goto("about:blank")
    server.kill()
    server.start()
    page.goto(address)
    expect(stop.first).to_be_visible(timeout=SECONDS)
    curve_has_more_points_than(page, seen)
    stop.first.click()
    expect(page.locator(".st-key-train_to_factors")).to_be_visible(timeout=3 * SECONDS)
    expect(page.get_by_test_id("stSidebar")).to_contain_text("stopped early")
    no_exception(page)


def test_an_address_restores_the_view(visit):
    """Axes, factors and view are in the address; a pasted link shows the same."""
    page = visit("factors?run=demo&view=One+factor&axes=As+trained")
    page.wait_for_selector(FIGURE, timeout=SECONDS)
    no_exception(page)
    expect(page.get_by_role("radio", name="As trained")).to_be_checked()
    expect(page.get_by_role("radio", name="One factor")).to_be_checked()


def curve_has_more_points_than(page, n: int) -> int:
    """Wait until the longest line on the page has more than n points; gives how many it has."""
    page.wait_for_function(f"() => ({LONGEST_LINE}) > {n}", timeout=2 * SECONDS)
    return page.evaluate(f"() => {LONGEST_LINE}")
