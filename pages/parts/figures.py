"""Every figure on screen: with a text alternative, a sentence of finding, how to read it, and the table behind it."""

import contextlib
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from ldvae_core.plots.theme import chart_config
from pages.parts.text import as_html, sentence, show

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run a cell that starts like this


class Panel(NamedTuple):
    """One drawing and the table behind it; name: of the files it is saved as."""

    figure: go.Figure
    name: str
    alt: str
    table: pd.DataFrame | Callable[[], pd.DataFrame]
    label: str = "Figure"  # what it is called where it is saved
    on_click: Callable[[str], None] | None = None  # called with the chart's key when a point is clicked
    on_area: Callable[[str], None] | None = None  # ... when a box or a lasso is drawn


def show_figure(
    panels: Panel | list[Panel],
    *,
    key: str,
    finding: str = "",
    how_to_read: str = "",
    smallest: int = 380,
    on_click: Callable[[], None] | None = None,
    legends: Sequence[Callable[[], None]] = (),
) -> None:
    """Draw one panel, or several side by side (below each other where one would be narrower than `smallest` px).

    finding: one sentence computed from the data. on_click: called when a point of the drawing is clicked; the point is
    then in st.session_state[f"{key}_{number}"]. legends: one below each panel, or one below them all. The menu below
    saves drawings and tables.
    """
    panels = [panels] if isinstance(panels, Panel) else panels
    each = len(legends) == len(panels)
    if len(panels) == 1:
        draw(panels[0], f"{key}_0", finding, on_click)
    else:
        with st.grid(len(panels), min_column_width=smallest, gap="small", key=f"{key}_panels"):
            for number, panel in enumerate(panels):
                with st.container(gap="xxsmall") if each else contextlib.nullcontext():
                    draw(panel, f"{key}_{number}", finding, on_click)
                    if each:
                        legends[number]()
    if len(panels) == 1 or not each:
        for legend in legends:
            legend()
    if finding:
        sentence(finding)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium", key=f"{key}_foot"):
        if how_to_read:
            with st.popover("How to read this", icon=":material/help:", type="tertiary", width="content"):
                st.markdown(how_to_read)
        offer_files(panels, key=key)


def offer_files(panels: list[Panel], *, key: str) -> None:
    """A small menu that saves every drawing as SVG and PNG, and the table behind it as CSV. key: as of show_figure."""
    with st.popover("Save", icon=":material/download:", type="tertiary", width="content", key=f"{key}_save"):
        for number, panel in enumerate(panels):
            with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"{key}_files_{number}"):
                show(as_html(panel.label), kind="file", width="content")
                buttons = (
                    f'<button class="gpe-save" data-figure="{key}_{number}" data-format="{kind}" '
                    f'aria-label="{as_html(panel.label)} as {kind.upper()}">{kind.upper()}</button>'
                    for kind in ("svg", "png")
                )
                show(" ".join(buttons), kind="files", width="content")
                download_table(panel.table, panel.name, key=f"{key}_csv_{number}")


def download_table(
    table: pd.DataFrame | Callable[[], pd.DataFrame], name: str, *, key: str, label: str = "CSV"
) -> None:
    """A button that saves the table; it is made into a file only when the button is pressed."""
    st.download_button(
        label,
        data=lambda: csv_bytes(table() if callable(table) else table),
        file_name=f"{name}.csv",
        mime="text/csv",
        key=key,
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
        help=f"The numbers behind this, as {name}.csv",
    )


def csv_bytes(table: pd.DataFrame, *, index: bool = False, header: bool = True) -> bytes:
    """The table as UTF-8 CSV; text that a spreadsheet would take for a formula gets a leading apostrophe."""
    safe = table.copy(deep=False)
    for name in safe.columns:
        if not pd.api.types.is_numeric_dtype(safe[name].dtype):
            safe[name] = [_defused(value) for value in safe[name]]
    if index:
        safe.index = [_defused(value) for value in safe.index]
    safe.columns = [_defused(str(name)) for name in safe.columns]
    return safe.to_csv(index=index, header=header).encode("utf-8")


def draw(panel: Panel, key: str, finding: str = "", on_click: Callable[[], None] | None = None) -> None:
    """The drawing alone, for places that put its files elsewhere."""
    asked = panel.on_area or panel.on_click
    st.plotly_chart(
        panel.figure,
        theme=None,
        key=key,
        config=chart_config(panel.name, select=panel.on_area is not None),
        alt=f"{panel.alt} {finding}".strip(),
        on_select=functools.partial(asked, key) if asked else on_click or "ignore",
        selection_mode=("box", "lasso") if panel.on_area else "points",
    )


def clicked(key: str) -> list[Any]:
    """What the clicked point of the chart carries (its customdata); [] when nothing is clicked."""
    points = st.session_state[key].selection.points
    data = points[0].get("customdata") if points else None
    return list(data) if isinstance(data, list | tuple) else [] if data is None else [data]


def _defused(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_SIGNS) else value
