"""What keeps numbers from being raw counts: found, counted, and said in words."""

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
from scipy import sparse

LARGEST_COUNT = 2**32 - 1
CHUNK = 1_000_000  # values looked at together, so that a large matrix needs no second copy
LOOKED_AT = 200  # cells that the guess at a normalisation is made from

RAW_COUNTS_REMEDY = (
    "Load raw counts: whole numbers of molecules per cell and gene, as Cell Ranger, STARsolo or alevin write them. "
    "In an .h5ad they may stand in X, in a layer such as 'counts', or in raw."
)

_WORDS = {
    "nan": "not a number (NaN)",
    "infinite": "infinite",
    "negative": "negative",
    "fractional": "not whole numbers",
    "too_large": f"larger than {LARGEST_COUNT:,}",
}


def find_faults(values: np.ndarray) -> Counter[str]:
    """Count the entries that cannot be molecules, by kind: nan, infinite, negative, fractional, too_large.

    values: any one-dimensional array of numbers. An entry is counted once, under the first kind that fits. An empty
    Counter means that all are whole numbers >= 0.
    """
    faults: Counter[str] = Counter()
    for chunk in _chunks(values):
        if chunk.dtype.kind == "b":
            continue
        kinds = {"negative": chunk < 0, "too_large": chunk > LARGEST_COUNT}
        if chunk.dtype.kind == "f":
            infinite = np.isinf(chunk)
            kinds = {
                "nan": np.isnan(chunk),
                "infinite": infinite,
                "negative": kinds["negative"] & ~infinite,
                "fractional": (chunk >= 0) & ~infinite & (np.floor(chunk) != chunk),
                "too_large": kinds["too_large"] & ~infinite,
            }
        faults.update({kind: int(found.sum()) for kind, found in kinds.items() if found.any()})
    return faults


def fault_sentences(faults: Counter[str], *, n_entries: int, where: str) -> list[str]:
    """One sentence a kind: how many of the stored entries are at fault, and where they stand."""
    return [
        f"{faults[kind]:,} of {n_entries:,} {'entry is' if n_entries == 1 else 'entries'} in {where} "
        f"{'is' if faults[kind] == 1 else 'are'} {words}."
        for kind, words in _WORDS.items()
        if faults[kind]
    ]


def guess_transformation(rows: sparse.csr_matrix) -> str:
    """What seems to have been done to the counts: a sentence, or "" when no guess is good.

    rows: some cells, (n_cells, n_genes), any numbers. Recognised: scaled to mean 0, log1p of counts, log1p of counts
    that were first normalised to one total per cell, and normalised without the log.
    """
    rows = rows[:LOOKED_AT]
    values = np.asarray(rows.data, dtype=np.float64)
    if values.size == 0 or not np.isfinite(values).all():
        return ""
    if (values < 0).any():
        return "They look scaled or centred (values below zero)."
    totals = _row_totals(rows, values)
    if values.max() < 25:
        unlogged = np.expm1(values)
        if np.allclose(unlogged, np.round(unlogged), atol=1e-3, rtol=1e-4):
            return "They look like log(1 + counts)."
        if _all_alike(_row_totals(rows, unlogged)):
            total = float(np.median(_row_totals(rows, unlogged)))
            return f"They look log-normalised (log(1 + x), every cell brought to a total of {total:,.0f})."
        return "They look log-normalised (all values below 25, not whole)."
    if _all_alike(totals):
        return f"They look normalised (every cell adds up to {float(np.median(totals)):,.0f})."
    return "They look normalised, corrected or imputed."


def _row_totals(rows: sparse.csr_matrix, values: np.ndarray) -> np.ndarray:
    totals = np.zeros(rows.shape[0])
    np.add.at(totals, np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr)), values)
    return totals[totals > 0]


def _all_alike(totals: np.ndarray) -> bool:
    return totals.size > 1 and float(np.ptp(totals)) < 0.005 * float(totals.mean())


def _chunks(values: np.ndarray) -> Iterator[np.ndarray]:
    starts: Iterable[int] = range(0, len(values), CHUNK)
    return (np.asarray(values[start : start + CHUNK]) for start in starts)
