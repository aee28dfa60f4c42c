"""Are the p values of comparisons honest, and what do they find? Measured on real counts, where the truth is known.

    python -m benchmarks.calibration [--data FILE]... [--quick | --repetitions NULL PLANTED] [--to docs/calibration.md]

Nothing differs between random halves of the cells of one type, so whatever is found there is false. Differences are
planted by thinning: a molecule of a planted gene is kept with chance 1/3 in one of the groups. Samples are random
partitions of such cells, every gene of every sample multiplied by a log-normal factor of its own, as donors differ.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from ldvae_core.analysis.effects import FOUND, gene_effects
from ldvae_core.analysis.pseudobulk import design_samples, sample_gene_effects
from ldvae_core.analysis.sums import group_sums
from ldvae_core.data.annotations import guess_roles
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.demo import load_demo
from ldvae_core.data.read import read_counts

GROUP_SIZES = (10, 30, 100, 300, 1000)
SAMPLES = (3, 4, 6, 8)  # of each group
MOST_CELLS = 2271  # of one type
FOLD, PLANTED = 3.0, 0.05  # times as high, share of the genes
DONOR_SDS = (0.3, 0.5)  # of the natural log of the factor by which a gene differs between donors
MANY_MOLECULES = 200  # of a gene, from which power is told
READ_WITH = """
In planted data of samples, what is found among genes that were not planted is partly real: a planted gene that holds
much of all molecules lowers the share of every other gene (demo, 6 v 6, a quarter of the depth, 60 repetitions: false
discoveries .079 +- .014 with shares of all molecules, .045 +- .011 with shares of the molecules before planting, and
correlated .57 with how far planting moved the library). With a donor sd of .5 a 3-fold difference between 3 and 3
samples is 2.7 standard errors: a test that knew every gene's variance would find .18 to .23 of them (.38 to .45 of 4
v 4, .71 to .76 of 6 v 6, .88 to .91 of 8 v 8), found are .09 to .17 (.28 to .34, .55 to .61, .69 to .73).
"""
REPETITIONS, QUICK = (200, 50), (20, 6)  # null and planted


class Kind(NamedTuple):
    """A kind of null or planted data of cells."""

    name: str
    mixed: bool = False  # all types together instead of one
    depth: float = 1.0  # share of the first group's molecules that are kept


KINDS = (Kind("one type"), Kind("one type, first group at a quarter of the depth", depth=0.25), Kind("all types", True))


def thinned(counts: sparse.csr_matrix, chance: np.ndarray, rng: np.random.Generator) -> sparse.csr_matrix:
    """Every molecule kept with the chance of its entry, (nnz,)."""
    kept = sparse.csr_matrix((rng.binomial(counts.data, chance), counts.indices, counts.indptr), shape=counts.shape)
    kept.eliminate_zeros()
    return kept


def multiplied(counts: sparse.csr_matrix, factor: np.ndarray, rng: np.random.Generator) -> sparse.csr_matrix:
    """Every entry times its factor, (nnz,), rounded up or down at random so that the mean is right."""
    data = np.floor(counts.data * factor + rng.random(counts.nnz)).astype(np.int64)
    made = sparse.csr_matrix((data, counts.indices, counts.indptr), shape=counts.shape)
    made.eliminate_zeros()
    return made


def planted_genes(counts: sparse.csr_matrix, rng: np.random.Generator) -> np.ndarray:
    """By gene 0 as it is, 1 higher in the first group, 2 in the second: (n_genes,), among genes with counts."""
    seen = np.flatnonzero(np.bincount(counts.indices, counts.data, minlength=counts.shape[1]) >= 10)
    side = np.zeros(counts.shape[1], np.int64)
    chosen = rng.permutation(seen)[: int(PLANTED * len(seen))]
    side[chosen] = 1 + np.arange(len(chosen)) % 2
    return side


def judged(table: pd.DataFrame, side: np.ndarray, total: np.ndarray) -> dict[str, float]:
    """Shares of one comparison: below (p < .05 among tested), any, found planted ones with many molecules, false."""
    found, tested = (table["q"] < FOUND).to_numpy(), table["p"].notna().to_numpy()
    strong = (side > 0) & (total >= MANY_MOLECULES)
    return {
        "p < .05": float((table["p"] < 0.05).to_numpy()[tested].mean()) if tested.any() else 0.0,
        "any": float(found.any()),
        "power": float(found[strong].mean()) if strong.any() else np.nan,
        "false": float((found & (side == 0)).sum() / max(found.sum(), 1)),
    }


def of_cells(matrix: CountMatrix, kind: Kind, n: int, rng: np.random.Generator, *, plant: bool) -> dict[str, float]:
    """One comparison of n random cells with all others."""
    counts = _cells(matrix, kind.mixed, rng)
    first = np.zeros(counts.shape[0], bool)
    first[rng.choice(len(first), n, replace=False)] = True
    side = planted_genes(counts, rng) if plant else np.zeros(counts.shape[1], np.int64)
    row = np.repeat(first, np.diff(counts.indptr))
    lower = side[counts.indices] == np.where(row, 2, 1)
    library = np.asarray(counts.sum(axis=1)).ravel() * np.where(
        first, kind.depth, 1.0
    )  # as of cells that do not differ
    drawn = thinned(counts, np.where(lower, 1 / FOLD, 1.0) * np.where(row, kind.depth, 1.0), rng)
    sums, _ = group_sums(drawn, np.maximum(library, 1.0), np.where(first, 0, 1), 2)
    return judged(gene_effects(sums, matrix.gene_names), side, sums.total.sum(axis=0))


def of_samples(
    matrix: CountMatrix, n: int, donor_sd: float, depth: float, rng: np.random.Generator, *, plant: bool, even: bool
) -> dict[str, float]:
    """One comparison of n simulated samples with n others."""
    counts = _cells(matrix, False, rng)
    weight = np.full(2 * n, 1.0) if even else rng.lognormal(0, 0.7, 2 * n)
    sample = rng.choice(2 * n, counts.shape[0], p=weight / weight.sum())
    first = sample < n
    side = planted_genes(counts, rng) if plant else np.zeros(counts.shape[1], np.int64)
    row = np.repeat(sample, np.diff(counts.indptr))
    higher = side[counts.indices] == np.where(row < n, 1, 2)
    donors = rng.lognormal(-(donor_sd**2) / 2, donor_sd, (2 * n, counts.shape[1]))
    factor = donors[row, counts.indices] * np.where(higher, FOLD, 1.0)
    drawn = multiplied(counts, factor * depth, rng)
    library = np.maximum(np.asarray(drawn.sum(axis=1)).ravel(), 1.0)
    names = [f"s{number}" for number in range(2 * n)]
    design = design_samples(sample, names, first, ~first, ("first", "second"))
    group, _, _ = design.groups(sample, 2 * n, first, ~first)
    sums, _ = group_sums(drawn, library, group, 4 * n)
    return judged(sample_gene_effects(sums, design, matrix.gene_names), side, sums.total.sum(axis=0))


def _cells(matrix: CountMatrix, mixed: bool, rng: np.random.Generator) -> sparse.csr_matrix:
    """Counts int64 of at most MOST_CELLS cells of the largest type, or of all types."""
    column = guess_roles(matrix.annotations)["cell_type"]
    cells = np.arange(matrix.n_cells)
    if not mixed and column is not None:
        labels = matrix.annotations[column].astype(str)
        cells = np.flatnonzero(labels == labels.value_counts().index[0])
    if len(cells) > MOST_CELLS:
        cells = np.sort(rng.choice(cells, MOST_CELLS, replace=False))
    return sparse.csr_matrix(matrix.counts[cells].astype(np.int64))


def tables(name: str, matrix: CountMatrix, repetitions: tuple[int, int]) -> list[pd.DataFrame]:
    """Of cells and of samples, a row a setting."""
    rows, n_null, n_planted = [], *repetitions
    for kind in KINDS:
        most = _cells(matrix, kind.mixed, np.random.default_rng(0)).shape[0] - GROUP_SIZES[0]
        for n in (n for n in GROUP_SIZES if n <= most):
            rng = np.random.default_rng(n)
            null = _mean([of_cells(matrix, kind, n, rng, plant=False) for _ in range(n_null)])
            planted = _mean([of_cells(matrix, kind, n, rng, plant=True) for _ in range(n_planted)])
            rows.append({"data": name, "null": kind.name, "cells in first group": n, **_row(null, planted)})
    more = []
    for n in SAMPLES:
        for donor_sd, depth, even in ((DONOR_SDS[0], 1.0, True), (DONOR_SDS[1], 1.0, True), (DONOR_SDS[0], 0.25, True),
                                      (DONOR_SDS[0], 1.0, False)):  # fmt: skip
            rng, setting = np.random.default_rng(n), {"donor_sd": donor_sd, "depth": depth, "even": even}
            null = _mean([of_samples(matrix, n, **setting, rng=rng, plant=False) for _ in range(n_null)])
            planted = _mean([of_samples(matrix, n, **setting, rng=rng, plant=True) for _ in range(n_planted)])
            more.append({"data": name, "samples": f"{n} v {n}", "donor sd": donor_sd, "share of depth": depth,
                         "cells a sample": "even" if even else "uneven", **_row(null, planted)})  # fmt: skip
    return [pd.DataFrame(rows), pd.DataFrame(more)]


def _row(null: dict[str, float], planted: dict[str, float]) -> dict[str, float]:
    return {"null p < .05": null["p < .05"], "null with a finding": null["any"],
            f"power ({MANY_MOLECULES} molecules)": planted["power"], "false discoveries": planted["false"]}  # fmt: skip


def _mean(rows: list[dict[str, float]]) -> dict[str, float]:
    return {str(name): float(value) for name, value in pd.DataFrame(rows).mean().items()}


def _markdown(table: pd.DataFrame) -> str:
    shown = table.map(lambda value: f"{value:.3f}" if isinstance(value, float) else str(value))
    lines = [shown.columns.tolist(), ["---"] * shown.shape[1], *shown.to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def report(found: list[list[pd.DataFrame]], repetitions: tuple[int, int]) -> str:
    """docs/calibration.md."""
    n_null, n_planted = repetitions
    allowed = 0.05 + 2 * np.sqrt(0.05 * 0.95 / n_null)
    cells, samples = (pd.concat(parts, ignore_index=True) for parts in zip(*found, strict=True))
    return f"""# Are the p values of comparisons honest?
