"""Distributions: how the cells of every group lie on one factor, for several conditions side by side."""

import pandas as pd

from ldvae_core.analysis.factors import Factors
from ldvae_core.plots.distribution import binned_densities, plot_distribution
from ldvae_core.plots.theme import cells_title, three_digits
from ldvae_core.runs.store import OpenRun
from pages.parts.cell_types.groups import choice
from pages.parts.figures import Panel, show_figure
from pages.parts.per_run import per_run
from pages.parts.runs import colours_of
from pages.parts.sample_columns import values_of
from pages.parts.style import mode

NO_SPLIT = "not split"
FEWEST_LEVELS, MOST_LEVELS = 2, 4
FEWEST_CELLS, FEWEST_GROUPS = 20, 3  # cells of a group, before a sentence names it; groups that are called all
HOW = (
    "Every cell counts: each curve is the share of a group's cells along the factor, scaled to its own peak, and its "
    "stroke is the median. The number at the right is how many cells it is made of: curves of few cells are rough. "
    "Groups keep one order and one range in all panels; the highest median stands on top. Choose **Split by** to set "
    "the values of a second annotation, a condition say, side by side."
)


def split_picker(opened: OpenRun, column: str) -> str | None:
    """Another annotation of 2 to 4 values; None when the cells are not split."""
    fitting = [name for name, sizes in values_of(opened).items()
               if name != column and FEWEST_LEVELS <= len(sizes) <= MOST_LEVELS]  # fmt: skip
    if not fitting:
        return None
    chosen = choice("Split by", [NO_SPLIT, *fitting], key="split_by", width=150)
    return None if chosen == NO_SPLIT else chosen


def show_distributions(opened: OpenRun, factors: Factors, factor: int, column: str, split: str | None) -> None:
    """Ridges of one factor by annotation."""
    table = _densities(opened, factors, factor, column, split)
    name = factors.label(factor)
    axis = cells_title(factor, factors.prior, name=factors.name_of(factor))
    figure = plot_distribution(table, x_title=axis, colours=colours_of(opened, column), counts=True, mode=mode())
    alt = f"Distribution of {name} in each group of {column}" + (f", for each value of {split}." if split else ".")
    panel = Panel(figure, f"factor_{factor + 1}_distributions", alt, table, "Distributions")
    show_figure(panel, key="distributions", finding=distribution_finding(table, name), how_to_read=HOW)


def distribution_finding(table: pd.DataFrame, name: str) -> str:
    """Where the factor is highest and lowest; when split, whether one level is in all groups, and which differs most.

    table: from binned_densities. Groups of fewer than 20 cells are not named.
    """
    keys = ["level", "group"] if "level" in table else ["group"]
    each = table.drop_duplicates(keys)
    each = each[each["n_cells"] >= FEWEST_CELLS]
    if each.empty:
        return ""
    top, bottom = each.iloc[int(each["median"].argmax())], each.iloc[int(each["median"].argmin())]
    if len(each) == 1:
        return f"{name} has a median of {_median(top)} in {_group_words(top)}."
    lowest = f"lowest in {_group_words(bottom)} ({_median(bottom)})"
    first = f"{name} is highest in {_group_words(top)} (median {_median(top)}) and {lowest}."
    if "level" not in table:
        return first
    medians = each.pivot(index="group", columns="level", values="median")
    gap = (medians.max(axis=1) - medians.min(axis=1)).where(medians.notna().sum(axis=1) > 1).dropna()
    if gap.empty:
        return first
    widest = medians.loc[gap.index].iloc[int(gap.argmax())]
    high = f"{three_digits(float(widest.max()))} in {widest.idxmax()}"
    low = f"{three_digits(float(widest.min()))} in {widest.idxmin()}"
    return f"{first}{_everywhere(medians.dropna())} It differs most in {widest.name}: median {high}, {low}."


def _everywhere(medians: pd.DataFrame) -> str:
    """That one level has the highest median in every group; "" where not, or in too few groups to be worth a word.

    medians: a row a group that has all levels, a column a level.
    """
    leads = medians.idxmax(axis=1).unique()
    if len(leads) != 1 or len(medians) < FEWEST_GROUPS:
        return ""
    return f" In all {len(medians)} groups its median is highest in {leads[0]}."


@per_run(max_entries=32, spinner="Counting cells along the factor")
def _densities(opened: OpenRun, factors: Factors, factor: int, column: str, split: str | None) -> pd.DataFrame:
    labels = opened.labels(column)
    groups = [str(name) for name in labels.cat.categories]
    if split is None:
        return binned_densities(factors.representation[:, factor], labels, groups)
    levels = opened.labels(split)
    names = [str(name) for name in levels.cat.categories]
    return binned_densities(factors.representation[:, factor], labels, groups, split=levels, levels=names)


def _group_words(row: pd.Series) -> str:
    return f"{row.group} ({row.level})" if "level" in row else str(row.group)


def _median(row: pd.Series) -> str:
    return three_digits(float(row["median"]))
