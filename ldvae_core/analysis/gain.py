"""Is there any structure? What a run predicts beyond the genes' means, on cells that it has not seen.

Against the gene-mean model alone, counts without any structure can look as if they had some: whoever is told a cell's
total knows that genes which took more left less to the others, and a factor can learn that. The chance level tells the
same to genes that vary independently of each other: log p(x | total) = sum of log NB(x_g) - log p(total). It is worked
out twice, with means that follow the library size and with constant ones, and the better one counts. Measured on real
cells whose counts were permuted within genes: up to 5 nats per cell over the gene means, and none over chance.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from scipy.special import gammaln

from ldvae_core.analysis.chunks import gene_totals, library_sizes
from ldvae_core.analysis.metrics import log_likelihood_at, mean_and_error
from ldvae_core.model.dispersion import fit_inverse_dispersion
from ldvae_core.model.mean_fraction import fraction_of

SURE = 2.0  # standard errors that a gain must exceed


@dataclass(frozen=True)
class NullModel:
    """Genes that vary independently of each other around their mean fractions, fitted to the training cells."""

    fraction: np.ndarray  # (n_genes,) share of all molecules
    inverse_dispersion: np.ndarray  # (n_genes,) at means that follow the library size: the gene-mean model
    typical_library: float  # mean library size
    constant_inverse_dispersion: np.ndarray  # (n_genes,) at means that are the same in every cell
    log_library: tuple[float, float]  # mean and variance of the log library size

    def log_likelihood(self, counts: sparse.csr_matrix) -> np.ndarray:
        """log p(x | library size) under the gene-mean model: (n_cells,) nats; counts (n_cells, n_genes)."""
        return _independent(counts, library_sizes(counts), self.fraction, self.inverse_dispersion)

    def chance(self, counts: sparse.csr_matrix) -> np.ndarray:
        """log p(x | total) of genes independent of each other, by the better of two ways: (n_cells,) nats."""
        total = library_sizes(counts)
        ways = []
        for library, theta in (
            (total, self.inverse_dispersion),
            (np.full(len(total), self.typical_library), self.constant_inverse_dispersion),
        ):
            whole = _independent(counts, library, self.fraction, theta)
            ways.append(whole - _log_sum(total, library, self.fraction, theta))
        return max(ways, key=lambda way: float(way.mean()))

    def log_total(self, counts: sparse.csr_matrix) -> np.ndarray:
        """log p(library size), log-normal as in the training cells: (n_cells,) nats."""
        log_size, (mean, variance) = np.log(library_sizes(counts)), self.log_library
        return -0.5 * ((log_size - mean) ** 2 / variance + np.log(2 * np.pi * variance)) - log_size


def fit_null_model(counts: sparse.csr_matrix, rows: np.ndarray | None = None) -> NullModel:
    """Maximum likelihood on the training cells: counts (n_cells, n_genes). rows: which of them train; None: all.

    No copy of their counts is made.
    """
    rows = np.arange(counts.shape[0]) if rows is None else rows
    trains = np.zeros(counts.shape[0], bool)
    trains[rows] = True
    fraction, library = fraction_of(gene_totals(counts, trains)), library_sizes(counts)[rows]
    typical = float(library.mean())
    constant = np.broadcast_to(typical * fraction, (len(rows), len(fraction)))
    return NullModel(
        fraction,
        fit_inverse_dispersion(counts, lambda cells: library[cells, None] * fraction, rows=rows),
        typical,
        fit_inverse_dispersion(counts, lambda cells: constant[: len(cells)], rows=rows),
        (float(np.log(library).mean()), float(max(np.log(library).var(), 1e-4))),
    )


def gain_figures(
    bound: np.ndarray | None, null: NullModel, counts: sparse.csr_matrix, *, knows_library: bool = True
) -> dict[str, Any]:
    """gain, chance_gain, their standard errors, and structure_found, for metrics.json; all None without a bound.

    bound: (n_cells,) a lower bound of log p(x) under the run, nats, for the cells whose counts (n_cells, n_genes) are
    given. Gains are means over cells of its lead over the gene-mean model and over chance, errors are paired. A model
    with a latent library size (knows_library=False) has to predict that too: then so have the gene means and chance.
    """
    if bound is None:
        return dict.fromkeys(("gain", "gain_se", "chance_gain", "chance_gain_se", "structure_found"))
    bound = bound if knows_library else bound - null.log_total(counts)
    gain, gain_se = mean_and_error(bound - null.log_likelihood(counts))
    beyond, beyond_se = mean_and_error(bound - null.chance(counts))
    return {
        "gain": gain,
        "gain_se": gain_se,
        "chance_gain": beyond,
        "chance_gain_se": beyond_se,
        "structure_found": bool(gain > SURE * gain_se and beyond > SURE * beyond_se),
    }


def _independent(counts: sparse.csr_matrix, library: np.ndarray, fraction: np.ndarray, theta: np.ndarray) -> np.ndarray:
    return log_likelihood_at(counts, lambda cells: library[cells, None] * fraction, theta)


def _log_sum(total: np.ndarray, library: np.ndarray, fraction: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """log p of a cell's total, a sum of independent negative binomials: one with its mean and variance."""
    joint = 1.0 / (fraction**2 / theta).sum()  # variance = library + library^2 / joint
    log_share, log_rest = np.log(library / (library + joint)), np.log(joint / (library + joint))
    rising = gammaln(total + joint) - gammaln(joint) - gammaln(total + 1)
    return rising + total * log_share + joint * log_rest
