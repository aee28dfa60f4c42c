"""Small clouds, loadings and histories that the figures are tested with."""

import json

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from ldvae_core.analysis.raster import density_raster, square_extent, type_rasters
from ldvae_core.plots.theme import bare_template, template

NASTY = [
    "<b>Sox2</b>",
    '<a href="javascript:alert(1)">Gata1</a>',
    "$\\frac{1}{2}$",
    "%{customdata}",
    "A&lt;B&#60;",
    "two\nlines\x00and\u202emore",
    "x" * 1_000_000,
]


@pytest.fixture(name="cloud")
def _cloud():
    """Two hundred cells in three groups: x, y, label."""
    random = np.random.default_rng(0)
    centres = np.repeat([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]], [100, 60, 40], axis=0)
    points = centres + random.normal(0, 0.5, (200, 2))
    return points[:, 0], points[:, 1], np.repeat(["Epiblast", "ExE endoderm", "Erythroid"], [100, 60, 40])


@pytest.fixture(name="raster")
def _raster(cloud):
    return density_raster(cloud[0], cloud[1], bins=64)


@pytest.fixture(name="rasters")
def _rasters(cloud):
    x, y, labels = cloud
    return type_rasters(x, y, labels, ["Epiblast", "ExE endoderm", "Erythroid"], bins=64, extent=square_extent(x, y))


@pytest.fixture(name="no_cells")
def _no_cells():
    return density_raster(np.empty(0), np.empty(0), bins=8)


def biplot_of(points, names, n_arrows):
    """A biplot table whose first n_arrows genes carry arrows."""
    length = np.hypot(*np.asarray(points, float).T)
    arrow = np.arange(len(points)) < n_arrows
    return pd.DataFrame({"gene": names, "x": points[:, 0], "y": points[:, 1], "length": length, "arrow": arrow})


@pytest.fixture(name="loadings")
def _loadings():
    """Two hundred genes, the first eight with arrows."""
    points = np.random.default_rng(1).normal(0, 0.1, (200, 2))
    points[:8] *= 10
    return biplot_of(points, [f"Gene{i}" for i in range(200)], 8)


@pytest.fixture(name="history")
def _history():
    """Forty epochs; the first ones lie far above the rest."""
    epoch = np.arange(0.0, 40.5, 0.5)
    train = 1000 + 800 * np.exp(-epoch * 2) + 40 * np.exp(-epoch / 10)
    held_out = np.where(epoch % 1 == 0, train + 10, np.nan)
    return pd.DataFrame(
        {
            "epoch": epoch,
            "train_reconstruction_error": train,
            "validation_reconstruction_error": held_out,
            "train_elbo": -train,
            "validation_elbo": -held_out,
            "train_kl": 5.0,
            "validation_kl": 5.0,
            "kl_weight": np.clip(epoch / 13, 0, 1),
        }
    )


def texts_of(figure):
    """Every string of a figure that plotly could draw as text, and not data that it only hands back on a click."""
    found = []

    def walk(value, key=""):
        if isinstance(value, dict):
            for name, inner in value.items():
                if name not in ("customdata", "template", "source", "uirevision", "bdata"):
                    walk(inner, name)
        elif isinstance(value, list | tuple):
            for inner in value:
                walk(inner, key)
        elif isinstance(value, str):
            found.append(value)

    walk(figure.to_plotly_json() if not hasattr(figure, "to_dict") else figure.to_dict())
    return found


def same_when_checked(figure):
    """Whether plotly's own checks accept every property, and change none: for figures that are made on a Sheet."""
    return json.loads(go.Figure(figure.to_dict()).to_json()) == json.loads(figure.to_json())


@pytest.fixture(autouse=True)
def _nobody_changes_what_figures_share():
    """The template is made once a mode: a figure that wrote into it would change all figures after it."""
    before = {mode: (template(mode).to_json(), str(bare_template(mode))) for mode in ("light", "dark")}
    yield
    for mode, shared in before.items():
        assert (template(mode).to_json(), str(bare_template(mode))) == shared
