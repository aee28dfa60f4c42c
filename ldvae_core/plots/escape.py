"""The only way from data to the text of a figure.

plotly reads a small HTML in every text (bold, links, line breaks) and, where MathJax is loaded, formulas between dollar
signs. Gene, cell type and run names come from files of strangers: here they become plain, short, one-line text.
"""

import unicodedata
from collections.abc import Iterable

LONGEST = 40  # characters of a name on a figure; the whole name is in the table behind it
# Entities keep plotly from seeing a tag, an entity, a formula or a %{placeholder}; it decodes them when drawing.
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;", "{": "&#123;", "}": "&#125;"})


def plain(text: object, *, longest: int = LONGEST) -> str:
    """One visible line: control, bidirectional and other invisible characters dropped.

    A longer one keeps both of its ends around an ellipsis: long names often differ only at their ends.
    """
    whole = str(text)
    if len(whole) > 8 * longest:  # a megabyte is not gone through
        whole = f"{whole[: 4 * longest]}…{whole[-4 * longest :]}"
    visible = (character if character.isprintable() else " " for character in whole)
    line = " ".join("".join(visible).split())
    line = "".join(character for character in line if unicodedata.category(character) != "Cf")
    if len(line) <= longest:
        return line
    tail = (longest - 1) // 2
    return f"{line[: longest - 1 - tail].rstrip()}…{line[len(line) - tail :].lstrip()}"


def escape(text: object, *, longest: int = LONGEST) -> str:
    """Text that plotly draws literally, whatever it holds."""
    return plain(text, longest=longest).translate(_ENTITIES)


def italic(gene: object, *, longest: int = LONGEST) -> str:
    """A gene name, escaped, in italics: the convention of the field. Its case is kept: it tells the species."""
    return f"<i>{escape(gene, longest=longest)}</i>"


def escape_all(names: Iterable[object], *, longest: int = LONGEST) -> list[str]:
    """escape, name by name."""
    return [escape(name, longest=longest) for name in names]
