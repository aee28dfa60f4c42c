"""Which axis holds cells and which genes, told from their names; and names for genes known by Ensembl ids."""

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

SAMPLED = 3_000  # names looked at
LONGEST_SYMBOL = 40  # characters; descriptions are longer
_GENE_ID = re.compile(r"ENS[A-Z]{0,4}G\d{6,}|gene[_-]?\d+$", re.IGNORECASE)
_CELL_ID = re.compile(r"(^|[^A-Za-z])[ACGTN]{8,}($|[^A-Za-z])|^cell[_-]?\d+$", re.IGNORECASE)
_KNOWN_GENES = frozenset(
    (
        *("actb", "gapdh", "malat1", "eef1a1", "tmsb4x", "b2m", "rplp0", "rplp1", "rps2", "rps6", "rpl3", "rpl4"),
        *("tpt1", "fth1", "ftl", "hsp90ab1", "hspa8", "ubc", "ppia", "eif1", "tuba1b", "ptma", "actg1", "ybx1"),
        *("hmgb1", "npm1", "ncl", "pabpc1", "rack1", "mt-co1", "mt-nd1", "mt-cytb", "vim", "cd3e", "sox2", "gata1"),
    )
)
_SYMBOL_HINTS = (
    "genesymbols",
    "genesymbol",
    "featurename",
    "genename",
    "genenames",
    "geneshortname",
    "symbol",
    "features",
)
_ID_COLUMNS = ("gene_ids", "gene_id", "feature_id", "ensembl_id", "ensembl", "Accession")
_NO_SYMBOL = re.compile(r"ENS[A-Z]{0,4}[GT]\d{6,}|FBgn\d+|WBGene\d+|\d+(\.\d+)?$", re.IGNORECASE)
SYMBOLS_DIFFER = 0.9  # share of distinct names in a column of symbols; kinds, genomes and chromosomes repeat


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

    Where the index holds ids or numbers and a column holds symbols, these become the names; a gene without one keeps
    its id. A column of symbols is known by what it holds: text with letters, nearly all of it distinct.
    """
    index = var.index.astype(str).to_numpy()
    if _share(_NO_SYMBOL, index.tolist(), whole=True) > 0.5 and (symbols := _symbol_column(var)) is not None:
        known = _texts(var[symbols])
        names = np.asarray([name or key for name, key in zip(known, index, strict=True)], dtype=object)
        numbered = all(key.replace(".", "").isdigit() for key in index[:SAMPLED])
        kept = "" if numbered else "; their ids are kept beside"
        return names, _given_ids(var) if numbered else index, [f"Genes are named by the column '{symbols}'{kept}."]
    return index, None if _share(_GENE_ID, index.tolist()) > 0.5 else _given_ids(var), []


def _given_ids(var: pd.DataFrame) -> np.ndarray | None:
    ids = next((name for name in _ID_COLUMNS if name in var.columns), None)
    return None if ids is None else var[ids].astype(str).to_numpy()


def _symbol_column(var: pd.DataFrame) -> str | None:
    """The column that names genes; between several, one that is called so, else the first."""
    found = [str(name) for name in var.columns if _holds_symbols(_texts(var[name]))]
    hinted = [name for name in found if re.sub("[^a-z]", "", name.lower()) in _SYMBOL_HINTS]
    return next(iter(hinted or found), None)


def _holds_symbols(texts: list[str]) -> bool:
    present = [text for text in texts if text]
    if len(present) < 0.5 * len(texts) or len(set(present)) < SYMBOLS_DIFFER * len(present):
        return False
    worded = sum(any(map(str.isalpha, text)) and len(text) <= LONGEST_SYMBOL for text in present)
    return worded > 0.9 * len(present) and _share(_NO_SYMBOL, present, whole=True) < 0.5


def _texts(column: pd.Series) -> list[str]:
    """Text of every gene, "" where there is none."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return [""] * len(column)
    return [str(value).strip() for value in column.astype(object).where(column.notna(), "")]


def _kind(names: Sequence[str]) -> Literal["gene", "cell", "unknown"]:
    """What the names of an axis look like, from a sample spread over all of them."""
    step = max(1, len(names) // SAMPLED)
    sample = [str(name) for name in names[::step]]
    known = sum(str(name).lower() in _KNOWN_GENES for name in names)
    if known >= 5 or _share(_GENE_ID, sample) > 0.5:
        return "gene"
    return "cell" if _share(_CELL_ID, sample) > 0.5 else "unknown"


def _share(pattern: re.Pattern[str], names: Sequence[str], *, whole: bool = False) -> float:
    """Share of the names in which the pattern is found; whole: that it makes up from their beginning."""
    find = pattern.match if whole else pattern.search
    return sum(find(name) is not None for name in names) / max(1, len(names))
