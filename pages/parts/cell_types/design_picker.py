"""Which samples are compared, by what, adjusted for what, within which cells: kept in the address."""

from typing import NoReturn

import numpy as np
import streamlit as st

from ldvae_core.analysis.variables import read_variable
from ldvae_core.errors import LdvaeError
from ldvae_core.runs.designs import JOINED, Design, combined_samples
from ldvae_core.runs.opened import OpenRun
from pages.parts.cell_types.groups import EVERYWHERE, choice
from pages.parts.per_run import per_run
from pages.parts.runs import go
from pages.parts.sample_columns import default_samples, roles_of, sample_columns, values_of
from pages.parts.terms import help_on
from pages.parts.text import literal, plain

FIRST_CELLS = 20_000  # in which a column of numbers must repeat itself, or it describes cells
SAMPLE_HELP = (
    "What counts as one observation: a donor, an animal, a well. Where donors gave cells under several conditions, a "
    "sample is the two together, and the donor is a covariate."
)
CONDITION_HELP = (
    "What the samples are compared by: annotations with one value a sample, as levels or a number such as age."
)
COVARIATE_HELP = "What else samples differ in, to be adjusted for. Samples of one donor are paired by naming the donor."
WITHIN_HELP = "Samples are compared within each of these groups of cells, or over all their cells, whatever their mix."


def design_picker(opened: OpenRun) -> Design:
    """The design asked for; where the data has no samples that differ in anything, says so and ends the page."""
    options = _sample_options(opened)
    if not options:
        _say_none("no annotation that could name samples")
    default = default_samples(opened)
    best = next((name for name, columns in options.items() if len(columns) > 1 and columns[0] == default), default)
    sample = choice("Samples", list(options), key="design_sample", default=best, width=150, help=SAMPLE_HELP)
    samples = options[sample]
    differing = _differing(opened, samples)
    role = roles_of(opened)["condition"]
    conditions = list(dict.fromkeys([*([role] if role and role not in samples[:1] else []), *differing]))
    if not conditions:
        _say_none(f"nothing that differs between the samples of {sample}")
    condition = choice("Compared by", conditions, key="design_condition", width=150, help=CONDITION_HELP)
    others = [name for name in differing if name != condition]
    covariates = _covariates(others, [samples[0]] if len(samples) > 1 else [])
    places = [name for name in values_of(opened) if name not in (condition, *samples)]
    own = opened.label_column if opened.label_column in places else EVERYWHERE
    within = choice("Within", [EVERYWHERE, *places], key="design_by", default=own, width=150, help=WITHIN_HELP)
    return Design(samples, condition, covariates, None if within == EVERYWHERE else within)


def _covariates(offered: list[str], default: list[str]) -> tuple[str, ...]:
    default = [name for name in default if name in offered]
    if not set(st.session_state.get("design_covariates", ())) <= set(offered):
        st.session_state["design_covariates"] = default  # another run, another condition
    return tuple(
        st.multiselect(
            "Adjusted for",
            offered,
            default=default,
            key="design_covariates",
            bind="query-params",
            format_func=plain,
            placeholder="Nothing",
            width=240,
            help=f"{COVARIATE_HELP}\n\n{help_on('covariate')}",
        )
    )


def _sample_options(opened: OpenRun) -> dict[str, tuple[str, ...]]:
    """Columns that could name samples; and each with the condition, where that differs within its values."""
    roles, known = roles_of(opened), values_of(opened)
    found: dict[str, tuple[str, ...]] = {}
    for column in sample_columns(opened, list(known), "", roles):
        condition = roles["condition"]
        if condition is not None and condition not in _differing(opened, (column,)):
            found[f"{column}{JOINED}{condition}"] = (column, condition)
        found[column] = (column,)
    return found


@per_run(max_entries=32, spinner="Looking for what differs between samples", all_annotations=True)
def _differing(opened: OpenRun, samples: tuple[str, ...]) -> tuple[str, ...]:
    """Annotations with one value a sample that is not the same in all, and not another in each of them as a name is."""
    try:
        codes, names = combined_samples(opened, samples)
    except LdvaeError:
        return ()
    found = []
    for name in map(str, opened.counts.annotations.columns):
        column = opened.counts.annotations[name]
        if column.iloc[:FIRST_CELLS].nunique() > len(names):
            continue
        try:
            variable = read_variable(column, codes, names, is_condition=True)
        except LdvaeError:
            continue
        if variable.is_number or len(variable.levels) < int(np.isfinite(variable.values).sum()):
            found.append(name)
    return tuple(found)


def _say_none(what: str) -> NoReturn:
    """What a design needs, and where it comes from; the page ends."""
    with st.container(border=True, key="no_design"):
        st.markdown(
            f"**These cells have {literal(what)}.** A design compares samples: it needs an annotation that says which "
            "sample or donor each cell is of, and one that says what differs between them. A table of these can be "
            "joined to the data on the Data page; train on the joined data then."
        )
        st.button("To the data", key="design_to_data", icon=":material/table_view:", on_click=go, args=("data.py",))
    st.stop()
