"""Baselines beside the LDVAE: PCA, NMF and the gene means. They share its split, genes, yardstick and screens.

Each gives a cell the fractions of its molecules that the genes should have; the yardstick is the negative binomial at
library_size * fraction with one inverse dispersion per gene, fitted by maximum likelihood on the training cells.
Held-out cells are transformed, never fitted. scikit-learn and numpy only: nothing here needs torch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import ArpackError
from sklearn.decomposition import NMF, PCA

from ldvae_core.data.chunks import cell_chunks, some_cells
from ldvae_core.errors import SettingsError
from ldvae_core.model.config import Method
from ldvae_core.model.mean_fraction import mean_fraction

PCA_FLOOR = 0.1  # of a gene's mean fraction: the least that a reconstruction predicts, which can fall below 0
NMF_FLOOR = 0.001  # of every program: the mean fractions, so that no gene is impossible in any cell
NMF_CELLS = 50_000  # above, the programs are learned from a seeded sample of the training cells
NMF_PLACING = 100  # iterations that place a cell among the programs
NMF_ROUND, NMF_ROUNDS, NMF_GAIN = 10, 20, 5e-4  # iterations between two looks, looks at most, relative gain to go on


class Baseline(Protocol):
    """A fitted baseline."""

    @property
    def loadings(self) -> np.ndarray:
        """(n_genes, n_factors) float64, natural log."""

    @property
    def intercept(self) -> np.ndarray:
        """(n_genes,) float64, natural log: of the mean fraction; 0 for NMF, whose programs are whole."""

    def represent(self, counts: sparse.csr_matrix) -> np.ndarray:
        """Cells on the fitted factors: counts (n_cells, n_genes) -> (n_cells, n_factors) float32."""

    def fractions(self, representation: np.ndarray) -> np.ndarray:
        """(n_cells, n_factors) -> (n_cells, n_genes) float64, > 0, rows sum to 1. Dense: give a piece at a time."""


@dataclass(frozen=True)
class GeneMean:
    """Every cell has the training cells' overall fractions: 0 factors."""

    loadings: np.ndarray
    intercept: np.ndarray

    def represent(self, counts: sparse.csr_matrix) -> np.ndarray:
        """See Baseline."""
        return np.zeros((counts.shape[0], 0), np.float32)

    def fractions(self, representation: np.ndarray) -> np.ndarray:
        """See Baseline."""
        return np.broadcast_to(np.exp(self.intercept), (len(representation), len(self.intercept)))


@dataclass(frozen=True)
class PrincipalComponents:
    """Components of log1p of the counts brought to one library size; positions have variance 1 over training cells."""

    loadings: np.ndarray  # log1p units per standard deviation of the factor
    intercept: np.ndarray
    centre: np.ndarray  # (n_genes,) mean of the transformed counts
    spread: np.ndarray  # (n_factors,) standard deviation of each component before it was scaled to 1
    scale: float  # molecules that every cell is brought to: the median library size

    def represent(self, counts: sparse.csr_matrix) -> np.ndarray:
        """See Baseline."""
        known = self.spread > 0
        axes = self.loadings / np.where(known, self.spread, np.inf) ** 2  # unit vectors over their spread
        positions: np.ndarray = (_normalised(counts, self.scale) @ axes - self.centre @ axes).astype(np.float32)
        return positions

    def fractions(self, representation: np.ndarray) -> np.ndarray:
        """See Baseline. The reconstruction, taken back from log1p; never below a tenth of the gene's mean."""
        molecules = np.expm1(self.centre + np.asarray(representation, np.float64) @ self.loadings.T)
        fraction = np.maximum(molecules / self.scale, PCA_FLOOR * np.exp(self.intercept))
        shares: np.ndarray = fraction / fraction.sum(axis=1, keepdims=True)
        return shares


@dataclass(frozen=True)
class Programs:
    """NMF of raw counts: a cell's fractions are its usages (>= 0, sum 1) times the programs (each sums to 1)."""

    loadings: np.ndarray  # log of the programs
    intercept: np.ndarray
    model: NMF

    def represent(self, counts: sparse.csr_matrix) -> np.ndarray:
        """See Baseline."""
        totals = self.model.components_.sum(axis=1)
        weights = np.empty((counts.shape[0], len(totals)))
        for piece in cell_chunks(counts.shape[0], NMF_ROUND * len(totals)):  # sparse, so that many cells go at once
            weights[piece] = self.model.transform(counts[piece].astype(np.float64)) * totals
        weights = np.maximum(weights, 1e-12)
        usages: np.ndarray = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
        return usages

    def fractions(self, representation: np.ndarray) -> np.ndarray:
        """See Baseline."""
        fraction = np.asarray(representation, np.float64) @ np.exp(self.loadings).T
        shares: np.ndarray = fraction / fraction.sum(axis=1, keepdims=True)
        return shares


