"""Several figures as one, with letters, at a fixed size: what a paper prints as one picture."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go

from ldvae_core.plots.theme import Mode, palette, template

LETTER_SIZE = 19  # px
REFERENCE = re.compile(r"([xy])(?: domain)?")


class Place(NamedTuple):
    """A figure of one pair of axes, and where it stands: px from the left and from the top."""

    figure: go.Figure
    left: float
    top: float
    width: float
    height: float


def join_figures(places: Sequence[Place], *, width: float, height: float, mode: Mode = "light") -> go.Figure:
    """One figure of the given size in px, each part within its own margins, with a letter at its upper left corner.

    What parts write at their axes, and their scales, go with them; clicks and selections do not.
    """
    layout: dict[str, Any] = {
        "template": template(mode), "width": width, "height": height, "showlegend": False,
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0}, "annotations": [], "shapes": [], "images": [],
    }  # fmt: skip
    traces: list[dict[str, Any]] = []
    for number, place in enumerate(places):
        part = _Part(place, "" if number == 0 else str(number + 1), width, height)
        layout |= part.axes()
        for kind in ("annotations", "shapes", "images"):
            layout[kind] += [part.moved(item) for item in part.layout.get(kind, ())]
        traces += [part.trace(trace) for trace in place.figure.to_plotly_json()["data"]]
        layout["annotations"].append(
            {"text": f"<b>{chr(97 + number)}</b>", "x": place.left / width, "y": 1 - place.top / height,
             "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "top", "showarrow": False,
             "font": {"size": LETTER_SIZE, "color": palette(mode).ink}}
        )  # fmt: skip
    return go.Figure(data=traces, layout=layout)


class _Part:
    """A figure on its way into another one."""

    def __init__(self, place: Place, suffix: str, width: float, height: float) -> None:
        self.layout: dict[str, Any] = place.figure.to_plotly_json()["layout"]
        self.suffix = suffix
        margin = {"l": 60, "r": 12, "t": 30, "b": 48, **self.layout.get("margin", {})}
        self.x = ((place.left + margin["l"]) / width, (place.left + place.width - margin["r"]) / width)
        self.y = (1 - (place.top + place.height - margin["b"]) / height, 1 - (place.top + margin["t"]) / height)

    def axes(self) -> dict[str, Any]:
        """Both axes, in their place."""
        found = {}
        for name, other, domain in (("x", "y", self.x), ("y", "x", self.y)):
            axis = {**self.layout.get(f"{name}axis", {}), "domain": domain, "anchor": f"{other}{self.suffix}"}
            if "scaleanchor" in axis:
                axis["scaleanchor"] = self.reference(axis["scaleanchor"])
            found[f"{name}axis{self.suffix}"] = axis
        return found

    def trace(self, trace: dict[str, Any]) -> dict[str, Any]:
        """A trace on these axes; its scale, if it has one, stands at their right."""
        moved = {**trace, "xaxis": f"x{self.suffix}", "yaxis": f"y{self.suffix}"}
        if "colorbar" in moved:
            moved["colorbar"] = {**moved["colorbar"], "x": self.x[1] + 0.004, "xanchor": "left", "y": self.y[1],
                                 "yanchor": "top"}  # fmt: skip
        return moved

    def moved(self, item: dict[str, Any]) -> dict[str, Any]:
        """An annotation, shape or picture: what stands in shares of the figure stands in shares of its place."""
        found = dict(item)
        for name, (low, high) in (("x", self.x), ("y", self.y)):
            reference = f"{name}ref"
            if found.get(reference, "paper") == "paper":
                found[reference] = "paper"
                for key in (name, f"{name}0", f"{name}1"):
                    if isinstance(found.get(key), int | float):
                        found[key] = low + found[key] * (high - low)
                if f"size{name}" in found:
                    found[f"size{name}"] *= high - low
            else:
                found[reference] = self.reference(found[reference])
        return found

    def reference(self, name: str) -> str:
        """'x' and 'x domain' by the name of this part's axis."""
        return name.replace(name[0], f"{name[0]}{self.suffix}", 1) if REFERENCE.fullmatch(name) else name
