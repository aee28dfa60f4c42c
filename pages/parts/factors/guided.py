"""What the gene set that guided a factor came to, on its card; and the sets that these cells do not bear out."""

from typing import Any

from ldvae_core.analysis.factors import Factors
from ldvae_core.data.names import listing
from ldvae_core.runs.store import OpenRun
from pages.parts.text import as_html, explained, genes, show

MOST_GENES = 12  # of each kind on a card
MOST_SETS = 10
CANNOT_BE_TOLD = (
    "Which genes the data would add cannot be told: too many genes outside the set load as strongly as those in it."
)


def show_guided(opened: OpenRun, factors: Factors, factor: int) -> None:
    """Nothing for a free factor."""
    row = next((each for each in _rows(opened) if each.get("set") == factors.set_of(factor)), None)
    if row is None or not factors.set_of(factor):
        return
    kept, modelled = len(row["kept"]), row["n_modelled"]
    words = f"Guided by the gene set {row['set']}: {kept:,} of its {modelled:,} modelled genes are kept{_missing(row)}."
    show(explained(words), kind="quiet")
    for title, names in (("Added by the data", row["added"]), ("Dropped", row["dropped"])):
        if names:
            more = f" and {len(names) - MOST_GENES:,} more" if len(names) > MOST_GENES else ""
            show(f"<span class=gpe-quiet>{title}:</span> {genes(names[:MOST_GENES])}{more}")
    if not row.get("added_can_be_told", True):
        show(CANNOT_BE_TOLD, kind="quiet")


def say_not_found(opened: OpenRun) -> None:
    """The sets whose factors stayed free; nothing where there are none."""
    names = [str(row["set"]) for row in _rows(opened) if not row.get("active")]
    if names:
        what = "this gene set" if len(names) == 1 else f"these {len(names)} gene sets"
        show(
            f"No direction of this run holds {what} better than random sets of genes of the same abundance: "
            f"{as_html(listing(names, MOST_SETS), longest=600)}. Their factors are free.",
            kind="quiet",
        )


def _missing(row: dict[str, Any]) -> str:
    n = len(row["not_modelled"])
    return f"; {n:,} more {'is' if n == 1 else 'are'} not modelled ({listing(row['not_modelled'], 3)})" * (n > 0)


def _rows(opened: OpenRun) -> list[dict[str, Any]]:
    found = opened.metrics.get("guided", [])
    return found if isinstance(found, list) else []
