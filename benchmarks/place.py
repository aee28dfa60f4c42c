"""Placing new cells: are strange ones told, and how long does it take?

`python -m benchmarks.place strange --data FOLDER --runs FOLDER`: every type of three labelled data sets is left out
once. A run is trained on the other cells; the left-out type and the run's test cells are placed together. How well do
their distances tell them apart (AUROC), how many of each are called strange? Finished trainings in --runs are reused.

`python -m benchmarks.place speed --folder FOLDER [--cells 500000]`: cells as the demo's, so many of them, placed on the
demo's run; seconds and memory. FOLDER is outside the repository; what is there is reused.
"""

import argparse
import re
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from threadpoolctl import threadpool_limits

from benchmarks.data import STUDIES
from benchmarks.report import conditions, table, write_section
from ldvae_core.analysis.factor_effects import auc
from ldvae_core.analysis.strange import UNLIKELY, reference_of
from ldvae_core.data.choices import DataChoices
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.demo import DEMO_RUN
from ldvae_core.data.folder import load_counts, write_about, write_names
from ldvae_core.data.read import read_counts
from ldvae_core.data.split import TEST
from ldvae_core.data.store import CountsWriter
from ldvae_core.model.config import ModelConfig, TrainingConfig
from ldvae_core.runs.execute import execute
from ldvae_core.runs.opened import open_run_folder
from ldvae_core.runs.programs import programs_of
from ldvae_core.runs.projection import project
from ldvae_core.runs.settings import RunSettings

N_GENES, LABEL = 1_000, "cell_type"
EPOCHS = {"mouse embryo": 60}  # half of the rule of thumb: twenty trainings
PIECE = 20_000  # cells written together


def trained(folder: Path, data: CountMatrix, name: str, left_out: str) -> Path:
    """A run on all cells but those of one type, trained where it is not there."""
    run = folder / f"{name} without {re.sub(r'[^A-Za-z0-9+ ]', '-', left_out)}"
    if not (run / "metrics.json").exists():
        RunSettings(
            left_out[:100], "file", label_column=LABEL, choices=DataChoices(n_genes=N_GENES),
            model=ModelConfig(n_factors=STUDIES[name].n_factors),
            training=TrainingConfig(threads=1, device="cpu", n_epochs=EPOCHS.get(name)),
        ).write(run)  # fmt: skip
        kept = (data.annotations[LABEL].astype(str) != left_out).to_numpy()
        execute(run, open_counts=lambda: data.subset(cells=kept))
    return run


def judged(run: Path, data: CountMatrix, left_out: str) -> dict[str, object]:
    """The left-out type and the run's test cells placed together; test cells have no part in what is called far."""
    opened, labels = open_run_folder(run), data.annotations[LABEL].astype(str).to_numpy()
    split, factors = np.asarray(opened.split), opened.factors[opened.axes]
    known = split != TEST
    reference = reference_of(np.asarray(factors.representation)[known], split[known], opened.labels(LABEL)[known])
    test = np.isin(data.cell_ids, opened.counts.cell_ids[~known])
    new = data.subset(cells=test | (labels == left_out))
    with tempfile.TemporaryDirectory() as scratch:
        placed = project(
            replace(programs_of(opened, run), reference=reference), new, Path(scratch) / "cells", threads=1
        )
        strange = (placed.cells.annotations[LABEL].astype(str) == left_out).to_numpy()
    found = placed.strangeness
    near = pd.Series(np.array(reference.names)[found.nearest[strange]]).value_counts(normalize=True)
    return {
        "cells": int(strange.sum()),
        "auc": float(auc(found.distance[strange], found.distance[~strange])),
        "found": float(found.is_strange[strange].mean()),
        "false": float(found.is_strange[~strange].mean()),
        "near": f"{near.index[0]} ({near.iloc[0]:.0%})",
    }


