"""How soon 25 common clicks are answered on the demo: `python -m benchmarks.clicks [--rounds 4]`.

A server of its own with an empty workspace, and the system's Chromium. Of each click the time that the server spends on
it, measured in the server, and the time until the page stands still with the new figure painted, measured in the
browser. Writes its section of docs/benchmarks.md.
"""

import argparse
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Page, sync_playwright

from benchmarks.report import conditions, table, write_section
from ldvae_core.workspace.folders import HOME_VARIABLE

ROOT = Path(__file__).parent.parent
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
MOST_MEDIAN, MOST, MOST_MEMORY = 200, 500, 1.5e9  # ms, ms, bytes
QUIET = 350  # ms without a change of the page, after which it stands still
PATIENCE = 60_000  # ms
# What the page last changed, beginning with the click: kept from the first script on, through every page.
WATCH = """(() => {
  window.gpeLast = 0;
  new MutationObserver(() => { window.gpeLast = performance.now(); }).observe(document,
    { subtree: true, childList: true, attributes: true, characterData: true });
})()"""
LISTEN = """for (const kind of ['pointerdown', 'pointerup', 'keydown'])
  document.addEventListener(kind, () => { window.gpeFirst = performance.now(); }, true);"""

Act = Callable[[Page], Any]


class Click(NamedTuple):
    """What a person does; `act` ends with the click itself."""

    words: str
    act: Act


def serve(port: int, log: Path) -> None:
    """The dashboard, which writes a line a script run into `log`: seconds of the clock and of its own thread."""
    from streamlit.runtime.scriptrunner.script_runner import ScriptRunner
    from streamlit.web import cli

    run_script = ScriptRunner._run_script

    def timed(self: ScriptRunner, rerun_data: Any) -> None:
        began, idle = time.perf_counter(), time.thread_time()
        try:
            run_script(self, rerun_data)
        finally:
            line = {"at": time.time(), "seconds": time.perf_counter() - began, "busy": time.thread_time() - idle}
            with log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    ScriptRunner._run_script = timed  # type: ignore[method-assign]
    sys.argv = ["streamlit", "run", str(ROOT / "app.py"), "--server.port", str(port), "--server.headless", "true"]
    cli.main()


def option(key: str, name: str) -> Act:
    """Choose from a drop-down."""

    def act(page: Page) -> None:
        page.locator(f".st-key-{key} input").first.click()
        page.get_by_role("option", name=name, exact=True).first.click()

    return act


def typed(key: str, text: str) -> Act:
    """Type into a box of genes or colours, and press Enter."""

    def act(page: Page) -> None:
        box = page.locator(f".st-key-{key} input").first
        box.click()
        box.fill(text)
        page.wait_for_timeout(250)  # as the list opens
        page.keyboard.press("Enter")
        page.keyboard.press("Escape")  # the list of several genes stays open

    return act


def link(name: str) -> Act:
    """Another page from the menu."""
    return lambda page: page.get_by_role("link", name=name, exact=True).click()


def button(key: str) -> Act:
    """A button by its key."""
    return lambda page: page.locator(f".st-key-{key} button").first.click()


def segment(name: str) -> Act:
    """One of a row of options, or a factor of the list."""
    return lambda page: page.get_by_role("radio", name=name, exact=True).click(force=True)


def draw_round_cells(page: Page) -> None:
    """A lasso on the cells of a pair."""
    page.locator(".st-key-pair_0 .nsewdrag").first.scroll_into_view_if_needed()
    frame = page.locator(".st-key-pair_0 .nsewdrag").first.bounding_box() or {}
    x, y, step = frame["x"] + frame["width"] * 0.6, frame["y"] + frame["height"] * 0.6, frame["width"] * 0.35
    page.mouse.move(x, y)
    page.mouse.down()
    for dx, dy in ((1, 0), (1, 1), (0, 1), (0, 0.1)):
        page.mouse.move(x + dx * step, y + dy * step, steps=4)
    page.mouse.up()


CLICKS = [
    Click("Home: open the demo", button("door_button_0")),
    Click("Factors: another factor", segment("Factor 4")),
    Click("Factors: against another factor", option("y", "Factor 7")),
    Click("Factors: colour by a gene", typed("colour", "Ttr")),
    Click("Factors: colour by cell type", option("colour", "cell_type")),
    Click("Factors: draw around cells", draw_round_cells),
    Click("Factors: clear the selection", button("selection_clear")),
    Click("Factors: gallery", segment("Gallery")),
    Click("Factors: one factor", segment("One factor")),
    Click("Factors: another factor of these", segment("Factor 6")),
    Click("Factors: axes as trained", segment("As trained")),
    Click("Factors: readable axes", segment("Readable")),
    Click("Factors: what if", segment("What if")),
    Click("Cell types", link("Cell types")),
    Click("Cell types: table by AUC", segment("AUC")),
    Click("Cell types: why do these differ", segment("Why do these differ?")),
    Click("Cell types: distributions", segment("Distributions")),
    Click("Cell types: of another factor", option("spread_factor", "Factor 3")),
    Click("Genes", link("Genes")),
    Click("Genes: a gene", typed("genes", "Hba-x")),
    Click("Genes: a second gene", typed("genes", "Ttr")),
    Click("Genes: heat map", segment("Heat map")),
    Click("Compare", link("Compare")),
    Click("Train", link("Train")),
    Click("Data", link("Data")),
]


