"""How two groups of cells are compared: every factor, every gene, and the pair of factors that tells most apart.

Pages and commands call compare_groups and nothing else. What it takes for granted:
- All cells of a group count, never a sample of them. A gene's level is its share of the molecules of *all* genes of a
  cell (its whole library), as far as that is known; shares sum to one, so one gene's rise is the others' fall.
- The unit is the cell, or the sample where a column of samples is given. Cells of one sample are alike: with the cell
  as unit, p values across samples are too small, and the sentence on the unit says so.
- Cells as unit: independent cells within a group, no distribution of counts, and no variance below the negative
  binomial one at the share of both groups together (effects.py). Samples as unit: normal log shares with one variance
  in both groups, moderated over genes of the same abundance; the same samples on both sides are paired (pseudobulk.py).
- The groups were not chosen by what is tested. Cells drawn around on two factors, or clustered on all of them, differ
  there by choice: neither these factors nor the genes that load on them get a p or q.
- A gene is found at a false discovery rate of 5% (Benjamini-Hochberg over the tested genes). Genes with too few
  molecules to tell are not tested. A finding that vanishes without a single one of its cells is marked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse, stats

from ldvae_core.analysis.discriminant import N_FOLDS, Moments, by_group, folds, moments_of_parts
from ldvae_core.analysis.effects import FOUND, gene_effects, sure_effect, with_q_values
from ldvae_core.analysis.factor_effects import auc, factor_effects
from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.numbers import SMALLEST
from ldvae_core.analysis.programs import effects
from ldvae_core.analysis.pseudobulk import Design, design_samples, sample_factor_effects, sample_gene_effects
from ldvae_core.analysis.separation import BestPair, best_pair
from ldvae_core.analysis.sums import ReportShare, group_sums, ignore_share
from ldvae_core.analysis.uncertainty import INTERVAL_90
from ldvae_core.errors import SettingsError

FEWEST_CELLS = N_FOLDS  # of a group
REST = "all other cells"
GENE_COLUMNS = (
    "gene", "modelled", "log2_fold_change", "low", "high", "p", "q", "mean_first", "mean_second", "share_first",
    "share_second", "carried_by_one_cell", "chosen_by",
)  # fmt: skip
YES_OR_NO = ("modelled", "carried_by_one_cell", "chosen_by")


class Measured(NamedTuple):
    """What was counted in the cells of a run, maybe beside others, and maybe of more genes than are modelled."""

    counts: sparse.csr_matrix  # (n, n_genes)
    library_size: np.ndarray  # (n,) molecules of every cell, over all genes where that is known
    gene_names: np.ndarray  # (n_genes,)
    cells: np.ndarray | None = None  # (n_cells,) row of every cell of the run; None: they are the rows


@dataclass(frozen=True, eq=False)
class Difference:
    """The first of two groups of cells against the second."""

    names: tuple[str, str]
    n_cells: tuple[int, int]
    design: Design | None  # the samples, where they are the unit
    genes: pd.DataFrame  # as from effects.gene_effects, with modelled and chosen_by; the surely largest change first
    factors: pd.DataFrame  # factor (from 0), difference, low, high (sd), p, auc (of the units), auc_cells, chosen_by
    best: BestPair | None  # the pair of factors that tells the groups apart best; None with one factor
    pair_auc: float  # of a line in that pair's plane, over cells left out when it was drawn; NaN without a pair

    @property
    def n_found(self) -> int:
        """Genes that differ at a false discovery rate of 5%."""
        return int((self.genes["q"] < FOUND).sum())

    @property
    def n_tested(self) -> int:
        """Genes with a p value."""
        return int(self.genes["q"].notna().sum())

    def gene_table(self) -> pd.DataFrame:
        """The genes as files hold them: columns GENE_COLUMNS; p and q are NaN where nothing was tested."""
        table = self.genes[list(GENE_COLUMNS)]
        return table.assign(**{name: np.where(table[name], "true", "false") for name in YES_OR_NO})


def compare_groups(
    factors: Factors,
    measured: Measured,
    first: np.ndarray,
    second: np.ndarray | None = None,
    *,
    samples: Sequence[str] | pd.Series | None = None,
    names: tuple[str, str] = ("these cells", REST),
    chosen_on: Sequence[int] = (),
    report: ReportShare = ignore_share,
) -> Difference:
    """Compare two groups of cells; second None: all cells that are not in the first.

    first, second: (n_cells,) bool over the cells of the factors; samples: (n_cells,) the donor or sample of each cell,
    missing where not known: such cells then count for nothing. chosen_on: the factors by which the groups were chosen.
    report: called with the share of the work done, 0 to 1, now and then.
    Raises SettingsError: groups that share cells, have fewer than 5 cells or one name, fewer than two samples a group.
    """
    first = np.asarray(first, bool)
    second = ~first if second is None else np.asarray(second, bool)
    _refuse(first, second, names, factors.n_cells)
    if samples is None:
        design, fold, n_groups = None, None, 2
        group = np.where(first, 0, np.where(second, 1, -1))
    else:
        codes, known = _coded(samples)
        design, n_groups = design_samples(codes, known, first, second, names), 2 * len(known)
        group, first, second = design.groups(codes, len(known), first, second)
        fold = design.folds(codes, len(known), second, most=N_FOLDS)
    of_rows, report_genes = _of_rows(group, measured), _part(report, 0.0, 0.4)
    sums, leading = group_sums(measured.counts, measured.library_size, of_rows, n_groups, report=report_genes)
    if design is None:
        genes = gene_effects(sums, measured.gene_names, leading)
    else:
        genes = sample_gene_effects(sums, design, measured.gene_names, leading)
    table = _factor_table(factors, first, second, group, design, _part(report, 0.4, 0.8))
    best, pair_auc = _apart(factors, first, second, names, fold)
    n_cells = (int(first.sum()), int(second.sum()))
    chosen = np.isin(np.arange(factors.n_factors), list(chosen_on))
    genes = _sorted_genes(_withheld(genes, factors, chosen))
    return Difference(names, n_cells, design, genes, _factors_withheld(table, chosen), best, pair_auc)


def loading_genes(factors: Factors, chosen: np.ndarray) -> np.ndarray:
    """Whether a gene loads on any chosen factor, its 90% interval without 0: (n_genes,) bool. chosen: (n_factors,)."""
    loading, error = effects(factors)
    sure = np.abs(loading) > INTERVAL_90 * np.nan_to_num(error)
    return (sure & chosen).any(axis=1)


def _withheld(genes: pd.DataFrame, factors: Factors, chosen: np.ndarray) -> pd.DataFrame:
    """With modelled and chosen_by; genes by which the cells were chosen lose p and q, the others' q is made anew."""
    modelled = genes["gene"].isin(factors.gene_names.tolist())
    by = genes["gene"].isin(factors.gene_names[loading_genes(factors, chosen)].tolist())
    return with_q_values(genes.assign(modelled=modelled, chosen_by=by, log10_p=genes["log10_p"].mask(by)))


