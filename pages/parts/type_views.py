"""What separates cell types: the best pair of factors for a few of them, and the table of all."""

import pandas as pd
import streamlit as st

from ldvae_core.analysis.factors import Axes, Factors
from ldvae_core.analysis.findings import best_pair_finding
from ldvae_core.analysis.programs import biplot_table
from ldvae_core.analysis.separation import BestPair, best_pair, point_arrows
from ldvae_core.plots.heatmap import plot_association
from ldvae_core.runs.opened import NOT_LABELLED, OpenRun
from pages.parts.figures import Panel, show_figure
from pages.parts.pair import cells_panel, genes_panel
from pages.parts.pickers import segments
from pages.parts.runs import colours_of, go
from pages.parts.style import mode

FEWEST, MOST = 2, 4  # types to compare
MOST_LISTED = 200
PAIR_HEIGHT = 470  # px
FAVOURITES = (("erythro",), ("exe endoderm", "visceral"), ("epiblast",))  # the paper's three, where a column has them
HOW_SEPARATION = (
    "All pairs of programs are tried; this is the one in whose plane a straight line puts most cells on the right side "
    "(balanced accuracy: the mean over the chosen types, five-fold cross-validated). **Left:** all cells in grey; lines "
    "hold 25, 50, 75 and 90% of each type's cells. **Right:** genes; an arrow has the colour of the type in which the "
    "two programs together raise the gene most."
)
HOW_ASSOCIATION = (
    "Orange: cells of this type lie high on the factor; blue: low. Correlation is with 'is this cell type', as in the "
    "paper; AUC is the chance that a cell of the type lies higher than one of another type (0.5: no association). "
    "Click a square to see the cells."
)
VALUES = {"correlation": "Correlation", "auc": "AUC"}


def types_picker(opened: OpenRun, label: str) -> list[str]:
    """2 to 4 types of an annotation, from the address; at first the paper's three, or the largest ones."""
    labels = opened.labels(label)
    known = [str(name) for name in labels.cat.categories if str(name) != NOT_LABELLED][:MOST_LISTED]
    remembered = st.session_state.get("types")
    if remembered is not None and not set(remembered) <= set(known):
        del st.session_state["types"]
    unset = {} if "types" in st.session_state else {"default": first_types(labels, known)}
    return st.multiselect(
        f"Compare {FEWEST} to {MOST} types",
        known,
        key="types",
        bind="query-params",
        max_selections=MOST,
        width=520,
        **unset,
    )


def first_types(labels: pd.Series, known: list[str]) -> list[str]:
    """The paper's three lineages where the names fit, else the three largest types."""
    sizes = labels.value_counts()
    ordered = sorted(known, key=lambda name: -int(sizes.get(name, 0)))
    found = [next((name for name in ordered if name.lower().startswith(words)), None) for words in FAVOURITES]
    if all(found):
        return [name for name in found if name]
    return [name for name in ordered if sizes.get(name, 0) >= 20][:3]


def show_separation(opened: OpenRun, factors: Factors, label: str, types: list[str], *, n_arrows: int) -> None:
    """The pair of factors that separates the types best, as density with contours beside the biplot."""
    if not FEWEST <= len(types) <= MOST:
        st.info(
            f"Choose {FEWEST} to {MOST} types above to see which programs separate them.", icon=":material/touch_app:"
        )
        return
    best = _best(opened.run_id, id(opened), factors.axes, label, tuple(types), opened)
    table = point_arrows(biplot_table(factors, best.pair, n_arrows=n_arrows), best.directions)
    colours = {name: colour for name, colour in colours_of(opened, label).items() if name in best.types}
    panels = [
        cells_panel(opened, factors, best.pair, outlined=best.types, label=label, height=PAIR_HEIGHT),
        genes_panel(factors, best.pair, n_arrows=n_arrows, table=table, colours=colours, height=PAIR_HEIGHT),
    ]
    show_figure(panels, key="separation", finding=best_pair_finding(best), how_to_read=HOW_SEPARATION)


def show_associations(related: pd.DataFrame) -> None:
    """The heat map of all types and factors; a click opens the factor's pair."""
    value = segments("Measure", VALUES, key="measure", hide_label=True)
    figure = plot_association(related, value=value, mode=mode())  # type: ignore[arg-type]
    finding = strongest_association(related)
    alt = "Table of the association of every factor with every type."
    st.session_state["_related"] = related
    show_figure(Panel(figure, "association", alt, related), key="association", finding=finding,
                how_to_read=HOW_ASSOCIATION, on_click=open_clicked)  # fmt: skip


def strongest_association(related: pd.DataFrame) -> str:
    """One sentence on the whole table."""
    known = related.dropna(subset=["correlation"])
    known = known[known.n_cells >= 20]
    if known.empty:
        return "No type has enough cells to be compared."
    top = known.loc[known.correlation.abs().idxmax()]
    side = "high" if top.correlation > 0 else "low"
    followed = int((known.groupby("cell_type").auc.agg(lambda a: max(a.max(), 1 - a.min())) >= 0.9).sum())
    return (
        f"{top.cell_type} is tied most closely to one program: {side} on Factor {int(top.factor) + 1} "
        f"(correlation {top.correlation:.2f}, AUC {top.auc:.2f}). {followed} of {known.cell_type.nunique()} types have a "
        "program with an AUC of at least 0.9 or at most 0.1."
    )


def open_clicked() -> None:
    """Open the clicked factor, against the one that comes second for the clicked type."""
    points = st.session_state["association_0"].selection.points
    details = points[0].get("customdata") if points else None
    if not details:
        return
    factor, kind = int(details[0]), str(details[1])
    related = st.session_state["_related"]
    others = related[(related.cell_type == kind) & (related.factor != factor)]
    against = int(others.loc[others.correlation.abs().idxmax()].factor) if others.correlation.notna().any() else 0
    go("factors.py", view="One pair", x=factor, y=against)


@st.cache_resource(max_entries=32, show_spinner="Trying all pairs of programs")
def _best(run_id: str, opened_id: int, axes: Axes, label: str, types: tuple[str, ...], _opened: OpenRun) -> BestPair:
    return best_pair(_opened.factors[axes], _opened.labels(label), types)
