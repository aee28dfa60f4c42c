"""What a number of cells takes, from constants that were measured: `python -m benchmarks.scale` writes docs/scale.md.

Nothing is measured here. The constants are those of docs/benchmarks.md, and every measurement there that the model can
be held against is set beside what the model says; tests/test_scale.py holds the two within the factors given.
"""

import math
from pathlib import Path
from typing import NamedTuple

from benchmarks.report import table

TARGET = Path(__file__).parents[1] / "docs" / "scale.md"

# Of one core of the machine of docs/benchmarks.md.
STARTING = 2.5  # processor seconds until a command begins to work
READING = 75e-9  # processor seconds an entry of the file that is not zero, from a gzipped .h5ad, checked and kept
CHOOSING = 14e-9  # the same, for choosing genes and taking them out
STEP_CELL, STEP_ENTRY = 7.5e-6, 30e-9  # of the compiled step: a training cell, and each of its modelled counts
RESULTS_CELL = 21e-6  # of everything after the training, without refining
REFINING_CELL = 430e-6  # of positions to the end, with the rounds of refitting (14,000 cells, 12 factors, 1,000 genes)
UPDATES, MINIBATCH = 6_250, 128  # of a first pass
TRAIN_SHARE = 0.8

BYTES_ENTRY, BYTES_BASE = 6, 2.0e9  # memory of a training: a modelled count, and all else at most
STORE_ENTRY = 9.4  # bytes on disk of an entry of the whole data set, with its index by gene
PAGE_BASE, PAGE_CELL = 0.4e9, 460  # bytes of the page server: with nothing open, and a cell of the run looked at
VIEW_CELL = 0.1e-6  # seconds of the median view; the slowest take three times that

ENTRIES, MODELLED = 600, 111  # counts of a cell that are not zero: in the file, and in 1,000 modelled genes


class Cost(NamedTuple):
    """Of one run with every default on one core: processor seconds and bytes."""

    reading: float
    first_step: float
    epoch: float
    first_pass: float
    refining: float
    train_bytes: float
    disk_bytes: float
    page_bytes: float
    view: float


def cost(n_cells: float, *, entries: float = ENTRIES, modelled: float = MODELLED) -> Cost:
    """What n_cells take; entries, modelled: counts a cell that are not zero, in the file and in the modelled genes."""
    train = TRAIN_SHARE * n_cells
    reading = STARTING + READING * entries * n_cells
    epoch = train * (STEP_CELL + STEP_ENTRY * modelled)
    epochs = max(1.0, UPDATES * MINIBATCH / train)
    return Cost(
        reading=reading,
        first_step=reading + CHOOSING * entries * n_cells,
        epoch=epoch,
        first_pass=epoch * epochs,
        refining=REFINING_CELL * n_cells,
        train_bytes=BYTES_BASE + BYTES_ENTRY * modelled * n_cells,
        disk_bytes=STORE_ENTRY * entries * n_cells,
        page_bytes=PAGE_BASE + PAGE_CELL * n_cells,
        view=0.05 + VIEW_CELL * n_cells,
    )


class Known(NamedTuple):
    """A measurement, what the model says of it, and by what factor the two may differ."""

    what: str
    measured: float
    modelled: float
    within: float


def measurements() -> list[Known]:
    """Those of docs/benchmarks.md that the model speaks of."""
    million, less = cost(1_949_131), cost(200_000)
    ten = {entries: 10 * cost(1_000 / TRAIN_SHARE, modelled=entries).epoch for entries in (70, 110)}
    simulated = {n: cost(n, modelled=190).epoch for n in (2_500, 160_000)}
    return [
        Known("`info`, 1,949,131 cells, s", 88, million.reading, 1.3),
        Known("`info`, 200,000 cells, s", 12, less.reading, 1.3),
        Known("until the first step, 1,949,131 cells, s", 104, million.first_step, 1.3),
        Known("two epochs, 1,949,131 cells, s", 32, 2 * million.epoch, 1.3),
        Known("an epoch of 2,500 cells, 19% not zero, s", 0.028, simulated[2_500], 1.3),
        Known("an epoch of 160,000 cells, 19% not zero, s", 1.696, simulated[160_000], 1.3),
        Known("ten epochs of 1,000 cells, mouse embryo, 11% not zero, s", 0.108, ten[110], 1.3),
        Known("ten epochs of 1,000 cells, Kang blood, 7% not zero, s", 0.092, ten[70], 1.3),
        Known("ten epochs of 1,000 cells, PBMC 3k, 11% not zero, s", 0.102, ten[110], 1.3),
        Known("training of 1,949,131 cells, GB", 2.87, million.train_bytes / 1e9, 1.3),
        Known("pages of 2,000,000 cells, largest server, GB", 1.33, cost(2e6).page_bytes / 1e9, 1.3),
        Known("refining Kang blood (13,999 cells), s", 5.9, cost(13_999).refining, 1.5),
        Known("refining mouse embryo (7,850 cells, 2,000 genes), s", 10.1, 2 * cost(7_850).refining, 1.5),
    ]  # fmt: skip


