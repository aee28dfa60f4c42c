"""How fast every view answers with two million cells: `python -m benchmarks.explore --folder FOLDER [--only WORD]`.

FOLDER is a workspace outside the repository, where benchmarks/large_run.py puts the run. The real pages run in this
process, through the shell, as for a visitor: every view is opened once with empty caches, then again and again with
something changed, so that no cache of the very same view flatters. Writes its section of docs/benchmarks.md.
"""

import argparse
import os
import re
import statistics
import sys
import time
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, NamedTuple

from streamlit.runtime.forward_msg_cache import populate_hash_if_needed
from streamlit.runtime.scriptrunner import ScriptRunnerEvent
from streamlit.testing.v1 import AppTest, app_test
from streamlit.testing.v1.local_script_runner import LocalScriptRunner

from benchmarks.large_run import N_CELLS, N_FACTORS, N_GENES, N_TYPES, gene_names, large_run
from benchmarks.report import conditions, table, write_section
from ldvae_core.runs.additions import LEIDEN
from ldvae_core.workspace.folders import HOME_VARIABLE

SHELL = Path(__file__).parent.parent / "pages" / "shell.py"
MOST_SECONDS, MOST_BYTES, MOST_MEMORY = 0.5, 300_000, 1.5e9
REFERENCE = 100  # bytes of a message that names one the browser has kept
TYPES = [f"Cell type {number}" for number in range(1, N_TYPES + 1)]
GENES = gene_names()


class View(NamedTuple):
    """One view of a page. steps: what is set on the widgets, by their keys; the first step opens the view."""

    name: str
    page: str
    steps: list[dict[str, Any]]


REGIONS = [f"readable.0.1!{x}_-9~9_-9~9_{y}~{x}_9" for x, y in ((0.5, 9), (0.9, 7), (-0.4, 8))]
ON_THE_MAP = [f"map!{x}_-20~20_-20~20_20~{x}_18" for x in (0, 5, -4)]
FACTORS, CELL_TYPES = "factors.py", "cell_types.py"
OTHERS = [{"x": x, "y": y} for x, y in ((2, 5), (7, 3), (11, 12), (19, 0), (4, 16))]
VIEWS = [
    View("Factors · One pair", FACTORS, [{"view": "One pair", "colour": "none"}, *OTHERS]),
    View("Factors · One pair, coloured by type", FACTORS,
         [{"view": "One pair", "colour": "cell_type", "x": 1, "y": 2}, *OTHERS]),
    View("Factors · One pair, coloured by sample", FACTORS,
         [{"view": "One pair", "colour": "sample", "x": 1, "y": 2}, *OTHERS]),
    View("Factors · One pair, coloured by a gene", FACTORS,
         [{"view": "One pair", "colour": str(GENES[0]), "x": 1, "y": 2},
          *({"colour": str(GENES[k])} for k in (99, 149, 199)), *OTHERS]),
    View("Factors · One pair, coloured by the mean of a list", FACTORS,
         [{"view": "One pair", "colour": " ".join(map(str, GENES[some]))}
          for some in (slice(0, 5), slice(100, 110), slice(200, 205))]),
    View("Factors · One pair, coloured by a factor", FACTORS,
         [{"view": "One pair", "colour": f"factor:{k}", "x": 1, "y": 2} for k in (3, 8, 12)]),
    View("Factors · Gallery, coloured by type", FACTORS,
         [{"view": "Gallery", "colour": "cell_type"}, {"arrows": 6}, {"colour": str(GENES[0])}]),
    View("Factors · Gallery", FACTORS,
         [{"view": "Gallery", "colour": "none"}, {"arrows": 5}, {"loadings": "Raw"}, {"arrows": 12}]),
    View("Factors · Gallery, other axes", FACTORS, [{"view": "Gallery", "axes": "As trained"}, {"arrows": 4}]),
    View("Factors · One factor", FACTORS,
         [{"view": "One factor", "axes": "Readable"}, *({"x": x} for x in (3, 8, 13, 18))]),
    View("Cell types · tell types apart", CELL_TYPES,
         [{}, *({"types": list(types)} for types in pairwise(TYPES[3:7])), {"types": TYPES[20:24]}]),
    View("Cell types · by sample", CELL_TYPES, [{"label": "sample", "types": ["sample_1", "sample_4"]},
                                                {"types": ["sample_2", "sample_3", "sample_5"]}]),
    View("Cell types · table by AUC", CELL_TYPES, [{"label": "cell_type", "measure": "AUC"}, {"measure": "Correlation"},
                                                   {"label": "condition"}]),
    View("Cell types · distributions", CELL_TYPES,
         [{"view_types": "Distributions", "label": "cell_type"}, *({"spread_factor": x} for x in (3, 8, 12))]),
    View("Cell types · why do these differ", CELL_TYPES,
         [{"view_types": "Why do these differ?"}, {"axes": "As trained"}, {"axes": "Readable"}]),
    View("Factors · a selection", FACTORS,
         [{"view": "One pair", "axes": "Readable", "colour": "cell_type", "x": 0, "y": 1,
          "region": region} for region in REGIONS]),
    View("Factors · What if", FACTORS, [{"view": "What if"}, {"loadings": "Raw"}, {"axes": "As trained"}]),
    View("Factors · Map", FACTORS, [{"view": "Map", "axes": "Readable", "map_left": "none", "map_right": "factor:0"},
                                    *({"map_right": f"factor:{k}"} for k in (3, 8, 12))]),
    View("Factors · Map, coloured by type", FACTORS, [{"map_left": "cell_type"}, {"map_right": "sample"},
                                                      {"map_right": "factor:5"}, {"map_right": "none"}]),
    View("Factors · Map, with clusters", FACTORS, [{"map_left": "cell_type", "map_right": LEIDEN},
                                                   {"map_left": "condition"}, {"map_left": "factor:7"}]),
    View("Factors · a selection on the map", FACTORS, [{"view": "Map", "region": region} for region in ON_THE_MAP]),
    View("Genes", "genes.py", [{"genes": [str(name) for name in GENES[some]]}
                               for some in (slice(1), slice(99, 100), slice(149, 150), slice(199, 300, 100))]),
    View("Genes · gene sets", "genes.py", [{"sets": "pathways"}, *({"enrich": x} for x in (3, 8, 13)),
                                           {"enrich_end": "Low end"}, {"sets": "go_human"}]),
]  # fmt: skip


