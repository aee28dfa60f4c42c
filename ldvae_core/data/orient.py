"""Which axis holds cells and which genes, told from their names."""

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np

SAMPLED = 3_000  # names looked at
FEWEST_TOTALS = 20
SPREAD_MORE = 1.5  # of the logarithms of totals
SURELY_MORE = 2.0  # where the usual order says otherwise
OF_GENES = re.compile(  # columns that say something of a gene
    r"gene_?(ids?|names?|symbols?|short_name|version)|ensembl.*|feature_(types?|ids?|name)|genome|highly_variable.*"
    r"|means|variances.*|dispersions.*|n_cells(_by_counts)?|pct_dropout_by_counts|mt|ribo|biotype|gene_biotype"
    r"|chromosome|strand|vst[._].*",
    re.IGNORECASE,
)
OF_CELLS = re.compile(  # and of a cell
    r"n_?(genes|counts|features|umis?)(_by_counts|_rna)?|(ncount|nfeature)_.*|total_counts.*|(pct|percent)[_.].*"
    r"|leiden.*|louvain.*|(seurat_)?clusters?|cell_?(types?|labels?|ontology.*)|barcodes?|doublet.*|batch|samples?|donors?"
    r"|orig[._]ident|phase|(s|g2m)[_.]score|library(_id)?|tissue|condition",
    re.IGNORECASE,
)
GENE_ID = re.compile(  # Ensembl, fly, worm, Arabidopsis, yeast
    r"ENS[A-Z]{0,4}G\d{6,}|gene[_-]?\d+$|^(FBgn\d{7}|WBGene\d{8}|AT[1-5CM]G\d{5}|Y[A-P][LR]\d{3}[WC])\b", re.IGNORECASE
)
_CELL_ID = re.compile(r"(^|[^A-Za-z])[ACGTN]{8,}($|[^A-Za-z])|^cell[_-]?\d+$", re.IGNORECASE)
_KNOWN_GENES = frozenset(
    (
        *("actb", "gapdh", "malat1", "eef1a1", "tmsb4x", "b2m", "rplp0", "rplp1", "rps2", "rps6", "rpl3", "rpl4"),
        *("tpt1", "fth1", "ftl", "hsp90ab1", "hspa8", "ubc", "ppia", "eif1", "tuba1b", "ptma", "actg1", "ybx1"),
        *("hmgb1", "npm1", "ncl", "pabpc1", "rack1", "mt-co1", "mt-nd1", "mt-cytb", "vim", "cd3e", "sox2", "gata1"),
    )
)


def is_transposed(row_names: Sequence[str], column_names: Sequence[str]) -> bool | None:
    """Whether rows hold genes and columns cells; None when the names do not tell."""
    rows, columns = _kind(row_names), _kind(column_names)
    if rows == columns:
        return None
    if "gene" in (rows, columns):
        return rows == "gene"
    return columns == "cell"


def by_what_is_said(of_rows: Sequence[str], of_columns: Sequence[str]) -> bool | None:
    """Whether rows hold genes, by the columns of the tables beside them; None when these say nothing, or both."""
    turned, usual = (
        sum(pattern.fullmatch(str(name).strip()) is not None for names, pattern in pairs for name in names)
        for pairs in (((of_rows, OF_GENES), (of_columns, OF_CELLS)), ((of_rows, OF_CELLS), (of_columns, OF_GENES)))
    )
    return turned > usual if bool(turned) != bool(usual) else None


def by_totals(rows: np.ndarray, columns: np.ndarray, *, more: float = SPREAD_MORE) -> bool | None:
    """Whether rows hold genes, by the totals of both sides: those of genes spread over orders of magnitude.

    None when neither spreads `more` times as much, or there are too few to tell.
    """
    if min(len(rows), len(columns)) < FEWEST_TOTALS or (rows < 0).any() or (columns < 0).any():
        return None
    of_rows, of_columns = float(np.std(np.log1p(rows))), float(np.std(np.log1p(columns)))
    if max(of_rows, of_columns) < more * min(of_rows, of_columns) or max(of_rows, of_columns) < 0.5:
        return None
    return of_rows > of_columns


def _kind(names: Sequence[str]) -> Literal["gene", "cell", "unknown"]:
    """What the names of an axis look like, from a sample spread over all of them."""
    step = max(1, len(names) // SAMPLED)
    sample = [str(name) for name in names[::step]]
    known = sum(str(name).lower() in _KNOWN_GENES for name in names)
    if known >= 5 or share(GENE_ID, sample) > 0.5:
        return "gene"
    return "cell" if share(_CELL_ID, sample) > 0.5 else "unknown"


def share(pattern: re.Pattern[str], names: Sequence[str], *, whole: bool = False) -> float:
    """Share of the names in which the pattern is found; whole: that it makes up from their beginning."""
    find = pattern.match if whole else pattern.search
    return sum(find(name) is not None for name in names) / max(1, len(names))
