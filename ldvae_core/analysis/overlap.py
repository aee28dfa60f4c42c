"""Whether gene programs overlap: go together in the cells so much that orthogonal axes cannot be these programs.

A normal prior makes factors uncorrelated. Programs that are not (a shared response, one cell type that uses two) come
out as their sum and differences. The loadings tell: axes that may lie obliquely then find far sparser programs. Here
promax turns the loadings' varimax towards its own cubes, and two figures are taken: how correlated the factors of these
axes would be, and how much sparser they are, by the fourth moment of the loadings. On simulated programs that are
uncorrelated (normal, skewed, few molecules, overdispersed) they are at most .08 and 1.01; correlated by .7, at least
.20 and 1.13. Source: promax, Hendrickson and White 1964.
"""

from typing import NamedTuple

import numpy as np

from ldvae_core.analysis.rotation import varimax

POWER = 3
CORRELATED, SPARSER = 0.15, 1.05  # both, for programs to be said to overlap


class Overlap(NamedTuple):
    """What oblique axes would be."""

    correlation: float  # the largest between two of their factors, absolute
    sparser: float  # ratio of the loadings' fourth moments: 1 where orthogonal axes are as good

    @property
    def is_strong(self) -> bool:
        """Whether orthogonal axes cannot be the programs."""
        return self.correlation >= CORRELATED and self.sparser >= SPARSER


def program_overlap(loadings: np.ndarray) -> Overlap:
    """Of loadings (n_genes, n_factors), on any orthogonal axes. One factor, or none that moves a gene: no overlap."""
    weights = np.asarray(loadings, np.float64)
    weights = weights[:, np.abs(weights).max(axis=0) > 1e-6]
    if weights.shape[1] < 2 or len(weights) <= weights.shape[1]:
        return Overlap(0.0, 1.0)
    upright = weights @ varimax(weights)
    target = np.sign(upright) * np.abs(upright) ** POWER
    turn = np.linalg.lstsq(upright, target, rcond=None)[0]
    if np.linalg.matrix_rank(turn) < len(turn):
        return Overlap(0.0, 1.0)
    turn = turn * np.sqrt(np.diag(np.linalg.inv(turn.T @ turn)))  # factors of variance 1
    inverse = np.linalg.inv(turn)
    correlations = inverse @ inverse.T
    np.fill_diagonal(correlations, 0.0)
    return Overlap(float(np.abs(correlations).max()), float(_fourth_moment(upright @ turn) / _fourth_moment(upright)))


def _fourth_moment(values: np.ndarray) -> float:
    """Mean over columns of the mean fourth power over the squared mean square."""
    return float(((values**4).mean(axis=0) / (values**2).mean(axis=0) ** 2).mean())
