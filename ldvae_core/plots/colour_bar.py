"""Colour bars: a small one in the emptiest corner of a frame, which takes none of its width, and one beside a table."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ldvae_core.analysis.raster import Raster
from ldvae_core.plots.colours import rgb
from ldvae_core.plots.escape import escape
from ldvae_core.plots.frame import halo
from ldvae_core.plots.png import png_address
from ldvae_core.plots.sheet import Canvas
from ldvae_core.plots.theme import SMALL_SIZE, Mode, palette, viridis

WIDTH, HEIGHT, TALL, EDGE = 0.32, 0.022, 0.06, 0.035  # of the frame's side; TALL: of the histogram
BARS = 24


def bar_above(title: str, **ticks: Any) -> dict[str, Any]:
    """A colour bar lying above the left end of a frame, in plotly's terms. ticks: nticks, or tickvals and ticktext."""
    return {
        "title": {"text": escape(title), "font": {"size": SMALL_SIZE}, "side": "top"}, "orientation": "h",
        "x": 0.0, "xanchor": "left", "y": 1.0, "yanchor": "bottom", "ypad": 4, "len": 150, "lenmode": "pixels",
        "thickness": 8, "outlinewidth": 0, "tickfont": {"size": SMALL_SIZE}, **ticks,
    }  # fmt: skip


def add_colour_bar(
    figure: Canvas, raster: Raster, *, title: str, low: str, high: str, heights: np.ndarray | None = None, mode: Mode
) -> None:
    """Bar, its two ends and its title. heights: (n,) of a histogram along the bar, 0 to 1, drawn on top of it."""
    tall = 0.0 if heights is None else TALL
    left, bottom = _emptiest_corner(raster.counts, tall)
    x = EDGE if left else 1 - EDGE - WIDTH
    y = EDGE + 0.045 if bottom else 1 - EDGE - 0.06 - tall
    pictures = [(_gradient(viridis(mode)), y, HEIGHT)]
    if heights is not None:
        pictures.append((_bars(heights, viridis(mode)), y + HEIGHT, TALL))
    for pixels, at, size in pictures:
        figure.add_layout_image(
            source=png_address(pixels),
            xref="x domain",
            yref="y domain",
            x=x,
            y=at,
            sizex=WIDTH,
            sizey=size,
            sizing="stretch",
            yanchor="bottom",
            layer="above",
        )
    font = {"size": SMALL_SIZE, "color": palette(mode).ink, "shadow": halo(mode)}
    texts = ((x, y, low, "left", "top"), (x + WIDTH, y, high, "right", "top"))
    anchor = "left" if left else "right"
    over = (x if left else x + WIDTH, y + HEIGHT + tall, title, anchor, "bottom")
    for at_x, at_y, text, xanchor, yanchor in (*texts, over):
        figure.add_annotation(
            x=at_x,
            y=at_y,
            xref="x domain",
            yref="y domain",
            text=escape(text),
            showarrow=False,
            xanchor=xanchor,
            yanchor=yanchor,
            borderpad=1,
            font=font,
        )


def rebinned(counts: np.ndarray, edges: np.ndarray, low: float, high: float) -> np.ndarray:
    """Heights, 0 to 1, of a histogram along a scale from low to high; what lies beyond stands in the end bins.

    The root of the counts: cells without counts of a gene are most, and would leave nothing of the others to see.
    """
    middles = np.clip((edges[:-1] + edges[1:]) / 2, low, high)
    found = np.histogram(middles, BARS, range=(low, high), weights=counts)[0]
    return np.sqrt(found / (found.max() or 1.0))


def bar_beside(title: str, values: Sequence[float], texts: Sequence[str] | None = None) -> dict[str, object]:
    """The colorbar of a heat map, right of its upper corner. title: may hold a <br>; texts: of the marked values."""
    return {
        "title": {"text": title, "font": {"size": SMALL_SIZE}, "side": "top"},
        "tickvals": list(values),
        **({} if texts is None else {"ticktext": list(texts)}),
        "tickfont": {"size": SMALL_SIZE},
        "thickness": 8,
        "outlinewidth": 0,
        "len": 140,
        "lenmode": "pixels",
        "y": 1,
        "yanchor": "top",
        "x": 1.0,
        "xpad": 12,
    }


def _gradient(colours: tuple[str, ...], n: int = 128) -> np.ndarray:
    """(1, n, 4) uint8 along the colours."""
    stops = np.stack([rgb(colour) for colour in colours])
    places = np.linspace(0, len(stops) - 1, n)
    values = np.stack([np.interp(places, np.arange(len(stops)), stops[:, c]) for c in range(3)], axis=1)
    return np.round(np.column_stack([values, np.ones(n)]) * 255).astype(np.uint8)[None]


def _bars(heights: np.ndarray, colours: tuple[str, ...]) -> np.ndarray:
    """(rows, columns, 4) uint8: a bar a height, in the colours of the scale below them."""
    rows, wide = 24, 6
    filled = np.arange(rows)[::-1, None] < np.ceil(heights * rows)[None]
    pixels = np.repeat(_gradient(colours, len(heights)), rows, axis=0)
    pixels[..., 3] = np.where(filled, 255, 0)
    return np.repeat(pixels, wide, axis=1)


def _emptiest_corner(counts: np.ndarray, tall: float) -> tuple[bool, bool]:
    """(left, bottom) of the corner with the fewest cells."""
    rows, columns = max(1, int(counts.shape[0] * (0.14 + tall))), max(1, int(counts.shape[1] * (WIDTH + EDGE)))
    corners = {
        (left, bottom): counts[:rows] if bottom else counts[-rows:]
        for left in (True, False)
        for bottom in (True, False)
    }
    cells = {
        (left, bottom): int((band[:, :columns] if left else band[:, -columns:]).sum())
        for (left, bottom), band in corners.items()
    }
    return min(cells, key=lambda corner: cells[corner])
