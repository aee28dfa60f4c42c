"""Do the programs come back with another seed: `python -m benchmarks.reproducibility --data FOLDER [--keep FITS]`.

Trains five seeds on each labelled data set, LinearSCVI for 100 epochs and ours with every default, same cells, genes
and split. Factors of two seeds are paired by the absolute cosine of their centred loadings (Hungarian), as trained and
on readable axes: the same rotation for both programs. Also per cell type the best absolute correlation with a factor.
FITS keeps every fit, so that an interrupted benchmark goes on. Writes its section of docs/benchmarks.md.
"""

import argparse
import tempfile
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks.data import STUDIES, Prepared, Study, open_study
from benchmarks.ours import fitted, make_trainer
from benchmarks.outsiders import Fitted, held_out_error, train_linearscvi
from benchmarks.report import conditions, table, write_section
from ldvae_core.analysis.matching import match_factors
from ldvae_core.analysis.rotation import varimax
from ldvae_core.analysis.uncertainty import INTERVAL_90
from ldvae_core.data.split import TEST, split_cells
from ldvae_core.data.synthetic import plant_programs

SEEDS, LINEARSCVI_EPOCHS, REPLICATES = 5, 100, 0.8


class Agreement(NamedTuple):
    """What five seeds say of one program on one data set."""

    match: float  # median over pairs of seeds of the median match
    best_correlation: float  # mean over cell types and seeds
    stable: np.ndarray  # per factor of the first seed: median match in the others


def fit(program: str, data: Prepared, study: Study, seed: int, kept: Path) -> Fitted:
    """One training, or the one kept from before."""
    if kept.exists():
        with np.load(kept, allow_pickle=False) as saved:
            return Fitted(*(saved[name] for name in Fitted._fields))
    if program == "LinearSCVI":
        options = {"n_epochs": LINEARSCVI_EPOCHS, "minibatch_size": 128, "seed": seed}
        found = train_linearscvi(data.counts, data.split, n_factors=study.n_factors, **options)
    else:
        trainer = make_trainer(data, n_factors=study.n_factors, seed=seed)
        trainer.train()
        found = fitted(trainer)
    np.savez(kept, **found._asdict())
    return found


def agreement(fits: list[Fitted], labels: np.ndarray, *, readable: bool) -> Agreement:
    """How far the seeds agree, as trained or on readable axes."""
    turns = [
        varimax(found.representation, found.loadings) if readable else np.eye(found.loadings.shape[1]) for found in fits
    ]
    loadings = [found.loadings @ turn for found, turn in zip(fits, turns, strict=True)]
    match = [float(np.median(match_factors(a, b).match)) for a, b in combinations(loadings, 2)]
    positions = [found.representation @ turn for found, turn in zip(fits, turns, strict=True)]
    best = [best_correlations(z, labels).mean() for z in positions]
    return Agreement(float(np.median(match)), float(np.mean(best)), median_matches(loadings))


def median_matches(loadings: list[np.ndarray]) -> np.ndarray:
    """Median |cosine| of each factor of the first seed with its partners in the others."""
    first, *others = loadings
    return np.median([match_factors(first, other).match for other in others], axis=0)


