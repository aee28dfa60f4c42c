"""Choices that the address remembers: which view, which factors, which axes, how many arrows, which annotation."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import pandas as pd
import streamlit as st

from ldvae_core.analysis.factors import Axes, Factors, GeneOrder
from ldvae_core.analysis.findings import factor_label
from ldvae_core.analysis.numbers import percent
from ldvae_core.analysis.programs import Use
from ldvae_core.errors import LdvaeError
from ldvae_core.runs.gene_sparse import gene_sparse_factors, offers_gene_sparse
from ldvae_core.runs.opened import noted
from ldvae_core.runs.store import OpenRun
from pages.parts.per_run import per_run
from pages.parts.problems import problem_box
from pages.parts.text import literal, plain, show

AXES: dict[Axes, str] = {"readable": "Readable", "gene_sparse": "Gene-sparse", "as_trained": "As trained"}
ORDERS: dict[GeneOrder, str] = {"deviance": "Explained deviance", "effect": "Effect"}
ORDER_HELP = (
    "Which genes of a program are named first. **Explained deviance**: those that carry the largest share of the "
    "factor's explained deviance, how much worse their counts in held-out cells are predicted without the factor. "
    "**Effect**: those of the largest effect (log fold change per standard deviation, shrunken), often rarer genes."
)
LOADINGS: dict[Use, str] = {"shrunken": "Shrunken", "raw": "Raw"}
AXES_HELP = (
    "**Readable** (cell-sparse) turns all axes together so that most cells lie near 0 on each and cell types fall on "
    "them (varimax of positions). **Gene-sparse** turns them so that few genes load strongly on each (varimax of "
    "loadings): the better choice where cells come in clear groups and a program is shared by several of them. **As "
    "trained** shows the axes training ended with. Every prediction is exactly the same on all of them."
)
LOADINGS_HELP = (
    "**Shrunken** loadings are pulled towards 0 as far as the counts leave them uncertain, so that rare, noisy genes "
    "do not lead. **Raw** shows the fitted values. The genes that are named stay the same."
)
# Brings the chosen row into the list's own window: a link, or a click elsewhere, may have chosen one far down.
_SCROLL = """<script>
{
  const until = performance.now() + 4000;  // the rows may be drawn after this runs
  const bring = () => {
    const list = document.querySelector(".st-key-factor_list");
    const row = list && list.querySelectorAll("[data-testid=stRadioGroup] > div")[FACTOR];
    if (!row || list.scrollHeight <= list.clientHeight) {
      if (performance.now() < until) setTimeout(bring, 150);
      return;
    }
    const frame = list.getBoundingClientRect(), own = row.getBoundingClientRect();
    if (own.top < frame.top) list.scrollTop -= frame.top - own.top + 8;
    if (own.bottom > frame.bottom) list.scrollTop += own.bottom - frame.bottom + 8;
  };
  setTimeout(bring, 100);
}
</script>"""
Option = TypeVar("Option", bound=str)  # with a Literal's values for keys, segments returns that Literal


def segments(
    label: str, options: Mapping[Option, str], *, key: str, help: str | None = None, hide_label: bool = False
) -> Option:
    """A row of options, one always chosen, kept in the address. options: what is returned -> its words."""
    words = list(options.values())
    replace_absent(key, words, words[0])
    chosen = st.segmented_control(
        label,
        words,
        default=words[0],  # always given: without it, going back in the browser would leave nothing chosen
        key=key,
        required=True,
        bind="query-params",
        help=help,
        label_visibility="collapsed" if hide_label else "visible",
    )
    return next((option for option, word in options.items() if word == chosen), next(iter(options)))


def axes_picker(opened: OpenRun) -> Factors:
    """The factors on the axes asked for; no choice where there is none."""
    if "readable" not in opened.factors:
        return opened.factors[opened.axes]
    offered = {axes: words for axes, words in AXES.items() if axes in opened.factors or offers_gene_sparse(opened)}
    chosen = segments("Axes", offered, key="axes", help=AXES_HELP)
    if chosen in opened.factors:
        return opened.factors[chosen]
    try:
        found = _gene_sparse(opened)
    except LdvaeError as fault:  # an annotation that the run corrects for is no more what it was
        problem_box(fault)
        return opened.factors[opened.axes]
    return found if opened.kept is None else noted(found, opened.kept)


@per_run(max_entries=3, spinner="Finding gene-sparse axes")
def _gene_sparse(opened: OpenRun) -> Factors:
    """Of a run that does not keep them."""
    return gene_sparse_factors(opened)


def order_picker(factors: Factors) -> Factors:
    """The same factors, with their genes in the order asked for; no choice where the deviance is not known."""
    if factors.gene_deviance is None:
        show("Genes come by their effect: what each explains is not known for this run.", kind="quiet", width="content")
        return factors
    return replace(factors, gene_order=segments("Genes first by", ORDERS, key="order", help=ORDER_HELP))


def loadings_picker() -> Use:
    """Which loadings are shown."""
    return segments("Loadings", LOADINGS, key="loadings", help=LOADINGS_HELP)


def arrows_slider() -> int:
    """How many genes get an arrow and a name."""
    return st.slider("Named genes", 0, 30, 8, key="arrows", bind="query-params", width=100)


def genes_slider() -> int:
    """How many genes of each end are listed."""
    return st.slider("Genes at each end", 5, 40, 15, key="n_genes", bind="query-params", width=150)


def factor_select(label: str, factors: Factors, *, key: str, default: int, help: str | None = None) -> int:
    """One factor from a drop-down."""
    replace_absent(key, range(factors.n_factors), min(default, factors.n_factors - 1))
    names = [plain(factors.label(factor), longest=40) for factor in range(factors.n_factors)]
    _follow_renaming(key, names)
    return st.selectbox(
        label,
        range(factors.n_factors),
        index=min(default, factors.n_factors - 1),
        format_func=lambda factor: names[factor],
        key=key,
        bind="query-params",
        help=help,
        width=132,
    )


def factor_list(factors: Factors, table: pd.DataFrame, *, key: str, height: int) -> int:
    """All factors, strongest first, with share, what they follow and both ends' genes; returns the chosen one."""
    replace_absent(key, range(factors.n_factors), 0)
    with st.container(height=height, border=False, key="factor_list"):
        chosen = st.radio(
            "Factors, strongest first",
            range(factors.n_factors),
            format_func=factor_label,
            captions=[_caption(row, factors) for row in table.itertuples()],
            key=key,
            bind="query-params",
            width="stretch",
        )
        st.html(_SCROLL.replace("FACTOR", str(chosen)), unsafe_allow_javascript=True, width="content")
        return chosen


