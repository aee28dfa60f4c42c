"""The two halves of the Cell types page: chosen types drawn apart, and the table of all types and factors."""

from typing import Literal

import pandas as pd
import streamlit as st
from plotly.graph_objects import Figure

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.findings import association_finding, follow_words
from ldvae_core.analysis.following import strongest
from ldvae_core.analysis.programs import Use
from ldvae_core.analysis.separation import BestPair
from ldvae_core.plots.heatmap import plot_association
from ldvae_core.plots.theme import Mode
from ldvae_core.runs.groups import chosen_factors, share_sentence
from ldvae_core.runs.store import OpenRun
from pages.parts.best_pair import DEMO_TYPES, arrows_and_finding, best_pair_of, genes_of_types, say_genes
from pages.parts.cell_types.distributions import show_distributions
from pages.parts.factor_table import associations, following, say_associations, say_following
from pages.parts.figures import Panel, show_figure
from pages.parts.later import A_MOMENT, show_waiting
from pages.parts.pair import cells_panel, genes_panel, open_pair
from pages.parts.per_run import per_run
from pages.parts.runs import colours_of, go
from pages.parts.selection.region import plane_of_pair, select_cells_on
from pages.parts.selection.views import HINT, show_selection
from pages.parts.style import mode
from pages.parts.text import as_html, count, percent, plain, show

Value = Literal["correlation", "auc"]
VALUES: dict[Value, str] = {"correlation": "Correlation", "auc": "AUC"}
MOST_TYPES = 4  # of one picture: more contours than that cannot be read
HOW_SEPARATION = (
    "The two factors were chosen among all pairs: in their plane a straight line tells the chosen types apart best. "
    "**Left:** all cells in grey, and around the cells of each type the regions that hold 25, 50, 75 and 90% of them. "
    "**Right:** the genes on the same two factors; an arrow has the colour of the type in which its gene is higher "
    "than in each other chosen one, by the counts of all their cells (q < 5% each time; point at it to see how much), "
    "and none where that holds for no type. Balanced accuracy is the mean over types of the share of their cells on "
    "the right side, for cells left out when the line was drawn; by chance it is 1 / number of types."
)
HOW_ASSOCIATION = (
    "**Correlation** of a factor with being of a type, as in the paper's notebooks: near +1 the factor is high in this "
    "type and nowhere else. **AUC** is the chance that a cell of the type lies higher on the factor than another cell: "
    "0.5 is no association, 1 always higher, 0 always lower. Click a square to see that factor."
)


def types_picker(opened: OpenRun, column: str) -> list[str]:
    """Two to four types, kept in the address; the first choice is the paper's where the data has it."""
    counts = opened.labels(column).value_counts()
    known = [str(name) for name in opened.labels(column).cat.categories]
    first = _first_types(known, counts)
    if not set(st.session_state.get("types", ())) <= set(known):
        st.session_state["types"] = first  # another annotation, another run; the browser would keep its own
    return st.multiselect(
        "Types to tell apart",
        known,
        default=first,
        key="types",
        bind="query-params",
        max_selections=MOST_TYPES,
        format_func=plain,
        placeholder="Choose 2 to 4",
        width=470,
    )