SIZES = (1e5, 1e6, 1e7, 1e8, 1e9)
HEAD = """# From a thousand cells to a thousand million

What a run takes with every default (10 factors, 1,000 modelled genes, a gzipped .h5ad of 26,000 genes with {entries}
counts a cell that are not zero, {modelled} of them modelled), computed from constants that were measured on one core of
one machine. Nothing above two million cells was ever run, and nothing was measured on a GPU or on several machines:
where this page goes beyond, it computes. `python -m benchmarks.scale` writes it.

## One core, one machine

"""
GIVES_WAY = [
    ["10^5", "refining every cell would take longer than the training: above 67,000 cells it is left out",
     "*Refine this run*, or `refine`, takes the minutes it needs; or fewer cells"],
    ["10^6", "nothing else", ""],
    ["5 x 10^6", "views take more than half a second, the page server more than 1.5 GB",
     "train and look at a sample or a part (`train --cells`), place the others with `score`, a block at a time"],
    ["10^7", "a training takes more than 8 GB, views a second", "the same; or a machine with 32 GB"],
    ["10^8", "the memory of most servers; half a terabyte of disk; an hour and a half of reading",
     "train on ten million cells drawn at random, which hold what one cell in a million does ten times"],
    ["10^9", "everything on one machine",
     "several machines would have to read and train at the same time, which this program cannot do"],
]  # fmt: skip
BREAKS = """
## What breaks first, and what to do

{gives_way}

More cells are worth their cost for *rare* programs, and these are found more surely among the cells that have them
(*Zoom in*, `train --cells`) than by training on all.

## A GPU, several GPUs, a cluster

Estimates from the operations that a step consists of, made without a GPU and never checked on one: a step of 2,048
cells takes about 1.3 ms, nearly all of it the host's time for starting kernels, so 1.56 million training cells take
about 1 s an epoch, 16 times less than a core. 10^7 cells would take 6 s an epoch and 20 GB of the GPU's memory (two
bytes a modelled gene), 10^8 cells a minute, if the counts fit. Eight GPUs would divide an epoch by at most eight, at
eight times the minibatch; training on several is not built. Reading would then be what takes longest: it is one
process, and ten million cells take it eight minutes.

## Held against what was measured

Measured figures are those of [benchmarks.md](benchmarks.md); model: what the formulas of `benchmarks/scale.py` say.

"""


def rows() -> list[list[object]]:
    """A row for every size."""
    found: list[list[object]] = []
    for n_cells in SIZES:
        c = cost(n_cells)
        times = [_time(c.reading), _time(c.first_step), _time(c.epoch), _time(c.first_pass), _time(c.refining)]
        sizes = [_bytes(c.train_bytes), _bytes(c.disk_bytes), _bytes(c.page_bytes)]
        found.append([f"10^{round(math.log10(n_cells))}", *times, *sizes, _time(c.view)])
    return found


def page() -> str:
    """docs/scale.md."""
    columns = ["cells", "reading", "until the first step", "an epoch", "a first pass", "refining every cell",
               "memory of the training", "disk", "memory of the pages", "a view"]  # fmt: skip
    checked = [[each.what, f"{each.measured:.3g}", f"{each.modelled:.3g}", f"{each.modelled / each.measured:.2f}"]
               for each in measurements()]  # fmt: skip
    return (
        HEAD.format(entries=ENTRIES, modelled=MODELLED) + table(columns, rows()) + "\n"
        + BREAKS.format(gives_way=table(["cells", "what gives way", "what to do"], GIVES_WAY))
        + table(["what", "measured", "model", "model / measured"], checked) + "\n"
    )  # fmt: skip


def _time(seconds: float) -> str:
    for unit, length in (("days", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.2g} {unit}"
    return f"{seconds:.2g} s"


def _bytes(n: float) -> str:
    return f"{n / 1e12:.2g} TB" if n >= 1e12 else f"{n / 1e9:.3g} GB"


def main() -> None:
    """Write the page."""
    TARGET.write_text(page(), encoding="utf-8")
    print(page())


if __name__ == "__main__":
    main()
