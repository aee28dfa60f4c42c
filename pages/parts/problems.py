"""Refusals in words: the only exceptions a page shows. Anything else is a bug and stays loud."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from ldvae_core.errors import LdvaeError
from pages.parts.text import literal

LONGEST = 600  # characters of one problem


def problem_box(fault: LdvaeError) -> None:
    """All problems at once, then what to do."""
    lines = [literal(problem, longest=LONGEST) for problem in fault.problems]
    body = lines[0] if len(lines) == 1 else "\n".join(f"- {line}" for line in lines)
    remedy = f"\n\n{literal(fault.remedy, longest=LONGEST)}" if fault.remedy else ""
    st.error(f"{body}{remedy}", icon=":material/error:")


@contextmanager
def refusals(*, end_page: bool = True) -> Iterator[None]:
    """Show an LdvaeError raised inside as a box; nothing was changed. end_page: the page needs the result."""
    try:
        yield
    except LdvaeError as fault:
        problem_box(fault)
        if end_page:
            st.stop()
