"""The counts of genes that pages draw: every gene's values come through here, one pass over the counts for a list."""

import numpy as np

from ldvae_core.analysis.genes import log_expression, mean_expression
from ldvae_core.analysis.raster import Raster
from ldvae_core.runs.store import OpenRun
from pages.parts.any_gene import gathered


def mean_over(
    opened: OpenRun, genes: tuple[int, ...], x: np.ndarray, y: np.ndarray, raster: Raster,
    among: tuple[int, ...] = (),
) -> np.ndarray:  # fmt: skip
    """Mean over the cells of each bin of the genes' mean ln(1 + CP10k): (bins, bins), NaN without cells.

    among: genes, these included, that one pass over the counts looks for.
    """
    found, size = gathered(opened, among or genes), opened.counts.molecules
    return np.mean([mean_expression(found[gene], x, y, size, raster) for gene in genes], axis=0)


def cells_by_value(
    opened: OpenRun, genes: tuple[int, ...], bins: int, among: tuple[int, ...] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """How many cells have which mean ln(1 + CP10k) of the genes: counts (bins,) and edges (bins + 1,), from 0 on."""
    found, size = gathered(opened, among or genes), opened.counts.molecules
    if len(genes) == 1:
        own = log_expression(found[genes[0]], size)
        counts, edges = np.histogram(own, bins, range=(0.0, float(own.max(initial=0.0)) or 1.0))
        counts[0] += opened.counts.n_cells - len(own)
        return counts, edges
    total = np.zeros(opened.counts.n_cells, np.float32)
    for column in (found[gene] for gene in genes):
        total[column.cells] += log_expression(column, size).astype(np.float32)
    total /= len(genes)
    return np.histogram(total, bins, range=(0.0, float(total.max(initial=0.0)) or 1.0))
