"""The only way from data to screen text: names out of strangers' files are shown as the letters they are.

Streamlit reads markdown, HTML-like tags, :colour[directives], :icons: and formulas between dollar signs in nearly every
label. Gene, cell type, column and run names pass through here first.
"""

import html
from typing import Literal

import streamlit as st

from ldvae_core.analysis.numbers import percent as percent  # one way to say numbers
from ldvae_core.glossary import marked_places
from ldvae_core.plots.escape import plain as one_line

LONGEST = 120  # characters of a name on screen, as many as the name of a run has; the tables have the whole name
_JOINER = "\u2060"  # word joiner: invisible, keeps ":smile:" and "www.site" from being read as commands


def plain(text: object, *, longest: int = LONGEST) -> str:
    """One visible line: control, bidirectional and other invisible characters go, and the middle of a long one."""
    return one_line(text, longest=longest)


def literal(text: object, *, longest: int = LONGEST) -> str:
    """Text that markdown shows letter by letter, whatever it holds."""
    line = plain(text, longest=longest)
    escaped = "".join(f"\\{c}" if c.isascii() and not c.isalnum() and c != " " else c for c in line)
    for command in (":", "@", "."):  # icons, mail addresses and bare web addresses are found after escapes are undone
        escaped = escaped.replace(f"\\{command}", f"{_JOINER}\\{command}{_JOINER}")
    return escaped


def as_html(text: object, *, longest: int = LONGEST) -> str:
    """Text that HTML shows letter by letter, inside elements and attributes alike."""
    return html.escape(plain(text, longest=longest), quote=True)


def gene(name: object) -> str:
    """A gene name in italics, the convention of the field, for show(); its case tells the species and is kept."""
    return f"<i>{as_html(name, longest=40)}</i>"


def genes(names: list[str], *, none: str = "") -> str:
    """Several gene names for show()."""
    return ", ".join(gene(name) for name in names) or none


def show(body: str, *, kind: str = "line", width: Literal["stretch", "content"] = "stretch") -> None:
    """Put HTML on the screen. body: fixed words of this program, and data only through as_html or gene."""
    st.html(f'<div class="gpe-{kind}">{body}</div>', width=width)


def sentence(text: str, *, kind: str = "finding") -> None:
    """One sentence computed from data; its terms say what they mean when the pointer rests on them."""
    show(explained(text), kind=kind)


def explained(text: str, *, longest: int = 3_000) -> str:
    """Text for show(), letter by letter, whose terms of the glossary have their meaning as a hover text."""
    line, parts, end = plain(text, longest=longest), [], 0
    for start, stop, term in sorted(marked_places(line), key=lambda place: place[0]):
        word, meaning = (as_html(part, longest=longest) for part in (line[start:stop], term.meaning))
        parts += [html.escape(line[end:start]), f'<abbr title="{meaning}" tabindex="0">{word}</abbr>']
        end = stop
    return "".join([*parts, html.escape(line[end:])])


def count(number: float, thing: str, things: str = "") -> str:
    """'1 cell', '7,850 cells'."""
    return f"{number:,.0f} {thing if number == 1 else things or thing + 's'}"


def clock(seconds: float) -> str:
    """'0:41', '12:05', '3:00:12'."""
    minutes, rest = divmod(max(round(seconds), 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
