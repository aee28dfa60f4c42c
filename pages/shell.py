"""The frame of every page: settings of the window, navigation, and the run in use with its state."""

import sys
from pathlib import Path

import streamlit as st

PROJECT = str(Path(__file__).resolve().parents[1])
if PROJECT not in sys.path:  # started from elsewhere than the project's folder
    sys.path.insert(0, PROJECT)

from pages.parts.history import mend_history  # noqa: E402
from pages.parts.live import tab_title  # noqa: E402
from pages.parts.runs import choose_run, follow, store  # noqa: E402
from pages.parts.sidebar import show_sidebar  # noqa: E402
from pages.parts.style import put_style  # noqa: E402

cards = store().cards()
st.set_page_config(
    page_title=tab_title(cards),
    page_icon=str(Path(__file__).parent / "parts" / "icon.png"),
    layout="wide",
    initial_sidebar_state=236,
    menu_items={"Get help": None, "Report a bug": None, "About": None},
)
put_style()
PAGES = [
    st.Page("home.py", title="Home", icon=":material/home:", default=True),
    st.Page("data.py", title="Data", icon=":material/table_view:"),
    st.Page("train.py", title="Train", icon=":material/model_training:"),
    st.Page("factors.py", title="Factors", icon=":material/scatter_plot:"),
    st.Page("cell_types.py", title="Cell types", icon=":material/bubble_chart:"),
    st.Page("genes.py", title="Genes", icon=":material/genetics:"),
    st.Page("compare.py", title="Compare", icon=":material/compare_arrows:"),
    st.Page("export.py", title="Export", icon=":material/download:"),
]
page = st.navigation(PAGES, position="hidden")  # the sidebar lists them below the name and the run in use
follow()
show_sidebar(PAGES, page, cards, choose_run(cards))
with st.sidebar:  # where it takes no room
    mend_history()
page.run()
