"""Groups of a run's cells, and how they are compared: the one way that pages and commands share."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ldvae_core.analysis.difference import REST, Difference, Measured, compare_groups
from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.sums import ReportShare, ignore_share
from ldvae_core.data.names import listing
from ldvae_core.errors import SettingsError
from ldvae_core.runs.all_genes import AllGenes
from ldvae_core.runs.opened import NOT_LABELLED, OpenRun
from ldvae_core.workspace.folders import DEMO


class Level(NamedTuple):
    """Cells with one value of an annotation."""

    column: str
    level: str


def read_level(opened: OpenRun, text: str) -> Level:
    """COLUMN=LEVEL, split at the first "=" with an annotation on its left. Raises SettingsError: no such cells."""
    columns = [str(column) for column in opened.counts.annotations.columns]
    for end in (place for place, letter in enumerate(text) if letter == "="):
        if text[:end] in columns:
            column, level = text[:end], text[end + 1 :]
            levels = [str(name) for name in opened.labels(column).cat.categories]
            if level not in levels:
                known = f"It has {listing(levels, 20)}." if len(levels) <= 500 else f"It has {len(levels):,} values."
                raise SettingsError(f"No cell of this run has {level!r} as its {column}.", known)
            return Level(column, level)
    raise SettingsError(
        f"{text!r} does not name a group: none of the annotations of this run stands before an '='.",
        f"Write COLUMN=LEVEL with one of {listing(columns, 20) or 'none'}, or @FILE with cell ids.",
    )


def cells_at(opened: OpenRun, level: Level) -> np.ndarray:
    """(n_cells,) bool."""
    return (opened.labels(level.column) == level.level).to_numpy(bool)


def samples_of(opened: OpenRun, column: str) -> pd.Series:
    """Of every cell; those without a sample have none, not one that they share. Raises RunError: no such column."""
    labels = opened.labels(column)
    return labels.cat.remove_categories([NOT_LABELLED]) if NOT_LABELLED in labels.cat.categories else labels


def chosen_factors(opened: OpenRun, factors: Factors, columns: Sequence[str | None]) -> tuple[int, ...]:
    """The factors by which the cells of these annotations were chosen, where people or clustering chose them there.

    A selection drawn on two factors was chosen on these; one drawn on the map, on other axes than these, or in a view
    that was not kept, and clusters found among the cells' positions, on all factors.
    """
    found: set[int] = set()
    for column in columns:
        if column is not None and column in opened.added:
            found |= set(factors_of_plane(factors, opened.planes.get(column, "")))
    return tuple(sorted(found))


def factors_of_plane(factors: Factors, plane: str) -> tuple[int, ...]:
    """The factors that a plane of selected cells is made of: "readable.0.3t" has 0 and 3; else all of them."""
    axes, _, numbers = plane.partition(".")
    pair = [part.removesuffix("t") for part in numbers.split(".")]
    known = axes == factors.axes and all(part.isascii() and part.isdigit() and len(part) < 6 for part in pair)
    chosen = tuple(int(part) for part in pair) if known else ()
    return chosen if chosen and max(chosen) < factors.n_factors else tuple(range(factors.n_factors))


def compare_in_run(
    opened: OpenRun,
    factors: Factors,
    first: np.ndarray,
    second: np.ndarray | None = None,
    *,
    everything: AllGenes | None,
    sample_column: str | None = None,
    names: tuple[str, str] = ("these cells", REST),
    chosen_on: Sequence[int] = (),
    report: ReportShare = ignore_share,
) -> Difference:
    """compare_groups on all genes of the data set, or on the modelled ones where everything is None.

    Raises SettingsError as compare_groups does, RunError without such a column of samples.
    """
    samples = None if sample_column is None else samples_of(opened, sample_column)
    return compare_groups(
        factors, measured(opened, everything), first, second, samples=samples, names=names, chosen_on=chosen_on,
        report=report,
    )  # fmt: skip


def measured(opened: OpenRun, everything: AllGenes | None) -> Measured:
    """What can be compared in the cells of the run, shares taken of the largest library that is known."""
    if everything is None:
        return Measured(opened.counts.counts, opened.counts.molecules, opened.counts.gene_names)
    whole = everything.counts
    return Measured(whole.counts, whole.molecules, whole.gene_names, everything.cells)


def basis_sentence(opened: OpenRun, everything: AllGenes | None) -> str:
    """Which genes are compared, and what their shares are taken of."""
    if everything is not None and opened.settings.data_source == DEMO:
        return "The demo holds 2,000 genes only: all of them are compared, and shares are of the molecules of these."
    if everything is not None:
        return f"All {everything.counts.n_genes:,} genes of the data set; shares are of all molecules of a cell."
    gone = f"The data set is not there as it was: only the {opened.counts.n_genes:,} modelled genes are compared"
    return f"{gone}. {share_sentence(opened)}"


def share_sentence(opened: OpenRun) -> str:
    """What the shares and means of modelled genes are taken of."""
    if opened.settings.data_source == DEMO:
        return "Shares are of the molecules of the 2,000 genes that the demo holds."
    if opened.counts.whole_library is not None:
        return "Shares are of all molecules of a cell, those of genes that are not modelled included."
    return (
        "This run was made before whole libraries were kept: shares are of the molecules of the modelled genes, so "
        "that when some of these rise others must fall."
    )
