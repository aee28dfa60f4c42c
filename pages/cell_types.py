"""Cell types: what separates them?"""

import streamlit as st

from pages.parts.header import derived_badge, page_header
from pages.parts.pickers import annotation_picker, arrows_slider, axes_picker, loadings_picker, segments
from pages.parts.problems import refusals
from pages.parts.runs import require_run
from pages.parts.separation_views import (
    VALUES,
    no_annotation,
    show_associations,
    show_separation,
    types_picker,
)
from pages.parts.structure import say_what_it_is

page_header("Cell types", "Which programs, and which genes, tell cells apart?")
opened = require_run()
say_what_it_is(opened)
with st.container(horizontal=True, vertical_alignment="top", gap="small", key="controls"):
    column = annotation_picker(opened, key="label", label="Annotation")
    if column is None:
        no_annotation()
        st.stop()
    types = types_picker(opened, column)
    factors = axes_picker(opened)
    use = loadings_picker()
    n_arrows = arrows_slider()
with refusals(end_page=False):
    if len(types) < 2:
        st.info("Choose 2 to 4 types above to see which programs tell them apart.", icon=":material/touch_app:")
    else:
        show_separation(opened, factors, column, types, use=use, n_arrows=n_arrows)
derived_badge(opened, column)
st.subheader("Every program against every type", anchor=False)
show_associations(opened, factors, column, value=segments("Measure", VALUES, key="measure", hide_label=True))
