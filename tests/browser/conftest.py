"""The real program in a real Chromium. Without one these tests are skipped; under CI that is a failure."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
FIGURE = ".js-plotly-plot .main-svg"
SECONDS = 60_000  # milliseconds that a busy machine may take


@pytest.hookimpl(trylast=True)  # after pytest has put tests of one fixture together
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this folder and run it last: it is slow, and the browser's driver keeps an event loop running.

    Without a browser say why it is skipped, or fail where CI promised one.
    """
    ours = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in ours:
        item.add_marker(pytest.mark.browser)
        if CHROMIUM is None and not os.environ.get("CI"):
            item.add_marker(pytest.mark.skip(reason="no Chromium on this machine: install the package 'chromium'"))
    items[:] = [item for item in items if item not in ours] + ours


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict) -> dict:
    """The system's Chromium, told not to look for anything on the network."""
    assert CHROMIUM, "CI has to install Chromium"
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": QUIET}


class Server:
    """A dashboard on a port of its own, with a workspace of its own."""

    def __init__(self, workspace: Path) -> None:
        self.workspace, self.port = workspace, _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        """Start and wait until it answers."""
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(self.port)]
        environment = {**os.environ, "GENE_PROGRAM_EXPLORER_HOME": str(self.workspace)}
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + 90
        while time.monotonic() < until:
            try:
                with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.2)
        raise AssertionError("the dashboard did not start within 90 seconds")

    def kill(self) -> None:
        """End it without a chance to tidy up."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it as Ctrl-C would."""
        self._process.terminate()
        self._process.wait(20)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One dashboard for all browser tests."""
    running = Server(tmp_path_factory.mktemp("workspace"))
    running.start()
    yield running
    running.stop()
    for process in psutil.process_iter(["cmdline"]):  # trainings outlive their server, which is what we promise
        if str(running.workspace) in (process.info["cmdline"] or []):
            process.kill()


@pytest.fixture
def visit(server: Server, page):
    """visit(place) opens a page, waits until it stands, and gives the browser's page."""

    def go(place: str = ""):
        page.goto(f"{server.url}/{place}")
        settle(page)
        return page

    return go


def settle(page) -> None:
    """Wait until the script has run and nothing is left to draw."""
    page.wait_for_selector(IDLE, timeout=SECONDS)
    page.wait_for_timeout(300)
    page.wait_for_selector(IDLE, timeout=SECONDS)


def ask_for_epochs(page, n: int) -> None:
    """On the Train page: one run of a given number of programs, and of so many epochs."""
    page.get_by_role("radio", name="First pass", exact=True).click(force=True)
    settle(page)
    page.get_by_label("Epochs", exact=True).fill(str(n))
    page.get_by_label("Epochs", exact=True).press("Enter")
    settle(page)


def no_exception(page) -> None:
    """No traceback on screen."""
    assert page.locator('[data-testid="stException"]').count() == 0, page.locator(
        '[data-testid="stException"]'
    ).inner_text()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
