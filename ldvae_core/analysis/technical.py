"""Which factors follow how a cell was measured rather than what it is: its depth, its mitochondria, its batch."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import sparse

from ldvae_core.data.annotations import guess_roles

TECHNICAL_FROM = 0.5  # |correlation| from which a factor is called technical
COLUMNS = ("factor", "library_size", "mitochondrial", "batch", "batch_column", "technical", "reason")
_MITOCHONDRIAL = frozenset(
    ("pctcountsmt", "percentmito", "percentmt", "pctmt", "pctmito", "mito", "mt", "mitoshare", "mitofraction",
     "mitochondrialshare", "mitochondrialfraction", "percentmitochondrial", "pctcountsmito", "fractionmito",
     "fractionmt", "mtfraction", "mitopercent", "mtpercent")
)  # fmt: skip


def technical_table(
    representation: np.ndarray,
    library_size: np.ndarray,
    *,
    mitochondrial: np.ndarray | None = None,
    batches: Mapping[str, pd.Series] | None = None,
) -> pd.DataFrame:
    """How far every factor follows library size, mitochondrial share and batch; one row per factor.

    representation: (n_cells, n_factors), read by columns; library_size: (n_cells,) counts, above zero; mitochondrial:
    (n_cells,) in any unit, NaN where unknown; batches: labels of the cells by column name, missing ones left out.
    Columns: factor, library_size (Pearson r with log library size), mitochondrial (r, NaN unknown), batch (square root
    of the share of the factor's variance that lies between the levels, the largest over the columns, NaN without any),
    batch_column ("" without any), technical (any of them at least 0.5 in size) and reason (words, "" when not). A
    factor or a measurement that does not vary has NaN.
    """
    depth = np.log(np.asarray(library_size, np.float64))
    codes = {name: labels.astype("category").cat.codes.to_numpy() for name, labels in (batches or {}).items()}
    rows = []
    for factor in range(representation.shape[1]):
        values = np.asarray(representation[:, factor], np.float64)
        share = np.nan if mitochondrial is None else _correlation(values, np.asarray(mitochondrial, np.float64))
        parts = {name: _between(values, code) for name, code in codes.items()}
        known = {name: part for name, part in parts.items() if np.isfinite(part)}
        column = max(known, key=known.__getitem__) if known else ""
        row = (_correlation(values, depth), share, known.get(column, np.nan))
        reason = _reason(*row, column)
        rows.append((factor, *row, column, bool(reason), reason))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def batch_labels(annotations: pd.DataFrame) -> dict[str, pd.Series]:
    """The columns that look like a sequencing batch (or sample) and a donor; never cell types or conditions."""
    roles = guess_roles(annotations)
    return {str(name): annotations[name] for name in (roles["batch"], roles["donor"]) if name is not None}


def mitochondrial_share(
    annotations: pd.DataFrame, counts: sparse.csr_matrix, gene_names: np.ndarray, library_size: np.ndarray
) -> np.ndarray | None:
    """(n_cells,) the annotation that holds it; else from the modelled genes named mt-...; None where neither is there.

    counts: (n_cells, n_genes) CSR, never copied; library_size: (n_cells,) counts.
    """
    for name in annotations.columns:
        plain = "".join(letter for letter in str(name).lower() if letter.isalnum())
        if plain in _MITOCHONDRIAL and pd.api.types.is_numeric_dtype(annotations[name].dtype):
            return annotations[name].to_numpy(np.float64, na_value=np.nan)
    chosen = np.array([str(gene).lower().startswith("mt-") for gene in gene_names], bool)
    if not chosen.any():
        return None
    return np.asarray(counts @ chosen.astype(np.float32), np.float64) / np.asarray(library_size, np.float64)


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    known = np.isfinite(y)
    if not known.all():
        x, y = x[known], y[known]
    if len(x) < 2:
        return np.nan
    if np.ptp(x) == 0 or np.ptp(y) == 0:  # asked of the range: a mean's rounding would pass for variance
        return np.nan
    x, y = x - x.mean(), y - y.mean()
    return float(x @ y / np.sqrt((x @ x) * (y @ y)))


def _between(values: np.ndarray, codes: np.ndarray) -> float:
    """Square root of the share of the variance that lies between the levels; a code of -1 is no level."""
    if (codes < 0).any():
        values, codes = values[codes >= 0], codes[codes >= 0]
    if len(values) < 2 or codes.min() == codes.max() or np.ptp(values) == 0:
        return np.nan
    values = values - values.mean()
    cells = np.bincount(codes)
    sums = np.bincount(codes, weights=values)
    between, total = (sums**2 / np.maximum(cells, 1)).sum(), values @ values
    return float(np.sqrt(between / total))


def _reason(depth: float, mitochondrial: float, batch: float, column: str) -> str:
    parts = [
        (depth, f"follows library size (r = {depth:.2f})"),
        (mitochondrial, f"follows mitochondrial share (r = {mitochondrial:.2f})"),
        (batch, f"differs between levels of {column} (R = {batch:.2f})"),
    ]
    return ", ".join(words for value, words in parts if abs(value) >= TECHNICAL_FROM)
