"""`samples`: one training a sample, programs matched over the samples, and what they have in common pooled."""

import contextlib
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ldvae_core.analysis.samples import Sample, match_samples
from ldvae_core.commands.several import counts_for, require_same, train_one
from ldvae_core.commands.sources import opened_run, source_of
from ldvae_core.commands.training import Asked
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.names import listing
from ldvae_core.data.prepare import outline
from ldvae_core.durable import write_bytes
from ldvae_core.errors import SettingsError
from ldvae_core.runs.opened import open_run_folder
from ldvae_core.runs.pack import is_pack, read_pack
from ldvae_core.runs.recipe import settings_of
from ldvae_core.runs.sample_tables import answer, loadings_table, program_table, sample_of_pack, sample_of_run
from ldvae_core.runs.settings import LONGEST_NAME, RunSettings

FEWEST_CELLS = 200  # of a sample that is trained on
PROGRAMS_FILE, LOADINGS_FILE, RUNS = "programs.csv", "loadings.csv", "runs"


def match_over_samples(
    sources: Sequence[str], sample: str | None, out: Path, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Match the samples of one data set, trained in OUT, or several runs and packs as they are; the last line.

    Writes programs.csv and loadings.csv into OUT. Raises LdvaeError: no such annotation, fewer than two samples of
    FEWEST_CELLS cells, settings or data that are refused, too few genes in common. Exits with 130 when interrupted.
    """
    if sample is not None:
        if len(sources) != 1:
            raise SettingsError("With --sample, give one DATA.", "Packs and runs are samples already.")
        samples, left_out = _trained(sources[0], sample, out, options)
    else:
        samples, left_out = _given(sources), {}
    found = match_samples(samples)
    pooled = loadings_table(found, samples)
    out.mkdir(parents=True, exist_ok=True)
    for name, table in ((PROGRAMS_FILE, program_table(found, samples)), (LOADINGS_FILE, pooled)):
        write_bytes(out / name, table.to_csv(index=False, lineterminator="\n").encode())
    tables = {"programs": str(out / PROGRAMS_FILE), "loadings": str(out / LOADINGS_FILE)}
    return {**answer(found, samples, pooled), "left_out": left_out, "tables": tables}


def _given(sources: Sequence[str]) -> list[Sample]:
    """Runs and packs; two of one name are told apart by their numbers."""
    found = []
    for source in sources:
        path = Path(source).expanduser()
        if is_pack(path):
            programs = read_pack(path)
            found.append(sample_of_pack(programs, programs.name))
        else:
            opened = opened_run(source)
            found.append(sample_of_run(opened, opened.name))
    names = [sample.name for sample in found]
    return [
        sample if names.count(sample.name) == 1 else sample._replace(name=f"{sample.name} ({number})")
        for number, sample in enumerate(found, start=1)
    ]


def _trained(data: str, column: str, out: Path, options: Mapping[str, Any]) -> tuple[list[Sample], dict[str, int]]:
    """A run a sample in out/runs, on genes that are chosen once for all; and the samples that have too few cells."""
    wanted = settings_of({**options, "sample": None}, name="samples", data_source=source_of(data))
    if wanted.choices.cells:
        raise SettingsError("With --sample, cells cannot be chosen: each sample is trained on its own.")
    with contextlib.ExitStack() as stack:
        open_counts = counts_for(data, wanted.reading, stack)
        levels, left_out = _levels(open_counts(), column)
        names = open_counts().gene_names[outline(open_counts(), wanted.choices).genes]
        folders = _folders(levels)
        runs = {level: _of_sample(wanted, column, level, names) for level in levels}
        for level, settings in runs.items():
            require_same(out / RUNS / folders[level], settings)
        asked = Asked().listen()
        for number, (level, settings) in enumerate(runs.items(), start=1):
            train_one(out / RUNS / folders[level], settings, open_counts, asked, f"{number} of {len(runs)}, {level}")
    return [sample_of_run(open_run_folder(out / RUNS / folders[level]), level) for level in levels], left_out


def _levels(counts: CountMatrix, column: str) -> tuple[list[str], dict[str, int]]:
    """Samples with enough cells, and the cells of the others, which are said on stderr."""
    if column not in counts.annotations.columns:
        there = listing(map(str, counts.annotations.columns), 20) or "none"
        raise SettingsError(f"The data has no annotation {column!r} to take samples from; it has: {there}.")
    named = counts.annotations[column].dropna().astype(object).astype(str)
    each = {str(level): int(n) for level, n in named.value_counts().sort_index().items()}
    few = {level: n for level, n in each.items() if n < FEWEST_CELLS}
    levels = [level for level in each if level not in few]
    if len(levels) < 2:
        raise SettingsError(
            f"{column} has {len(levels)} samples of {FEWEST_CELLS} cells or more; two are needed.",
            "Choose the annotation that names the donors or samples.",
        )
    if few:
        words = listing((f"{level} ({n:,} cells)" for level, n in few.items()), 5)
        sys.stderr.write(f"left out, with fewer than {FEWEST_CELLS} cells: {words}\n")
    return levels, few


def _of_sample(wanted: RunSettings, column: str, level: str, genes: np.ndarray) -> RunSettings:
    choices = replace(wanted.choices, cells=f"{column}={level}", n_genes=len(genes), keep_genes=tuple(genes.tolist()))
    return replace(wanted, name=_name_of(level), choices=choices)


def _name_of(level: str) -> str:
    """The name of a sample's run; characters that cannot be shown become spaces there, the level keeps them."""
    shown = "".join(letter if letter.isprintable() else " " for letter in level)
    return shown[:LONGEST_NAME].strip() or "sample"


def _folders(levels: Sequence[str]) -> dict[str, str]:
    """A folder a sample, called after it as far as every disk allows."""
    return {level: f"{number:02d}-{re.sub('[^A-Za-z0-9]+', '-', level)[:40].strip('-') or 'sample'}"
            for number, level in enumerate(levels, start=1)}  # fmt: skip
