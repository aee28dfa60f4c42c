"""The genes of a pair of factors: where each loads, with arrows and names for the strongest."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ldvae_core.analysis.raster import Window
from ldvae_core.plots.escape import escape, escape_all, italic, plain
from ldvae_core.plots.frame import (
    PAIR_HEIGHT,
    SMALLEST_SIDE,
    halo,
    say_empty,
    square_sheet,
    window_around,
    words,
)
from ldvae_core.plots.labels import PADDING, Places, fitted, place_labels, text_size
from ldvae_core.plots.sheet import Canvas
from ldvae_core.plots.theme import DASHES, FONT_SIZE, SMALL_SIZE, Mode, legible, palette, three_digits

MOST_SVG_DOTS = 5_000  # above, the dots are drawn by the graphics card
LONGEST_GENE = 24  # characters of a name in the frame
MOST_LARGE_NAMES = 16
ROOM = 0.13  # of the frame's side, kept for names at its edges
WIDEST, FILLED = 0.75, 0.45  # of the frame: its side by one name, its area by all of them
TARGET = 12.0  # px: of a name's points that answer to clicks
NARROWEST = 5.5  # font sizes: eight letters or so


class Arrows(NamedTuple):
    """The named genes, longest first, and where their names stand (data units)."""

    table: pd.DataFrame
    names: list[str]
    places: Places
    window: Window


def plot_biplot(
    table: pd.DataFrame,
    *,
    x_title: str,
    y_title: str,
    colours: Mapping[str, str] | None = None,
    mode: Mode = "light",
    height: int = PAIR_HEIGHT,
) -> go.Figure:
    """Loadings of every gene in the plane of two factors; the arrow genes named, no name over another.

    table: columns gene, x, y (log fold change per sd), length, arrow (bool), as from biplot_table; with a column
    cell_type (point_arrows) and `colours` by cell type, arrows and names take the colour, and the dashes, of the type
    in which the gene is high; "" is none. told: what else is said of a gene with an arrow. A clicked point
    carries the gene's name as customdata[0]. Empty table: empty titled axes.
    """
    font_size = FONT_SIZE if table["arrow"].sum() <= MOST_LARGE_NAMES else SMALL_SIZE
    arrows = arrange(table, side=SMALLEST_SIDE, font_size=font_size)
    sheet = square_sheet(arrows.window, x_title=x_title, y_title=y_title, mode=mode, height=height)
    if table.empty:
        return say_empty(sheet, "No genes to show", mode).figure()
    for dots in _dots(table[~table["arrow"].astype(bool)], mode):
        sheet.add_trace(dots)
    add_arrows(sheet, arrows, mode=mode, colours=colours, font_size=font_size)
    return sheet.figure()


def arrange(table: pd.DataFrame, *, side: float, font_size: float = FONT_SIZE, room: float = ROOM) -> Arrows:
    """Choose the window and place the names of the arrow genes for a frame `side` px wide (and any larger one)."""
    points, arrow = table[["x", "y"]].to_numpy(np.float64), table["arrow"].to_numpy(bool)
    window = window_around(points, room=room)
    rows = np.flatnonzero(arrow)
    rows = rows[np.argsort(-table["length"].to_numpy(np.float64)[rows], kind="stable")]
    chosen, tips = table.iloc[rows], points[rows]
    widest = _widest(len(chosen), side, font_size)
    names = [fitted(plain(gene, longest=LONGEST_GENE), font_size, widest) for gene in chosen["gene"]]
    sizes = np.array([text_size(name, font_size) for name in names]).reshape(-1, 2)
    pixels, origin = window.to_pixels(tips, side), window.to_pixels(np.zeros((1, 2)), side)
    lines = np.stack([np.broadcast_to(origin, pixels.shape), pixels], axis=1)
    dots = window.to_pixels(points[~arrow], side)
    far = dots[np.hypot(*(dots - origin).T) > 0.12 * side]  # the cloud's core is where no name goes anyway
    places = place_labels(
        pixels, sizes, frame=(side, side), directions=pixels - origin, lines=lines, dots=far[:: 1 + len(far) // 500]
    )
    places = Places(window.to_data(places.centres, side), places.placed, window.to_data(places.leaders, side))
    return Arrows(chosen.reset_index(drop=True), names, places, window)


def _widest(n: int, side: float, font_size: float) -> float:
    """Width in px that n names may have so that all find room: shortened, where they would else be left out.

    Never below that of a usual symbol: of very many in a small frame the strongest are named, not all by two letters.
    """
    line = text_size("", font_size)[1] + 2 * PADDING
    return min(max(FILLED * side**2 / (max(n, 1) * line), NARROWEST * font_size), WIDEST * side)


def add_arrows(
    figure: Canvas,
    arrows: Arrows,
    *,
    mode: Mode,
    colours: Mapping[str, str] | None = None,
    font_size: float = FONT_SIZE,
    axes: tuple[str, str] = ("x", "y"),
) -> None:
    """Arrows from the origin, leaders and names: three kinds of trace, on the given axes."""
    if arrows.table.empty:
        return
    where, own = {"xaxis": axes[0], "yaxis": axes[1]}, colours or {}
    groups = _groups(arrows.table, own)
    for order, (kind, rows) in enumerate(groups.items()):
        colour = palette(mode).ink if kind is None else legible(own[kind], mode)
        dash = "solid" if kind is None else DASHES[order % len(DASHES)]
        figure.add_trace(_arrow_trace(arrows.table.iloc[rows], colour, dash, font_size) | where)
    figure.add_trace(_leader_trace(arrows, mode) | where)
    for kind, rows in groups.items():
        colour = palette(mode).ink if kind is None else legible(own[kind], mode, text=True)
        figure.add_trace(_name_trace(arrows, rows, colour, mode, font_size) | where)
    figure.add_trace(_targets(arrows, font_size) | where)


def _groups(table: pd.DataFrame, colours: Mapping[str, str]) -> dict[str | None, np.ndarray]:
    """Row numbers by cell type, in the order of `colours`; one group without a name when arrows are not coloured."""
    if not colours or "cell_type" not in table:
        return {None: np.arange(len(table))}
    types = table["cell_type"].astype(str).to_numpy()
    groups: dict[str | None, np.ndarray] = {kind: np.flatnonzero(types == kind) for kind in colours}
    groups[None] = np.flatnonzero(~np.isin(types, list(colours)))
    return {kind: rows for kind, rows in groups.items() if len(rows)}


def _dots(table: pd.DataFrame, mode: Mode) -> list[dict[str, Any]]:
    """One trace for each type that genes are high in, so that its name is sent once; a single one without types."""
    kind = "scattergl" if len(table) > MOST_SVG_DOTS else "scatter"
    if "cell_type" not in table:
        return [_dots_trace(table, kind, "", mode)]
    parts = table.groupby("cell_type", sort=False, observed=True)
    return [_dots_trace(own, kind, f" high in {escape(name)}" if name else "", mode) for name, own in parts]


def _dots_trace(table: pd.DataFrame, kind: str, high_in: str, mode: Mode) -> dict[str, Any]:
    return {
        "type": kind,
        "x": table["x"].to_numpy(np.float32),
        "y": table["y"].to_numpy(np.float32),
        "mode": "markers",
        "marker": {"size": 4, "color": palette(mode).dots, "line": {"width": 0}},
        "customdata": _click_data(table),
        "text": escape_all(table["gene"]),
        # written by the browser: less to send
        "hovertemplate": f"<b><i>%{{text}}</i></b>{high_in}<br>%{{x:.3r}} across, %{{y:.3r}} up<extra></extra>",
        "name": "genes",
        "selected": {"marker": {"opacity": 1.0}},
        "unselected": {"marker": {"opacity": 1.0}},  # a click opens a gene; it does not fade the others
    }


def _arrow_trace(table: pd.DataFrame, colour: str, dash: str, font_size: float) -> dict[str, Any]:
    n = len(table)
    steps = np.full((n, 3, 2), np.nan)  # origin, tip, break
    steps[:, 0], steps[:, 1] = 0.0, table[["x", "y"]].to_numpy(np.float64)
    head = 11 if font_size >= SMALL_SIZE else 8
    return {
        "x": steps[:, :, 0].ravel(),
        "y": steps[:, :, 1].ravel(),
        "mode": "lines+markers",
        "line": {"color": colour, "width": 1.5 if font_size >= SMALL_SIZE else 1.1, "dash": dash},
        "marker": {
            "symbol": "arrow",
            "angleref": "previous",
            "size": np.tile([0, head, 0], n),
            "color": colour,
            "line": {"width": 0},
            "opacity": 1,
        },
        "customdata": np.repeat(_click_data(table), 3, axis=0),
        "text": [text for text in _hover(table) for _ in range(3)],
        "hovertemplate": "%{text}<extra></extra>",
        "name": "arrows",
        "selected": {"marker": {"opacity": 1.0}},
        "unselected": {"marker": {"opacity": 1.0}},
    }


def _leader_trace(arrows: Arrows, mode: Mode) -> dict[str, Any]:
    leaders = arrows.places.leaders
    steps = np.full((len(leaders), 3, 2), np.nan)
    steps[:, :2] = leaders
    return {
        "x": steps[:, :, 0].ravel(),
        "y": steps[:, :, 1].ravel(),
        "mode": "lines",
        "line": {"color": palette(mode).zero, "width": 0.8},
        "hoverinfo": "skip",
        "name": "leaders",
    }


def _name_trace(arrows: Arrows, rows: np.ndarray, colour: str, mode: Mode, font_size: float) -> dict[str, Any]:
    rows = rows[arrows.places.placed[rows]]
    names = [italic(arrows.names[row], longest=LONGEST_GENE) for row in rows]
    font = {"size": font_size, "shadow": halo(mode)}
    trace = words(arrows.places.centres[rows], names, colour=colour, font=font)
    return {**trace, "customdata": _click_data(arrows.table.iloc[rows]), "name": "names"}


def _targets(arrows: Arrows, font_size: float) -> dict[str, Any]:
    """Points nobody sees along every name: words alone answer to no click."""
    rows = np.flatnonzero(arrows.places.placed)
    steps = [np.arange(-width / 2 + TARGET / 2, width / 2, TARGET)
             for width in (text_size(arrows.names[row], font_size)[0] for row in rows)]  # fmt: skip
    many = np.repeat(rows, [len(step) for step in steps])
    aside = np.concatenate([np.empty(0), *steps]) * arrows.window.side / SMALLEST_SIDE
    unseen = {"marker": {"opacity": 0.0}}
    hover = np.array(_hover(arrows.table), object)
    return {
        "x": arrows.places.centres[many, 0] + aside,
        "y": arrows.places.centres[many, 1],
        "mode": "markers",
        "marker": {"opacity": 0.0, "size": TARGET},
        "selected": unseen,
        "unselected": unseen,
        "customdata": _click_data(arrows.table.iloc[many]),
        "text": hover[many],
        "hovertemplate": "%{text}<extra></extra>",
        "name": "name targets",
    }


def _click_data(table: pd.DataFrame) -> np.ndarray:
    """(n, 1): the gene's whole name, never drawn."""
    return table["gene"].astype(str).to_numpy(object)[:, None]


def _hover(table: pd.DataFrame) -> list[str]:
    """Gene and its two loadings; and what is told of it, if anything."""
    genes = [italic(gene) for gene in table["gene"]]
    told = escape_all(table["told"], longest=160) if "told" in table else [""] * len(table)
    return [
        f"<b>{gene}</b><br>{three_digits(x)} across, {three_digits(y)} up" + (f"<br>{words}" if words else "")
        for gene, x, y, words in zip(genes, table["x"], table["y"], told, strict=True)
    ]
