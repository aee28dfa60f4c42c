"""Factors: what programs are there?"""

import streamlit as st

from pages.parts.factor_views import show_gallery, show_one_factor, show_pair
from pages.parts.header import page_header
from pages.parts.pickers import (
    annotation_picker,
    arrows_slider,
    axes_picker,
    factor_select,
    loadings_picker,
    segments,
)
from pages.parts.problems import refusals
from pages.parts.runs import require_run

VIEWS = {"pair": "One pair", "gallery": "Gallery", "factor": "One factor"}

page_header("Factors", "Which gene programs are there, and which cells use them?")
opened = require_run()
with st.container(horizontal=True, vertical_alignment="top", gap="small", key="controls"):
    view = segments("View", VIEWS, key="view")
    factors = axes_picker(opened)
    use = loadings_picker()
    colour = second = None
    n_arrows = 8
    if view != "factor":
        n_arrows = arrows_slider()
    if view == "pair" and factors.n_factors > 1:
        second = factor_select("Against", factors, key="y", default=1, help="The factor drawn upwards.")
        colour = annotation_picker(opened, key="colour", label="Colour cells by", none=True)
with refusals():
    if view == "gallery":
        show_gallery(opened, factors, use=use, n_arrows=n_arrows)
    elif view == "pair" and second is not None:
        show_pair(opened, factors, second, use=use, n_arrows=n_arrows, colour=colour)
    else:
        show_one_factor(opened, factors, use=use)
