"""How a candidate will be read: which side holds the cells, which features are genes, and what these are called."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from ldvae_core.data.damage import damage_in
from ldvae_core.data.genes import mitochondrial_mask
from ldvae_core.data.names import listing, tidy_names
from ldvae_core.data.naming import CONTROL, SUMMARY, GeneNames, expression_mask, gene_names
from ldvae_core.data.opened import Candidate, Side
from ldvae_core.data.orient import SURELY_MORE, by_totals, by_what_is_said, is_transposed
from ldvae_core.data.reading_options import GenesIn, ReadingOptions
from ldvae_core.data.stored import DAMAGED_REMEDY, Axis, first_totals
from ldvae_core.errors import CountsError

TURNED = "Rows hold genes and columns cells in this file: turned around"
TURN_BACK = "If that is wrong, read it with genes in the columns."
UNREADABLE_NAMES = "Give genes and cells names of printable characters, at most 200 long, where the file was made."


class Layout(NamedTuple):
    """kept: positions of the features that are genes, None when all are. gene_names: (n_genes,) str, unique.

    mitochondrial: bool (n_genes,). notices: what was decided.
    """

    cells_in: Axis
    cells: Side
    genes: Side
    kept: np.ndarray | None
    naming: GeneNames
    gene_names: np.ndarray
    mitochondrial: np.ndarray
    notices: tuple[str, ...]

    @property
    def genes_in(self) -> GenesIn:
        """The side of the stored matrix that holds the genes."""
        return "columns" if self.cells_in == "rows" else "rows"


def layout_of(candidate: Candidate, options: ReadingOptions) -> Layout:
    """Raises CountsError: names that do not fit the matrix or cannot be shown, an option that means nothing here."""
    with damage_in("What names the cells and genes"):
        rows, columns = candidate.rows(), candidate.columns()
    for side, length, what in (
        (rows, candidate.stored.n_rows, "rows"),
        (columns, candidate.stored.n_columns, "columns"),
    ):
        if len(side.table) != length:
            raise CountsError(
                f"{candidate.where} has {length:,} {what}, but {len(side.table):,} names for them.", DAMAGED_REMEDY
            )
    genes_in, notices = _genes_in(candidate, options, rows, columns)
    cells, genes = (rows, columns) if genes_in == "columns" else (columns, rows)
    cells = _named_cells(cells)
    mask, mask_notices = _genes_among(genes, genes_in)
    table = genes.table if mask is None else genes.table[mask]
    notices += mask_notices
    naming = gene_names(table, asked=options.genes_named_by)
    names, problems, name_notices = tidy_names(naming.names, kind="gene")
    if problems:
        raise CountsError(problems, UNREADABLE_NAMES)
    return Layout(
        cells_in="rows" if genes_in == "columns" else "columns",
        cells=cells,
        genes=genes,
        kept=None if mask is None else np.flatnonzero(mask),
        naming=naming,
        gene_names=names,
        mitochondrial=mitochondrial_mask(names if naming.ids is None else naming.ids.astype(str))
        | mitochondrial_mask(names),
        notices=(*cells.notices, *genes.notices, *notices, *naming.notices, *name_notices),
    )


def _named_cells(cells: Side) -> Side:
    """The cells by a column of names that never repeat, where the index only counts them: 0, 1, 2 or 1, 2, 3."""
    names = [str(name) for name in cells.table.index]
    counting = [list(map(str, range(first, first + len(names)))) for first in (0, 1)]
    if names not in counting:
        return cells
    for name in cells.table.columns:
        column = cells.table[name]
        texts = [] if pd.api.types.is_numeric_dtype(column.dtype) else column.dropna().astype(str).tolist()
        if len(texts) == len(names) == len(set(texts)):
            said = f"Cells are named by the column '{name}': the file only numbers them."
            table = cells.table.drop(columns=[name]).set_axis(pd.Index(texts, dtype=object))
            return cells._replace(table=table, named_by=str(name), notices=(*cells.notices, said))
    return cells


def _genes_among(genes: Side, genes_in: GenesIn) -> tuple[np.ndarray | None, list[str]]:
    """Which features are genes: bool, None when all are; and notices of those that are not."""
    notices = []
    expression = expression_mask(genes.table)
    if expression is not None:
        left_out = int((~expression).sum())
        notices.append(f"{left_out:,} features are not gene expression (such as antibodies): left out.")
    names = genes.table.index.tolist()
    summing = np.asarray([SUMMARY.fullmatch(str(name)) is not None for name in names], dtype=bool)
    if summing.any():
        found = listing(name for name, sums in zip(names, summing, strict=True) if sums)
        notices.append(f"{genes_in.capitalize()} that sum up reads were left out: {found}.")
    control = np.asarray([CONTROL.fullmatch(str(name)) is not None for name in names], dtype=bool)
    if control.any() and not control.all():
        found = listing(name for name, odd in zip(names, control, strict=True) if odd)
        notices.append(f"{int(control.sum()):,} control probes or antibodies were left out: {found}.")
        summing |= control
    mask = ~summing if expression is None else expression & ~summing
    return (None if mask.all() else mask), notices


def _genes_in(candidate: Candidate, options: ReadingOptions, rows: Side, columns: Side) -> tuple[GenesIn, list[str]]:
    known = candidate.genes_in
    if options.genes_in is not None:
        if candidate.certain and options.genes_in != known:
            raise CountsError(
                f"This kind of file says itself that genes are its {known}: it cannot be turned.",
                "Read it without --genes-in.",
            )
        return options.genes_in, [] if options.genes_in == known else [
            f"Genes were taken from the {options.genes_in}, as asked."
        ]
    if known is not None:
        return known, [candidate.told] if candidate.told else []
    turned = is_transposed(rows.table.index.tolist(), columns.table.index.tolist())
    if turned is not None:
        return ("rows", [f"{TURNED}."]) if turned else ("columns", [])
    said = by_what_is_said(rows.table.columns.tolist(), columns.table.columns.tolist())
    if said is not None:
        return ("rows", [f"{TURNED} (told by what is said of them). {TURN_BACK}"]) if said else ("columns", [])
    of_rows, of_columns = first_totals(candidate.stored)
    if by_totals(of_rows, of_columns, more=SURELY_MORE):
        told = "told by their totals: those of genes differ far more than those of cells"
        return "rows", [f"{TURNED} ({told}). {TURN_BACK}"]
    return "columns", []
