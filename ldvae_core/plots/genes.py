"""One gene or a list over all factors."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ldvae_core.plots.colour_bar import bar_beside
from ldvae_core.plots.escape import escape, italic, plain
from ldvae_core.plots.frame import say_empty
from ldvae_core.plots.labels import text_size
from ldvae_core.plots.ranked import LOADING_TITLE, plot_gene_loadings
from ldvae_core.plots.theme import TICK_GAP, TICK_SIZE, Mode, diverging_scale, palette, template, three_digits

ROW_HEIGHT, SMALLEST_HEIGHT, LARGEST_HEIGHT = 22, 240, 900  # px
MOST_GENES = 60  # of one drawing
LONGEST_FACTOR, LONGEST_GENE = 26, 20  # characters
LEAST_HEIGHT = 460  # px of a profile: as high as the cells beside it


def plot_profile(
    table: pd.DataFrame, names: Sequence[str], *, x_title: str = LOADING_TITLE, mode: Mode = "light"
) -> go.Figure:
    """One gene in every factor with 90% intervals. table: from gene_table; names: what the factors are called."""
    figure = plot_gene_loadings(table, x_title=x_title, mode=mode)
    shown = [names[int(factor)] for factor in table["factor"]]
    widths = [text_size(plain(name, longest=LONGEST_FACTOR), TICK_SIZE)[0] for name in shown]
    figure.update_layout(margin={"l": 18 + max([*widths, 24.0])}, height=max(figure.layout.height, LEAST_HEIGHT))
    return figure.update_yaxes(ticktext=[escape(name, longest=LONGEST_FACTOR) for name in shown])


def plot_loading_map(table: pd.DataFrame, names: Sequence[str], *, mode: Mode = "light") -> go.Figure:
    """Several genes (down) in every factor (across): orange rises with the factor, blue falls.

    table: from loading_table; columns gene, position, factor (from 0), loading; the first 60 genes are drawn. names: of
    all factors. A clicked square carries the gene's position as customdata[0] and the factor as customdata[1].
    """
    genes = list(dict.fromkeys(table["position"]))[:MOST_GENES]
    factors = sorted(set(table["factor"]))
    called = table.drop_duplicates("position").set_index("position")["gene"]
    left = 20 + max([text_size(plain(called[gene], longest=LONGEST_GENE), TICK_SIZE)[0] for gene in genes] or [40.0])
    figure = go.Figure(
        layout=_layout([italic(called[gene], longest=LONGEST_GENE) for gene in genes], factors, left, mode)
    )
    if not genes:
        return say_empty(figure, "No genes to show", mode)
    grid = table[table["position"].isin(genes)].pivot(index="position", columns="factor", values="loading")
    values = grid.loc[genes, factors].to_numpy(np.float64)
    most = float(np.quantile(np.abs(values), 0.99)) or 1.0
    figure.add_trace(_squares(values, most, mode))
    for row, gene in enumerate(genes):
        figure.add_trace(_targets(row, gene, str(called[gene]), values[row], factors, names))
    return figure


def _layout(rows: list[str], factors: list[int], left: float, mode: Mode) -> dict[str, object]:
    ink = {"size": TICK_SIZE, "color": palette(mode).ink}
    axis = {"showgrid": False, "zeroline": False, "showline": False, **TICK_GAP}
    height = int(np.clip(78 + ROW_HEIGHT * len(rows), SMALLEST_HEIGHT, LARGEST_HEIGHT))
    return {
        "template": template(mode),
        "height": height,
        "margin": {"l": left, "r": 84, "t": 30, "b": 48},
        "xaxis": {**axis, "title": {"text": "Factor"}, "tickvals": list(range(len(factors))),
                  "ticktext": [str(factor + 1) for factor in factors], "tickangle": 0,
                  "range": [-0.5, max(len(factors), 1) - 0.5]},
        "yaxis": {**axis, "title": {"text": ""}, "tickvals": list(range(len(rows))), "ticktext": rows,
                  "range": [max(len(rows), 1) - 0.5, -0.5], "tickfont": ink},
    }  # fmt: skip


def _squares(values: np.ndarray, most: float, mode: Mode) -> go.Heatmap:
    ends = [three_digits(float(f"{end:.2g}")) for end in (-most, most)]
    bar = bar_beside("log fold<br>per SD", [-most, 0, most], [ends[0], "0", ends[1]])
    return go.Heatmap(z=values.astype(np.float32), zmin=-most, zmax=most, colorscale=diverging_scale(mode), xgap=1,
                      ygap=1, hoverinfo="skip", colorbar=bar, name="loadings")  # fmt: skip


def _targets(
    row: int, gene: int, name: str, loading: np.ndarray, factors: list[int], names: Sequence[str]
) -> go.Scatter:
    """Points nobody sees over one gene's squares: a heatmap alone answers to no click."""
    unseen = {"marker": {"opacity": 0.0}}
    return go.Scatter(
        x=np.arange(len(factors), dtype=np.float32),
        y=np.full(len(factors), row, np.float32),
        mode="markers",
        marker={"opacity": 0.0, "size": ROW_HEIGHT, "symbol": "square"},
        selected=unseen,
        unselected=unseen,
        customdata=[[int(gene), int(k), round(float(x), 3)] for k, x in zip(factors, loading, strict=True)],
        text=[escape(names[factor], longest=LONGEST_FACTOR) for factor in factors],
        hovertemplate=f"<b>{italic(name)}</b><br>%{{text}}: %{{customdata[2]}}<extra></extra>",
        name=escape(name, longest=LONGEST_GENE),
    )
