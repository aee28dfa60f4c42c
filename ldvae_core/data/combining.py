"""Several data sets as one, a sample each: the genes that all of them have, matched by id or by name."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ldvae_core import durable
from ldvae_core.data.annotations import tidy_annotations
from ldvae_core.data.blocks import row_blocks
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.finishing import require_enough
from ldvae_core.data.folder import load_counts, write_about, write_names
from ldvae_core.data.gene_lookup import bare_id
from ldvae_core.data.genes import mitochondrial_mask
from ldvae_core.data.names import listing, tidy_names
from ldvae_core.data.progress import Report, silent
from ldvae_core.data.room import require_room
from ldvae_core.data.store import CountsWriter, Written
from ldvae_core.data.tallies import Tallies
from ldvae_core.errors import CountsError

SAMPLE = "sample"  # the annotation that tells the data sets apart
FEWEST_SHARED = 0.5  # of the genes of the smallest data set; with fewer, they are not of one species or one naming


class SharedGenes(NamedTuple):
    """columns: for each data set, where its genes stand that all have: int64 (n_shared,). by: what they agree in."""

    by: str
    columns: tuple[np.ndarray, ...]


def combine(samples: Mapping[str, CountMatrix], into: Path, *, report: Report = silent) -> CountMatrix:
    """Write the cells of all data sets below one another into the folder `into`, and open that.

    samples: name -> data set. Genes that a data set lacks are left out of all, for nobody looked for them there: they
    are no zeros. Raises CountsError: fewer than two data sets, too few shared genes, names that are empty or
    cannot be shown, no room on the disk. On any failure `into` is as it was before.
    """
    if len(samples) < 2:
        raise CountsError("One data set cannot be combined.", "Choose two or more.")
    if not all(name.strip() for name in samples):
        raise CountsError("A sample has no name.", "Give every data set a short name.")
    _, problems, _ = tidy_names(samples, kind="sample")
    if problems:
        raise CountsError(problems, "Give every data set a short name.")
    shared = shared_genes(list(samples.values()))
    _require_shared(samples, shared)
    durable.write_folder(into, lambda part: _fill(samples, shared, part, report))
    return load_counts(into)


def shared_genes(parts: Sequence[CountMatrix]) -> SharedGenes:
    """The genes that all data sets have, in the order of the first: by id where all have ids, unless names share more.

    Ensembl ids agree whatever their version. Of a name or id that stands several times in a data set, the first counts.
    """
    found = [SharedGenes("name", _common([part.gene_names.tolist() for part in parts]))]
    ids = [part.gene_ids for part in parts if part.gene_ids is not None]
    if len(ids) == len(parts):
        found.insert(0, SharedGenes("id", _common([[bare_id(name) for name in own.tolist()] for own in ids])))
    return max(found, key=lambda one: len(one.columns[0]))


def _common(names: Sequence[Sequence[str]]) -> tuple[np.ndarray, ...]:
    places = []
    for own in names:
        place: dict[str, int] = {}
        for position, name in enumerate(own):
            place.setdefault(name, position)
        places.append(place)
    kept = [name for name in places[0] if name and all(name in place for place in places[1:])]
    return tuple(np.array([place[name] for name in kept], np.int64) for place in places)


def _require_shared(samples: Mapping[str, CountMatrix], shared: SharedGenes) -> None:
    n_shared, fewest = len(shared.columns[0]), min(part.n_genes for part in samples.values())
    if n_shared < FEWEST_SHARED * fewest:
        first = (f"{name}: {listing(part.gene_names, 3)}" for name, part in samples.items())
        raise CountsError(
            f"The data sets have only {n_shared:,} genes in common, of {fewest:,} in the smallest. Their first genes "
            f"are {'; '.join(first)}.",
            "Combine data sets of one species, with genes named in the same way.",
        )


def _fill(samples: Mapping[str, CountMatrix], shared: SharedGenes, folder: Path, report: Report) -> None:
    first, columns = next(iter(samples.values())), shared.columns[0]
    gene_names, gene_ids = first.gene_names[columns], None if first.gene_ids is None else first.gene_ids[columns]
    n_entries = sum(part.counts.nnz for part in samples.values())
    require_room(folder, n_entries=n_entries, turning=False)
    mitochondrial = mitochondrial_mask(gene_names)
    if gene_ids is not None:
        mitochondrial |= mitochondrial_mask(gene_ids)
    writer, done = CountsWriter(folder, len(columns), chosen=mitochondrial, by_gene=True), 0
    for part, own in zip(samples.values(), shared.columns, strict=True):
        for _, block in row_blocks(part.counts):
            writer.append(block[:, own])
            done += block.nnz
            report("reading", done, n_entries)
    written = writer.close()
    notices = [*_said(samples, shared), *require_enough(written)]
    notices += _write_cells(samples, written, folder, gene_names, gene_ids)
    Tallies.write(folder, written)
    write_about(
        folder,
        n_cells=int(written.kept.sum()),
        n_genes=len(columns),
        counts_from=", ".join(dict.fromkeys(part.counts_from for part in samples.values())),
        notices=notices,
        about=_common_facts([part.about for part in samples.values()]),
        report=report,
    )


def _write_cells(
    samples: Mapping[str, CountMatrix],
    written: Written,
    folder: Path,
    gene_names: np.ndarray,
    gene_ids: np.ndarray | None,
) -> list[str]:
    """Names and annotations of the cells that were kept; notices of what was changed."""
    ids = np.concatenate([part.cell_ids for part in samples.values()])
    notices = []
    sample = np.repeat(np.array(list(samples), dtype=object), [part.n_cells for part in samples.values()])
    if len(np.unique(ids)) < len(ids):
        ids = np.char.add(np.char.add(ids.astype(str), "-"), sample.astype(str))
        notices.append("Cells of different data sets have the same ids: the name of the sample was added to all.")
    cells, problems, more = tidy_names(ids[written.kept], kind="cell")
    if problems:
        raise CountsError(problems, "Give the data sets shorter names.")
    tables = [part.annotations.reset_index(drop=True).astype(_plain(part.annotations)) for part in samples.values()]
    below = pd.concat(tables, ignore_index=True)
    below.insert(0, SAMPLE, sample, allow_duplicates=True)
    annotations, table_notices = tidy_annotations(below[written.kept], cells)
    write_names(folder, cell_ids=cells, gene_names=gene_names, gene_ids=gene_ids, annotations=annotations)
    return [*notices, *more, *table_notices]


def _plain(table: pd.DataFrame) -> dict[str, type]:
    """Categories become text, for those of different data sets differ."""
    return {str(name): object for name in table if isinstance(table[name].dtype, pd.CategoricalDtype)}


def _said(samples: Mapping[str, CountMatrix], shared: SharedGenes) -> list[str]:
    sizes = [f"{name} ({part.n_cells:,} cells)" for name, part in samples.items()]
    said = [
        f"Combined from {listing(sizes, 12)}; the annotation {SAMPLE} tells them apart. {len(shared.columns[0]):,} "
        f"genes that all have, by {shared.by}."
    ]
    for (name, part), columns in zip(samples.items(), shared.columns, strict=True):
        gone = np.setdiff1d(np.arange(part.n_genes), columns)
        if len(gone):
            genes = "gene of {} is" if len(gone) == 1 else "genes of {} are"
            said.append(f"{len(gone):,} {genes.format(name)} not in all data sets: left out "
                        f"({listing(part.gene_names[gone])}).")  # fmt: skip
    return said


def _common_facts(all_about: Iterable[Mapping[str, str]]) -> dict[str, str]:
    first, *others = all_about
    return {key: value for key, value in first.items() if all(other.get(key) == value for other in others)}
