"""Which genes to model: the most variable ones, and what gene names tell about themselves."""

import re
from typing import Literal

import numpy as np

from ldvae_core.data.annotations import guess_roles, label_columns
from ldvae_core.data.blocks import row_blocks
from ldvae_core.data.choices import GeneSelection
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.gene_lookup import bare_id
from ldvae_core.data.histogram import GeneHistogram, HistogramTally
from ldvae_core.data.levels import levels_of
from ldvae_core.data.names import listing
from ldvae_core.data.seurat import normalised_variance, rank_genes
from ldvae_core.errors import SettingsError

__all__ = [
    "GeneSelection",
    "find_genes",
    "guess_roles",
    "guess_species",
    "label_columns",
    "mitochondrial_mask",
    "ribosomal_mask",
    "select_genes",
]


FEWEST_OF_BATCH = 3  # cells; a variance and its trend need as many
_MITOCHONDRIAL = re.compile(r"((grch|grcm|hg|mm)\w+_)?mt(-|\.(nd|co|cyb|atp|rnr))", re.IGNORECASE)
_MITOCHONDRIAL_IDS = frozenset(  # the 13 that code for proteins, of human and of mouse (Ensembl)
    [f"ENSG00000{n}" for n in (198888, 198763, 198804, 198712, 228253, 198899, 198938, 198840, 212907, 198886, 198786,
                               198695, 198727)]
    + [f"ENSMUSG000000{n}" for n in (64341, 64345, 64351, 64354, 64356, 64357, 64358, 64360, 65947, 64363, 64367, 64368,
                                     64370)]
)  # fmt: skip
_RIBOSOMAL = re.compile(r"rp(sa|lp[012]|[sl]\d+(a|l|x|y\d|al|l\d|rt)?)(-ps\d+|p\d+)?(-\d+)?", re.IGNORECASE)


def select_genes(
    matrix: CountMatrix,
    *,
    method: GeneSelection = "seurat_v3",
    n_genes: int = 1000,
    batch_column: str | None = None,
    keep: tuple[str, ...] = (),
    drop_mitochondrial: bool = False,
    drop_ribosomal: bool = False,
    cells: np.ndarray | None = None,
) -> np.ndarray:
    """Positions of the genes to model, ascending. Genes without counts are never chosen.

    cells: bool (n_cells,), those that take part; None: all.

    method: "variance" takes the highest variance of raw counts, as in the paper; "seurat_v3" the highest variance after
    the trend with the mean is taken out (Stuart et al. 2019), within each level of batch_column where one is given.
    keep: names or ids that are always in, counted among n_genes, even if a drop rule fits them. With fewer genes than
    n_genes, all are taken. Raises SettingsError: unknown gene or column, n_genes below 2, a trend that has no fit.
    """
    if n_genes < 2:
        raise SettingsError(f"{n_genes} genes cannot be modelled.", "Choose at least 2, better 1,000.")
    kept = find_genes(matrix, keep)
    histograms = _by_batch(matrix, batch_column if method == "seurat_v3" else None, cells)
    candidates = np.any([one.sums(np.ones(len(one.cells))) > 0 for one in histograms], axis=0)
    if drop_mitochondrial:
        candidates &= ~mitochondrial_mask(matrix.gene_names)
    if drop_ribosomal:
        candidates &= ~ribosomal_mask(matrix.gene_names)
    candidates[kept] = False
    wanted = max(0, n_genes - len(kept))
    chosen = np.flatnonzero(candidates)
    if wanted < len(chosen):
        chosen = _most_variable(histograms, method, candidates, wanted)
    return np.sort(np.concatenate([kept, chosen])).astype(np.int64)


def find_genes(matrix: CountMatrix, wanted: tuple[str, ...]) -> np.ndarray:
    """Positions of genes given by name or id, ascending, each once; the case of letters is ignored where that is clear.

    Raises SettingsError naming those that are not in the data.
    """
    exact: dict[str, int] = {}
    loose: dict[str, int | None] = {}
    for names in (matrix.gene_names, matrix.gene_ids):
        for position, name in enumerate([] if names is None else names.tolist()):
            exact.setdefault(name, position)
            loose[name.lower()] = position if loose.get(name.lower(), position) == position else None
    found = {name: exact.get(name, loose.get(name.lower())) for name in wanted}
    unknown = [name for name, position in found.items() if position is None]
    if unknown:
        raise SettingsError(
            f"{len(unknown):,} of {len(wanted):,} genes to keep are not in the data: {listing(unknown)}.",
            "Check the spelling and the species, or leave them out.",
        )
    return np.unique(np.asarray(list(found.values()), dtype=np.int64))


