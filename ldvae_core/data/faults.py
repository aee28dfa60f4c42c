"""What keeps numbers from being raw counts: found, counted, and said in words."""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from scipy import sparse

LARGEST_COUNT = 2**32 - 1
CHUNK = 1_000_000  # values looked at together, so that a large matrix needs no second copy
LOOKED_AT = 200  # cells that the guess at a normalisation is made from

MOSTLY_WHOLE = 0.3  # share of whole numbers above which fractions come from sharing out
FEWEST_OF_CELL = 5  # values
LOGARITHMS = {"log": np.e, "log2": 2.0, "log10": 10.0}

RAW_COUNTS_REMEDY = (
    "Load raw counts: whole numbers of molecules per cell and gene, as Cell Ranger, STARsolo or alevin write them. "
    "In an .h5ad they may stand in X, in a layer such as 'counts', or in raw."
)

MISSING_REMEDY = (
    "Empty fields are no counts: write 0 where nothing was counted, and leave out columns that hold something else."
)
TOO_LARGE_REMEDY = (
    "No cell holds that many molecules of a gene. Look at what these entries are (intensities, a sum over cells, an "
    "overflow), and load counts of molecules."
)
ROUNDING_REMEDY = (
    "Load the whole counts from before this step, or round these to whole molecules (`--round`, or the switch on the "
    "Data page)."
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


class Diagnosis(NamedTuple):
    """What seems to have been done to the values: a sentence, "" when no guess is good, and the remedy that fits.

    can_round: whether whole molecules are a fair reading of them: fractional counts that were not rescaled by cell.
    """

    sentence: str
    remedy: str = RAW_COUNTS_REMEDY
    can_round: bool = False


def diagnose(rows: sparse.csr_matrix, faults: Counter[str]) -> Diagnosis:
    """Guess from some cells, (n_cells, n_genes), any numbers; faults: of the whole matrix, as find_faults counts them.

    Recognised: missing values, overflow, scaled to mean 0, log1p of counts, the same after normalising, normalised or
    TPM, and fractional counts of tools that share molecules out or take away ambient RNA.
    """
    values = np.asarray(rows.data, dtype=np.float64)
    if faults["nan"] or faults["infinite"]:
        return Diagnosis("", MISSING_REMEDY)
    if faults["negative"] or (values < 0).any():
        return Diagnosis("They look scaled or centred (values below zero).")
    if faults["too_large"]:
        return Diagnosis("", TOO_LARGE_REMEDY)
    if values.size == 0 or not np.isfinite(values).all():
        return Diagnosis("")
    if sentence := guess_transformation(rows):
        return Diagnosis(sentence)
    whole = float((np.floor(values) == values).mean())
    if whole > MOSTLY_WHOLE:
        origin = "molecules shared out among genes, as STARsolo (EM), alevin-fry, kallisto or RSEM do"
    else:
        origin = "counts corrected for ambient RNA, as SoupX or DecontX do"
    return Diagnosis(f"They look like {origin}.", ROUNDING_REMEDY, can_round=True)


def guess_transformation(rows: sparse.csr_matrix) -> str:
    """How every cell was rescaled: a sentence, or "" when the values look like none of what is known."""
    rows = rows[:LOOKED_AT]
    values = np.asarray(rows.data, dtype=np.float64)
    if values.size == 0 or not np.isfinite(values).all():
        return ""
    if (values < 0).any():
        return "They look scaled or centred (values below zero)."
    totals = _row_totals(rows, values)
    if values.max() < 25 and (sentence := _guess_logarithm(rows, values)):
        return sentence
    if _all_alike(totals):
        total = float(np.median(totals))
        return f"They look normalised{_per_million(total)} (every cell adds up to {total:,.0f})."
    if _scaled_by_cell(rows, values):
        return "They look normalised: every cell was divided by a factor of its own."
    return ""


def _guess_logarithm(rows: sparse.csr_matrix, values: np.ndarray) -> str:
    """Which logarithm was taken of what: a sentence, or ""."""
    for name, base in LOGARITHMS.items():
        unlogged = np.expm1(values * np.log(base))
        if np.allclose(unlogged, np.round(unlogged), atol=1e-3, rtol=1e-4):
            return f"They look like {name}(1 + counts)."
        unlogged_totals = _row_totals(rows, unlogged)
        if _all_alike(unlogged_totals):
            total = float(np.median(unlogged_totals))
            return (
                f"They look log-normalised ({name}(1 + x){_per_million(total)}, every cell brought to a total of "
                f"{total:,.0f})."
            )
        if _scaled_by_cell(rows, unlogged):
            return f"They look log-normalised ({name}(1 + x), every cell divided by a factor of its own)."
    return ""


def _per_million(total: float) -> str:
    return " (TPM or CPM)" if abs(total / 1e6 - 1) < 0.01 else ""


def _scaled_by_cell(rows: sparse.csr_matrix, values: np.ndarray) -> bool:
    """Whether the values of most cells are whole multiples of their smallest, which differs from cell to cell."""
    smallest, fitting = [], 0
    for start, stop in itertools.pairwise(rows.indptr.tolist()):
        cell = values[start:stop]
        cell = cell[cell > 0]
        if len(cell) < FEWEST_OF_CELL:
            continue
        fitting += _are_multiples(cell)
        smallest.append(float(cell.min()))
    if len(smallest) < 2 or fitting < 0.8 * len(smallest):
        return False
    return not _are_multiples(np.asarray(smallest))  # of one value, as when all cells were scaled alike


def _are_multiples(values: np.ndarray) -> bool:
    """Whether nearly all are whole multiples of the smallest."""
    times = values / values.min()
    return bool((np.abs(times - np.rint(times)) < 0.01 * times).mean() > 0.95)


def _row_totals(rows: sparse.csr_matrix, values: np.ndarray) -> np.ndarray:
    totals = np.zeros(rows.shape[0])
    np.add.at(totals, np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr)), values)
    return totals[totals > 0]


def _all_alike(totals: np.ndarray) -> bool:
    return totals.size > 1 and float(np.ptp(totals)) < 0.005 * float(totals.mean())


def _chunks(values: np.ndarray) -> Iterator[np.ndarray]:
    starts: Iterable[int] = range(0, len(values), CHUNK)
    return (np.asarray(values[start : start + CHUNK]) for start in starts)