def _factors_withheld(table: pd.DataFrame, chosen: np.ndarray) -> pd.DataFrame:
    by = chosen[table["factor"].to_numpy(int)]
    return table.assign(p=table["p"].mask(by), chosen_by=by)


def _of_rows(group: np.ndarray, measured: Measured) -> np.ndarray:
    """The groups of the run's cells as groups of what was counted, (n,); -1 for cells that the run does not have."""
    if measured.cells is None:
        return group
    found = np.full(measured.counts.shape[0], -1, group.dtype)
    found[measured.cells] = group
    return found


def _refuse(first: np.ndarray, second: np.ndarray, names: tuple[str, str], n_cells: int) -> None:
    if first.shape != (n_cells,) or second.shape != (n_cells,):
        raise SettingsError(f"The groups do not fit the {n_cells:,} cells of this run.", "Choose them again.")
    problems = []
    if names[0] == names[1]:
        problems.append(f"Both groups are {names[0]!r}.")
    elif shared := int((first & second).sum()):
        problems.append(f"{names[0]} and {names[1]} share {shared:,} cells.")
    for name, group in zip(names, (first, second), strict=True):
        if (n := int(group.sum())) < FEWEST_CELLS:
            problems.append(f"{name} has {n} cell{'s' * (n != 1)} here; {FEWEST_CELLS} are needed.")
    if problems:
        raise SettingsError(problems, "Choose two groups of different cells.")