class Answer(NamedTuple):
    """One run of a page's script."""

    seconds: float
    busy: float  # seconds of processor time of the script's own thread: what is left of them on a machine of one's own
    sent: int  # bytes


class Measured(LocalScriptRunner):
    """A script runner that keeps the time of its runs, and everything that they sent."""

    latest: "Measured"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seconds = self.busy = 0.0
        Measured.latest = self

    def _run_script(self, rerun_data: Any) -> None:
        began, idle = time.perf_counter(), time.thread_time()
        super()._run_script(rerun_data)
        self.seconds += time.perf_counter() - began
        self.busy += time.thread_time() - idle


class Visitor:
    """One browser: it keeps the messages it has got, so that an unchanged figure is not sent again."""

    def __init__(self, run_id: str) -> None:
        app_test.LocalScriptRunner = Measured  # type: ignore[misc]
        self.at = AppTest.from_file(str(SHELL), default_timeout=600)
        self.at.query_params["run"] = run_id
        self.kept: set[str] = set()
        self.page = "home.py"
        self.at.run()

    def step(self, page: str, values: dict[str, Any]) -> list[Answer]:
        """Set the widgets, on another page if need be, and run it. Raises RuntimeError when the page fails.

        A page that shows a bar, because something is computed beside it, has answered; it is asked again when that is
        done, which is a second answer.
        """
        for key, value in values.items():
            if key == "region":
                self.at.query_params[key] = value
            else:
                self.at.session_state[key] = value
        if page != self.page:
            self.at.switch_page(page)
            self.page = page
        answers = [self._answer(page, values)]
        if self.at.get("progress"):
            while self.at.get("progress"):
                time.sleep(0.5)
                again = self._answer(page, values)
            answers.append(again)
        return answers

    def _answer(self, page: str, values: dict[str, Any]) -> Answer:
        self.at.run()
        if wrong := [element.value for element in self.at.exception]:
            raise RuntimeError(f"{page} with {values}: {wrong}")
        return Answer(Measured.latest.seconds, Measured.latest.busy, self._bytes())

    def _bytes(self) -> int:
        sent = 0
        runner = Measured.latest
        for event, data in zip(runner.events, runner.event_data, strict=True):
            if event == ScriptRunnerEvent.ENQUEUE_FORWARD_MSG:
                message = data["forward_msg"]
                populate_hash_if_needed(message)
                known = message.metadata.cacheable and message.hash in self.kept
                sent += REFERENCE if known else message.ByteSize()
                self.kept.add(message.hash)
        return sent


