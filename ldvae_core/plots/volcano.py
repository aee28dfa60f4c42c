"""Every gene of a comparison: how much it differs across, how surely upwards, the strongest by name."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ldvae_core.analysis.effects import sure_effect
from ldvae_core.plots.escape import escape, escape_all, italic, plain
from ldvae_core.plots.frame import halo, note_font, say_empty, title, words
from ldvae_core.plots.labels import Places, place_labels, text_size
from ldvae_core.plots.sheet import Sheet
from ldvae_core.plots.theme import FONT_SIZE, SMALL_SIZE, Mode, bare_template, legible, palette

HEIGHT = 420  # px
MARGIN = {"l": 58, "r": 14, "t": 52, "b": 48}  # px
SMALLEST_WIDTH = 300.0  # px of the frame; names are placed for it, and in a wider one only move apart
ROOM_ACROSS, ROOM_ABOVE = 0.12, 0.07  # of the frame, kept for names at its edges
BEND = 50.0  # -log10 q from which the axis is drawn as its root: else a few genes press all others to the floor
MARKS = (0, 5, 20, 50, 100, 200, 300)  # on that axis; beyond, nothing is told apart in words either
MARK_GAP = 24.0  # px
FOUND = 0.05
LONGEST_GENE, LONGEST_GROUP = 24, 22  # characters
MOST_SVG_DOTS = 5_000  # above, the dots are drawn by the graphics card


class _Frame(NamedTuple):
    """What the frame shows, in the units it is drawn in."""

    x: tuple[float, float]
    y: tuple[float, float]
    root: bool  # upwards the root of -log10 q

    def to_pixels(self, points: np.ndarray) -> np.ndarray:
        return (points - self._low) / self._span * (SMALLEST_WIDTH, HEIGHT - MARGIN["t"] - MARGIN["b"])

    def to_data(self, pixels: np.ndarray) -> np.ndarray:
        return pixels / (SMALLEST_WIDTH, HEIGHT - MARGIN["t"] - MARGIN["b"]) * self._span + self._low

    @property
    def _low(self) -> np.ndarray:
        return np.array([self.x[0], self.y[0]])

    @property
    def _span(self) -> np.ndarray:
        return np.array([self.x[1] - self.x[0], self.y[1] - self.y[0]])


def plot_volcano(
    table: pd.DataFrame,
    *,
    names: tuple[str, str],
    colours: tuple[str, str] | None = None,
    n_named: int = 12,
    mode: Mode = "light",
    height: int = HEIGHT,
) -> go.Figure:
    """Fold change against -log10 q; genes that differ (q < 0.05) in the colour of the group where they are higher.

    table: from analysis.difference, columns gene, log2_fold_change, low, high, q, log10_q. names, colours: of the first
    group, on the right, and of the second. n_named: how many of the surest and the largest differences get a name, half
    of them of each group; no name lies over another. A clicked point carries its gene as customdata[0]. Empty table:
    empty titled axes.
    """
    inks = colours or (palette(mode).high, palette(mode).low)
    certain = -table["log10_q"].to_numpy(np.float64)
    root = bool(len(table)) and float(certain.max()) > BEND
    points = np.column_stack([table["log2_fold_change"].to_numpy(np.float64), np.sqrt(certain) if root else certain])
    frame = _frame(points, root)
    sheet = _sheet(frame, names, inks, mode, height)
    if table.empty:
        return say_empty(sheet, "No genes to show", mode).figure()
    found = table["q"].to_numpy(np.float64) < FOUND
    for group, colour, name in (
        (~found, palette(mode).dots, "no difference"),
        (found & (points[:, 0] < 0), legible(inks[1], mode), "higher in the second"),
        (found & (points[:, 0] >= 0), legible(inks[0], mode), "higher in the first"),
    ):
        sheet.add_trace({**_dots(table[group], points[group], certain[group], colour), "name": name})
    _name_genes(sheet, table, points, found, frame, n_named, inks, mode)
    return sheet.figure()


def named_genes(table: pd.DataFrame, n: int) -> np.ndarray:
    """Rows of the genes that get a name, at most n: of those that differ the surest and the largest, of either group.

    Half of the names go to each group; what one of them leaves over goes to the other.
    """
    found = table["q"].to_numpy(np.float64) < FOUND
    sides = []
    for side in (1.0, -1.0):
        rows = np.flatnonzero(found & (side * table["log2_fold_change"].to_numpy(np.float64) > 0))
        surest = rows[np.argsort(table["log10_q"].to_numpy(np.float64)[rows], kind="stable")]
        largest = rows[
            np.argsort(-np.abs(sure_effect(table["low"].to_numpy(), table["high"].to_numpy()))[rows], kind="stable")
        ]
        sides.append(list(dict.fromkeys(np.column_stack([surest, largest]).ravel().tolist())))
    n = max(n, 0)
    room = [max(n // 2, n - len(other)) for other in reversed(sides)]
    return np.array([row for side, most in zip(sides, room, strict=True) for row in side[:most]], dtype=int)


def _frame(points: np.ndarray, root: bool) -> _Frame:
    widest = max(float(np.abs(points[:, 0]).max()), 1.0) if len(points) else 1.0
    highest = max(float(points[:, 1].max()), 2.0) if len(points) else 2.0
    return _Frame((-widest * (1 + 2 * ROOM_ACROSS), widest * (1 + 2 * ROOM_ACROSS)),
                  (-0.03 * highest, highest * (1 + 2 * ROOM_ABOVE)), root)  # fmt: skip


def _sheet(frame: _Frame, names: tuple[str, str], inks: tuple[str, str], mode: Mode, height: int) -> Sheet:
    colours = palette(mode)
    shared = {"showline": True, "mirror": True, "linecolor": colours.lines, "showgrid": False}
    upwards = _root_ticks(frame) if frame.root else {"nticks": 6}
    line = float(np.sqrt(-np.log10(FOUND)) if frame.root else -np.log10(FOUND))
    threshold = {"type": "line", "x0": 0, "x1": 1, "xref": "x domain", "y0": line, "y1": line,
                 "line": {"color": colours.zero, "width": 1, "dash": "2px,3px"}}  # fmt: skip
    ends = (("right", 1.0, f"higher in {escape(names[0], longest=LONGEST_GROUP)} →", inks[0]),
            ("left", 0.0, f"← higher in {escape(names[1], longest=LONGEST_GROUP)}", inks[1]))  # fmt: skip
    return Sheet(
        {
            "template": bare_template(mode),
            "height": height,
            "margin": MARGIN,
            "xaxis": {**shared, "range": list(frame.x), "zeroline": True,
                      "title": {"text": title("log2 fold change")}},
            "yaxis": {**shared, "range": list(frame.y), "zeroline": False, **upwards,
                      "title": {"text": title("−log10 q" + (" (root scale)" if frame.root else ""))}},
            "uirevision": "|".join(names),
            "shapes": [threshold],
            "annotations": [
                {"text": text, "x": x, "y": 1, "xref": "x domain", "yref": "y domain", "xanchor": anchor,
                 "yanchor": "bottom", "yshift": 2, "showarrow": False,
                 "font": {**note_font(mode), "color": legible(ink, mode, text=True)}}
                for anchor, x, text, ink in ends
            ],
        }
    )  # fmt: skip


def _root_ticks(frame: _Frame) -> dict[str, list[Any]]:
    """Round values of -log10 q, as many as have room."""
    kept: list[float] = []
    scale = (HEIGHT - MARGIN["t"] - MARGIN["b"]) / (frame.y[1] - frame.y[0])
    for mark in MARKS:
        place = float(np.sqrt(mark))
        if place <= frame.y[1] and (not kept or (place - kept[-1]) * scale >= MARK_GAP):
            kept.append(place)
    return {"tickvals": kept, "ticktext": [f"{round(place**2):,}" for place in kept]}


def _dots(table: pd.DataFrame, points: np.ndarray, certain: np.ndarray, colour: str) -> dict[str, Any]:
    clicked = np.empty((len(table), 2), object)  # the gene's whole name, and a number that the root does not hide
    clicked[:, 0] = table["gene"].astype(str).to_numpy(object)
    clicked[:, 1] = [f"{value:.1f}" if value <= MARKS[-1] else f"over {MARKS[-1]}" for value in certain]
    return {
        "type": "scattergl" if len(table) > MOST_SVG_DOTS else "scatter",
        "x": points[:, 0].astype(np.float32),
        "y": points[:, 1].astype(np.float32),
        "mode": "markers",
        "marker": {"size": 5, "color": colour, "line": {"width": 0}},
        "customdata": clicked,
        "text": escape_all(table["gene"]),
        "hovertemplate": "<b><i>%{text}</i></b><br>log2 fold change %{x:.2f}<br>−log10 q %{customdata[1]}"
        "<extra></extra>",
        "selected": {"marker": {"opacity": 1.0}},
        "unselected": {"marker": {"opacity": 1.0}},  # a click opens a gene; it does not fade the others
    }


def _name_genes(
    figure: Sheet,
    table: pd.DataFrame,
    points: np.ndarray,
    found: np.ndarray,
    frame: _Frame,
    n: int,
    inks: tuple[str, str],
    mode: Mode,
) -> None:
    """Names beside the strongest genes, away from the middle, in the colours of their dots."""
    rows = named_genes(table, n)
    if not len(rows):
        return
    size = FONT_SIZE if n <= 10 else SMALL_SIZE
    names = [plain(gene, longest=LONGEST_GENE) for gene in table["gene"].iloc[rows]]
    pixels = frame.to_pixels(points)
    others = pixels[np.setdiff1d(np.flatnonzero(found), rows)]
    places = place_labels(
        pixels[rows],
        np.array([text_size(name, size) for name in names]),
        frame=(SMALLEST_WIDTH, float(HEIGHT - MARGIN["t"] - MARGIN["b"])),
        directions=np.column_stack([np.sign(points[rows, 0]) + 0.01, np.full(len(rows), 0.3)]),
        dots=others[:: 1 + len(others) // 400],
    )
    _add_leaders(figure, places, frame, mode)
    for right, ink in ((True, inks[0]), (False, inks[1])):
        shown = np.flatnonzero(places.placed & ((points[rows, 0] >= 0) == right))
        texts = [italic(names[i], longest=LONGEST_GENE) for i in shown]
        trace = words(frame.to_data(places.centres[shown]), texts, colour=legible(ink, mode, text=True),
                      font={"size": size, "shadow": halo(mode)})  # fmt: skip
        clicked = table["gene"].astype(str).to_numpy(object)[rows[shown], None]
        figure.add_trace({**trace, "customdata": clicked, "name": "names"})


def _add_leaders(figure: Sheet, places: Places, frame: _Frame, mode: Mode) -> None:
    steps = np.full((len(places.leaders), 3, 2), np.nan)
    steps[:, :2] = frame.to_data(places.leaders)
    line = {"color": palette(mode).zero, "width": 0.8}
    x, y = steps[:, :, 0].ravel(), steps[:, :, 1].ravel()
    figure.add_trace({"x": x, "y": y, "mode": "lines", "line": line, "hoverinfo": "skip", "name": "leaders"})
