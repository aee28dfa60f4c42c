"""Which factors follow how a cell was measured rather than what it is: its depth, its mitochondria, its batch."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import sparse

from ldvae_core.data.annotations import guess_roles
from ldvae_core.data.chunks import cell_chunks

TECHNICAL_FROM = 0.5  # |correlation| from which a factor is called technical
COLUMNS = ("factor", "library_size", "library_size_within", "mitochondrial", "mitochondrial_within", "batch",
           "batch_within", "batch_column", "technical", "reason")  # fmt: skip
_BLOCK = 250_000  # numbers of the representation at a time: 2 MB in double precision stay in the processor's cache
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
    types: pd.Series | None = None,
) -> pd.DataFrame:
    """How far every factor follows library size, mitochondrial share and batch; one row per factor.

    representation: (n_cells, n_factors), read once; library_size: (n_cells,) counts, above zero; mitochondrial:
    (n_cells,) in any unit, NaN where unknown; batches: labels of the cells by column name, missing ones left out;
    types: (n_cells,) cell types, missing ones left out.
    Columns: factor, library_size (Pearson r with log library size), library_size_within (the same among cells of one
    type: with the means of the types taken out of both), mitochondrial and mitochondrial_within (r, NaN unknown), batch
    (square root of the share of the factor's variance that lies between the levels, the largest over the columns, NaN
    without any), batch_within (the same of the variance among cells of one type, less what as many groups have by luck:
    a batch that only holds other types has none), batch_column ("" without any), technical (any of them at least 0.5 in
    size) and reason (words, "" when not). With types, all count only as far as they hold within them too: large cells
    have large libraries, and a factor that tells their type apart follows library size without being an artefact. A
    factor or a measurement that does not vary has NaN, as everything within types has without types.
    """
    n_cells, n_factors = representation.shape
    measured = {"library_size": np.log(np.asarray(library_size, np.float64))}
    if mitochondrial is not None:
        measured["mitochondrial"] = np.asarray(mitochondrial, np.float64)
    followers: dict[str, _Correlation | _Within] = {
        name: _Correlation(values, n_factors) for name, values in measured.items()
    }
    if types is not None:
        kinds = types.astype("category").cat.codes.to_numpy()
        followers |= {f"{name}_within": _Within(values, kinds, n_factors) for name, values in measured.items()}
    codes = {name: labels.astype("category").cat.codes.to_numpy() for name, labels in (batches or {}).items()}
    levels = {name: _Between(code, n_factors) for name, code in codes.items()}
    among = {} if types is None else {name: _Among(code, kinds, n_factors) for name, code in codes.items()}
    shift = None
    for cells in cell_chunks(n_cells, n_factors, entries=_BLOCK):
        block = np.array(representation[cells], np.float64)
        shift = block.mean(axis=0) if shift is None else shift  # near the mean: squares lose no digits
        block -= shift
        whole = _Spread.of(block)
        for measurement in (*followers.values(), *levels.values(), *among.values()):
            measurement.add(cells, block, whole)
    unknown = np.full(n_factors, np.nan)
    r = {name: followers[name].result() if name in followers else unknown for name in COLUMNS[1:5]}
    parts = {name: level.result() for name, level in levels.items()}
    inside = {name: level.result() for name, level in among.items()}
    rows = []
    for factor in range(n_factors):
        known = {name: float(part[factor]) for name, part in parts.items() if np.isfinite(part[factor])}
        within = {name: float(part[factor]) for name, part in inside.items() if np.isfinite(part[factor])}
        told = within or known
        column = max(told, key=told.__getitem__) if told else ""
        row = {name: float(values[factor]) for name, values in r.items()}
        row |= {"batch": known.get(column, np.nan), "batch_within": within.get(column, np.nan)}
        reason = _reason(row, column, by_type=types is not None)
        rows.append((factor, *row.values(), column, bool(reason), reason))
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
    wanted, totals = chosen.astype(np.float32), np.empty(counts.shape[0])
    for cells in cell_chunks(counts.shape[0], counts.nnz // max(counts.shape[0], 1)):
        bounds = counts.indptr[cells.start : cells.stop + 1]
        entries, starts = slice(bounds[0], bounds[-1]), (bounds - bounds[0]).astype(counts.indices.dtype)
        parts = (counts.data[entries], counts.indices[entries], starts)  # views, where counts[cells] would copy
        totals[cells] = sparse.csr_matrix(parts, shape=(len(starts) - 1, counts.shape[1]), copy=False) @ wanted
    return totals / np.asarray(library_size, np.float64)


class _Spread:
    """Number, sums, sums of squares and range of every factor over some cells: what is needed of its variance."""

    def __init__(self, n_factors: int) -> None:
        self.n, self.sums, self.squares = 0, np.zeros(n_factors), np.zeros(n_factors)
        self.low, self.high = np.full(n_factors, np.inf), np.full(n_factors, -np.inf)

    @classmethod
    def of(cls, block: np.ndarray) -> "_Spread":
        """That of one block, (n, n_factors) float64."""
        spread = cls(block.shape[1])
        spread.n, spread.sums = len(block), np.ones(len(block)) @ block
        spread.squares = np.einsum("nk,nk->k", block, block)
        spread.low, spread.high = block.min(axis=0, initial=np.inf), block.max(axis=0, initial=-np.inf)
        return spread

    def add(self, other: "_Spread") -> None:
        """Take in the cells of another."""
        self.n, self.sums, self.squares = self.n + other.n, self.sums + other.sums, self.squares + other.squares
        self.low, self.high = np.minimum(self.low, other.low), np.maximum(self.high, other.high)

    def variation(self) -> np.ndarray:
        """(n_factors,) sum of squares about the mean; NaN where the factor does not vary or is known of no two cells.

        Asked of the range: a mean's rounding would pass for variance.
        """
        varies = (self.high != self.low) & (self.n > 1)
        return np.where(varies, self.squares - self.sums**2 / max(self.n, 1), np.nan)


class _Correlation:
    """Pearson r of every factor with a measurement (n_cells,), over the cells where that is finite."""

    def __init__(self, values: np.ndarray, n_factors: int) -> None:
        self.known, self.spread, self.products = np.isfinite(values), _Spread(n_factors), np.zeros(n_factors)
        some = values[self.known]
        self.varies = len(some) > 1 and np.ptp(some) > 0
        # Centred over the known cells and 0 elsewhere, so that products with a factor need no mask.
        self.values = np.where(self.known, values - (some.mean() if len(some) else 0.0), 0.0)

    def add(self, cells: slice, block: np.ndarray, whole: _Spread) -> None:
        known = self.known[cells]
        self.spread.add(whole if known.all() else _Spread.of(block[known]))
        self.products += self.values[cells] @ block

    def result(self) -> np.ndarray:
        if not self.varies:
            return np.full(len(self.products), np.nan)
        return self.products / np.sqrt(self.spread.variation() * (self.values @ self.values))


class _Within:
    """Pearson r of every factor with a measurement among cells of one type, over the cells where both are known.

    What sets the types apart is taken out of both: of the measurement here, of the factors by their sums in each type.
    """

    def __init__(self, values: np.ndarray, codes: np.ndarray, n_factors: int) -> None:
        codes = np.where(np.isfinite(values), codes, -1)
        known = codes >= 0
        self.between, self.products = _Between(codes, n_factors), np.zeros(n_factors)
        some, kinds = values[known], codes[known]
        means = np.bincount(kinds, weights=some, minlength=1) / np.maximum(self.between.cells, 1)
        self.values = np.zeros(len(values))
        self.values[known] = some - means[kinds]
        self.variation = self.values @ self.values
        # Less than rounding leaves of the squares is nothing.
        self.varies = self.variation > 1e-12 * max(some @ some, 1e-300)

    def add(self, cells: slice, block: np.ndarray, whole: _Spread) -> None:
        self.between.add(cells, block, whole)
        self.products += self.values[cells] @ block

    def result(self) -> np.ndarray:
        left = self.between.variation_within()
        if not self.varies:
            return np.full(len(left), np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(left > 0, self.products / np.sqrt(left * self.variation), np.nan)


class _Between:
    """Square root of the share of every factor's variance that lies between levels; a code of -1 is no level."""

    def __init__(self, codes: np.ndarray, n_factors: int) -> None:
        self.codes, self.spread = codes, _Spread(n_factors)
        self.cells = np.bincount(codes[codes >= 0], minlength=1)
        self.sums = np.zeros((len(self.cells), n_factors))

    def add(self, cells: slice, block: np.ndarray, whole: _Spread) -> None:
        codes, known = self.codes[cells], self.codes[cells] >= 0
        if not known.all():
            codes, block = codes[known], block[known]
            whole = _Spread.of(block)
        self.spread.add(whole)
        parts = (np.ones(len(codes)), codes, np.arange(len(codes) + 1))
        self.sums += sparse.csc_matrix(parts, shape=(len(self.cells), len(codes))) @ block

    def result(self) -> np.ndarray:
        if np.count_nonzero(self.cells) < 2:
            return np.full(self.sums.shape[1], np.nan)
        return np.sqrt(self._between() / self.spread.variation())

    def variation_within(self) -> np.ndarray:
        """(n_factors,) sum of squares about the means of the levels; 0 where the factor varies between them only."""
        if not self.cells.any():
            return np.full(self.sums.shape[1], np.nan)
        whole = self.spread.variation()
        left = whole - self._between()
        return np.where(left > 1e-9 * whole, left, 0.0)  # the difference of two large numbers: below is rounding

    def _between(self) -> np.ndarray:
        means = self.sums / np.maximum(self.cells, 1)[:, None] - self.spread.sums / self.spread.n
        return self.cells @ means**2