def annotation_picker(opened: OpenRun, *, key: str, label: str) -> str | None:
    """An annotation that groups the cells; None when there is none."""
    columns = list(opened.label_columns)
    if opened.label_column in columns:
        columns.insert(0, columns.pop(columns.index(opened.label_column)))
    if not columns:
        return None
    replace_absent(key, columns, columns[0])
    return st.selectbox(label, columns, key=key, bind="query-params", width=140)


def replace_absent(key: str, options: Sequence[Any], default: Any) -> None:
    """Put the default in place of a choice that this run, or this annotation, does not have.

    Put, not forgotten: the browser would go on showing the choice that was made.
    """
    if st.session_state.get(key) not in (*options, None):
        st.session_state[key] = default


def two_factors(x: int, y: int, n_factors: int) -> tuple[int, int]:
    """The pair to draw: a factor against itself is no picture, so the next one stands in."""
    return (x, y) if x != y or n_factors < 2 else (x, (x + 1) % n_factors)


def _follow_renaming(key: str, names: list[str]) -> None:
    """A link made before a factor got its name still leads to that factor."""
    asked = st.query_params.get(key, "")
    found = re.match(r"Factor (\d+)\b", asked)
    if found and asked not in names and 1 <= int(found[1]) <= len(names):
        st.query_params[key] = names[int(found[1]) - 1]


def _caption(row: Any, factors: Factors) -> str:
    """row: of factor_table_of."""
    name = factors.name_of(int(row.factor))
    named = f"**{literal(name, longest=40)}**  \n" if name else ""
    if not row.active:
        return f"{named}inactive"
    told = getattr(row, "follows", "")
    first = _worth(row.explained_deviance) + (f" · {literal(told, longest=160)}" if told else "")
    ends = [", ".join(f"*{literal(gene, longest=20)}*" for gene in text.split(", ")[:3] if gene)
            for text in (row.positive_genes, row.negative_genes)]  # fmt: skip
    return f"{named}{first}  \n{' | '.join(end for end in ends if end)}"


def _worth(share: float) -> str:
    """A factor that predicts worse than none is no program, and said so instead of a share below 0."""
    return percent(share) if not share <= 0 else "explains nothing"