def mitochondrial_mask(gene_names: np.ndarray) -> np.ndarray:
    """Genes of the mitochondrial genome: bool (n_genes,). By symbol of mouse (mt-Co1) or human (MT-CO1, MT.CO1), after
    the name of a genome too (GRCh38_MT-CO1); by Ensembl id those that code for proteins.
    """
    return np.asarray(
        [_MITOCHONDRIAL.match(name) is not None or bare_id(name) in _MITOCHONDRIAL_IDS for name in gene_names.tolist()],
        dtype=bool,
    )


def ribosomal_mask(gene_names: np.ndarray) -> np.ndarray:
    """Cytosolic ribosomal proteins, mouse (Rpl3) and human (RPL3) symbols, with their pseudogenes: bool (n_genes,)."""
    return np.asarray([_RIBOSOMAL.fullmatch(name) is not None for name in gene_names.tolist()], dtype=bool)


def guess_species(gene_names: np.ndarray, gene_ids: np.ndarray | None = None) -> Literal["mouse", "human"] | None:
    """From Ensembl ids, or from how symbols are written: GAPDH is human, Gapdh mouse; None when neither prevails."""
    names = [*gene_names.tolist(), *([] if gene_ids is None else gene_ids.tolist())]
    mouse = sum(name.startswith("ENSMUSG") for name in names)
    human = sum(re.match(r"ENSG\d", name) is not None for name in names)
    if max(mouse, human) > 0.3 * len(gene_names):
        return "mouse" if mouse > human else "human"
    symbols = [name for name in gene_names.tolist() if sum(map(str.isalpha, name)) >= 3 and not name.startswith("ENS")]
    upper = sum(name.upper() == name for name in symbols)
    title = sum(name[0].isupper() and any(map(str.islower, name[1:])) for name in symbols)
    if len(symbols) < 10:
        return None
    if upper > 0.7 * len(symbols):
        return "human"
    return "mouse" if title > 0.7 * len(symbols) else None


def _most_variable(
    histograms: list[GeneHistogram], method: GeneSelection, candidates: np.ndarray, wanted: int
) -> np.ndarray:
    """Positions of the `wanted` most variable candidates (a mask); equals stay in the order of the file."""
    if method == "variance":
        variances = [_variance(histogram) for histogram in histograms]
    elif method == "seurat_v3":
        variances = [normalised_variance(histogram) for histogram in histograms]
    else:
        raise SettingsError(f"Unknown gene selection '{method}'.", "Choose 'seurat_v3' or 'variance'.")
    return rank_genes([np.where(candidates, variance, -np.inf) for variance in variances], wanted)[:wanted]


def _by_batch(matrix: CountMatrix, batch_column: str | None, cells: np.ndarray | None) -> list[GeneHistogram]:
    """The histogram of every batch, from one walk over the cells; of all cells as one, it is known beforehand."""
    if batch_column is None:
        if cells is None or cells.all():
            return [matrix.histogram]
        return [GeneHistogram.of((block[cells[rows]] for rows, block in row_blocks(matrix.counts)), matrix.n_genes)]
    if batch_column not in matrix.annotations:
        raise SettingsError(
            f"The batch column '{batch_column}' is not in the data, which has: {listing(matrix.annotations.columns)}.",
            "Choose one of these, or none.",
        )
    taken = np.ones(matrix.n_cells, bool) if cells is None else cells
    levels = levels_of(matrix.annotations[batch_column]).astype(str)
    names, sizes = np.unique(levels[taken], return_counts=True)
    described = zip(names.tolist(), sizes.tolist(), strict=True)
    if small := [f"{name} ({n})" for name, n in described if n < FEWEST_OF_BATCH]:
        raise SettingsError(
            f"{len(small):,} of {len(names):,} levels of '{batch_column}' have fewer than {FEWEST_OF_BATCH} cells, "
            f"too few to compare the variance of genes in them: {listing(small)}.",
            "Leave these cells out, rank genes without a batch column, or choose gene selection 'variance'.",
        )
    codes = np.where(taken, np.searchsorted(names, levels), -1)
    tallies = [HistogramTally(matrix.n_genes) for _ in names]
    for rows, block in row_blocks(matrix.counts):
        for code in np.unique(codes[rows][codes[rows] >= 0]).tolist():
            tallies[code].add(block[codes[rows] == code])
    return [GeneHistogram(*tally.result()) for tally in tallies]


def _variance(histogram: GeneHistogram) -> np.ndarray:
    """Variance of raw counts over cells, float64 (n_genes,)."""
    counts, n_cells = histogram.counts.astype(np.float64), histogram.n_cells
    return histogram.sums(counts**2) / n_cells - np.square(histogram.sums(counts) / n_cells)
