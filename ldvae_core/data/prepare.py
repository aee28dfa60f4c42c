"""From what was loaded to what is modelled: cells filtered, genes chosen, every cell with molecules left."""

from dataclasses import replace

import numpy as np

from ldvae_core.data.blocks import row_blocks
from ldvae_core.data.choices import DataChoices as DataChoices
from ldvae_core.data.chosen_cells import chosen_cells
from ldvae_core.data.counts import FEWEST_CELLS, CountMatrix, sum_by_gene
from ldvae_core.data.genes import mitochondrial_mask, select_genes
from ldvae_core.data.names import listing
from ldvae_core.errors import SettingsError

LARGEST_MODELLED = 2**24  # whole numbers that single precision holds exactly


def prepare(matrix: CountMatrix, choices: DataChoices) -> CountMatrix:
    """The modelled genes of the cells that pass the filters, every cell with library_size > 0 over these genes.

    The cells keep their whole_library, over all genes of the matrix, also those that the choices leave out.
    What was dropped is said in notices. Raises SettingsError when fewer than FEWEST_CELLS cells are left, a kept gene
    is not in the data, or select_genes refuses.
    """
    passing, notices, total = passing_cells(matrix, choices), [], matrix.n_cells
    if choices.cells:
        chosen, words = chosen_cells(matrix, choices.cells)
        total = int(chosen.sum())
        _require_cells(total, matrix.n_cells)
        notices.append(f"Only {total:,} of {matrix.n_cells:,} cells were chosen: {words}.")
        passing = passing & chosen
    n_cells = int(passing.sum())
    _require_cells(n_cells, total)
    if n_cells < total:
        notices.append(f"{total - n_cells:,} of {total:,} cells fail the cell filters: left out.")
    cells = passing if n_cells < matrix.n_cells else None
    genes = select_genes(
        matrix,
        method=choices.gene_selection,
        n_genes=choices.n_genes,
        batch_column=choices.batch_column,
        keep=choices.keep_genes,
        drop_mitochondrial=choices.drop_mitochondrial,
        drop_ribosomal=choices.drop_ribosomal,
        cells=cells,
    )
    molecules = matrix.molecules if cells is None else matrix.molecules[cells]
    modelled = replace(matrix.subset(cells=cells, genes=genes), whole_library=molecules)
    _require_countable(modelled)
    if choices.gene_selection == "seurat_v3" and (said := missing_words(modelled, choices.batch_column)):
        notices.append(said)
    silent = sum_by_gene(modelled.counts) == 0  # genes kept by name can have lost all their cells to the filters
    if silent.any():
        notices.append(f"{int(silent.sum()):,} kept genes have no counts in these cells: left out.")
        modelled = modelled.subset(genes=~silent)
    if modelled.n_genes < choices.n_genes:
        notices.append(f"{choices.n_genes:,} genes were asked for; all {modelled.n_genes:,} with counts are modelled.")
    if modelled.n_genes < 2:
        raise SettingsError(f"{modelled.n_genes} genes are left to model.", "Drop fewer genes.")
    empty = modelled.library_size == 0
    if empty.any():
        _require_cells(int((~empty).sum()), n_cells)
        notices.append(f"{int(empty.sum()):,} of {n_cells:,} cells have no counts in these genes: left out.")
        modelled = modelled.subset(cells=~empty)
    return modelled.with_notices(*notices)


def passing_cells(matrix: CountMatrix, choices: DataChoices) -> np.ndarray:
    """Which cells pass the filters on counts, genes and mitochondrial share: bool (n_cells,)."""
    passing = (matrix.library_size >= choices.min_counts) & (matrix.genes_per_cell >= choices.min_genes)
    if choices.max_mitochondrial_share < 1:
        passing &= mitochondrial_share(matrix) <= choices.max_mitochondrial_share
    return passing


def mitochondrial_share(matrix: CountMatrix) -> np.ndarray:
    """Share of each cell's molecules from mitochondrial genes: float64 (n_cells,), 0 without such genes."""
    mitochondrial = np.zeros(matrix.n_cells)
    if matrix.tallies is not None:
        mitochondrial = matrix.tallies.mitochondrial
    elif (genes := mitochondrial_genes(matrix)).any():
        chosen = genes.astype(np.float64)
        for cells, block in row_blocks(matrix.counts):
            mitochondrial[cells] = block @ chosen
    share = np.zeros(matrix.n_cells)
    np.divide(mitochondrial, matrix.library_size, out=share, where=matrix.library_size > 0)
    return share


def mitochondrial_genes(matrix: CountMatrix) -> np.ndarray:
    """Genes of the mitochondrial genome by name or id: bool (n_genes,)."""
    named = mitochondrial_mask(matrix.gene_names)
    return named if matrix.gene_ids is None else named | mitochondrial_mask(matrix.gene_ids)


def missing_words(matrix: CountMatrix, column: str | None) -> str:
    """A notice of the cells without a value in an annotation that is used; "" when all have one, or there is none."""
    missing = int(matrix.annotations[column].isna().sum()) if column in matrix.annotations else 0
    return f"{missing:,} cells have no value of '{column}': taken as a level of its own." if missing else ""


def _require_countable(matrix: CountMatrix) -> None:
    """Refuse counts that no cell holds and that single precision cannot tell apart, naming genes."""
    large = matrix.counts.data > LARGEST_MODELLED
    if not large.any():
        return
    genes = matrix.gene_names[np.unique(matrix.counts.indices[large])]
    raise SettingsError(
        f"Counts reach {int(matrix.counts.data.max()):,} molecules of one gene in one cell ({listing(genes)}); up to "
        f"{LARGEST_MODELLED:,} can be modelled, and a cell has fewer than a million of all genes.",
        "Look at what these entries are (intensities, a sum over cells, an overflow), and load counts of molecules.",
    )


def _require_cells(left: int, of: int) -> None:
    if left < FEWEST_CELLS:
        raise SettingsError(
            f"The choices leave {left:,} of {of:,} cells; at least {FEWEST_CELLS} are needed.",
            "Relax the cell filters, or model more genes.",
        )
