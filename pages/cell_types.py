"""Cell types: what separates them, why two groups differ, how they lie on a factor, what differs between samples."""

import streamlit as st

from pages.parts.cell_types.design import show_design
from pages.parts.cell_types.design_picker import design_picker
from pages.parts.cell_types.difference import show_difference
from pages.parts.cell_types.distributions import show_distributions, split_picker
from pages.parts.cell_types.groups import groups_picker
from pages.parts.cell_types.separation import (
    VALUES,
    no_annotation,
    show_associations,
    show_separation,
    types_picker,
)
from pages.parts.header import derived_badge, page_header
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
from pages.parts.structure import warn_about_run

VIEWS = {"apart": "Tell types apart", "why": "Why do these differ?", "spread": "Distributions", "design": "Design"}

page_header("Cell types", "Which programs, and which genes, tell cells apart?")
opened = require_run()
warn_about_run(opened)
view = segments("View", VIEWS, key="view_types", hide_label=True)
if view == "design":
    with st.container(horizontal=True, vertical_alignment="top", gap="small", key="controls"), refusals():
        design = design_picker(opened)
        factors = axes_picker(opened)
    with refusals(end_page=False):
        show_design(opened, factors, design)
    derived_badge(opened.counts, design.by)
    st.stop()
groups = None
with st.container(horizontal=True, vertical_alignment="top", gap="small", key="controls"):
    if view == "why":
        groups = groups_picker(opened)
        column = groups.column if groups else None
    else:
        column = annotation_picker(opened, key="label", label="Annotation")
    if column is None:
        no_annotation()
        st.stop()
    if view == "apart":
        types = types_picker(opened, column)
    factors = axes_picker(opened)
    if view == "spread":
        factor = factor_select("Factor", factors, key="spread_factor", default=0)
        split = split_picker(opened, column)
    elif view == "why":
        with st.popover("Arrows", icon=":material/tune:", width="content"):  # else a second row
            use = loadings_picker()
            n_arrows = arrows_slider()
    else:
        use = loadings_picker()
        n_arrows = arrows_slider()
with refusals(end_page=False):
    if groups is not None:
        show_difference(opened, factors, groups, use=use, n_arrows=n_arrows)
    elif view == "spread":
        show_distributions(opened, factors, factor, column, split)
    elif len(types) < 2:
        st.info("Choose 2 to 4 types above to see which programs tell them apart.", icon=":material/touch_app:")
    else:
        show_separation(opened, factors, column, types, use=use, n_arrows=n_arrows)
derived_badge(opened.counts, column)
if view == "apart":
    st.subheader("Every program against every type", anchor=False)
    show_associations(opened, factors, column, value=segments("Measure", VALUES, key="measure", hide_label=True))
