"""Export: take it with me."""

import streamlit as st

from pages.parts.export.panel import show_panel
from pages.parts.export.views import show_command, show_file, show_pack, show_report, show_tables
from pages.parts.header import derived_badge, page_header
from pages.parts.pickers import axes_picker
from pages.parts.problems import refusals
from pages.parts.runs import require_run
from pages.parts.structure import say_slopes

page_header("Export", "Take cells, programs and figures to other programs.")
opened = require_run()
say_slopes(opened)
with refusals():
    factors = axes_picker(opened)
    with st.grid(2, min_column_width=420, gap="large", key="offers"):
        with st.container():
            show_file(opened, factors)
            show_report(opened, factors)
        with st.container():
            show_tables(opened, factors)
            if not opened.settings.model.is_baseline:
                show_pack(opened)
    show_panel(opened, factors)
    show_command(opened)
derived_badge(opened.counts, opened.label_column)