def show_separation(
    opened: OpenRun, factors: Factors, column: str, types: list[str], *, use: Use, n_arrows: int
) -> None:
    """The pair of factors that separates the types best: cells with contours beside genes with coloured arrows.

    A single factor has no pair: then all types are drawn along it.
    """
    if factors.n_factors < 2:
        show_distributions(opened, factors, 0, column, None)
        return
    later = best_pair_of(opened, factors, column, types)
    best = later.now(patience=A_MOMENT)
    show_waiting(later, f"Comparing all pairs of {factors.n_factors} factors", key="separation_progress")
    if best is None:
        return
    genes = genes_of_types(opened, factors, column, types)
    say_genes(opened, factors, column)
    chosen = bool(chosen_factors(opened, factors, [column]))
    arrows, finding = arrows_and_finding(best, factors, genes, use=use, n_arrows=n_arrows, chosen_here=chosen)
    given = colours_of(opened, column)
    colours = {name: given[name] for name in types}  # in their order: an arrow has the dashes of its type's outline
    on_area = select_cells_on(plane_of_pair(factors, best.pair))
    panels = [
        cells_panel(opened, factors, best.pair, outlined=types, label=column, on_area=on_area),
        genes_panel(opened, factors, best.pair, use=use, table=arrows, colours=colours, n_arrows=n_arrows),
    ]
    show_figure(panels, key="separation", finding=finding, how_to_read=HOW_SEPARATION)
    _facts(best)
    if genes is not None:
        show(as_html(share_sentence(opened), longest=300), kind="quiet")
    open_pair(best.pair, key="open_best")
    show_selection(opened, factors, hint=HINT)


def show_associations(opened: OpenRun, factors: Factors, column: str, *, value: Value) -> None:
    """The heat map of all factors and types; a click opens the factor."""
    table = associations(opened, factors, column)
    if table is None:
        say_associations(opened, factors, column)
        return
    figure = _draw_associations(opened, factors, column, value, mode())
    finding = association_finding(table, factors, value=value)
    told = following(opened, factors)
    say_following(opened, factors)
    if told is not None:
        table = table.merge(_told(told), on="factor", how="left")
    panel = Panel(figure, "factors_by_type", "Association of every factor with every type.", table, "Table")
    show_figure(panel, key="association", finding=finding, how_to_read=HOW_ASSOCIATION, on_click=_open_clicked)


def _told(found: pd.DataFrame) -> pd.DataFrame:
    """What each factor follows among all annotations, in words, for the table."""
    rows = {int(factor): strongest(found, int(factor)) for factor in found["factor"].unique()}
    return pd.DataFrame(
        {"factor": list(rows), "follows": [follow_words(row[0]) if row else "" for row in rows.values()]}
    )


def no_annotation() -> None:
    """What to do when the cells carry no labels."""
    with st.container(border=True, key="no_annotation"):
        st.markdown(
            "**These cells carry no annotation.** Load data with a column of cell types (or of conditions, samples, "
            "clusters), and train on it; the factors themselves can be read without one."
        )
        st.button(
            "See the factors", key="to_factors", icon=":material/scatter_plot:", on_click=go, args=("factors.py",)
        )
        st.button("Load other data", key="to_data", icon=":material/upload_file:", on_click=go, args=("data.py",))


def _first_types(known: list[str], counts: pd.Series) -> list[str]:
    if set(DEMO_TYPES) <= set(known):
        return list(DEMO_TYPES)
    return [str(name) for name in counts.index[:3]] if len(known) > 1 else []


@per_run(max_entries=16)
def _draw_associations(opened: OpenRun, factors: Factors, column: str, value: Value, look: Mode) -> Figure:
    """The table's drawing, to be shown as it is: other types, or another number of arrows, leave it alone."""
    table = associations(opened, factors, column, wait=True)
    assert table is not None  # there is a column
    return plot_association(table, value=value, mode=look)


def _facts(best: BestPair) -> None:
    """The separation as a number, and each type's own share."""
    pair, each = f"{best.pair[0] + 1} and {best.pair[1] + 1}", best.accuracy
    facts = [("Best pair of factors", pair), ("Balanced accuracy", percent(best.balanced_accuracy))]
    facts += [
        (f"{plain(kind, longest=32)}, {count(n_cells, 'cell')}", percent(share))
        for kind, n_cells, share in zip(each.cell_type, each.n_cells, each.share_right, strict=True)
    ]
    show(
        "".join(f"<div><span>{as_html(name)}</span><b>{as_html(value)}</b></div>" for name, value in facts),
        kind="facts",
    )


def _open_clicked() -> None:
    points = st.session_state["association_0"].selection.points
    if points:
        data = points[0].get("customdata") or []
        if data:
            go("factors.py", view="One factor", x=int(data[0]))
