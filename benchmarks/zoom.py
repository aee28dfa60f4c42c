"""Whether zooming into a type finds what a run on all cells misses: `python -m benchmarks.zoom`.

Cells of four types share six programs; one more program varies only within the rarest type, 5% of the cells. A run on
all cells, a run on the cells of that type (`train --cells`), and one on as many cells drawn from all, each with every
default, are compared with the planted programs by the absolute cosine of centred loadings. Each simulation plants other
programs.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import anndata
import numpy as np
import pandas as pd
from scipy import sparse

from benchmarks.report import conditions, table, write_section
from ldvae_core.analysis.matching import cosines
from ldvae_core.commands.sources import opened_run

N_CELLS, N_GENES, N_SHARED = 12_000, 800, 6
TYPES, SHARES = ("common", "second", "third", "rare"), (0.50, 0.30, 0.15, 0.05)
RARE, ZOOM = "rare", "type=rare"
DRIVEN, EFFECT = 0.08, 0.8  # share of the genes that a program drives; natural-log fold change per unit of z
TYPE_EFFECT = 0.5  # sd over genes of what sets a type apart, natural log
DEPTH, SPREAD = 3_000, 0.3  # median molecules of a cell, sd of their logarithm
DISPERSION = (1.0, 10.0)  # range of inverse dispersions
FOUND = 0.9
N_FACTORS = 10
AT_ONCE = 2_000  # cells drawn together


class Planted(NamedTuple):
    """genes: names; loadings: (n_genes, N_SHARED + 1), the confined program last."""

    genes: list[str]
    loadings: np.ndarray


def plant(path: Path, seed: int) -> Planted:
    """Write the cells as .h5ad. Shared programs fall in strength to 45%; the confined one has their mean strength."""
    rng = np.random.default_rng(seed)
    driven = rng.random((N_GENES, N_SHARED + 1)) < DRIVEN
    size = EFFECT * rng.uniform(0.6, 1.4, driven.shape) * rng.choice([-1.0, 1.0], driven.shape)
    strength = np.append(np.linspace(1, 0.45, N_SHARED), (1 + 0.45) / 2)
    loadings = np.where(driven, size, 0.0) * strength
    loadings -= loadings.mean(axis=0)
    kinds = rng.choice(len(TYPES), N_CELLS, p=SHARES)
    z = rng.standard_normal((N_CELLS, N_SHARED + 1))
    z[TYPES[-1] != np.asarray(TYPES)[kinds], -1] = 0
    level = rng.normal(0, 1, N_GENES) + rng.normal(0, TYPE_EFFECT, (len(TYPES), N_GENES))
    theta = np.exp(rng.uniform(*np.log(DISPERSION), N_GENES))
    library = np.maximum(np.round(DEPTH * np.exp(SPREAD * rng.standard_normal(N_CELLS))), 20)
    counts = sparse.vstack([
        _draw(rng, z[some] @ loadings.T + level[kinds[some]], library[some], theta)
        for some in np.array_split(np.arange(N_CELLS), N_CELLS // AT_ONCE)
    ]).tocsr()  # fmt: skip
    seen = np.asarray(counts.sum(axis=0)).ravel() > 0
    genes = [f"G{gene}" for gene in np.flatnonzero(seen)]
    cells = pd.DataFrame({"type": np.asarray(TYPES)[kinds]}, index=[f"c{cell}" for cell in range(N_CELLS)])
    anndata.AnnData(counts[:, seen].astype(np.float32), obs=cells, var=pd.DataFrame(index=genes)).write_h5ad(path)
    return Planted(genes, loadings[seen])


def _draw(rng: np.random.Generator, logits: np.ndarray, library: np.ndarray, theta: np.ndarray) -> sparse.csr_matrix:
    fraction = np.exp(logits - logits.max(axis=1, keepdims=True))
    mean = library[:, None] * fraction / fraction.sum(axis=1, keepdims=True)
    return sparse.csr_matrix(rng.poisson(mean * rng.gamma(theta, 1 / theta, mean.shape)).astype(np.float32))


def best_cosines(run: Path, planted: Planted) -> np.ndarray:
    """For each planted program the largest |cosine| with any factor of the run."""
    opened = opened_run(str(run))
    factors = opened.factors[opened.axes]
    place = {gene: row for row, gene in enumerate(planted.genes)}
    rows = [place[gene] for gene in opened.counts.gene_names.tolist()]
    return np.abs(cosines(planted.loadings[rows], factors.loadings)).max(axis=1)


class Row(NamedTuple):
    """Best |cosine| with the confined program of a run on all cells, on the type, and on as many drawn from all.

    shared: median over the shared programs, of the run on all cells. drawn: NaN where it was not asked for.
    """

    seed: int
    n_rare: int
    shared: float
    everyone: float
    zoomed: float
    drawn: float


def measure(seed: int, folder: Path, *, control: bool) -> Row:
    """One simulation."""
    file = folder / "cells.h5ad"
    planted = plant(file, seed)
    types = anndata.read_h5ad(file, backed="r").obs["type"]
    n_rare = int((types == RARE).sum())
    found = {"everyone": train(file, folder / "all", planted), "zoomed": train(file, folder / "type", planted, ZOOM)}
    drawn = np.nan
    if control:
        cells = np.random.default_rng(seed).choice(types.index.to_numpy(), n_rare, replace=False)
        (folder / "drawn.txt").write_text("\n".join(cells), encoding="utf-8")
        drawn = float(train(file, folder / "drawn", planted, f"@{folder / 'drawn.txt'}")[-1])
    shared = float(np.median(found["everyone"][:-1]))
    return Row(seed, n_rare, shared, float(found["everyone"][-1]), float(found["zoomed"][-1]), drawn)


def train(file: Path, run: Path, planted: Planted, cells: str = "") -> np.ndarray:
    """best_cosines of a run with every default, on all genes."""
    options = ["--factors", str(N_FACTORS), "--genes", str(N_GENES), *(["--cells", cells] if cells else [])]
    command = [sys.executable, "-m", "ldvae_core", "train", str(file), "--out", str(run), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2_000:])
    return best_cosines(run, planted)


def section(rows: list[Row], command: str) -> str:
    """What the page says."""
    missed = [row for row in rows if row.everyone < FOUND]
    n_drawn = sum(not np.isnan(row.drawn) for row in rows)
    found = sum(row.zoomed >= FOUND for row in missed)
    cells: list[list[object]] = [
        [row.seed, row.n_rare, *("" if np.isnan(value) else f"{value:.2f}" for value in row[2:])] for row in rows
    ]
    columns = ["simulation", "cells of the type", "shared programs, all cells (median)", "confined program, all cells",
               "confined program, zoomed in", "confined program, as many cells of all types"]  # fmt: skip
    return f"""{N_CELLS:,} simulated cells of four types, {N_GENES} genes, {N_SHARED} programs that all cells share and
one that varies only within the rarest type, {SHARES[-1]:.0%} of the cells. Best absolute cosine of a planted program
with a factor, every run with {N_FACTORS} factors and otherwise all defaults. The run on all cells misses the confined
program (below {FOUND}) in {len(missed)} of {len(rows)} simulations; of these the run on the type
alone finds it in {found}. The last column is a control: a run on as many cells drawn from all types,
in {n_drawn} of the simulations.

{table(columns, cells)}

{conditions(command)}"""


def main() -> None:
    """All simulations; the section is written where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, help="number of the first")
    parser.add_argument("--controls", type=int, default=1, help="how many of them also take cells of all types")
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    asked = parser.parse_args()
    rows = []
    for seed in range(asked.first, asked.first + asked.simulations):
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measure(seed, Path(folder), control=seed < asked.first + asked.controls))
        sys.stderr.write(f"{rows[-1]}\n")
    text = section(rows, "python -m benchmarks.zoom")
    if asked.write:
        write_section("Zooming into cells", text)
    else:
        print(text)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
