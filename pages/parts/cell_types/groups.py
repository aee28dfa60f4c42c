"""Which two groups are compared, where, and what counts as one observation: kept in the address."""

from typing import Any

import streamlit as st

from ldvae_core.analysis.difference import REST
from ldvae_core.data.annotations import guess_roles
from ldvae_core.runs.opened import NOT_LABELLED, OpenRun
from pages.parts.cell_types.difference import Groups
from pages.parts.per_run import per_run
from pages.parts.text import plain

EVERYWHERE, CELLS = "all cells", "cells"
MOST_VALUES = 40  # of an annotation that a comparison can be restricted to
REFERENCES = ("control", "ctrl", "unstimulated", "untreated", "vehicle", "mock", "healthy", "normal", "wildtype", "wt",
              "baseline", "none")  # fmt: skip
SAMPLE_NAMES = ("sample", "origident", "library")  # of a batch column whose values are samples
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
    roles = _roles(opened)
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
    units = [CELLS, *_sample_columns(opened, columns, column, roles)]
    unit = choice("Unit", units, key="unit", default=_default_unit(roles, units), width=105, help=UNIT_HELP)
    return Groups(column, first, second, within, None if unit == CELLS else unit)


def default_samples(opened: OpenRun) -> str | None:
    """The annotation whose values are the units of a comparison unless asked otherwise; None: cells are."""
    roles = _roles(opened)
    unit = _default_unit(roles, [CELLS, *_sample_columns(opened, list(values_of(opened)), "", roles)])
    return None if unit == CELLS else unit


@per_run(max_entries=8, all_annotations=True)
def values_of(opened: OpenRun) -> dict[str, dict[str, int]]:
    """Every annotation with at least two values: how many cells have each, in the annotation's own order."""
    found = {}
    for column in opened.label_columns:
        sizes = opened.labels(column).value_counts(sort=False)
        found[column] = {str(name): int(n) for name, n in sizes.items()}
    return {column: sizes for column, sizes in found.items() if len(sizes) > 1}


@per_run(max_entries=8, all_annotations=True)
def _roles(opened: OpenRun) -> dict[str, str | None]:
    """guess_roles, which reads every column."""
    return guess_roles(opened.counts.annotations)


def _default_groups(sizes: dict[str, int]) -> tuple[str, str]:
    """Of two values the treated one against the control; of more, the commonest against the rest."""
    known = list(sizes)
    if len(known) == 2:
        reference = next((name for name in known if _alphanumeric(name) in REFERENCES), known[1])
        return next(name for name in known if name != reference), reference
    return max((name for name in known if name != NOT_LABELLED), key=sizes.__getitem__), REST


def _places(values: dict[str, dict[str, int]], compared: str) -> dict[str, tuple[str, str]]:
    return {
        plain(f"{column}: {value}"): (column, value)
        for column, sizes in values.items()
        if column != compared and len(sizes) <= MOST_VALUES
        for value in sizes
    }


def _sample_columns(opened: OpenRun, columns: list[str], compared: str, roles: dict[str, str | None]) -> list[str]:
    """Annotations whose values could be samples, donors first."""
    leading = [str(roles[role]) for role in ("donor", "batch") if roles[role] in columns]
    others = [name for name in columns if name not in (roles["cell_type"], roles["condition"], opened.label_column)]
    return [name for name in dict.fromkeys([*leading, *others]) if name != compared and name not in opened.added]


def _default_unit(roles: dict[str, str | None], units: list[str]) -> str:
    batch = str(roles["batch"])
    if roles["donor"] in units:
        return str(roles["donor"])
    return batch if batch in units and _alphanumeric(batch).startswith(SAMPLE_NAMES) else CELLS


def choice(label: str, options: list[str], *, key: str, default: str | None = None, **more: Any) -> str:
    """A drop-down that the address remembers; what the run does not have is forgotten."""
    if st.session_state.get(key) not in (*options, None):
        del st.session_state[key]
    index = options.index(default) if default in options else 0
    return st.selectbox(label, options, index=index, key=key, bind="query-params", format_func=plain, **more)


def _alphanumeric(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
