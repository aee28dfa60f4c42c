"""Which axis holds cells and which genes, told from their names; and names for genes known by Ensembl ids."""

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

SAMPLED = 3_000  # names looked at
_GENE_ID = re.compile(r"ENS[A-Z]{0,4}G\d{6,}|gene[_-]?\d+$", re.IGNORECASE)
_CELL_ID = re.compile(r"(^|[^A-Za-z])[ACGTN]{8,}($|[^A-Za-z])|^cell[_-]?\d+$", re.IGNORECASE)
_KNOWN_GENES = frozenset(
    (
        *("actb", "gapdh", "malat1", "eef1a1", "tmsb4x", "b2m", "rplp0", "rplp1", "rps2", "rps6", "rpl3", "rpl4"),
        *("tpt1", "fth1", "ftl", "hsp90ab1", "hspa8", "ubc", "ppia", "eif1", "tuba1b", "ptma", "actg1", "ybx1"),
        *("hmgb1", "npm1", "ncl", "pabpc1", "rack1", "mt-co1", "mt-nd1", "mt-cytb", "vim", "cd3e", "sox2", "gata1"),
    )
)
_SYMBOL_COLUMNS = (
    "gene_symbols",
    "gene_symbol",
    "feature_name",
    "gene_name",
    "gene_names",
    "gene_short_name",
    "symbol",
)
_ID_COLUMNS = ("gene_ids", "gene_id", "feature_id", "ensembl_id", "ensembl", "Accession")


def is_transposed(row_names: Sequence[str], column_names: Sequence[str]) -> bool | None:
    """Whether rows hold genes and columns cells; None when the names do not tell."""
    rows, columns = _kind(row_names), _kind(column_names)
    if rows == columns:
        return None
    if "gene" in (rows, columns):
        return rows == "gene"
    return columns == "cell"


def gene_naming(var: pd.DataFrame) -> tuple[np.ndarray, np.ndarray | None, list[str]]:
    """(names, ids or None, notices) of a table of genes: symbols on screen, Ensembl ids beside them.

    Where the index holds Ensembl ids and a column has symbols, the symbols become the names; a gene without one keeps
    its id.
    """
    index = var.index.astype(str).to_numpy()
    symbols = next((name for name in _SYMBOL_COLUMNS if name in var.columns), None)
    if _share(_GENE_ID, index.tolist()) > 0.5:
        if symbols is None:
            return index, None, []
        known = var[symbols].astype(object).where(var[symbols].notna(), "").astype(str).to_numpy()
        names = np.asarray([name.strip() or key for name, key in zip(known, index, strict=True)], dtype=object)
        return names, index, [f"Genes are named by the column '{symbols}'; their ids are kept beside."]
    ids = next((name for name in _ID_COLUMNS if name in var.columns), None)
    return index, None if ids is None else var[ids].astype(str).to_numpy(), []


def _kind(names: Sequence[str]) -> Literal["gene", "cell", "unknown"]:
    """What the names of an axis look like, from a sample spread over all of them."""
    step = max(1, len(names) // SAMPLED)
    sample = [str(name) for name in names[::step]]
    known = sum(str(name).lower() in _KNOWN_GENES for name in names)
    if known >= 5 or _share(_GENE_ID, sample) > 0.5:
        return "gene"
    return "cell" if _share(_CELL_ID, sample) > 0.5 else "unknown"


def _share(pattern: re.Pattern[str], names: Sequence[str]) -> float:
    return sum(pattern.search(name) is not None for name in names) / max(1, len(names))
