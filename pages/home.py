"""Home: where do I start?"""

import streamlit as st

from pages.parts.header import page_header
from pages.parts.home.views import WHAT, show_first_steps, show_runs, show_showcase, show_sync_warning
from pages.parts.live import show_under_way
from pages.parts.runs import store

page_header("Gene Program Explorer", "From single-cell counts to gene programs you can read.")
show_sync_warning()
cards = store().cards()
show_under_way(cards)
show_first_steps(cards)
with st.container(key="split_home"):
    left, right = st.columns([0.66, 0.34], gap="large")
with left:
    show_showcase(cards)
with right:
    st.markdown(WHAT)
show_runs(cards)
