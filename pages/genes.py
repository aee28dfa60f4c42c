"""Genes: what does my gene do, and what do programs mean?"""

import streamlit as st

from pages.parts.colour.choice import Colour, say_missing_colour
from pages.parts.genes.enrichment import show_enrichment
from pages.parts.genes.file import offer_all_genes
from pages.parts.genes.input import gene_picker, say_missing
from pages.parts.genes.lists import open_list_of_address, show_lists
from pages.parts.genes.views import (
    cells_colour,
    offer_first_genes,
    pair_pickers,
    show_gene,
    show_groups,
    show_list,
    show_partners,
)
from pages.parts.header import page_header
from pages.parts.pickers import axes_picker, loadings_picker, order_picker
from pages.parts.problems import refusals
from pages.parts.runs import require_run
from pages.parts.structure import warn_about_run

page_header("Genes", "What does my gene do, and what do programs mean?")
opened = require_run()
warn_about_run(opened)
open_list_of_address(opened)
with st.container(horizontal=True, vertical_alignment="top", gap="small", key="controls"):
    asked = gene_picker(opened)
    factors = axes_picker(opened)
    with st.popover("Loadings", icon=":material/tune:", width="content"):  # else a second row
        factors = order_picker(factors)
        use = loadings_picker()
    modelled = asked.positions[asked.positions < opened.counts.n_genes]
    pair = pair_pickers(factors, modelled)
    if len(asked.positions) and factors.n_factors > 1:
        colour = cells_colour(opened, factors, asked.positions)
    else:
        colour = Colour()
show_lists(opened, asked)
offer_all_genes(opened)
say_missing(opened, asked)
say_missing_colour(opened, "genes_colour")
with refusals(end_page=False):
    if len(asked.positions):
        show_gene(opened, factors, asked.positions, pair, colour, use=use)
        show_list(opened, factors, modelled, use=use)
        if len(modelled):
            show_partners(opened, factors, int(modelled[0]), use=use)
        show_groups(opened, asked.positions)
    else:
        offer_first_genes(factors)
st.subheader("What do programs mean?", anchor=False)
with refusals(end_page=False):
    show_enrichment(opened, factors, modelled)
