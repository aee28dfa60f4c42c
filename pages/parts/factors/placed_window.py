"""The part of a plane that shows new cells and those of the run."""

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.raster import Window, both_windows, square_extent
from ldvae_core.plots.density import window_of
from ldvae_core.runs.store import OpenRun
from pages.parts.pair import Pair, raster_of


def window_with_run(opened: OpenRun, factors: Factors, drawn: Factors, pair: Pair) -> Window:
    """Of a pair of factors. drawn: the new cells on these."""
    x, y = (drawn.representation[:, k] for k in pair)
    return both_windows(window_of(raster_of(opened, factors, pair)), square_extent(x, y, from_zero=factors.are_usages))
