"""How many programs: what every factor of the generous model explains, and how well it comes back, by its number."""

from typing import Any

import numpy as np
import plotly.graph_objects as go

from ldvae_core.analysis.certificates import Certificates, Program
from ldvae_core.plots.frame import note_font, say_empty
from ldvae_core.plots.theme import Mode, palette, template

PERCENTS = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30]  # on the axis: a short label such as "5" would be read as 5
HEIGHT = 360  # px
MARGIN = {"l": 64, "r": 16, "t": 30, "b": 48}  # px
ABOVE, BELOW = (0.56, 1.0), (0.0, 0.44)  # of the height: matches, explained deviance
LEAST_SHOWN = 1e-5  # of the deviance: the axis is logarithmic


def plot_certificates(found: Certificates, *, mode: Mode = "light") -> go.Figure:
    """Above, the match of every factor in other cells and with another seed; below, its explained deviance, in percent.

    found: of the generous model; factors stand by their explained deviance, the strongest first. Certified ones are
    filled. Grey: the factors of shuffled counts, by their own order. Dotted: the bar; the number that is recommended.
    """
    figure = go.Figure(layout=_layout(found, mode))
    if not found.programs:
        return say_empty(figure, "Nothing was tried", mode)
    colours = palette(mode)
    programs, noise = (_strongest_first(each) for each in (found.programs, found.shuffled))
    figure.add_trace(_points(noise, "half_match", colours.zero, "shuffled counts", axis="y"))
    figure.add_trace(_points(programs, "seed_match", colours.low, "with another seed", axis="y", symbol="line-ew-open"))
    figure.add_trace(_points(programs, "half_match", colours.high, f"in other {found.unit}", axis="y"))
    figure.add_trace(_points(noise, "explained_deviance", colours.zero, "shuffled counts", axis="y2", legend=False))
    figure.add_trace(_points(programs, "explained_deviance", colours.high, "explained", axis="y2", legend=False))
    line = {"color": colours.quiet, "width": 1, "dash": "dot"}
    figure.add_shape(type="line", xref="x domain", x0=0, x1=1, yref="y", y0=found.bar, y1=found.bar, line=line)
    where = found.n_programs + 0.5
    figure.add_shape(type="line", xref="x", x0=where, x1=where, yref="paper", y0=0, y1=1, line=line)
    figure.add_annotation(x=where, y=1, xref="x", yref="paper", text=f" {found.n_programs}", showarrow=False,
                          xanchor="left", yanchor="top", font=note_font(mode))  # fmt: skip
    return figure


def _strongest_first(programs: tuple[Program, ...]) -> list[Program]:
    return sorted(programs, key=lambda program: -program.explained_deviance)


def _points(
    programs: list[Program], figure: str, colour: str, name: str, *, axis: str, symbol: str = "circle",
    legend: bool = True,
) -> go.Scatter:  # fmt: skip
    values = np.array([getattr(program, figure) for program in programs], np.float64)
    shown = np.maximum(values, LEAST_SHOWN) * 100 if figure == "explained_deviance" else values
    filled = [symbol if program.certified or "-" in symbol else f"{symbol}-open" for program in programs]
    unit = "%{y:.2g}% of the deviance" if figure == "explained_deviance" else "match %{y:.2f}"
    return go.Scatter(
        x=np.arange(1, len(programs) + 1),
        y=shown,
        yaxis=axis,
        mode="markers",
        marker={"symbol": filled, "color": colour, "size": 7, "line": {"color": colour, "width": 1.3}},
        name=name,
        showlegend=legend,
        hovertemplate=f"factor %{{x}}, {name}: {unit}<extra></extra>",
    )


def _layout(found: Certificates, mode: Mode) -> dict[str, Any]:
    most = max(len(found.programs), len(found.shuffled), 1)
    return {
        "template": template(mode),
        "height": HEIGHT,
        "margin": MARGIN,
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "xaxis": {"title": {"text": "Number of the factor, the strongest first"}, "range": [0.3, most + 0.7],
                  "anchor": "y2", "zeroline": False, "showgrid": False},
        "yaxis": {"title": {"text": "Match"}, "domain": ABOVE, "range": [-0.03, 1.05], "tickvals": [0, 0.5, 1],
                  "zeroline": False},
        "yaxis2": {"title": {"text": "Explained (%)"}, "domain": BELOW, "type": "log", "anchor": "x",
                   "tickvals": PERCENTS, "ticktext": [f"{value:g}" for value in PERCENTS], "zeroline": False},
    }  # fmt: skip