class Measurement(NamedTuple):
    """One view: its first visit with empty caches, the later ones, and the server's memory then."""

    view: View
    first: Answer
    later: list[Answer]
    memory: dict[str, float]

    @property
    def holds(self) -> bool:
        """Whether every limit holds; the first visit, which fills the caches, is only reported."""
        return (
            max(answer.seconds for answer in self.later) <= MOST_SECONDS
            and max(answer.sent for answer in (self.first, *self.later)) <= MOST_BYTES
            and self.memory["peak"] <= MOST_MEMORY
        )


def measure(visitor: Visitor, view: View) -> Measurement:
    """Every step of a view in turn."""
    (first, *later), *rest = (visitor.step(view.page, values) for values in view.steps)
    found = Measurement(view, first, [*later, *chain.from_iterable(rest)], memory())
    print(*_row(found), sep=" | ", flush=True)
    return found


def memory() -> dict[str, float]:
    """Bytes of this process: all that is resident, files it has mapped included; the part that is no file; the most
    that was ever resident since forget_peak."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    kb = {name: int(value) * 1024 for name, value in re.findall(r"^(\w+):\s+(\d+) kB$", status, re.MULTILINE)}
    return {"resident": kb["VmRSS"], "own": kb["RssAnon"], "peak": kb["VmHWM"]}


def forget_peak() -> None:
    """Begin to watch for the most memory anew: writing the run is not the server's work. Raises OSError."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def report(found: list[Measurement], opening: float, command: str) -> None:
    """The table, with the limits."""
    columns = ["view", "first visit, s", "then, median s", "worst s", "processor, median s", "sent, median kB",
               "most kB", "server, MB",
               "of these no mapped files", "most so far, MB", "limits"]  # fmt: skip
    last = found[-1].memory
    text = (
        f"A synthetic run of {N_CELLS:,} cells, {N_FACTORS} factors, {N_GENES:,} genes, {N_TYPES} cell types and 8 "
        "samples; its map is laid out, not computed. Server time of the whole page, shell included; the first visit "
        "finds empty caches, every later one has another pair, factor or type. Sent: everything that goes to the "
        f"browser, uncompressed. Limits: {MOST_SECONDS * 1000:.0f} ms on every visit but the first, "
        f"{MOST_BYTES // 1000} kB on every visit, and {MOST_MEMORY / 1e9:.1f} GB resident, files that are mapped into "
        "memory included, at any moment since the run was opened, not only when a view is done. Processor: of the "
        "page's own thread, for a machine that others use too. Opening the run and showing the first page took "
        f"{opening:.1f} s.\n\n"
        f"{table(columns, [_row(one) for one in found])}\n\n"
        f"At the end {last['resident'] / 1e6:,.0f} MB are resident ({last['own'] / 1e6:,.0f} MB of the server's own, "
        f"the rest are pages of mapped files); at the most it was {last['peak'] / 1e6:,.0f} MB.\n\n"
        + conditions(command)
    )
    write_section("Two million cells", text)


def _row(found: Measurement) -> list[object]:
    seconds, busy, sent = ([getattr(answer, name) for answer in found.later] for name in Answer._fields)
    return [
        found.view.name,
        f"{found.first.seconds:.2f}",
        f"{statistics.median(seconds):.2f}",
        f"{max(seconds):.2f}",
        f"{statistics.median(busy):.2f}",
        f"{statistics.median(sent) / 1000:.0f}",
        f"{max(found.first.sent, *sent) / 1000:.0f}",
        f"{found.memory['resident'] / 1e6:,.0f}",
        f"{found.memory['own'] / 1e6:,.0f}",
        f"{found.memory['peak'] / 1e6:,.0f}",
        "hold" if found.holds else "**exceeded**",
    ]


def main() -> None:
    """Write the run where it is missing, measure, report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="a workspace outside the repository")
    parser.add_argument("--cells", type=int, default=N_CELLS)
    parser.add_argument("--only", default="", help="views whose name contains this; nothing is written then")
    asked = parser.parse_args()
    os.environ[HOME_VARIABLE] = str(asked.folder)
    run_id = large_run(asked.folder, n_cells=asked.cells)
    forget_peak()
    began = time.perf_counter()
    visitor = Visitor(run_id)
    opening = time.perf_counter() - began
    chosen = [view for view in VIEWS if asked.only.lower() in view.name.lower()]
    found = [measure(visitor, view) for view in chosen]
    if "torch" in sys.modules:
        raise RuntimeError("The pages have loaded torch, which the server never should.")
    if not asked.only and asked.cells == N_CELLS:
        report(found, opening, "python -m benchmarks.explore --folder FOLDER")


if __name__ == "__main__":
    main()
