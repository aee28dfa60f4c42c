"""Guided factors on simulated counts: `python -m benchmarks.guided [--repeats 3]`. Prints the table of docs/guided.md.

Eight programs whose strength falls to .45 of the first; four of them (1, 4, 7, 8) guided by sets with 70% of the
program's genes as 70% of the set and 30% wrong ones, and three sets of genes drawn at random.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.metrics import roc_auc_score

from benchmarks.report import conditions, table
from ldvae_core.analysis.factors import Factors, load_factors
from ldvae_core.data.choices import DataChoices
from ldvae_core.data.counts import CountMatrix, make_count_matrix
from ldvae_core.data.guide import Guide
from ldvae_core.model.config import ModelConfig, TrainingConfig
from ldvae_core.runs.execute import execute
from ldvae_core.runs.settings import RunSettings

PROGRAMS, N_GENES, DRIVEN, EFFECT, WEAKEST = 8, 800, 0.08, 0.8, 0.45
GUIDED, N_ABSENT, RIGHT = (0, 3, 6, 7), 3, 0.7


class Setting(NamedTuple):
    """One kind of simulated run."""

    n_cells: int = 3000
    depth: float = 3000.0
    n_factors: int = 12


SETTINGS = {
    "12 factors": Setting(),
    "8 factors for 8 programs and 3 absent sets": Setting(n_factors=8),
    "few molecules (700 a cell)": Setting(depth=700.0, n_cells=5000),
}


class Simulated(NamedTuple):
    """Counts and their truth, genes as in the counts."""

    counts: CountMatrix
    driven: np.ndarray  # (genes, programs) bool
    positions: np.ndarray  # (cells, programs)


def simulate(setting: Setting, seed: int) -> Simulated:
    """Negative binomial counts of normal programs."""
    random = np.random.default_rng([seed, 15])
    z = random.standard_normal((setting.n_cells, PROGRAMS))
    driven = random.random((N_GENES, PROGRAMS)) < DRIVEN
    size = EFFECT * random.uniform(0.6, 1.4, driven.shape) * random.choice([-1.0, 1.0], driven.shape)
    logits = z @ (np.where(driven, size, 0.0) * np.linspace(1, WEAKEST, PROGRAMS)).T + random.normal(0, 1, N_GENES)
    fraction = np.exp(logits - logits.max(axis=1, keepdims=True))
    library = np.maximum(setting.depth * np.exp(0.3 * random.standard_normal((setting.n_cells, 1))), 20)
    theta = np.exp(random.uniform(0, np.log(10), N_GENES))
    mean = library * fraction / fraction.sum(axis=1, keepdims=True)
    drawn = random.poisson(mean * random.gamma(theta, 1 / theta, mean.shape))
    seen = drawn.any(axis=0)
    names = np.array([f"Gene{g}" for g in range(N_GENES)])[seen]
    cells = [f"cell{n}" for n in range(setting.n_cells)]
    counts = make_count_matrix(sparse.csr_matrix(drawn[:, seen]), cell_ids=cells, gene_names=names)
    return Simulated(counts, driven[seen], z)


def sets_for(known: Simulated, seed: int) -> Guide:
    """Of the guided programs with wrong genes, and at random."""
    random, names = np.random.default_rng([seed, 16]), known.counts.gene_names
    sets = []
    for k in GUIDED:
        right, others = np.flatnonzero(known.driven[:, k]), np.flatnonzero(~known.driven[:, k])
        n_right = round(RIGHT * len(right))
        wrong = random.choice(others, len(right) - n_right, replace=False)
        sets.append((f"program {k}", [*random.choice(right, n_right, replace=False), *wrong]))
    n_absent = round(DRIVEN * N_GENES)
    sets += [(f"absent {n}", list(random.choice(len(names), n_absent, replace=False))) for n in range(N_ABSENT)]
    return Guide("simulated", tuple((name, tuple(names[genes].tolist())) for name, genes in sets))


def trained(known: Simulated, setting: Setting, seed: int, guide: Guide) -> tuple[dict[str, Any], Factors]:
    """One run as `train` makes it, and its factors on readable axes."""
    settings = RunSettings(
        "guided", "demo", choices=DataChoices(n_genes=N_GENES), model=ModelConfig(n_factors=setting.n_factors),
        training=TrainingConfig(seed=seed, threads=1, device="cpu"), guide=guide,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as place:
        settings.write(Path(place, "run"))
        told = execute(Path(place, "run"), open_counts=lambda: known.counts)
        factors = load_factors(Path(place, "run", "factors", "readable"))
        copies = {name: np.array(getattr(factors, name)) for name in ("loadings_shrunken", "representation")}
    return told, factors.__class__(**{**factors.__dict__, **copies})


def measure(setting: Setting, seed: int) -> dict[str, list[float]]:
    """The figures of one run; lists, to be joined with those of other seeds."""
    known = simulate(setting, seed)
    guide = sets_for(known, seed)
    told, factors = trained(known, setting, seed, guide)
    found: dict[str, list[float]] = {name: [] for name in ("auroc", "position", "added", "dropped")}
    found["active"] = [float(row["active"]) for row in told["guided"][: len(GUIDED)]]
    found["inactive"] = [float(not row["active"]) for row in told["guided"][len(GUIDED) :]]
    names = known.counts.gene_names
    for k, row in zip(GUIDED, told["guided"], strict=False):
        if row["active"]:
            factor, truth = row["factor"] - 1, dict(zip(names, known.driven[:, k], strict=True))
            belongs = [truth[gene] for gene in factors.gene_names]
            found["auroc"].append(roc_auc_score(belongs, np.abs(factors.loadings_shrunken[:, factor])))
            correlation = np.corrcoef(factors.representation[:, factor], known.positions[:, k])[0, 1]
            found["position"].append(abs(correlation))
            found["added"] += [float(truth[gene]) for gene in row["added"]]
            found["dropped"] += [float(not truth[gene]) for gene in row["dropped"]]
    return found


def main() -> None:
    """Measure every setting and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    rows: list[list[object]] = []
    for name, setting in SETTINGS.items():
        runs = [measure(setting, seed) for seed in range(repeats)]
        whole = {key: np.array([value for run in runs for value in run[key]]) for key in runs[0]}
        rows.append([
            name, f"{whole['active'].mean():.0%} of {len(whole['active'])}",
            f"{whole['inactive'].mean():.0%} of {len(whole['inactive'])}",
            f"{whole['auroc'].min():.3f}, {np.median(whole['auroc']):.3f}",
            f"{whole['position'].min():.3f}, {np.median(whole['position']):.3f}",
            f"{whole['added'].mean():.0%} of {len(whole['added'])}",
            f"{whole['dropped'].mean():.0%} of {len(whole['dropped'])}",
        ])  # fmt: skip
        print(rows[-1], flush=True)
    columns = ["simulation", "planted sets active", "absent sets inactive", "membership AUROC: least, median",
               "correlation of positions: least, median", "added genes that belong",
               "dropped genes that do not"]  # fmt: skip
    print(table(columns, rows))
    print(conditions(f"python -m benchmarks.guided --repeats {repeats}"))


if __name__ == "__main__":
    main()
