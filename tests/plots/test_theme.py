"""One look: colours, fonts and numbers come from one file, and the page server agrees with it."""

import tomllib
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from ldvae_core.plots import colours, theme
from ldvae_core.plots.colours import contrast, distinct_colours
from ldvae_core.plots.escape import escape
from ldvae_core.plots.frame import title
from ldvae_core.plots.theme import OKABE_ITO, PALETTES, chart_config, legible, three_digits, type_colours

CONFIG_FILE = Path(__file__).parents[2] / ".streamlit" / "config.toml"


@pytest.fixture(name="page_config")
def _page_config():
    return tomllib.loads(CONFIG_FILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_pages_and_figures_share_their_colours(page_config, mode):
    """Streamlit's theme repeats theme.py; where they differ, a figure would sit on the page like a patch."""
    page, figure = page_config["theme"][mode], PALETTES[mode]
    assert page["backgroundColor"] == figure.paper
    assert page["secondaryBackgroundColor"] == figure.panel
    assert page["textColor"] == figure.ink
    assert page["borderColor"] == figure.lines
    assert page["linkColor"] == figure.accent
    assert page["primaryColor"] == figure.button
    assert page_config["theme"]["font"] == theme.FONT


def test_the_page_server_is_shut_by_default(page_config):
    """Loopback only, protections on, nothing sent home, no details or developer tools for visitors."""
    server, client = page_config["server"], page_config["client"]
    assert (server["address"], server["maxUploadSize"], server["fileWatcherType"]) == ("127.0.0.1", 2000, "none")
    assert (server["enableXsrfProtection"], server["enableCORS"], server["enableStaticServing"]) == (True, True, False)
    assert set(server["allowedHosts"]) == {"localhost", "127.0.0.1"}
    assert (client["showErrorDetails"], client["toolbarMode"], client["showErrorLinks"]) == ("none", "viewer", False)
    assert page_config["browser"]["gatherUsageStats"] is False


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_words_can_be_read_on_their_paper(mode):
    """WCAG: 4.5 for words on paper and panel, and for white words on a button."""
    look = PALETTES[mode]
    for ink in (look.ink, look.quiet, look.accent, look.warning):
        assert contrast(ink, look.paper) >= 4.5
        assert contrast(ink, look.panel) >= 4.5
    assert contrast("#FFFFFF", look.button) >= 4.5


def test_the_colours_are_those_of_the_design():
    """Paper, ink, lines and accent are fixed by the design, not by taste."""
    light, dark = PALETTES["light"], PALETTES["dark"]
    assert (light.paper, light.ink, light.lines, light.accent) == ("#FCFCFA", "#1F2430", "#E3E5E1", "#0F6B6B")
    assert (dark.paper, dark.ink, dark.lines, dark.accent) == ("#12161B", "#E6E8EA", "#2A3138", "#4FB3A9")


def test_a_type_keeps_its_colour_by_its_place_in_the_column():
    """Few types get Okabe-Ito, in order; the same categories always get the same colours."""
    assert list(type_colours(["b", "a"]).items()) == [("b", OKABE_ITO[0]), ("a", OKABE_ITO[1])]


def test_the_colours_in_the_file_are_honoured():
    """uns colours win, as a list or by name, without their alpha channel; nonsense falls back to ours."""
    assert type_colours(["a", "b"], ["#ff0000", "#00ff0080"]) == {"a": "#FF0000", "b": "#00FF00"}
    assert type_colours(["a", "b"], {"b": "#123456"}) == {"a": OKABE_ITO[0], "b": "#123456"}
    assert type_colours(["a", "b"], ["red", "url(x)"]) == {"a": OKABE_ITO[0], "b": OKABE_ITO[1]}


@pytest.mark.parametrize("n", [9, 20, 28, 102, 130])
def test_any_number_of_types_gets_colours_and_a_longer_column_keeps_the_first_ones(n):
    """102 different colours; after them the list starts again."""
    names = [f"type {i}" for i in range(n)]
    colours_of = type_colours(names)
    assert len(set(colours_of.values())) == min(n, 102)
    assert list(colours_of.values())[:9] == list(type_colours(names[:9]).values())


def test_twenty_types_stay_apart_for_colour_blind_eyes():
    """No two of the first 20 colours look the same to normal, protanope or deuteranope eyes (Oklab distance)."""
    seen = colours._as_seen(np.stack([colours.rgb(c) for c in distinct_colours(OKABE_ITO[:6], 20)]))
    nearest = min(np.linalg.norm(seen[:, i] - seen[:, j], axis=-1).min() for i, j in combinations(range(20), 2))
    assert nearest > 0.04


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_every_colour_is_seen_on_both_papers(mode):
    """A line has at least contrast 3, a word 4.5, whatever colour the file asked for."""
    for colour in (*OKABE_ITO, "#FFFFFF", "#000000", "#F0E442", *distinct_colours(OKABE_ITO[:6], 28)):
        assert contrast(legible(colour, mode), PALETTES[mode].paper) >= 3
        assert contrast(legible(colour, mode, text=True), PALETTES[mode].paper) >= 4.5


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((0, "0"), (0.01234, "0.0123"), (-1.449, "−1.45"), (2239.5, "2,240"), (999.7, "1,000"), (1.0, "1")),
        *((1_949_131, "1.95 million"), (3.2e-5, "3.20e-05"), (float("nan"), "n/a"), (float("-inf"), "−∞")),
    ],
)
def test_numbers_show_three_significant_digits(value, text):
    """A real minus sign, thousands apart, words for what is no number."""
    assert three_digits(value) == text


def test_axes_of_factors_carry_their_units():
    """A normal factor is measured in prior SD, a usage in shares, a loading in log fold change per SD."""
    assert theme.cells_title(0, "normal") == "Factor 1 (prior SD)"
    assert theme.cells_title(1, "logistic_normal") == "Factor 2 (usage, share)"
    assert theme.genes_title(1) == "Factor 2 loading (log fold change per SD, shrunken)"


def test_figures_are_saved_as_svg_and_never_sent_away():
    """plotly's "Share chart" button would upload the data; it is not offered, nor has it an address."""
    config = chart_config("Factor 1 <b>", select=True)
    assert config["toImageButtonOptions"] == {"format": "svg", "filename": "factor_1__b"}
    assert "sendChartToCloud" in config["modeBarButtonsToRemove"]
    assert (config["showSendToCloud"], config["plotlyServerURL"]) == (False, "")
    assert "lasso2d" not in config["modeBarButtonsToRemove"]
    assert "lasso2d" in chart_config()["modeBarButtonsToRemove"]


@pytest.mark.parametrize("use", ["shrunken", "raw"])
@pytest.mark.parametrize("name", ["", "T", "interferon response of " * 10])
def test_an_axis_title_fits_the_narrowest_frame_with_its_unit(name, use):
    """However long the name that people gave a factor, the unit is not cut off."""
    said = theme.genes_title(11, use, name=name)
    assert title(said) == escape(said, longest=200)
    assert said.endswith(f"per SD, {use})")
