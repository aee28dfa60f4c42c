"""Terms and what they mean: as help of a control, and all of them in one window."""

import streamlit as st

from ldvae_core.glossary import in_order, meaning
from pages.parts.text import as_html, show


def help_on(*names: str) -> str:
    """For help=: what terms mean, a paragraph each. Raises KeyError for a term without an entry."""
    return "\n\n".join(f"**{name}**: {meaning(name)}" for name in names)


def offer_glossary() -> None:
    """A button that opens the glossary."""
    st.button("Glossary", key="glossary", type="tertiary", icon=":material/dictionary:", on_click=_ask,
              help="What the terms mean.")  # fmt: skip
    if st.session_state.pop(ASKED, False):
        _glossary()


ASKED = "glossary_asked"  # in the session


def _ask() -> None:
    st.session_state[ASKED] = True


@st.dialog("Glossary", width="medium")
def _glossary() -> None:
    wanted = st.text_input("Find a term", key="glossary_find", placeholder="For example: nats").strip().casefold()
    terms = [term for term in in_order()
             if wanted in " ".join((term.name, *term.written, term.meaning)).casefold()]  # fmt: skip
    if not terms:
        show("No term is written so.", kind="quiet")
    rows = (f"<dt>{as_html(term.name)}</dt><dd>{as_html(term.meaning, longest=400)}</dd>" for term in terms)
    with st.container(height=460, border=False):
        show(f"<dl>{''.join(rows)}</dl>", kind="glossary")
