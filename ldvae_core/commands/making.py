"""`join` and `combine`: a data set made of others, as one .h5ad that every other command takes."""

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ldvae_core.commands.sources import opened_counts
from ldvae_core.data.cell_table import read_own_table
from ldvae_core.data.combining import combine
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.joining import join_table
from ldvae_core.data.names import listing
from ldvae_core.data.reading_options import NOTHING_SAID, ReadingOptions
from ldvae_core.errors import CountsError, SettingsError
from ldvae_core.export import write_dataset
from ldvae_core.workspace.scratch import scratch_folder


def join_file(data: str, table: Path, target: Path, reading: ReadingOptions = NOTHING_SAID) -> dict[str, Any]:
    """Join the table to the cells of DATA, write both as .h5ad, return the command's last line.

    Raises LdvaeError as opened_counts, read_own_table and join_table do, RunError when the disk refuses.
    """
    if not table.exists():
        raise CountsError(f"{table.name} does not exist.", "Check the path.")
    rows = read_own_table(table, table.name)
    with opened_counts(data, reading) as counts:
        before = counts.annotations.shape[1]
        joined = join_table(counts, rows, table.name)
        whole = replace(counts, annotations=joined.annotations).with_notices(*joined.notices)
        _write(whole, target, joined.notices)
        new = [str(name) for name in joined.annotations.columns[before:]]
        return {**_facts(counts, target), "annotations": new, "said": joined.notices[0]}


def combine_files(samples: Sequence[str], target: Path, reading: ReadingOptions = NOTHING_SAID) -> dict[str, Any]:
    """Make one data set of several, write it as .h5ad, return the command's last line.

    samples: NAME=DATA each, or DATA that is a path, whose file then names the sample. Raises SettingsError for a name
    that is given twice, LdvaeError as opened_counts and combine do, RunError when the disk refuses.
    """
    named = [_named(sample) for sample in samples]
    names = [name for name, _ in named]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise SettingsError(
            f"Several samples are called {listing(repeated)}.",
            "Name each: day7=one/cells.h5ad day8=other/cells.h5ad.",
        )
    with contextlib.ExitStack() as stack:
        parts = {name: stack.enter_context(opened_counts(data, reading)) for name, data in named}
        combined = combine(parts, stack.enter_context(scratch_folder()) / "counts")
        _write(combined, target, combined.notices)
        return {**_facts(combined, target), "samples": names, "said": combined.notices[0]}


def _named(sample: str) -> tuple[str, str]:
    """The name of a sample and its DATA; a path that is there is never cut at a "=" in it."""
    name, mark, data = sample.partition("=")
    if not mark or Path(sample).expanduser().exists():
        return Path(sample).name.partition(".")[0], sample
    return name.strip(), data


def _write(counts: CountMatrix, target: Path, notices: Sequence[str]) -> None:
    for notice in notices:
        sys.stderr.write(f"{notice}\n")
    write_dataset(counts, target)


def _facts(counts: CountMatrix, target: Path) -> dict[str, Any]:
    return {"file": str(target), "n_cells": counts.n_cells, "n_genes": counts.n_genes}
