"""Cell types: what separates them?"""

import streamlit as st

from pages.parts.header import derived_badge, page_header
from pages.parts.pickers import annotation_picker, arrows_slider, axes_picker
from pages.parts.problems import refusals
from pages.parts.runs import associations, require_run
from pages.parts.type_views import show_associations, show_separation, types_picker

page_header("Cell types", "Which programs tell them apart?")
opened = require_run()
with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="controls"):
    label = annotation_picker(opened, key="label", label="Annotation")
    types = types_picker(opened, label) if label else []
    factors = axes_picker(opened)
    n_arrows = arrows_slider()
if label is None:
    st.info(
        "This data has no annotation that groups its cells, such as a column of cell types. Load it with one, or look at "
        "its programs on the Factors page.",
        icon=":material/label_off:",
    )
    st.stop()
with refusals(end_page=False):
    show_separation(opened, factors, label, types, n_arrows=n_arrows)
derived_badge(opened, label)
st.subheader("Every program against every type")
related = associations(opened, factors, label)
if related is not None:
    show_associations(related)
