"""A click on Save gives the file, or says why there is none."""

import re

import h5py
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import SECONDS, Server, settle

BUTTON = ".st-key-h5ad button"


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The folder for temporary files of dashboards that are started now."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    return tmp_path / "temporary"


@pytest.fixture
def own_server(temporary, tmp_path):
    """A dashboard for one test."""
    running = Server(tmp_path / "workspace")
    running.start()
    yield running
    running.stop()


def test_the_file_is_saved(visit, page, tmp_path):
    """All that the page promises in one .h5ad; the words about it go when it is there."""
    visit("export?run=demo")
    with page.expect_download(timeout=SECONDS) as saving:
        page.locator(BUTTON).click()
    saving.value.save_as(tmp_path / "run.h5ad")
    with h5py.File(tmp_path / "run.h5ad") as file:
        assert {"X", "obs", "var", "layers", "obsm", "varm", "uns"} <= set(file)
    settle(page)
    expect(page.get_by_text(re.compile("^Making "))).to_have_count(0, timeout=SECONDS)


def test_a_file_that_cannot_be_made_is_said(own_server, temporary, page):
    """In words that stay, here because the folder in which it is made has gone."""
    page.goto(f"{own_server.url}/export?run=demo")
    settle(page)
    with page.expect_download(timeout=SECONDS):
        page.locator(BUTTON).click()
    temporary.rename(temporary.with_name("gone"))
    settle(page)
    page.locator(BUTTON).click()
    box = page.locator('[data-testid="stAlert"]').filter(has_text="could not be made")
    expect(box).to_be_visible(timeout=SECONDS)
    page.wait_for_timeout(6_000)
    expect(box).to_be_visible()