def _coded(samples: Sequence[str] | pd.Series) -> tuple[np.ndarray, list[str]]:
    values = pd.Series(samples)
    coded = values.cat if isinstance(values.dtype, pd.CategoricalDtype) else values.astype("category").cat
    return coded.codes.to_numpy(np.int64), [str(name) for name in coded.categories]


def _part(report: ReportShare, low: float, high: float) -> ReportShare:
    """For a part of the work that goes from one share of the whole to another."""
    return lambda share: report(low + (high - low) * share)


def _factor_table(
    factors: Factors,
    first: np.ndarray,
    second: np.ndarray,
    group: np.ndarray,
    design: Design | None,
    report: ReportShare,
) -> pd.DataFrame:
    effect, error, chance = factor_effects(factors.representation, factors.scale, first, second, report=report)
    if design is not None:
        z, scale = factors.representation, factors.scale
        effect, half_width, p, of_means = sample_factor_effects(z, scale, group, design.n_samples, design)
        return _sorted_factors(effect, half_width, p, of_means, chance)
    statistic = np.divide(effect, error, out=np.zeros(len(effect)), where=error > 0)
    p = np.maximum(2 * stats.norm.sf(np.abs(statistic)), 10.0**SMALLEST)
    return _sorted_factors(effect, INTERVAL_90 * error, p, chance, chance)


def _sorted_factors(
    effect: np.ndarray, half_width: np.ndarray, p: np.ndarray, chance: np.ndarray, of_cells: np.ndarray
) -> pd.DataFrame:
    """The most separating factor first; AUCs of few samples are often equal, and then that of the cells decides."""
    order = np.lexsort((-np.abs(of_cells - 0.5), -np.round(np.abs(chance - 0.5), 12)))
    columns = {"factor": np.arange(len(effect)), "difference": effect, "low": effect - half_width,
               "high": effect + half_width, "p": p, "auc": chance, "auc_cells": of_cells}  # fmt: skip
    return pd.DataFrame(columns).iloc[order].reset_index(drop=True)


def _sorted_genes(genes: pd.DataFrame) -> pd.DataFrame:
    """By the fold change that is sure at least, genes that are not found last, then by certainty.

    Genes by which the cells were chosen stand where their fold change puts them: it describes the cells. A
    gene whose counts come from a single cell can have an interval far from 0; the test knows better.
    """
    told = (genes["q"] < FOUND) | genes["chosen_by"]
    sure = np.where(told, np.abs(sure_effect(genes["low"].to_numpy(), genes["high"].to_numpy())), 0.0)
    order = np.lexsort((-genes["statistic"].abs(), -sure))
    return genes.drop(columns=["log10_p", "log10_p_without"]).iloc[order].reset_index(drop=True)


def _apart(
    factors: Factors, first: np.ndarray, second: np.ndarray, names: tuple[str, str], fold: np.ndarray | None
) -> tuple[BestPair | None, float]:
    """The best pair of factors, and the AUC of its linear discriminant over cells of folds it was not fitted on."""
    if factors.n_factors < 2:
        return None, float("nan")
    label = pd.Categorical.from_codes(np.where(first, 0, np.where(second, 1, -1)), pd.Index(names))
    best = best_pair(factors, pd.Series(label), names)
    chosen = np.flatnonzero(first | second)
    code = second[chosen].astype(np.int64)
    code_fold = folds(code, 0) if fold is None else fold[chosen]
    n_folds = int(code_fold.max()) + 1
    z = factors.representation[:, list(best.pair)]
    parts = by_group(z, chosen, code * n_folds + code_fold, 2 * n_folds)
    moments = moments_of_parts(parts, factors.centre[list(best.pair)])
    found = []
    for held_out in range(n_folds):
        kept = np.tile(np.arange(n_folds) != held_out, 2)
        rest = Moments(moments.n[kept], moments.total[kept], moments.products[kept]).together(n_folds - 1)
        line = np.linalg.pinv(rest.covariance, hermitian=True) @ (rest.mean[0] - rest.mean[1])
        found.append(auc(*(line @ parts[group * n_folds + held_out] for group in (0, 1))))
    return best, float(np.mean(found))
