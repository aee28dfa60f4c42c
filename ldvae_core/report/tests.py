"""Sections on what was tested: comparisons of groups, gene sets, and cells that people selected."""

from collections.abc import Sequence

import pandas as pd

from ldvae_core.analysis.factors import Factors
from ldvae_core.report.facts import number
from ldvae_core.report.page import Section, paragraph, table
from ldvae_core.runs.looked import Comparison
from ldvae_core.runs.opened import OpenRun

FOUND, SHOWN = 0.05, 5  # false discovery rate; gene sets of an end
ENDS = {"positive": "high", "negative": "low"}


def comparisons_section(comparisons: Sequence[Comparison]) -> Section:
    """Every pair of groups that was compared on the pages."""
    rows = [[each.first, each.second, each.unit, f"{each.n_tested:,} {each.tested}", f"{each.n_found:,}"]
            for each in comparisons]  # fmt: skip
    columns = ["First group, or condition", "Second group, or where", "Unit", "Tested", "Found (q < 0.05)"]
    return Section("Comparisons", table(columns, rows, numbers=columns[3:]))


def enrichment_section(results: Sequence[tuple[str, pd.DataFrame]], factors: Factors) -> Section:
    """The strongest gene sets of each end, of every collection that was tested on these axes."""
    body = ""
    for title, rows in results:
        found = rows[rows["q"] < FOUND].sort_values("q")
        kept = found.groupby(["factor", "end"], sort=True).head(SHOWN).sort_values(["factor", "end", "q"])
        shown = [
            [factors.label(int(row["factor"])), ENDS.get(str(row["end"]), row["end"]), row["set"], f"{row['q']:.2g}",
             number(float(row["overlap"])) if "overlap" in row else ""]
            for row in kept.to_dict("records")
        ]  # fmt: skip
        body += paragraph(f"{title}: {len(rows):,} tests, {len(found):,} with a false discovery rate below 5%.")
        body += table(["Factor", "End", "Gene set", "q", "Genes in both"], shown, numbers=("q", "Genes in both"))
    return Section("Gene sets", body)


def selections_section(opened: OpenRun) -> Section:
    """Cells that people chose in figures and kept."""
    if opened.kept is None:
        return Section("Selections", "")
    rows = [[each.name, f"{each.n_cells:,}", each.who, each.when[:10], each.view.partition(": ")[0]]
            for each in opened.kept.selections()]  # fmt: skip
    return Section("Selections", table(["Name", "Cells", "By", "On", "In"], rows, numbers=("Cells",)))
