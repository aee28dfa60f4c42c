"""One training through the dashboard, without a browser: `python -m tests.platforms.through_dashboard`.

A real server starts and looks after the queue; a visitor opens the Train page, presses Train, and opens the results.
Exits with 0 when the run has finished and its page stands, with 1 and the last words of the logs otherwise.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from streamlit.testing.v1 import AppTest

from ldvae_core.runs.store import RunStore
from ldvae_core.workspace.folders import DEMO, HOME_VARIABLE, Workspace

ROOT = Path(__file__).parents[2]
START_SECONDS, TRAIN_SECONDS = 180, 900


def main() -> int:
    """Start, train, look, end."""
    with tempfile.TemporaryDirectory(prefix="gene-programs-", ignore_cleanup_errors=True) as folder:
        os.environ[HOME_VARIABLE] = folder
        server = start_server()
        try:
            card = train_the_demo(Workspace(Path(folder)))
            stands = card.state == "finished" and look_at(card.run_id)
        finally:
            server.terminate()
            server.wait(30)
        print(f"The run is {card.state}. {card.error}")
        if not stands:
            for log in sorted((Path(folder) / "logs").glob("*.log")):
                print(f"--- {log.name}\n{log.read_text(encoding='utf-8', errors='replace')[-4000:]}")
        return 0 if stands else 1


def start_server() -> "subprocess.Popen[bytes]":
    """The dashboard, on a free port, once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    server = subprocess.Popen([*command, "--server.headless", "true"], cwd=ROOT, env=dict(os.environ))
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                print("The dashboard answers.", flush=True)
                return server
        except OSError:
            time.sleep(0.5)
    server.kill()
    raise SystemExit("The dashboard did not start.")


def train_the_demo(workspace: Workspace):
    """Press Train for two epochs of the demo; the run's card once it has ended."""
    page = AppTest.from_file(str(ROOT / "pages" / "shell.py"), default_timeout=120)
    page.run().switch_page("train.py").run()
    next(item for item in page.number_input if item.key == "train_epochs").set_value(2)
    page.run()
    next(item for item in page.button if item.key == "train").click().run()
    store, until = RunStore(workspace), time.monotonic() + TRAIN_SECONDS
    (run_id,) = (card.run_id for card in store.cards() if card.run_id != DEMO)
    while (card := store.card(run_id)).state in ("queued", "running") and time.monotonic() < until:
        time.sleep(0.5)
    return card


def look_at(run_id: str) -> bool:
    """Whether the page of its programs stands without a mistake."""
    page = AppTest.from_file(str(ROOT / "pages" / "shell.py"), default_timeout=120)
    page.query_params["run"] = run_id
    page.run().switch_page("factors.py").run()
    return not page.exception


if __name__ == "__main__":
    sys.exit(main())
