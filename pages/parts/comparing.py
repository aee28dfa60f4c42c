"""What every comparison of two groups of cells says and shares, on whatever page it is made."""

from ldvae_core.runs.store import OpenRun

HOW_GENES = (
    "Every modelled gene. **Across:** log2 of how many times as large a share of the molecules it has in the first "
    "group; 1 is twice, −1 half. **Up:** how sure that difference is; q is the false discovery rate over all genes "
    "(Benjamini-Hochberg), and above the dashed line it is below 5%. Shares are taken of the molecules of the modelled "
    "genes, so that when some genes rise others must fall. Half a molecule is added to both groups. The table is "
    "ordered by the fold change that is sure at least: the end of the 90% interval nearer to 0. Click a gene to open "
    "it."
)
AT_ONCE = 20_000_000  # counts that are not zero: a comparison of more takes longer than a page should


def progress_words(opened: OpenRun) -> str:
    """What the bar of a comparison says."""
    return f"Comparing every gene and every factor over all {opened.counts.n_cells:,} cells"


def is_quick(opened: OpenRun) -> bool:
    """Whether a comparison is short enough to be made while the page waits."""
    return opened.counts.counts.nnz <= AT_ONCE
