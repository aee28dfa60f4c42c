"""From any list of genes to the Genes page: one gene by its name, or the whole list."""

from collections.abc import Callable, Sequence

import streamlit as st

from pages.parts.runs import go
from pages.parts.text import literal

MOST_LINKS = 8  # genes with a link of their own; the last link opens all of them


def gene_links(names: Sequence[str], *, key: str, most: int = MOST_LINKS) -> None:
    """A row of gene names that open their gene, and one that opens the whole list. Nothing for no genes."""
    names = list(dict.fromkeys(str(name) for name in names))
    if not names:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"{key}_links"):
        for place, name in enumerate(names[:most]):
            st.button(f"*{literal(name, longest=24)}*", key=f"{key}_gene_{place}", type="tertiary",
                      on_click=go, args=("genes.py",), kwargs={"genes": [name]}, help="Open this gene")  # fmt: skip
        if len(names) > 1:
            st.button(f"All {len(names):,} on the Genes page", key=f"{key}_all", type="tertiary",
                      icon=":material/genetics:", on_click=go, args=("genes.py",), kwargs={"genes": names})  # fmt: skip


def open_gene_rows(key: str, names: Sequence[str] | Sequence[Sequence[str]]) -> Callable[[], None]:
    """For st.dataframe(on_select=...): opens the gene (or the genes) of the row that was chosen.

    key: of the table, which needs selection_mode="single-row". names: by row, as in the table.
    """

    def follow() -> None:
        rows = st.session_state[key].selection.rows
        if rows and rows[0] < len(names):
            chosen = names[rows[0]]
            go("genes.py", genes=[chosen] if isinstance(chosen, str) else list(chosen))

    return follow
