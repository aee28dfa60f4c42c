"""Ten quick trainings beside each other, from which the number of programs is told. Loads torch.

Each is kept as it ends, in the run's folder, so that an interrupted search goes on with the next.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import sparse

from ldvae_core.analysis.certificates import Certificates, Shuffled, Siblings, Unit, certify, shuffled_model
from ldvae_core.analysis.factors import Factors, load_factors, save_factors
from ldvae_core.answer import Answer
from ldvae_core.data.chunks import some_cells
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.halving import FEWEST_SAMPLES, can_halve, halves
from ldvae_core.data.levels import levels_of
from ldvae_core.durable import read_array, write_array
from ldvae_core.errors import SettingsError
from ldvae_core.model.budget import MOST_SEARCHED
from ldvae_core.model.config import ModelConfig, TrainingConfig, most_factors
from ldvae_core.runs.prepare import covariate_columns
from ldvae_core.runs.search import Search
from ldvae_core.runs.siblings import quick_factors, quick_loadings
from ldvae_core.training.devices import choose_device
from ldvae_core.training.siblings import Ask, Cells, Quick

SEEDS, HALVINGS = 2, 2  # further trainings of all cells; ways of halving them
CELLS_A_FACTOR = 10  # so many factors can fewer cells of a half not tell apart
FOLDER, GENEROUS, SHUFFLED = "search", "generous", "shuffled"


class Found(NamedTuple):
    """What a search has found: the generous model's certificates, and what any model can be held to."""

    generous: Certificates
    siblings: Siblings
    shuffled: Shuffled

    def certify(self, factors: Factors) -> Certificates:
        """The certificates of another model of the same genes."""
        return certify(factors, self.siblings, unit=self.generous.unit, shuffled=self.shuffled)


class _Work(NamedTuple):
    """One training."""

    name: str  # of what it leaves in the folder: loadings, or a folder of factors
    seed: int = 0  # beside the first
    half: tuple[int, int] | None = None  # way of halving, side; None: all cells
    shuffled: bool = False


WORKS = (
    _Work(GENEROUS),
    *(_Work(f"seed_{seed}.npy", seed=seed) for seed in range(1, SEEDS + 1)),
    *(_Work(f"half_{way}_{side}.npy", half=(way, side)) for way in range(HALVINGS) for side in range(2)),
    _Work(SHUFFLED, shuffled=True),
    *(_Work(f"shuffled_half_{side}.npy", half=(0, side), shuffled=True) for side in range(2)),
)


class Searching:
    """One search, in the folder of its run."""

    def __init__(
        self,
        folder: Path,
        counts: CountMatrix,
        split: np.ndarray,
        *,
        model: ModelConfig,
        training: TrainingConfig,
        search: Search,
    ) -> None:
        """model: completed for the data. Raises SettingsError without such an annotation, or with too few samples."""
        self.folder, self.names, self.training = folder / FOLDER, counts.gene_names, training
        chosen = some_cells(np.arange(counts.n_cells), MOST_SEARCHED, seed=training.split_seed)
        whole = Cells(counts.counts, counts.library_size, covariate_columns(counts.annotations, model.covariates))
        self.cells, self.split = (whole if len(chosen) == counts.n_cells else whole.of(chosen)), split[chosen]
        self.samples = _samples(counts, search.sample, chosen)
        self.unit: Unit = "cells" if self.samples is None else "samples"
        n_factors = min(search.most, most_factors(counts.n_genes), max(len(chosen) // (2 * CELLS_A_FACTOR), 2))
        self.model = replace(model, n_factors=n_factors)
        self.device = choose_device(training.device)

    def go(self, *, should_stop: Callable[[], Answer], on_share: Callable[[float], object]) -> Found:
        """Every training that is not there yet, then what they say. Raises Told when one was told to end."""
        self.folder.mkdir(exist_ok=True)
        for number, work in enumerate(WORKS):
            if not (self.folder / work.name).exists():

                def ask(done: float, before: int = number) -> Answer:
                    on_share((before + done) / len(WORKS))
                    return should_stop()

                self._perform(work, ask)
            on_share((number + 1) / len(WORKS))
        return self._told()

    def _perform(self, work: _Work, ask: Ask) -> None:
        cells, place = self._shuffled() if work.shuffled else self.cells, self.folder / work.name
        quick = Quick(self.model, replace(self.training, seed=self.training.seed + work.seed), self.device)
        if work.half is None and not work.seed:
            save_factors(quick_factors(cells, self.split, quick, ask, gene_names=self.names), place)
            return
        if work.half is not None:
            way, side = work.half
            seed = self.training.split_seed
            cells = cells.of(halves(len(self.split), seed=seed, number=way, samples=self.samples)[side])
        write_array(place, quick_loadings(cells, quick, ask))

    def _told(self) -> Found:
        arrays = {work.name: read_array(self.folder / work.name) for work in WORKS if work.name.endswith(".npy")}
        siblings = Siblings(
            [arrays[f"seed_{seed}.npy"] for seed in range(1, SEEDS + 1)],
            [(arrays[f"half_{way}_0.npy"], arrays[f"half_{way}_1.npy"]) for way in range(HALVINGS)],
        )
        shuffled = load_factors(self.folder / SHUFFLED)
        pair = (arrays["shuffled_half_0.npy"], arrays["shuffled_half_1.npy"])
        noise = shuffled_model(shuffled, Siblings([], [pair]))
        generous = certify(load_factors(self.folder / GENEROUS), siblings, unit=self.unit, shuffled=noise)
        return Found(generous, siblings, noise)

    def _shuffled(self) -> Cells:
        """Every gene's counts in other cells: what each gene is alone, without any program."""
        rng, by_gene = np.random.default_rng([self.training.split_seed, 2]), self.cells.counts.tocsc(copy=True)
        n_cells = by_gene.shape[0]
        for start, end in zip(by_gene.indptr[:-1], by_gene.indptr[1:], strict=True):
            by_gene.indices[start:end] = np.sort(rng.choice(n_cells, end - start, replace=False))
            rng.shuffle(by_gene.data[start:end])
        counts = sparse.csr_matrix(by_gene)
        library = np.maximum(np.asarray(counts.sum(axis=1), np.float64).ravel(), 1.0)
        return Cells(counts, library, self.cells.covariates)


def _samples(counts: CountMatrix, column: str | None, chosen: np.ndarray) -> np.ndarray | None:
    """The sample of each chosen cell; None where cells are halved. Raises SettingsError."""
    if column is None:
        return None
    if column not in counts.annotations.columns:
        there = ", ".join(map(str, counts.annotations.columns)) or "none"
        raise SettingsError(f"The data has no annotation {column!r} to take samples from; it has: {there}.")
    names: np.ndarray = levels_of(counts.annotations[column])[chosen].astype(str)
    if not can_halve(names):
        n = len(np.unique(names))
        raise SettingsError(
            f"Programs cannot be asked to come back in other levels of {column!r}: halving takes at least "
            f"{FEWEST_SAMPLES} samples, and these cells have {n}.",
            "Name no samples, and the cells are halved.",
        )
    return names
