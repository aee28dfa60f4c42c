"""Which two groups are compared, where, and what counts as one observation: kept in the address."""

from typing import Any

import streamlit as st

from ldvae_core.analysis.difference import REST
from ldvae_core.data.annotations import reference_level
from ldvae_core.runs.opened import NOT_LABELLED, OpenRun
from pages.parts.cell_types.difference import Groups
from pages.parts.pickers import replace_absent
from pages.parts.sample_columns import CELLS, default_unit, roles_of, sample_columns, values_of
from pages.parts.text import plain

EVERYWHERE = "all cells"
MOST_VALUES = 40  # of an annotation that a comparison can be restricted to
UNIT_HELP = (
    "What counts as one observation. Cells of one donor or sample are alike: with a column of samples, intervals and "
    "p values are those of samples, and at least two are needed in each group."
)


def groups_picker(opened: OpenRun) -> Groups | None:
    """The comparison asked for; None when no annotation has two values."""
    values = values_of(opened)
    columns = list(values)
    if not columns:
        return None
    roles = roles_of(opened)
    leading = [name for name in (roles["condition"], opened.label_column) if name in columns]
    columns = list(dict.fromkeys(leading + columns))
    column = choice("Annotation", columns, key="compare_by", width=130)
    first, second = _default_groups(values[column])
    known = list(values[column])
    first = choice("Why does", known, key="group_a", default=first, width=150)
    others = [REST, *(name for name in known if name != first)]
    second = second if second in others else REST if len(known) > 2 else others[-1]
    second = choice("differ from", others, key="group_b", default=second, width=150)
    places = {EVERYWHERE: None, **_places(values, column)}
    within = places[choice("among", list(places), key="within", width=150)]
    units = [CELLS, *sample_columns(opened, columns, column, roles)]
    unit = choice("Unit", units, key="unit", default=default_unit(roles, units), width=105, help=UNIT_HELP)
    return Groups(column, first, second, within, None if unit == CELLS else unit)


def _default_groups(sizes: dict[str, int]) -> tuple[str, str]:
    """Of two values the treated one against the control; of more, the commonest against the rest."""
    known = list(sizes)
    if len(known) == 2:
        reference = reference_level(known) or known[1]
        return next(name for name in known if name != reference), reference
    return max((name for name in known if name != NOT_LABELLED), key=sizes.__getitem__), REST


def _places(values: dict[str, dict[str, int]], compared: str) -> dict[str, tuple[str, str]]:
    return {
        plain(f"{column}: {value}"): (column, value)
        for column, sizes in values.items()
        if column != compared and len(sizes) <= MOST_VALUES
        for value in sizes
    }


def choice(label: str, options: list[str], *, key: str, default: str | None = None, **more: Any) -> str:
    """A drop-down that the address remembers; what the run does not have is forgotten."""
    index = options.index(default) if default in options else 0
    replace_absent(key, options, options[index])
    return st.selectbox(label, options, index=index, key=key, bind="query-params", format_func=plain, **more)
