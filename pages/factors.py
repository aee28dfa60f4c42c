"""Factors: what programs are there?"""

import streamlit as st

from pages.parts.colour.choice import NOTHING, colour_picker, say_missing_colour
from pages.parts.factors.map import show_map
from pages.parts.factors.placed import show_placed
from pages.parts.factors.refining import offer_refining
from pages.parts.factors.views import show_gallery, show_one_factor, show_pair
from pages.parts.factors.whatif import show_whatif
from pages.parts.header import page_header
from pages.parts.pickers import (
    arrows_slider,
    axes_picker,
    factor_select,
    genes_slider,
    loadings_picker,
    order_picker,
    segments,
)
from pages.parts.problems import refusals
from pages.parts.runs import require_run
from pages.parts.structure import say_positions, warn_about_run

VIEWS = {"pair": "One pair", "gallery": "Gallery", "factor": "One factor", "map": "Map", "whatif": "What if",
         "placed": "New cells"}  # fmt: skip

page_header("Factors", "Which gene programs are there, and which cells use them?")
opened = require_run()
warn_about_run(opened)
say_positions(opened)
offer_refining(opened)
with st.container(horizontal=True, vertical_alignment="top", gap="small", key="controls"):
    view = segments("View", VIEWS, key="view")
    factors = axes_picker(opened)
    if factors.n_factors < 2 and view in ("pair", "gallery"):
        view = "factor"  # there is no pair to draw
    with st.popover("Genes", icon=":material/tune:", width="content"):  # else a second row
        factors = order_picker(factors)
        if view != "map":
            use = loadings_picker()
        if view == "factor":
            n_genes = genes_slider()
        elif view in ("pair", "gallery"):
            n_arrows = arrows_slider()
    if view == "pair":
        second = factor_select("Against", factors, key="y", default=1, help="The factor drawn upwards.")
    if view in ("pair", "gallery"):
        default = opened.label_column or NOTHING
        colour = colour_picker(opened, factors, "Colour cells by", key="colour", default=default, width=190)
say_missing_colour(opened, "colour")
with refusals():
    if view == "factor":
        show_one_factor(opened, factors, use=use, n=n_genes)
    elif view == "gallery":
        show_gallery(opened, factors, use=use, n_arrows=n_arrows, colour=colour)
    elif view == "map":
        show_map(opened, factors)
    elif view == "placed":
        show_placed(opened, factors, use=use)
    elif view == "whatif":
        show_whatif(opened, factors, use)
    else:
        show_pair(opened, factors, second, use=use, n_arrows=n_arrows, colour=colour)
