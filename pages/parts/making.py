"""A data set on its way into the program, for whatever page it was begun on; the Data page follows it."""

from collections.abc import Callable
from typing import NamedTuple

import streamlit as st

from ldvae_core.data.reading_options import NOTHING_SAID, ReadingOptions
from ldvae_core.errors import LdvaeError
from ldvae_core.runs.reading_jobs import start_making, start_reading
from ldvae_core.workspace.derived import Recipe
from ldvae_core.workspace.folders import Workspace

READING, REFUSED = "data_reading", "data_refused"  # in the session


class Begun(NamedTuple):
    """A reading in work. key: what on the page it was begun for; name: for people; source: the file, "" where none is.

    menu: the key of the menu that it was begun in, which closes once it has led to something; then: the page that opens
    with it, "" for none.
    """

    reading_id: str
    key: str
    name: str
    source: str = ""
    options: ReadingOptions = NOTHING_SAID
    menu: str = ""
    then: str = ""


class Refused(NamedTuple):
    """A reading that has led to nothing."""

    begun: Begun
    fault: LdvaeError


def begin(
    key: str, name: str, source: Callable[[], str], options: ReadingOptions = NOTHING_SAID, *, then: str = ""
) -> None:
    """Have a file read; what keeps it from being begun is shown like a refusal."""
    st.session_state.pop(REFUSED, None)
    begun = Begun("", key, name, options=options, then=then)
    try:
        begun = begun._replace(source=source())
        reading_id = start_reading(Workspace.default(), begun.source, options=options)
        st.session_state[READING] = begun._replace(reading_id=reading_id)
    except LdvaeError as fault:
        st.session_state[REFUSED] = Refused(begun, fault)


def begin_making(key: str, name: str, recipe: Callable[[], Recipe], *, menu: str = "", then: str = "") -> None:
    """Have a data set made of others, likewise. name: of what is done, for people."""
    st.session_state.pop(REFUSED, None)
    begun = Begun("", key, name, menu=menu, then=then)
    try:
        st.session_state[READING] = begun._replace(reading_id=start_making(Workspace.default(), recipe()))
    except LdvaeError as fault:
        st.session_state[REFUSED] = Refused(begun, fault)


def is_known(key: str) -> bool:
    """Whether what the page shows is being read, or was refused: it is not begun again by itself."""
    known = (st.session_state.get(READING), st.session_state.get(REFUSED))
    return any((one.begun if isinstance(one, Refused) else one).key == key for one in known if one is not None)
