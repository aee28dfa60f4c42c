"""What every comparison of two groups of cells says and shares, on whatever page it is made."""

from ldvae_core.analysis.difference import Difference
from ldvae_core.runs.all_genes import AllGenes, all_genes, dataset_of, reads_a_file
from ldvae_core.runs.looked import Looked
from ldvae_core.runs.store import OpenRun
from pages.parts.per_run import per_run
from pages.parts.runs import store

HOW_GENES = (
    "Every gene of the data set, where it is still at hand, else every modelled one. **Across:** log2 of how many "
    "times as large a share of the molecules it has in the first group; 1 is twice, −1 half. **Up:** how sure that "
    "difference is; q is the false discovery rate over all tested genes (Benjamini-Hochberg), and above the dashed "
    "line it is below 5%. Half a molecule is added to both groups. Genes with too few molecules are not drawn. The "
    "table is ordered by the fold change that is sure at least: the end of the 90% interval nearer to 0. Its notes say "
    "which genes are not modelled, and which differences a single cell carries. Click a gene to open it."
)
AT_ONCE = 20_000_000  # counts that are not zero: a comparison of more takes longer than a page should


def progress_words(opened: OpenRun) -> str:
    """What the bar of a comparison says."""
    return f"Comparing every gene and every factor over all {opened.counts.n_cells:,} cells"


def is_quick(opened: OpenRun) -> bool:
    """Whether a comparison is short enough to be made while the page waits."""
    return opened.counts.counts.nnz <= AT_ONCE and not reads_a_file(opened)


def everything(opened: OpenRun) -> AllGenes | None:
    """Counts of all genes of the data set that the run was made from, opened once for everybody; None without it."""
    return _everything(opened, dataset_of(opened, store().workspace) or "")


@per_run(max_entries=3)
def _everything(opened: OpenRun, source: str) -> AllGenes | None:
    """source: the data set, which a file becomes that is loaded."""
    return all_genes(opened, store().workspace)


def noted(opened: OpenRun, difference: Difference) -> Difference:
    """The same, and that it was made is kept with the run: a report says how much was looked at."""
    if opened.kept is not None:
        Looked(opened.kept).note(difference)
    return difference