class _Among:
    """Square root of the share of a factor's variance among cells of one type that lies between levels."""

    def __init__(self, codes: np.ndarray, kinds: np.ndarray, n_factors: int) -> None:
        known = (codes >= 0) & (kinds >= 0)
        n_levels = int(codes.max(initial=0)) + 1
        self.types = _Between(np.where(known, kinds, -1), n_factors)
        self.both = _Between(np.where(known, kinds.astype(np.int64) * n_levels + codes, -1), n_factors)

    def add(self, cells: slice, block: np.ndarray, whole: _Spread) -> None:
        self.types.add(cells, block, whole)
        self.both.add(cells, block, whole)

    def result(self) -> np.ndarray:
        n, (groups, finer) = self.types.cells.sum(), (np.count_nonzero(part.cells) for part in (self.types, self.both))
        if finer == groups or n <= finer:  # no type has two levels
            return np.full(self.types.sums.shape[1], np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            left = (self.both.variation_within() / (n - finer)) / (self.types.variation_within() / (n - groups))
        return np.sqrt(np.clip(1 - left, 0, None))


def _reason(row: Mapping[str, float], column: str, *, by_type: bool) -> str:
    """Words on everything that a factor follows; with types, only where it does so among cells of one type too."""
    parts = []
    for name, words in (("library_size", "library size"), ("mitochondrial", "mitochondrial share")):
        r, within = row[name], row[f"{name}_within"]
        if abs(r) >= TECHNICAL_FROM and (not by_type or abs(within) >= TECHNICAL_FROM):
            parts.append(f"follows {words} (r = {r:.2f}{f', within types {within:.2f}' if by_type else ''})")
    if (row["batch_within"] if by_type else row["batch"]) >= TECHNICAL_FROM:
        inside = f", within types {row['batch_within']:.2f}" if by_type else ""
        parts.append(f"differs between levels of {column} (R = {row['batch']:.2f}{inside})")
    return ", ".join(parts)