def strange(data: Path, runs: Path) -> None:
    """All types of all studies, and the section of docs/benchmarks.md."""
    rows: list[dict[str, object]] = []
    runs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, threadpool_limits(1):
        for number, (name, study) in enumerate(STUDIES.items()):
            counts = read_counts(data / study.file, Path(scratch) / str(number))
            for left_out in sorted(counts.annotations[LABEL].astype(str).unique()):
                found = judged(trained(runs, counts, name, left_out), counts, left_out)
                rows.append({"study": name, "left out": left_out, **found})
                print(rows[-1], flush=True)
    whole = pd.DataFrame(rows)
    middle = whole[["auc", "found", "false"]].median()
    lines: list[list[object]] = [
        [row["study"], row["left out"], f"{row['cells']:,}", f"{row['auc']:.3f}", f"{row['found']:.0%}",
         f"{row['false']:.1%}", row["near"]] for row in rows
    ]  # fmt: skip
    by_study = "; ".join(f"{name} {auc_:.3f}" for name, auc_ in whole.groupby("study")["auc"].median().items())
    text = (
        f"Each type of three data sets is left out of a training ({N_GENES:,} genes, 10 or 12 factors) and placed on "
        f"it together with the run's test cells. Median AUROC of the distance over {len(whole)} types: "
        f"**{middle['auc']:.3f}** ({by_study}). Called strange are {middle['found']:.0%} of the left-out cells and "
        f"{middle['false']:.1%} of the test cells (medians; {UNLIKELY:.0%} were meant, and cells among strange ones "
        "are taken for strange more often). What lies between known types, as CD4 among other T cells, is not told. "
        "How many neighbours are averaged was chosen on the two blood data sets and one type of the embryo.\n\n"
        + table(["data", "left out", "cells", "AUROC", "called strange", "of test cells", "nearest type"], lines)
        + "\n\n"
    )
    write_section("Strange cells", text + conditions("python -m benchmarks.place strange --data FOLDER --runs FOLDER"))


def many_cells(folder: Path, n_cells: int) -> CountMatrix:
    """Cells of the demo drawn again and again, each with some of its molecules left out."""
    if not folder.exists():
        demo, random = open_run_folder(DEMO_RUN).counts, np.random.default_rng(0)
        part = folder.with_name(f"{folder.name}.part")
        part.mkdir(parents=True)
        writer = CountsWriter(part, demo.n_genes)
        for start in range(0, n_cells, PIECE):
            block = sparse.csr_matrix(demo.counts[random.integers(0, demo.n_cells, min(PIECE, n_cells - start))])
            block.data = np.maximum(random.binomial(block.data, 0.9), 1).astype(np.uint32)
            writer.append(block)
        writer.close()
        ids = np.char.add("cell-", np.arange(n_cells).astype(str))
        write_names(part, cell_ids=ids, gene_names=demo.gene_names, gene_ids=None,
                    annotations=pd.DataFrame(index=range(n_cells)))  # fmt: skip
        write_about(part, n_cells=n_cells, n_genes=demo.n_genes, counts_from="X", notices=[], about={})
        part.rename(folder)
    return load_counts(folder)


def speed(folder: Path, n_cells: int, threads: int) -> None:
    """Seconds and memory of placing, and the section of docs/benchmarks.md."""
    data, programs = many_cells(folder / f"cells-{n_cells}", n_cells), programs_of(open_run_folder(DEMO_RUN), DEMO_RUN)
    before = resource.getrusage(resource.RUSAGE_SELF)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        began = time.perf_counter()
        placed = project(programs, data, Path(scratch) / "cells", threads=threads)
        seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    work = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    text = (
        f"{placed.cells.n_cells:,} cells ({data.counts.nnz / data.n_cells:,.0f} genes with counts in each) are placed "
        f"on {programs.n_genes:,} genes and {programs.factors.n_factors} factors, with their distances, by {threads} "
        f"threads in **{seconds:.0f} s** of a machine that others used too, and {work:.0f} s of processor: {threads} "
        f"free cores would take some {work / threads:.0f} s. The process reached "
        f"{after.ru_maxrss / 2**20:.2f} GB, of which {before.ru_maxrss / 2**20:.2f} GB before.\n\n"
    )
    write_section("Placing many cells", text + conditions("python -m benchmarks.place speed --folder FOLDER"))


def main() -> None:
    """One of the two."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kinds = parser.add_subparsers(dest="kind", required=True)
    told = kinds.add_parser("strange")
    told.add_argument("--data", type=Path, required=True)
    told.add_argument("--runs", type=Path, required=True)
    timed = kinds.add_parser("speed")
    timed.add_argument("--folder", type=Path, required=True)
    timed.add_argument("--cells", type=int, default=500_000)
    timed.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    if asked.kind == "strange":
        strange(asked.data, asked.runs)
    else:
        speed(asked.folder, asked.cells, asked.threads)


if __name__ == "__main__":
    main()
