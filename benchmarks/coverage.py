"""How often the 90% intervals of loadings hold the truth, on simulated counts: `python -m benchmarks.coverage`.

Programs of several kinds: normal, skewed (each program is on in few cells), of few molecules, overdispersed counts,
and correlated programs, which orthogonal axes cannot be. Of every run the shares of loadings inside their intervals,
over all genes and over the driven ones: those that the program moves in truth. Programs are matched by order and sign.
"""

import argparse
from typing import NamedTuple

import numpy as np
import torch
from scipy import sparse
from threadpoolctl import threadpool_limits

from benchmarks.data import Prepared
from benchmarks.ours import make_trainer
from benchmarks.report import conditions, table, write_section
from ldvae_core.analysis.factors import build_factors
from ldvae_core.analysis.matching import match_factors
from ldvae_core.analysis.uncertainty import INTERVAL_90
from ldvae_core.data.split import TRAIN, split_cells
from ldvae_core.training.refining import refined_model
from ldvae_core.training.score import folded_decoder, refined_representation, represent


class Setting(NamedTuple):
    """One kind of simulated cells."""

    skewed: bool = False
    correlation: float = 0.0
    depth: float = 3000.0
    theta: tuple[float, float] = (2.0, 20.0)


SETTINGS = {
    "normal": Setting(),
    "skewed": Setting(skewed=True),
    "few molecules": Setting(depth=500.0),
    "overdispersed": Setting(theta=(0.3, 2.0)),
    "correlated": Setting(correlation=0.7),
}
N_CELLS, N_GENES, N_PROGRAMS, SHARE_DRIVEN, EFFECT = 3000, 500, 6, 0.1, 0.8


class Simulated(NamedTuple):
    """Counts and their truth."""

    counts: sparse.csr_matrix
    loadings: np.ndarray  # (genes, programs), centred
    driven: np.ndarray  # (genes, programs) bool


def simulate(setting: Setting, seed: int) -> Simulated:
    """Negative binomial counts of programs of mean 0 and variance 1."""
    random = np.random.default_rng([seed, 77])
    z = random.standard_normal((N_CELLS, N_PROGRAMS))
    if setting.skewed:
        z = random.exponential(1.0, (N_CELLS, N_PROGRAMS)) - 1  # skewness 2
    shared = np.sqrt(setting.correlation) * random.standard_normal((N_CELLS, 1))
    z = shared + np.sqrt(1 - setting.correlation) * z
    driven = random.random((N_GENES, N_PROGRAMS)) < SHARE_DRIVEN
    size = EFFECT * random.uniform(0.6, 1.4, driven.shape) * random.choice([-1.0, 1.0], driven.shape)
    loadings = np.where(driven, size, 0.0)
    logits = z @ loadings.T + random.normal(0, 1, N_GENES)
    fraction = np.exp(logits - logits.max(axis=1, keepdims=True))
    fraction /= fraction.sum(axis=1, keepdims=True)
    theta = np.exp(random.uniform(*np.log(setting.theta), N_GENES))
    library = np.maximum(setting.depth * np.exp(0.3 * random.standard_normal((N_CELLS, 1))), 20)
    mean = library * fraction
    counts = random.poisson(mean * random.gamma(theta, 1 / theta, mean.shape)).astype(np.uint32)
    seen = counts.any(axis=0)
    loadings = loadings[seen]
    return Simulated(sparse.csr_matrix(counts[:, seen]), loadings - loadings.mean(axis=0), driven[seen])


def covered(setting: Setting, seed: int) -> list[dict[str, float]]:
    """Shares inside the intervals, where the encoder alone places cells, and where they are refined."""
    simulated = simulate(setting, seed)
    counts, library = simulated.counts, np.asarray(simulated.counts.sum(axis=1), float).ravel()
    split, nothing = split_cells(counts.shape[0], seed=0), np.zeros((counts.shape[0], 0))
    trainer = make_trainer(Prepared(counts, library, split, np.empty(0)), n_factors=N_PROGRAMS, seed=seed)
    trainer.train()
    outcome = refined_model(
        trainer.model, trainer.source, counts, train=np.flatnonzero(split == TRAIN),
        validation=trainer.validation_cells, cells_trained=10**9,
    )  # fmt: skip
    assert outcome.refined is not None
    rows = []
    for model, posterior, covariance in (
        (trainer.model, represent(trainer.model, trainer.source), None),
        (outcome.model, refined_representation(outcome.model, outcome.refined), outcome.refined.covariance),
    ):
        loadings, intercept = folded_decoder(model, posterior.mean, nothing)
        factors = build_factors(
            representation=posterior.mean, posterior_variance=posterior.variance, loadings=loadings,
            intercept=intercept, inverse_dispersion=model.bounded_log_theta().detach().double().exp().numpy(),
            counts=counts, library_size=library, split=split, prior="normal", axes="readable",
            gene_names=np.arange(counts.shape[1]).astype(str), posterior_covariance=covariance,
        )  # fmt: skip
        matching = match_factors(simulated.loadings, factors.loadings)
        planted, shown = matching.pairs.T
        truth = simulated.loadings[:, planted] * np.where(matching.same_sign, 1.0, -1.0)
        driven = simulated.driven[:, planted]
        inside = np.abs(factors.loadings[:, shown] - truth) < INTERVAL_90 * factors.loadings_se[:, shown]
        shrunken = np.abs(factors.loadings_shrunken[:, shown] - truth)
        shrunken = shrunken < INTERVAL_90 * factors.loadings_shrunken_sd[:, shown]
        rows.append(
            {
                "all": float(inside.mean()),
                "driven": float(inside[driven].mean()),
                "shrunken, driven": float(shrunken[driven].mean()),
                "match": float(matching.match.min()),
            }
        )
    return rows


def main() -> None:
    """Train every setting with some seeds, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    lines: list[list[object]] = []
    with threadpool_limits(1):
        for name, setting in SETTINGS.items():
            runs = [covered(setting, seed) for seed in range(asked.seeds)]
            for place, kind in enumerate(("encoder, positions as known", "refined, positions as estimates")):
                found = {key: np.mean([run[place][key] for run in runs]) for key in runs[0][0]}
                worst = min(run[place]["driven"] for run in runs)
                shares = [f"{found[key]:.1%}" for key in ("all", "driven")]
                lines.append(
                    [name, kind, *shares, f"{worst:.1%}", f"{found['shrunken, driven']:.1%}", f"{found['match']:.3f}"]
                )
                print(lines[-1], flush=True)
    columns = ["programs", "positions", "all genes", "driven genes", "driven, worst seed", "driven, shrunken", "match"]
    text = (
        f"{N_CELLS:,} cells x {N_GENES} genes, {N_PROGRAMS} programs, {asked.seeds} seeds; nominal 90%. Correlated "
        f"programs (.7) are no orthogonal axes: their match says so.\n\n{table(columns, lines)}\n\n"
        + conditions("python -m benchmarks.coverage")
    )
    write_section("Intervals of loadings", text)


if __name__ == "__main__":
    main()