Made by `python -m benchmarks.calibration`. Null comparisons are of random cells of one type (or of all types), or of
simulated samples of one type: whatever is found there is false. {n_null} null comparisons and {n_planted} with planted
differences a row. Wanted: null p < .05 at most 6%; a finding (q < .05) in at most 5% of null comparisons, which over
{n_null} of them allows {allowed:.3f} (two binomial standard errors). Power: of planted 3-fold differences in 5% of the
genes, those with {MANY_MOLECULES} molecules or more in both groups together that are found; false discoveries: the mean
share of findings that were not planted.

## Cells as unit
A group of few cells against all others, together {MOST_CELLS:,} cells at most.

{_markdown(cells)}

## Samples as unit
Every gene of every sample is multiplied by a log-normal factor whose natural logarithm has the given sd.

{_markdown(samples)}
{READ_WITH}"""


def main() -> None:
    """Measure, print, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", action="append", default=[], type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--repetitions", type=int, nargs=2, default=REPETITIONS, metavar=("NULL", "PLANTED"))
    parser.add_argument("--to", type=Path)
    given = parser.parse_args()
    repetitions, found = QUICK if given.quick else tuple(given.repetitions), []
    with tempfile.TemporaryDirectory() as folder:
        for number, source in enumerate([None, *given.data]):
            began = time.monotonic()
            matrix = load_demo() if source is None else read_counts(source, Path(folder) / str(number))
            found.append(tables("demo" if source is None else source.stem, matrix, repetitions))
            print(*(table.round(3).to_string() for table in found[-1]), sep="\n", flush=True)
            print(f"{time.monotonic() - began:.0f} s", flush=True)
            if given.to:
                given.to.write_text(report(found, repetitions), encoding="utf-8")


if __name__ == "__main__":
    main()
