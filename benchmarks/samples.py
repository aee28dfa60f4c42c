"""Programs over samples on simulated counts: `python -m benchmarks.samples [--repeats 1] [--cells 1500]`.

Eight samples; six programs that all of them have and one more of each sample's own, of falling strength; each sample
with base expression of its own. Each is trained as `samples` trains it, matched and pooled: how many programs are
found, how near the pooled loadings come to the planted ones in the information metric, how many private programs are
called private, and how often 90% intervals of pooled loadings hold the truth, over all genes and over driven ones.
Prints the table of docs/guided.md.
"""

import argparse
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import sparse

from benchmarks.report import conditions, table
from ldvae_core.analysis.matching import cosines
from ldvae_core.analysis.pooling import pooled_loadings
from ldvae_core.analysis.samples import Matched, Sample, match_samples
from ldvae_core.data.choices import DataChoices
from ldvae_core.data.counts import CountMatrix, make_count_matrix
from ldvae_core.model.config import ModelConfig, TrainingConfig
from ldvae_core.runs.execute import execute
from ldvae_core.runs.opened import open_run_folder
from ldvae_core.runs.sample_tables import sample_of_run
from ldvae_core.runs.settings import RunSettings

N_SAMPLES, SHARED, N_GENES, DRIVEN, EFFECT, WEAKEST = 8, 6, 600, 0.1, 0.8, 0.5
DEPTH, SPREAD = 3000.0, 0.1  # molecules a cell; of loadings between samples, as a share of each
N_FACTORS, FOUND = 9, 0.8


class Simulated(NamedTuple):
    """Counts of every sample and what was planted; all genes in one order."""

    counts: list[CountMatrix]
    shared: np.ndarray  # (genes, SHARED): mean loadings over samples, centred
    private: np.ndarray  # (genes, N_SAMPLES), centred
    share: np.ndarray  # (genes,) mean expression


def simulate(n_cells: int, seed: int, spread: float) -> Simulated:
    """Negative binomial counts; a gene's loading varies over samples by `spread` of itself."""
    random = np.random.default_rng([seed, 18])

    def programs(n: int) -> np.ndarray:
        size = EFFECT * random.uniform(0.6, 1.4, (N_GENES, n)) * random.choice([-1.0, 1.0], (N_GENES, n))
        return np.where(random.random((N_GENES, n)) < DRIVEN, size, 0.0)

    shared, private = programs(SHARED) * np.linspace(1, WEAKEST, SHARED), 0.7 * programs(N_SAMPLES)
    base, counts, share = random.normal(0, 1, N_GENES), [], np.zeros(N_GENES)
    theta = np.exp(random.uniform(np.log(2), np.log(20), N_GENES))
    for sample in range(N_SAMPLES):
        own = np.column_stack([shared * (1 + spread * random.standard_normal(shared.shape)), private[:, sample]])
        logits = random.standard_normal((n_cells, SHARED + 1)) @ own.T + base + 0.2 * random.standard_normal(N_GENES)
        fraction = np.exp(logits - logits.max(axis=1, keepdims=True))
        fraction /= fraction.sum(axis=1, keepdims=True)
        share += fraction.mean(axis=0)
        mean = np.maximum(DEPTH * np.exp(0.3 * random.standard_normal((n_cells, 1))), 20) * fraction
        drawn = random.poisson(mean * random.gamma(theta, 1 / theta, mean.shape))
        names = [f"Gene{g}" for g in range(N_GENES)]
        cells = [f"cell{n}" for n in range(n_cells)]
        counts.append(make_count_matrix(sparse.csr_matrix(drawn), cell_ids=cells, gene_names=names))
    return Simulated(counts, shared - shared.mean(axis=0), private - private.mean(axis=0), share)