def fit_baseline(
    method: Method,
    counts: sparse.csr_matrix,
    *,
    n_factors: int,
    seed: int = 0,
    on_round: Callable[[int, int], bool] = lambda done, of: True,
) -> Baseline:
    """Fit "pca", "nmf" or "gene_mean" on training cells: counts (n_cells, n_genes).

    on_round: told after every ten of NMF's iterations how many rounds are done, and of how many at most; False ends
    the fit with what has been learned. Raises SettingsError when there are no more training cells than factors.
    """
    if method == "gene_mean":
        return fit_gene_mean(counts)
    if counts.shape[0] <= n_factors:
        raise SettingsError(
            f"{n_factors} factors need more training cells than that; there are {counts.shape[0]}.",
            "Choose fewer factors, or a smaller test share.",
        )
    return fit_pca(counts, n_factors, seed=seed) if method == "pca" else fit_nmf(counts, n_factors, seed, on_round)


def fit_pca(counts: sparse.csr_matrix, n_factors: int, *, seed: int = 0) -> PrincipalComponents:
    """Principal components of log1p(counts / library_size * median library size), without a dense copy of the cells."""
    scale = float(np.median(np.asarray(counts.sum(axis=1)).ravel()))
    values = _normalised(counts, scale)
    try:
        fitted = PCA(n_factors, svd_solver="arpack", random_state=seed).fit(values)
    except ArpackError:  # cells that are all alike have no direction to start from
        fitted = PCA(n_factors, svd_solver="covariance_eigh").fit(values)
    spread = np.sqrt(np.maximum(fitted.explained_variance_, 0.0))
    spread[spread < 1e-6 * max(spread.max(), 1e-300)] = 0.0  # no component: fewer independent genes than factors
    return PrincipalComponents(
        loadings=fitted.components_.T * spread,
        intercept=np.log(mean_fraction(counts)),
        centre=fitted.mean_,
        spread=spread,
        scale=scale,
    )


def fit_nmf(
    counts: sparse.csr_matrix,
    n_factors: int,
    seed: int = 0,
    on_round: Callable[[int, int], bool] = lambda done, of: True,
) -> Programs:
    """Kullback-Leibler NMF of raw counts, which is maximum likelihood for Poisson counts; see fit_baseline."""
    chosen = some_cells(np.arange(counts.shape[0]), NMF_CELLS, seed=seed)
    values = counts[chosen].astype(np.float64)
    settings = {"beta_loss": "kullback-leibler", "solver": "mu", "max_iter": NMF_ROUND, "tol": 0.0}
    model = NMF(n_factors, init="random", random_state=seed, **settings)
    weights, divergence = model.fit_transform(values), np.inf
    for done in range(1, NMF_ROUNDS + 1):
        gained = divergence - model.reconstruction_err_
        divergence = model.reconstruction_err_
        if not on_round(done, NMF_ROUNDS) or gained < NMF_GAIN * divergence or done == NMF_ROUNDS:
            break
        programs, model = model.components_, NMF(n_factors, init="custom", **settings)
        weights = model.fit_transform(values, W=weights, H=programs)
    model.set_params(max_iter=NMF_PLACING)  # the same number for every cell, so that neighbours do not matter
    mean = mean_fraction(counts)
    programs = model.components_ / np.maximum(model.components_.sum(axis=1, keepdims=True), 1e-300)
    return Programs(np.log((1 - NMF_FLOOR) * programs + NMF_FLOOR * mean).T, np.zeros(len(mean)), model)


def fit_gene_mean(counts: sparse.csr_matrix) -> GeneMean:
    """counts (n_training_cells, n_genes). A gene unseen in them counts as half a molecule."""
    fraction = mean_fraction(counts)
    return GeneMean(np.zeros((len(fraction), 0)), np.log(fraction))


def _normalised(counts: sparse.csr_matrix, scale: float) -> sparse.csr_matrix:
    """log1p(counts / library_size * scale), sparse float64."""
    values = counts.astype(np.float64)
    totals = np.asarray(values.sum(axis=1)).ravel()
    values.data *= np.repeat(scale / np.where(totals > 0, totals, 1.0), np.diff(values.indptr))
    np.log1p(values.data, out=values.data)
    return values
