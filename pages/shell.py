"""The frame of every page: settings of the window, navigation, and the run in use with its state."""

import sys
from pathlib import Path

import streamlit as st

PROJECT = str(Path(__file__).resolve().parents[1])
if PROJECT not in sys.path:  # started from elsewhere than the project's folder
    sys.path.insert(0, PROJECT)

from pages.parts.history import mend_history  # noqa: E402
from pages.parts.runs import choose_run, follow, store  # noqa: E402
from pages.parts.sidebar import show_sidebar  # noqa: E402
from pages.parts.style import put_style  # noqa: E402

st.set_page_config(
    page_title="Gene Program Explorer",
    page_icon=str(Path(__file__).parent / "parts" / "icon.png"),
    layout="wide",
    initial_sidebar_state=236,
    menu_items={"Get help": None, "Report a bug": None, "About": None},
)
put_style()
PAGES = [
    st.Page("home.py", title="Home", icon=":material/home:", default=True, help="Where to start, and all runs."),
    st.Page("data.py", title="Data", icon=":material/table_view:", help="What was loaded, and what will be modelled."),
    st.Page("train.py", title="Train", icon=":material/model_training:", help="Which model, and how far it is."),
    st.Page("factors.py", title="Factors", icon=":material/scatter_plot:", help="Which gene programs there are."),
    st.Page("cell_types.py", title="Cell types", icon=":material/bubble_chart:", help="What separates cell types."),
    st.Page("genes.py", title="Genes", icon=":material/genetics:", help="What a gene does, and what programs mean."),
    st.Page("compare.py", title="Compare", icon=":material/compare_arrows:", help="Which model, and can I trust it."),
    st.Page("export.py", title="Export", icon=":material/download:", help="Take results to other programs."),
]
page = st.navigation(PAGES, position="hidden")  # the sidebar lists them below the name and the run in use
follow()
cards = store().cards()
show_sidebar(PAGES, cards, choose_run(cards))
with st.sidebar:  # where it takes no room
    mend_history()
page.run()