def trained(counts: CountMatrix, name: str) -> Sample:
    """One sample's run, as the command trains it."""
    settings = RunSettings(
        name, "demo", choices=DataChoices(n_genes=N_GENES), model=ModelConfig(n_factors=N_FACTORS),
        training=TrainingConfig(threads=1, device="cpu"),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as place:
        settings.write(Path(place, "run"))
        execute(Path(place, "run"), open_counts=lambda: counts)
        opened = open_run_folder(Path(place, "run"))
        sample = sample_of_run(opened, name)
        arrays = ("loadings", "loadings_se", "loadings_shrunken", "explained_deviance", "active")
        copies = {each: np.array(getattr(sample.factors, each)) for each in arrays}
        return sample._replace(factors=sample.factors.__class__(**{**sample.factors.__dict__, **copies}))


class Figures(NamedTuple):
    """Of one simulation."""

    cosine: list[float]  # of each planted shared program with the pooled one that is nearest
    samples: list[int]  # that this one has
    called_private: int  # of the samples' own programs
    private: int  # programs called private, right or not
    inside: list[bool]
    inside_driven: list[bool]


def measure(known: Simulated, samples: list[Sample], found: Matched) -> Figures:
    """What matching and pooling made of it."""
    names = [f"Gene{g}" for g in range(N_GENES)]
    pooled = [pooled_loadings(program, samples).set_index("gene").reindex(names) for program in found.shared]
    alike = cosines(known.shared, np.column_stack([each["loading"].fillna(0.0) for each in pooled]), known.share)
    figures = Figures([], [], 0, len(found.private), [], [])
    for k, row in enumerate(alike):
        best = int(np.abs(row).argmax())
        figures.cosine.append(float(abs(row[best])))
        figures.samples.append(len(found.shared[best].samples))
        truth, one = np.sign(row[best]) * known.shared[:, k], pooled[best]
        inside = ((one["low"] <= truth) & (truth <= one["high"])).to_numpy()
        driven = np.abs(known.shared[:, k] - np.median(known.shared[:, k])) > 0.05
        figures.inside.extend(inside.tolist())
        figures.inside_driven.extend(inside[driven].tolist())
    right = 0
    for program in found.private:
        (s,), (factor,) = program.samples, program.factors
        rows = [names.index(gene) for gene in samples[s].factors.gene_names]
        match = cosines(
            known.private[rows][:, [s]], samples[s].factors.loadings_shrunken[:, [factor]], known.share[rows]
        )
        right += bool(abs(match[0, 0]) >= FOUND)
    return figures._replace(called_private=right)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--cells", type=int, default=1500)
    asked = parser.parse_args()
    rows: list[list[object]] = []
    for spread, words in ((0.0, "the same loadings in all samples"), (SPREAD, "loadings vary by 10% over samples")):
        runs = []
        for seed in range(asked.repeats):
            known = simulate(asked.cells, seed, spread)
            samples = [trained(counts, f"sample {n}") for n, counts in enumerate(known.counts)]
            runs.append(measure(known, samples, match_samples(samples)))
        cosine = [each for run in runs for each in run.cosine]
        rows.append([
            words, f"{min(cosine):.3f}, {np.median(cosine):.3f}",
            f"{np.mean([n for run in runs for n in run.samples]):.1f} of {N_SAMPLES}",
            f"{sum(run.called_private for run in runs)} of {N_SAMPLES * len(runs)}",
            sum(run.private - run.called_private for run in runs),
            f"{np.mean([each for run in runs for each in run.inside]):.1%}",
            f"{np.mean([each for run in runs for each in run.inside_driven]):.1%}",
        ])  # fmt: skip
        print(rows[-1], flush=True)
    columns = ["simulation", "match of pooled with planted: least, median", "samples of a shared program",
               "private programs called private", "others called private", "90% intervals that hold the truth",
               "of driven genes"]  # fmt: skip
    print(table(columns, rows))
    print(conditions(f"python -m benchmarks.samples --repeats {asked.repeats} --cells {asked.cells}"))


if __name__ == "__main__":
    main()
