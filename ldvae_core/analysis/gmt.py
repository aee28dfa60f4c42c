"""Gene programs as gene sets, for other programs' enrichment tests."""

import numpy as np

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.programs import top_genes


def programs_as_gmt(factors: Factors, *, n_genes: int = 50, source: str = "") -> bytes:
    """A line for each end of every active factor: its name, where it comes from, and its first genes, tab-separated.

    Ends without a gene are left out; usages have one end. Source of the format: the Molecular Signatures Database.
    """
    lines = []
    for factor in np.flatnonzero(factors.active).tolist():
        for end, words in (("positive", "high"), ("negative", "low")):
            names = [_word(gene) for gene in top_genes(factors, factor, n_genes, end=end)["gene"]]  # type: ignore[arg-type]
            if names:
                lines.append("\t".join([_word(f"{factors.label(factor)} {words}"), _word(source) or "na", *names]))
    return "".join(f"{line}\n" for line in lines).encode()


def _word(text: object) -> str:
    """One field of the file: no tabs, no line breaks."""
    return " ".join(str(text).split())
