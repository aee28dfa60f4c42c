"""One control for what cells are coloured by, kept in the address."""

from dataclasses import dataclass
from typing import Literal

import streamlit as st

from ldvae_core.analysis.factors import Factors
from ldvae_core.data.names import listing
from ldvae_core.runs.store import OpenRun
from pages.parts.any_gene import gene_lists, index_of, known, where_looked
from pages.parts.per_run import per_run
from pages.parts.text import plain

NOTHING, FACTOR, LIST = "none", "factor:", "list:"
MOST_LISTED = 5_000  # genes among the options; of larger runs any other gene can still be typed
MOST_AVERAGED = 60  # genes of a list
HELP = (
    "What gives cells their colour: an annotation, a factor, or a gene: type its name. A list of genes, pasted or "
    "saved on the Genes page, colours by their mean."
)
Kind = Literal["none", "annotation", "factor", "genes"]


@dataclass(frozen=True)
class Colour:
    """What cells are coloured by. name: of the annotation or the saved list; said: what people call it.

    factor, genes: counted from 0. among: genes that the page looks for anyway, so that one pass over the counts finds
    all.
    """

    kind: Kind = "none"
    name: str = ""
    said: str = "the number of cells"
    factor: int = -1
    genes: tuple[int, ...] = ()
    among: tuple[int, ...] = ()

    @property
    def column(self) -> str | None:
        """The annotation, None for anything else."""
        return self.name if self.kind == "annotation" else None


def colour_picker(opened: OpenRun, factors: Factors, label: str, *, key: str, default: str, width: int) -> Colour:
    """Annotations, factors and genes to choose from, or any text that names genes. default: an option, or a gene."""
    listed = _options(opened, factors.n_factors)
    names = _names(opened)
    words = {f"{FACTOR}{k}": plain(factors.label(k), longest=40) for k in range(factors.n_factors)}
    words |= {f"{LIST}{one.name}": f"list: {plain(one.name, longest=40)}" for one in gene_lists().all()}
    words |= {NOTHING: "number of cells"} if NOTHING not in opened.label_columns else {}
    listed = listed if default in listed else [*listed, default]
    chosen = st.selectbox(
        label,
        listed,
        index=listed.index(default),
        format_func=lambda option: words.get(option) or names.get(option) or plain(option, longest=40),
        key=key,
        bind="query-params",
        accept_new_options=True,
        filter_mode="contains",
        placeholder="Annotation, factor or gene",
        help=HELP,
        width=width,
    )
    colour, missing = colour_of(opened, factors, chosen)
    if missing:
        st.session_state[f"{key}_missing"] = missing
    else:
        st.session_state.pop(f"{key}_missing", None)
    return colour


def say_missing_colour(opened: OpenRun, *keys: str) -> None:
    """Which of the typed genes are not known, below the controls of these keys."""
    for key in keys:
        if missing := st.session_state.get(f"{key}_missing"):
            st.caption(f"Not among the {where_looked(opened)}: {plain(listing(missing, 6))}.")


def colour_of(opened: OpenRun, factors: Factors, chosen: str | None) -> tuple[Colour, tuple[str, ...]]:
    """What an option or a typed text means, and the names in it that are no genes."""
    if chosen is None or (chosen == NOTHING and chosen not in opened.label_columns):
        return Colour(), ()
    if chosen in opened.label_columns:
        return Colour("annotation", chosen, plain(chosen, longest=60)), ()
    number = chosen.removeprefix(FACTOR)
    if chosen.startswith(FACTOR) and number.isascii() and number.isdigit() and int(number) < factors.n_factors:
        return Colour("factor", said=factors.label(int(number)), factor=int(number)), ()
    kept = next((one for one in gene_lists().all() if chosen == f"{LIST}{one.name}"), None)
    found = index_of(opened).find(chosen if kept is None else kept.genes)
    genes = tuple(int(gene) for gene in found.positions[:MOST_AVERAGED])
    if not genes:
        return Colour(), found.missing
    first = plain(known(opened).names[genes[0]], longest=40)
    said = first if len(genes) == 1 else f"the mean of {len(genes)} genes"
    if kept is not None:
        said = f"{plain(kept.name, longest=40)} ({said})"
    return Colour("genes", kept.name if kept else "", said, genes=genes), found.missing


def _options(opened: OpenRun, n_factors: int) -> list[str]:
    factors, lists = (f"{FACTOR}{k}" for k in range(n_factors)), (f"{LIST}{one.name}" for one in gene_lists().all())
    return list(dict.fromkeys([NOTHING, *opened.label_columns, *factors, *lists, *_names(opened)]))


@per_run(max_entries=8)
def _names(opened: OpenRun) -> dict[str, str]:
    """The genes among the options, as they are shown: thousands, which are not put into words at every click."""
    return {str(name): plain(name, longest=40) for name in opened.counts.gene_names[:MOST_LISTED]}
