"""What the annotations of a run are for: groups, and samples that can be the units of a comparison."""

from ldvae_core.data.annotations import guess_roles
from ldvae_core.runs.opened import OpenRun
from pages.parts.per_run import per_run

CELLS = "cells"
SAMPLE_NAMES = ("sample", "origident", "library")  # of a batch column whose values are samples


@per_run(max_entries=8, all_annotations=True)
def values_of(opened: OpenRun) -> dict[str, dict[str, int]]:
    """Every annotation with at least two values: how many cells have each, in the annotation's own order."""
    found = {}
    for column in opened.label_columns:
        sizes = opened.labels(column).value_counts(sort=False)
        found[column] = {str(name): int(n) for name, n in sizes.items()}
    return {column: sizes for column, sizes in found.items() if len(sizes) > 1}


@per_run(max_entries=8, all_annotations=True)
def roles_of(opened: OpenRun) -> dict[str, str | None]:
    """guess_roles, which reads every column."""
    return guess_roles(opened.counts.annotations)


def default_samples(opened: OpenRun) -> str | None:
    """The annotation whose values are the units of a comparison unless asked otherwise; None: cells are."""
    roles = roles_of(opened)
    unit = default_unit(roles, [CELLS, *sample_columns(opened, list(values_of(opened)), "", roles)])
    return None if unit == CELLS else unit


def sample_columns(opened: OpenRun, columns: list[str], compared: str, roles: dict[str, str | None]) -> list[str]:
    """Annotations whose values could be samples, donors first."""
    leading = [str(roles[role]) for role in ("donor", "batch") if roles[role] in columns]
    others = [name for name in columns if name not in (roles["cell_type"], roles["condition"], opened.label_column)]
    return [name for name in dict.fromkeys([*leading, *others]) if name != compared and name not in opened.added]


def default_unit(roles: dict[str, str | None], units: list[str]) -> str:
    """Of the units that can be asked for, the donor, else a batch that is called a sample, else the cell."""
    batch = str(roles["batch"])
    if roles["donor"] in units:
        return str(roles["donor"])
    return batch if batch in units and letters_and_digits(batch).startswith(SAMPLE_NAMES) else CELLS


def letters_and_digits(name: str) -> str:
    """A name in small letters, without the signs and blanks that people put differently."""
    return "".join(letter for letter in name.lower() if letter.isalnum())
