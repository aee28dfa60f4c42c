"""`separate`: the two factors that tell cell types apart, and the genes of each, as on the Cell types page."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from ldvae_core.analysis.findings import best_pair_finding
from ldvae_core.analysis.programs import biplot_table
from ldvae_core.analysis.separation import best_pair
from ldvae_core.analysis.type_genes import NAMED, named_genes, sums_by_type, type_genes
from ldvae_core.commands.sources import opened_run
from ldvae_core.runs.groups import chosen_factors, share_sentence


def separate(run: str, *, column: str, types: Sequence[str], listed: str | None = None) -> dict[str, Any]:
    """The command's last line for 2 to 4 types of an annotation of RUN.

    What shares of genes are taken of goes to stderr. types: one name each; listed: several, with commas between them; a
    name that holds commas itself is found too.
    Raises LdvaeError: no such run or annotation, types that best_pair refuses.
    """
    opened = opened_run(run)
    factors, labels = opened.factors[opened.axes], opened.labels(column)
    known = [str(name) for name in labels.cat.categories]
    chosen = tuple(dict.fromkeys([*types, *_split(listed or "", known)]))
    best = best_pair(factors, labels, chosen)
    counts, kinds = opened.counts, [known.index(name) for name in chosen]
    codes = np.where(labels.isin(chosen), labels.cat.codes, -1)  # the others are not looked at
    named = None
    if not chosen_factors(opened, factors, [column]):
        sums = sums_by_type(counts.counts, counts.molecules, codes.astype(np.int64), len(known))
        genes = type_genes(sums, counts.gene_names, kinds, chosen)
        named = named_genes(biplot_table(factors, best.pair), best.directions, genes, n_each=NAMED)
        sys.stderr.write(f"{share_sentence(opened)}\n")
    x, y = best.pair
    return {
        "factors": [x + 1, y + 1],
        "balanced_accuracy": best.balanced_accuracy,
        "accuracy": dict(zip(best.types, best.accuracy["share_right"].tolist(), strict=True)),
        "genes": {name: [] for name in best.types} if named is None else named.high,
        "sentence": best_pair_finding(best, factors, named, chosen_here=named is None),
    }


def _split(text: str, known: Sequence[str]) -> list[str]:
    """Names between commas; the longest piece that is a known name, commas and all, is one name."""
    parts, found = text.split(",") if text else [], []
    while parts:
        lengths = [n for n in range(len(parts), 0, -1) if ",".join(parts[:n]).strip() in known]
        n = lengths[0] if lengths else 1
        found.append(",".join(parts[:n]).strip())
        parts = parts[n:]
    return found
