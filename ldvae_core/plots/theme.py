"""One source of every colour, font and size; `.streamlit/config.toml` repeats it and a test holds the two together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Literal

import plotly.graph_objects as go

from ldvae_core.analysis.findings import factor_label as factor_label  # one name for a factor, everywhere
from ldvae_core.analysis.numbers import three_digits as three_digits  # one way to say numbers
from ldvae_core.plots.colours import blend, distinct_colours, with_contrast
from ldvae_core.plots.escape import plain

Mode = Literal["light", "dark"]

# Source Sans travels inside Streamlit; the others are the humanist faces of the usual systems. No font is fetched.
FONT = "'Source Sans', 'Segoe UI', 'Noto Sans', 'Open Sans', 'Helvetica Neue', Arial, sans-serif"
FONT_SIZE, TICK_SIZE, SMALL_SIZE = 13, 12, 11  # px
LINE_CONTRAST: dict[Mode, float] = {"light": 3.0, "dark": 4.5}  # WCAG ratios; thin bright lines fade on dark paper
TEXT_CONTRAST = 4.5

# Okabe and Ito 2008, ordered so that few types get the most different ones; wine (Tol 2021) in place of their second
# blue, which eight types beside the first could not be told by.
OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#882255", "#F0E442", "#000000")
MANY_SIZES = (20, 28, 102)  # beyond 102 a column is an identifier, not an annotation
VIRIDIS = (
    *("#440154", "#482878", "#3E4A89", "#31688E", "#26828E"),
    *("#1F9E89", "#35B779", "#6CCE59", "#B4DE2C", "#FDE725"),
)
DASHES = ("solid", "7px,3px", "2px,2px", "9px,3px,2px,3px")  # of the first four types: colour is never alone
CONTOUR_WIDTH = 2.0  # px


@dataclass(frozen=True)
class Palette:
    """The colours of one mode, named by what they are for."""

    paper: str  # behind everything
    panel: str  # sidebar, widgets
    ink: str  # text, arrows
    quiet: str  # secondary text, ticks; contrast >= 4.5
    zero: str  # zero lines: seen, not loud
    lines: str  # frames and grids
    dots: str  # genes that nobody asked for
    accent: str
    button: str  # the accent where white words stand on it; contrast >= 4.5
    warning: str  # beside words only
    sparse: str  # one cell in a bin
    dense: str  # most cells in a bin
    low: str  # negative end of a diverging scale
    low_middle: str
    middle: str
    high_middle: str
    high: str


PALETTES: dict[Mode, Palette] = {
    "light": Palette(
        paper="#FCFCFA",
        panel="#F3F4F1",
        ink="#1F2430",
        quiet="#5F6673",
        zero="#A9AEAB",
        lines="#E3E5E1",
        dots="#C3C7C4",
        accent="#0F6B6B",
        button="#0F6B6B",
        warning="#9A5B00",
        sparse="#C9CCCA",
        dense="#1F2430",
        low="#1D5C96",
        low_middle="#8FB4D6",
        middle="#F4F4F0",
        high_middle="#EBB57E",
        high="#B0560B",
    ),
    "dark": Palette(
        paper="#12161B",
        panel="#1A2027",
        ink="#E6E8EA",
        quiet="#9AA4AD",
        zero="#5A646D",
        lines="#2A3138",
        dots="#4A535C",
        accent="#4FB3A9",
        button="#2B827B",
        warning="#E0A458",
        sparse="#414A53",
        dense="#F4F6F7",
        low="#6FB4EC",
        low_middle="#2F5E86",
        middle="#1C2229",
        high_middle="#8A5220",
        high="#F2A45A",
    ),
}


def palette(mode: Mode) -> Palette:
    """The colours of a mode. Raises KeyError for any other word."""
    return PALETTES[mode]


@lru_cache(maxsize=4096)
def legible(colour: str, mode: Mode, *, text: bool = False) -> str:
    """The colour, darkened or lightened just enough to be seen on the paper, as a line or as text."""
    return with_contrast(colour, PALETTES[mode].paper, TEXT_CONTRAST if text else LINE_CONTRAST[mode])


def tint(colour: str, mode: Mode, share: float) -> str:
    """A share of the colour on the paper: areas and second voices."""
    return blend(colour, PALETTES[mode].paper, share)


def type_colours(categories: Sequence[str], given: Sequence[str] | Mapping[str, str] | None = None) -> dict[str, str]:
    """One colour a category, the same on every page: given by the order of *all* categories, never by what is shown.

    categories: all of the column, in its order. given: the file's own colours (uns["<column>_colors"]), as a list in
    the same order or by name; honoured where they read #RRGGBB. The others: Okabe-Ito up to 8 categories, else the
    first 20, 28 or 102 of one list that stays apart for colour-blind eyes; after 102 it starts again.
    Figures pass each colour through `legible` for the mode they are drawn in.
    """
    names = [str(category) for category in categories]
    if len(names) <= len(OKABE_ITO):
        ours: tuple[str, ...] = OKABE_ITO
    else:
        size = next((size for size in MANY_SIZES if len(names) <= size), MANY_SIZES[-1])
        ours = distinct_colours(OKABE_ITO[:6], size)  # yellow and black are kept for few types
    theirs = _given_by_name(names, given)
    return {name: theirs.get(name, ours[i % len(ours)]) for i, name in enumerate(names)}


def _given_by_name(names: list[str], given: Sequence[str] | Mapping[str, str] | None) -> dict[str, str]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        given = dict(zip(names, given, strict=False)) if len(given) >= len(names) else {}
    hexes = {str(name): str(colour).strip().upper()[:7] for name, colour in given.items()}  # drop an alpha channel
    return {name: colour for name, colour in hexes.items() if _is_hex(colour)}


def _is_hex(colour: str) -> bool:
    return len(colour) == 7 and colour[0] == "#" and all(c in "0123456789ABCDEF" for c in colour[1:])


def grey_scale(mode: Mode, *, soft: bool = False) -> list[list[Any]]:
    """Colour scale for densities of uint8: 0 is no cell and stays empty. soft: a background for coloured lines."""
    colours = PALETTES[mode]
    dense = blend(colours.dense, colours.sparse, 0.3) if soft else colours.dense
    return [[0.0, "rgba(0,0,0,0)"], [0.5 / 255, "rgba(0,0,0,0)"], [0.5 / 255, colours.sparse], [1.0, dense]]


def viridis(mode: Mode) -> tuple[str, ...]:
    """From least to most; on dark paper without the darkest fifth, which nobody could see there."""
    return VIRIDIS if mode == "light" else VIRIDIS[2:]


def viridis_scale(mode: Mode) -> list[list[Any]]:
    """viridis for uint8, 0 left empty: where the amount itself is the message."""
    colours = viridis(mode)
    steps = [[(0.5 + 254.5 * i / (len(colours) - 1)) / 255, colour] for i, colour in enumerate(colours)]
    return [[0.0, "rgba(0,0,0,0)"], [0.5 / 255, "rgba(0,0,0,0)"], *steps]


def diverging_scale(mode: Mode) -> list[list[Any]]:
    """Blue, paper, orange: sign is told apart by colour-blind eyes, and 0 looks like nothing."""
    colours = PALETTES[mode]
    stops = (colours.low, colours.low_middle, colours.middle, colours.high_middle, colours.high)
    return [[i / 4, colour] for i, colour in enumerate(stops)]


def diverging_colour(share: float, mode: Mode) -> str:
    """The colour of that scale at a share of -1 to 1."""
    stops = [stop[1] for stop in diverging_scale(mode)]
    place = (min(max(share, -1.0), 1.0) + 1) / 2 * (len(stops) - 1)
    left = min(int(place), len(stops) - 2)
    return blend(stops[left + 1], stops[left], place - left)


@cache
def template(mode: Mode) -> go.layout.Template:
    """What every figure shares. Show it with st.plotly_chart(figure, theme=None), or Streamlit paints over it.

    Made once a mode, and copied by every figure that gets it: never to be changed.
    """
    colours = PALETTES[mode]
    axis = {
        "gridcolor": colours.lines,
        "linecolor": colours.lines,
        "zerolinecolor": colours.zero,
        "zerolinewidth": 1,
        "ticks": "",
        "tickfont": {"size": TICK_SIZE, "color": colours.quiet},
        "title": {"font": {"size": FONT_SIZE, "color": colours.ink}, "standoff": 8},
        "automargin": False,  # margins that follow the tick labels make figures jump
    }
    return go.layout.Template(
        layout={
            "font": {"family": FONT, "size": FONT_SIZE, "color": colours.ink},
            "paper_bgcolor": colours.paper,
            "plot_bgcolor": colours.paper,
            "colorway": [legible(colour, mode) for colour in OKABE_ITO],
            "xaxis": axis,
            "yaxis": axis,
            "hoverlabel": {
                "bgcolor": colours.panel,
                "bordercolor": colours.lines,
                "font": {"family": FONT, "size": FONT_SIZE, "color": colours.ink},
            },
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": colours.zero, "activecolor": colours.accent},
            "newselection": {"mode": "immediate", "line": {"color": colours.accent, "width": 2, "dash": "solid"}},
            "activeselection": {"fillcolor": colours.accent, "opacity": 0.12},
            "selectionrevision": "selection",
            "showlegend": False,
            "separators": ".,",
            "dragmode": "pan",
        }
    )


@cache
def bare_template(mode: Mode) -> dict[str, Any]:
    """template(mode) as the dictionary that a Sheet takes. Never to be changed."""
    return template(mode).to_plotly_json()


TICK_GAP = {"ticks": "outside", "ticklen": 5, "tickcolor": "rgba(0,0,0,0)"}  # room between names and what they name


def cells_title(factor: int, prior: str, *, name: str = "") -> str:
    """Axis of cells along factor k (from 0), with its unit; name: what people call it."""
    return f"{factor_label(factor, name)} ({'usage, share' if prior == 'logistic_normal' else 'prior SD'})"


def genes_title(factor: int, use: Literal["shrunken", "raw"] = "shrunken", *, name: str = "") -> str:
    """Axis of loadings on factor k (from 0), with their unit, shorter beside a name; name: what people call it."""
    if name:
        return f"{factor_label(factor, plain(name, longest=12))} (log fold per SD, {use})"
    return f"{factor_label(factor)} loading (log fold change per SD, {use})"


# "Share chart" would send the figure, data and all, to a company's server; the others are noise.
_UNWANTED = (
    *("sendChartToCloud", "zoomIn2d", "zoomOut2d", "autoScale2d"),
    *("toggleSpikelines", "hoverClosestCartesian", "hoverCompareCartesian"),
)


def chart_config(name: str = "figure", *, select: bool = False, buttons: bool = True) -> dict[str, Any]:
    """For st.plotly_chart(config=...): pictures are saved as SVG under `name`; box and lasso only where they act.

    buttons False: a quiet thumbnail, without any tool.
    """
    selecting = () if select else ("select2d", "lasso2d")
    return {
        "displaylogo": False,
        "showSendToCloud": False,
        "plotlyServerURL": "",
        "displayModeBar": "hover" if buttons else False,
        "scrollZoom": False,
        "doubleClick": "reset",
        "responsive": True,
        "modeBarButtonsToRemove": [*_UNWANTED, *selecting],
        "toImageButtonOptions": {"format": "svg", "filename": _file_name(name)},
    }


def _file_name(name: str) -> str:
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in name.lower())
    return kept.strip("_")[:60] or "figure"


CONFIG = chart_config()  # most figures
THUMBNAIL_CONFIG = chart_config("gallery", buttons=False)
