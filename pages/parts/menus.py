"""Menus that close by themselves once what they were opened for is done."""

from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator


def menu(label: str, *, key: str, **look: Any) -> DeltaGenerator:
    """A popover that close_menu(key) closes; look: the further arguments of st.popover.

    The browser alone knows whether a popover is open, so it is closed by being drawn as another one.
    """
    return st.popover(label, key=f"{key}_{st.session_state.get(_count(key), 0)}", **look)


def close_menu(key: str) -> None:
    """Let the menu be closed on the next drawing of the page."""
    st.session_state[_count(key)] = st.session_state.get(_count(key), 0) + 1


def _count(key: str) -> str:
    return f"{key}_times_closed"
