"""A figure in the making: traces and layout as the plain dictionaries that plotly sends to the browser."""

from typing import Any

import plotly.graph_objects as go


class Sheet:
    """Takes the parts of a figure as they are, with the methods of go.Figure that this package draws with.

    plotly checks every property of every part when it is made and again when it is added, about 1 ms a time: a
    gallery spends more on that than on its cells. Every part is written here, in this package, so a test checks them
    instead of every visitor's page: tests/plots/test_sheet.py. `data` and `layout` are free to be changed until then.
    """

    def __init__(self, layout: dict[str, Any]) -> None:
        self.layout = layout
        self.data: list[dict[str, Any]] = []

    def add_trace(self, trace: dict[str, Any] | go.Scatter | go.Scattergl | go.Heatmap) -> None:
        """One more trace, above those before it; a dictionary without a type is a scatter."""
        self.data.append(trace if isinstance(trace, dict) else trace.to_plotly_json())

    def add_annotation(self, **annotation: Any) -> None:
        """One more remark."""
        self.layout.setdefault("annotations", []).append(annotation)

    def add_layout_image(self, **image: Any) -> None:
        """One more picture."""
        self.layout.setdefault("images", []).append(image)

    def figure(self) -> go.Figure:
        """The finished figure, which can be changed like any other."""
        return go.Figure(data=self.data, layout=self.layout, _validate=False)


Canvas = go.Figure | Sheet  # what parts are drawn on