class Answer(NamedTuple):
    """Milliseconds: of the server's clock, of its own thread, and until the page stands still."""

    server: float
    busy: float
    painted: float


def measure(page: Page, click: Click, log: Path) -> Answer:
    """Do it and wait until nothing changes any more. Raises RuntimeError when the page shows an error."""
    page.evaluate(LISTEN)
    before, began = len(lines(log)), time.time()
    click.act(page)
    until = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < until:
        page.wait_for_timeout(60)
        still = page.evaluate("performance.now() - window.gpeLast")
        works = page.locator(IDLE).count() == 0 or page.locator('.stMain [data-testid="stProgress"]').count() > 0
        new = [one for one in lines(log)[before:] if one["at"] - one["seconds"] > began]
        if new and not works and still > QUIET:
            break
    else:
        raise RuntimeError(f"{click.words}: the page does not come to rest")
    if page.locator('[data-testid="stException"]').count():
        raise RuntimeError(f"{click.words}: the page has failed")
    painted = page.evaluate("window.gpeLast - window.gpeFirst")
    return Answer(1000 * sum(one["seconds"] for one in new), 1000 * sum(one["busy"] for one in new), painted)


def lines(log: Path) -> list[dict[str, float]]:
    """What the server has written so far."""
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []


@contextmanager
def server(log: Path, home: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A dashboard of its own, as long as it is needed: its address and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, HOME_VARIABLE: str(home), "PYTHONPATH": str(ROOT)}
    code = f"import pathlib; from benchmarks.clicks import serve; serve({port}, pathlib.Path({str(log)!r}))"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{url}/_stcore/health", timeout=2).close()
                break
            except OSError:
                time.sleep(0.3)
        yield url, process
    finally:
        process.terminate()
        process.wait(20)


def most_memory(process: subprocess.Popen[bytes]) -> float:
    """The most bytes that the server has ever had resident."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0.0


def session(rounds: int) -> tuple[list[list[Answer]], float]:
    """Answers of every click, a list a round, and the server's most memory in bytes."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("There is no Chromium on this machine.")
    found = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, sync_playwright() as browsers:
        log = Path(folder) / "runs.jsonl"
        with server(log, Path(folder) / "home") as (url, process):
            browser = browsers.chromium.launch(executable_path=chromium, args=FLAGS)
            for number in range(rounds):
                context = browser.new_context(viewport={"width": 1440, "height": 900})
                context.add_init_script(WATCH)
                page = context.new_page()
                page.goto(url)
                page.wait_for_selector(IDLE, timeout=PATIENCE)
                page.wait_for_timeout(2_000)
                found.append([measure(page, click, log) for click in CLICKS])
                load = os.getloadavg()[0]
                print(f"round {number + 1} of {rounds}, load {load:.1f}", file=sys.stderr, flush=True)
                context.close()
            memory = most_memory(process)
            browser.close()
    return found, memory


def report(found: list[list[Answer]], memory: float, command: str) -> None:
    """The table, in the order of the clicks, with the limits."""
    first, *later = found
    rows = [_row(click.words, first[number], [answers[number] for answers in later])
            for number, click in enumerate(CLICKS)]  # fmt: skip
    columns = ["click", "first round, server ms", "then, median", "worst", "processor, median",
               "until painted, median", "worst"]  # fmt: skip
    whole = [answer for answers in later for answer in answers]
    server, busy, painted = ([answer[k] for answer in whole] for k in range(3))
    text = (
        f"{len(CLICKS)} clicks on the demo in Chromium, 1440 x 900, {len(found)} rounds of a new visitor each; the "
        "first round finds empty caches. Server: the clock's time of the script runs that a click causes, shell "
        "included; processor: of their own threads, for a machine that others use too. Until painted: from the click "
        f"until nothing on the page changes any more. Limits, on a quiet machine: median {MOST_MEDIAN} ms, worst "
        f"{MOST} ms of server time, {MOST_MEMORY / 1e9:.1f} GB.\n\n{table(columns, rows)}\n\n"
        f"Of all clicks but the first round's: server median {statistics.median(server):,.0f} ms, worst "
        f"{max(server):,.0f} ms; processor median {statistics.median(busy):,.0f} ms, worst {max(busy):,.0f} ms; "
        f"painted after {statistics.median(painted):,.0f} ms at the median, {max(painted):,.0f} ms at the worst. The "
        f"server had at most {memory / 1e6:,.0f} MB resident. The load of the machine was {os.getloadavg()[0]:.1f} on "
        f"{os.cpu_count()} cores at the end.\n\n" + conditions(command)
    )
    write_section("Common clicks", text)


def _row(words: str, first: Answer, later: list[Answer]) -> list[object]:
    server, busy, painted = ([answer[k] for answer in later] for k in range(3))
    middle = statistics.median
    values = (first.server, middle(server), max(server), middle(busy), middle(painted), max(painted))
    return [words, *(f"{value:,.0f}" for value in values)]


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=4, help="visitors, the first of whom finds empty caches")
    asked = parser.parse_args()
    report(*session(max(asked.rounds, 2)), "python -m benchmarks.clicks")


if __name__ == "__main__":
    main()
