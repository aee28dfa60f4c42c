"""Do the first genes of a program mark its cells elsewhere: `python -m benchmarks.markers --data FOLDER`.

Two data sets of human blood, labelled alike. Every end of a program that follows a cell type (AUC at least .9) in one
of them is judged by the other one: of its first 20 genes there, how many are markers of that type (at least twice as
high as in all other cells, q < .05)? For each order of genes, and the overlap of the first 20 between two seeds.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks.data import STUDIES
from benchmarks.report import conditions, table, write_section
from ldvae_core.analysis.effects import FOUND, gene_effects
from ldvae_core.analysis.factor_effects import auc
from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.programs import genes_at
from ldvae_core.analysis.sums import group_sums
from ldvae_core.data.choices import DataChoices
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.read import read_counts
from ldvae_core.model.config import ModelConfig, TrainingConfig
from ldvae_core.runs.execute import execute
from ldvae_core.runs.opened import OpenRun, open_run_folder
from ldvae_core.runs.settings import RunSettings

NAMES = ("Kang blood", "PBMC 3k")
FIRST, FOLLOWS, FOLD, FEWEST = 20, 0.9, 2.0, 30
ORDERS = ("explained deviance", "shrunken effect", "raw loading")


class End(NamedTuple):
    """An end of a program, and the type at it."""

    factor: int
    side: str  # positive or negative
    cell_type: str


def markers(matrix: CountMatrix, cell_type: str) -> set[str]:
    """Genes at least FOLD times as high in the type as in all other cells, q < .05."""
    inside = (matrix.annotations["cell_type"].astype(str) == cell_type).to_numpy()
    sums, leading = group_sums(matrix.counts, matrix.molecules, np.where(inside, 0, 1), 2)
    found = gene_effects(sums, matrix.gene_names, leading)
    return set(found.gene[(found["q"] < FOUND) & (found["log2_fold_change"] >= np.log2(FOLD))])


def ends(run: OpenRun, factors: Factors) -> list[End]:
    """Ends that follow a type of enough cells, each by the type that it follows best."""
    labels, found = run.counts.annotations["cell_type"].astype(str).to_numpy(), []
    types = [name for name in np.unique(labels) if (labels == name).sum() >= FEWEST]
    for factor in np.flatnonzero(factors.active).tolist():
        z = np.asarray(factors.representation[:, factor], np.float64)
        areas = {name: float(auc(z[labels == name], z[labels != name])) for name in types}
        for side, best in (
            ("positive", max(areas, key=areas.__getitem__)),
            ("negative", min(areas, key=areas.__getitem__)),
        ):
            if max(areas[best], 1 - areas[best]) >= FOLLOWS and (areas[best] > 0.5) == (side == "positive"):
                found.append(End(factor, side, best))
    return found


def first_genes(factors: Factors, end: End, order: str, known: set[str]) -> list[str]:
    """The first genes of the end in this order, of those that both data sets have."""
    shown = replace(factors, gene_order="deviance" if order == ORDERS[0] else "effect")
    places = genes_at(shown, end.factor, end.side, use="raw" if order == ORDERS[2] else "shrunken")
    return [gene for gene in factors.gene_names[places].tolist() if gene in known][:FIRST]


def main() -> None:
    """Train both data sets with some seeds and write the section of docs/benchmarks.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=2)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    shares: dict[str, list[float]] = {order: [] for order in ORDERS}
    common: dict[str, list[float]] = {order: [] for order in ORDERS}
    with tempfile.TemporaryDirectory() as scratch, threadpool_limits(1):
        places = {name: Path(scratch) / str(number) for number, name in enumerate(NAMES)}
        whole = {name: read_counts(asked.data / STUDIES[name].file, places[name]) for name in NAMES}
        known = set(whole[NAMES[0]].gene_names) & set(whole[NAMES[1]].gene_names)
        for name, other in (NAMES, NAMES[::-1]):
            kept: dict[tuple[str, str], list[list[str]]] = {}
            for seed in range(asked.seeds):
                study, folder = STUDIES[name], Path(scratch) / f"{places[name].name}_{seed}"
                RunSettings(
                    name, "file", choices=DataChoices(n_genes=study.n_genes),
                    model=ModelConfig(n_factors=study.n_factors),
                    training=TrainingConfig(seed=seed, threads=1, device="cpu"),
                ).write(folder)  # fmt: skip
                execute(folder, open_counts=lambda name=name: whole[name])
                run = open_run_folder(folder)
                factors = run.factors["readable"]
                for end in ends(run, factors):
                    true = markers(whole[other], end.cell_type)
                    for order in ORDERS:
                        genes = first_genes(factors, end, order, known)
                        shares[order].append(len(true & set(genes)) / FIRST)
                        kept.setdefault((end.cell_type, order), []).append(genes)
                    print(name, seed, end, [round(shares[order][-1], 2) for order in ORDERS], flush=True)
            for (_, order), lists in kept.items():
                if len(lists) == asked.seeds:  # one program of each seed follows the type
                    common[order].append(len(set.intersection(*map(set, lists))) / FIRST)
    n = len(shares[ORDERS[0]])
    gaps = {order: np.array(shares[order]) - np.array(shares[ORDERS[0]]) for order in ORDERS}
    rows = [
        [order, f"{np.mean(shares[order]):.3f}", f"{gaps[order].mean():+.3f} ± {gaps[order].std() / np.sqrt(n):.3f}",
         f"{np.mean(common[order]):.3f}"]
        for order in ORDERS
    ]  # fmt: skip
    text = (
        f"{n} ends of programs that follow a cell type (AUC at least {FOLLOWS}), {asked.seeds} trainings each of "
        f"{NAMES[0]} and {NAMES[1]}; of the first {FIRST} genes of an end, the share that marks that type in the other "
        f"data set (at least {FOLD:g} times as high as in all other cells, q < .05), and what two seeds share of the "
        "first 20.\n\n" + table(["order of genes", "markers elsewhere", "against the first", "shared by seeds"], rows)
        + "\n\n"
    )  # fmt: skip
    write_section("First genes of a program", text + conditions("python -m benchmarks.markers --data FOLDER"))


if __name__ == "__main__":
    main()
