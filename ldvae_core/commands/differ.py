"""`differ`: two groups of a run's cells compared, gene by gene, as on the Cell types page."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ldvae_core.analysis.difference import REST
from ldvae_core.analysis.difference_words import genes_sentence, unit_sentence
from ldvae_core.commands.sources import opened_run
from ldvae_core.durable import write_bytes
from ldvae_core.errors import RunError, SettingsError
from ldvae_core.runs.all_genes import all_genes
from ldvae_core.runs.groups import basis_sentence, cells_at, chosen_factors, compare_in_run, read_level, samples_of
from ldvae_core.runs.opened import OpenRun

OTHERS = "rest"
MOST_BYTES = 1 << 30  # of a file of cell ids


class Group(NamedTuple):
    """Cells, what people call them, and the annotation that chose them, if one did."""

    cells: np.ndarray  # (n_cells,) bool
    name: str
    column: str | None = None
    notice: str = ""


def differ(
    run: str, *, first: str, second: str, sample: str | None, within: Sequence[str], target: Path
) -> dict[str, Any]:
    """Compare two GROUPs of RUN, write a row for every gene as CSV, return the command's last line.

    Notices go to stderr. Raises LdvaeError: no such run, no such group, groups that share cells or have fewer than 5.
    """
    opened = opened_run(run)
    factors = opened.factors[opened.axes]
    inside = np.ones(opened.counts.n_cells, bool)
    limits = [read_level(opened, text) for text in within]
    for limit in limits:
        inside &= cells_at(opened, limit)
    groups = [_group(opened, first, may_be_rest=False)]
    groups.append(_group(opened, second, may_be_rest=True, others=~groups[0].cells & inside))
    if sample is not None:
        samples_of(opened, sample)  # refused before all genes are read
    everything = all_genes(opened)
    columns = [*(group.column for group in groups), *(limit.column for limit in limits)]
    found = compare_in_run(
        opened,
        factors,
        *(group.cells & inside for group in groups),
        everything=everything,
        sample_column=sample,
        names=_names(groups, first, second),
        chosen_on=chosen_factors(opened, factors, columns),
    )
    notices = [*(group.notice for group in groups), basis_sentence(opened, everything)]
    sys.stderr.write("".join(f"{notice}\n" for notice in notices if notice))  # last: a refusal stands alone
    write_bytes(target, found.gene_table().to_csv(index=False, lineterminator="\n").encode())
    counted = (None, None) if found.design is None else found.design.n
    return {
        "file": str(target),
        "n_first": found.n_cells[0],
        "n_second": found.n_cells[1],
        "samples_first": counted[0],
        "samples_second": counted[1],
        "unit": "cell" if found.design is None else "sample",
        "n_found": found.n_found,
        "sentence": f"{genes_sentence(found)} {unit_sentence(found)}",
    }


def _group(opened: OpenRun, text: str, *, may_be_rest: bool, others: np.ndarray | None = None) -> Group:
    if text == OTHERS:
        if not may_be_rest or others is None:
            raise SettingsError("The first group cannot be 'rest'.", "Name its cells: COLUMN=LEVEL, or @FILE.")
        return Group(others, REST)
    if text.startswith("@"):
        return _listed_cells(opened, Path(text[1:]).expanduser())
    chosen = read_level(opened, text)
    return Group(cells_at(opened, chosen), chosen.level, chosen.column)


def _names(groups: Sequence[Group], first: str, second: str) -> tuple[str, str]:
    """Their own, or as they were written where these are the same: two columns can have a level of one name."""
    names = (groups[0].name, groups[1].name)
    return names if names[0] != names[1] else (first, second)


def _listed_cells(opened: OpenRun, file: Path) -> Group:
    """Cells whose ids stand in a file, one a line; the notice says how many are not in the run."""
    try:
        if file.stat().st_size > MOST_BYTES:
            raise RunError(
                f"{file.name} is larger than any list of cells.", "Give a text file with one cell id a line."
            )
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as fault:
        why = fault.strerror if isinstance(fault, OSError) else "it is no text"
        raise RunError(f"{file} cannot be read ({why}).", "Give a text file with one cell id a line.") from None
    asked = {line.strip() for line in lines} - {""}
    found = np.array([cell in asked for cell in opened.counts.cell_ids.tolist()], bool)
    unknown = len(asked) - int(found.sum())
    notice = f"{unknown:,} of {len(asked):,} cell ids in {file.name} are no cells of this run." if unknown else ""
    return Group(found, file.stem, notice=notice)