def best_correlations(representation: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Per cell type, the largest absolute correlation of a factor with "is this type"."""
    z = (representation - representation.mean(axis=0)) / representation.std(axis=0)
    best = []
    for label in np.unique(labels):
        inside = (labels == label).astype(float)
        best.append(np.abs(z.T @ (inside - inside.mean())).max() / (len(labels) * inside.std()))
    return np.array(best)


def coverage() -> list[list[object]]:
    """Share of planted loadings inside the 90% intervals, simulated counts, matched by order and sign alone."""
    from ldvae_core.analysis.factors import build_factors
    from ldvae_core.training.score import represent

    rows = []
    for n_cells, n_genes, n_factors in ((2000, 300, 5), (4000, 500, 10)):
        for seed in range(3):
            planted = plant_programs(n_cells=n_cells, n_genes=n_genes, n_factors=n_factors, seed=seed)
            counts, split = planted.counts, split_cells(n_cells, seed=0)
            data = Prepared(counts.counts, counts.library_size, split, np.empty(0))
            trainer = make_trainer(data, n_factors=n_factors, n_epochs=100, seed=seed)
            trainer.train()
            posterior, found = represent(trainer.model, trainer.source), fitted(trainer)
            factors = build_factors(
                representation=posterior.mean, posterior_variance=posterior.variance, loadings=found.loadings,
                intercept=found.intercept, inverse_dispersion=found.inverse_dispersion, counts=counts.counts,
                library_size=counts.library_size, split=split, prior="normal", axes="readable",
                gene_names=counts.gene_names,
            )  # fmt: skip
            matching = match_factors(planted.loadings, factors.loadings)
            truth = planted.loadings[:, matching.pairs[:, 0]] * np.where(matching.same_sign, 1.0, -1.0)
            shown = matching.pairs[:, 1]
            inside = np.abs(factors.loadings[:, shown] - truth) < INTERVAL_90 * factors.loadings_se[:, shown]
            rows.append(
                [
                    f"{n_cells:,} x {n_genes}, {n_factors} programs",
                    seed,
                    f"{matching.match.min():.3f}",
                    f"{inside.mean():.1%}",
                ]
            )
    return rows


def main() -> None:
    """Train what is missing, then compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    rows, flagged = [], []
    with tempfile.TemporaryDirectory() as scratch, threadpool_limits(1):
        keep = asked.keep or Path(scratch)
        keep.mkdir(parents=True, exist_ok=True)
        for name, study in STUDIES.items():
            data = open_study(asked.data, study)
            for program in ("LinearSCVI", "ours"):
                paths = [keep / f"{program}_{Path(study.file).stem}_{seed}.npz" for seed in range(SEEDS)]
                fits = [fit(program, data, study, seed, path) for seed, path in enumerate(paths)]
                test = np.flatnonzero(data.split == TEST)
                errors = [held_out_error(data.counts, test, found) for found in fits]
                trained, readable = (agreement(fits, data.labels, readable=flag) for flag in (False, True))
                row = [name, f"{data.counts.shape[0]:,} x {study.n_genes:,}", study.n_factors, program]
                row += [
                    f"{np.mean(errors):.1f} ± {np.std(errors):.1f}",
                    f"{trained.match:.2f}",
                    f"**{readable.match:.2f}**",
                ]
                row += [f"{trained.best_correlation:.2f}", f"{readable.best_correlation:.2f}"]
                row += [f"{(readable.stable >= REPLICATES).sum()} of {study.n_factors}"]
                rows.append(row)
                unstable = [f"{k + 1} ({value:.2f})" for k, value in enumerate(readable.stable) if value < REPLICATES]
                flagged.append(f"- {name}, {program}: {', '.join(unstable) or 'none'}")
                print(row, flush=True)
        cover = coverage()
    columns = ["data", "cells x genes", "factors", "program", "test error", "match, as trained", "match, readable axes"]
    columns += ["best abs. r with a type, as trained", "the same, readable", "factors that replicate"]
    text = (
        f"{SEEDS} seeds each, same cells, genes and split. Match: median over pairs of seeds of the median absolute "
        "cosine of paired loadings. LinearSCVI with its defaults and the observed library size, "
        f"{LINEARSCVI_EPOCHS} epochs; ours with every default. Readable axes: the same rotation for both.\n\n"
        f"{table(columns, rows)}\n\nFactors of the first seed (readable axes) that do not replicate, with their median "
        f"match in the others, below {REPLICATES}:\n\n" + "\n".join(flagged) + "\n\nCoverage of the 90% intervals of "
        "loadings on simulated counts, planted programs matched by order and sign alone (100 epochs):\n\n"
        + table(["cells x genes, programs", "seed", "worst match", "inside the interval"], cover)
        + "\n\n"
        + conditions("python -m benchmarks.reproducibility --data FOLDER")
    )
    write_section("Reproducible programs", text)


if __name__ == "__main__":
    main()
