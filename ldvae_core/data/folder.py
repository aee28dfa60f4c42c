"""A CountMatrix as a folder of memory-mapped arrays, so that opening two million cells costs nothing."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from ldvae_core import durable
from ldvae_core.data.by_gene import GeneIndex
from ldvae_core.data.counts import CountMatrix, fingerprint_of
from ldvae_core.data.progress import Report, silent
from ldvae_core.data.reading_options import Reading
from ldvae_core.data.store import COUNTS_FILES
from ldvae_core.data.tallies import Tallies
from ldvae_core.errors import CountsError

FORMAT_VERSION = 1
WHOLE_LIBRARY = "whole_library.npy"  # beside the others since 2026-11; older folders, and data sets, have none


def save_counts(matrix: CountMatrix, folder: Path) -> None:
    """Write `folder` in one step (see durable.write_folder); an existing one is replaced only by a whole one."""
    durable.write_folder(folder, lambda part: fill_counts(matrix, part))


def fill_counts(matrix: CountMatrix, folder: Path) -> None:
    """Write the files of a CountMatrix into an existing folder."""
    for name, array in zip(
        COUNTS_FILES, (matrix.counts.data, matrix.counts.indices, matrix.counts.indptr), strict=True
    ):
        durable.write_array(folder / name, array)
    write_names(
        folder,
        cell_ids=matrix.cell_ids,
        gene_names=matrix.gene_names,
        gene_ids=matrix.gene_ids,
        annotations=matrix.annotations,
    )
    if matrix.whole_library is not None:
        durable.write_array(folder / WHOLE_LIBRARY, matrix.whole_library)
    maps = write_maps(folder, matrix.maps.items())
    write_about(
        folder,
        n_cells=matrix.n_cells,
        n_genes=matrix.n_genes,
        counts_from=matrix.counts_from,
        notices=matrix.notices,
        about=matrix.about,
        maps=maps,
        reading=matrix.reading,
        fingerprint=matrix.fingerprint,
    )


def write_names(
    folder: Path,
    *,
    cell_ids: np.ndarray,
    gene_names: np.ndarray,
    gene_ids: np.ndarray | None,
    annotations: pd.DataFrame,
) -> None:
    """Write what names cells and genes; annotations: one row a cell."""
    durable.write_array(folder / "cell_ids.npy", cell_ids)
    durable.write_array(folder / "gene_names.npy", gene_names)
    if gene_ids is not None:
        durable.write_array(folder / "gene_ids.npy", gene_ids)
    durable.write_table(folder / "annotations.parquet", annotations.reset_index(drop=True))


def write_maps(folder: Path, maps: Iterable[tuple[str, np.ndarray]]) -> list[str]:
    """Write places of the cells, (n_cells, 2) each; their names, which write_about takes."""
    names: list[str] = []
    for name, places in maps:
        durable.write_array(folder / _map_file(len(names)), np.asarray(places, np.float32))
        names.append(name)
    return names


def _map_file(number: int) -> str:
    return f"map_{number}.npy"


def write_about(
    folder: Path,
    *,
    n_cells: int,
    n_genes: int,
    counts_from: str,
    notices: Iterable[str],
    about: Mapping[str, str],
    maps: Sequence[str] = (),
    reading: Reading | None = None,
    fingerprint: str = "",
    report: Report = silent,
) -> None:
    """Write the last file of a folder of counts. fingerprint: where it is known; else it is made from the others."""
    if not fingerprint:
        data, indices, indptr = (durable.ArrayFile(folder / name) for name in COUNTS_FILES)
        cell_ids, gene_names = (durable.read_array(folder / f"{name}.npy") for name in ("cell_ids", "gene_names"))
        fingerprint = fingerprint_of(
            indptr, indices, data, cell_ids, gene_names, on_piece=lambda done, of: report("checking", done, of)
        )
    content = {
        "format_version": FORMAT_VERSION,
        "n_cells": n_cells,
        "n_genes": n_genes,
        "counts_from": counts_from,
        "notices": list(notices),
        "about": dict(about),
        "fingerprint": fingerprint,
        "maps": list(maps),
        "reading": None if reading is None else reading.to_dict(),
    }
    durable.write_json(folder / "about.json", content)


def load_counts(folder: Path) -> CountMatrix:
    """Open what save_counts wrote; counts and names stay on disk until they are used.

    Raises RunError when a file is missing or damaged, CountsError when the parts do not fit or the format is newer.
    """
    about = durable.read_json(folder / "about.json")
    if about.get("format_version") != FORMAT_VERSION:
        raise CountsError(
            f"{folder.name} has format {about.get('format_version')}; this program reads {FORMAT_VERSION}.",
            "Update the program, or load the data set again.",
        )
    data, indices, indptr, cell_ids, gene_names = (
        durable.read_array(folder / name) for name in (*COUNTS_FILES, "cell_ids.npy", "gene_names.npy")
    )
    ids_path = folder / "gene_ids.npy"
    gene_ids = np.asarray(durable.read_array(ids_path)) if ids_path.exists() else None
    whole_library = durable.read_array(folder / WHOLE_LIBRARY) if (folder / WHOLE_LIBRARY).exists() else None
    annotations = durable.read_table(folder / "annotations.parquet")
    shape = (about["n_cells"], about["n_genes"])
    names = about.get("maps", [])  # not there before 2026-12
    maps = {str(name): durable.read_array(folder / _map_file(number)) for number, name in enumerate(names)}
    if annotations.shape[1] == 0:  # a table without columns forgets how many rows it has
        annotations = pd.DataFrame(index=range(shape[0]))
    lengths = (len(cell_ids), len(annotations), len(indptr) - 1, len(gene_names), len(indices))
    if lengths != (shape[0], shape[0], shape[0], shape[1], len(data)) or indptr[-1] != len(data):
        raise CountsError(f"The parts of {folder.name} do not fit together.", "Load the data set again.")
    if any(places.shape != (shape[0], 2) or places.dtype.kind != "f" for places in maps.values()):
        raise CountsError(f"The maps in {folder.name} do not fit its cells.", "Load the data set again.")
    if whole_library is not None and (whole_library.shape != shape[:1] or not (whole_library > 0).all()):
        raise CountsError(f"The library sizes in {folder.name} do not fit its cells.", "Load the data set again.")
    counts = sparse.csr_matrix((data, indices, indptr), shape=shape)
    counts.has_canonical_format = True  # it was when it was saved; asking scipy would read the whole file
    matrix = CountMatrix(
        counts=counts,
        cell_ids=np.asarray(cell_ids),
        gene_names=np.asarray(gene_names),
        gene_ids=gene_ids,
        annotations=annotations.set_axis(pd.Index(cell_ids, dtype=object)),
        counts_from=about["counts_from"],
        notices=tuple(about["notices"]),
        about=dict(about["about"]),
        whole_library=whole_library,
        maps=maps,
        reading=Reading.from_dict(about["reading"]) if about.get("reading") else None,
        tallies=Tallies.of(folder, n_cells=shape[0], n_genes=shape[1]),
        gene_index=GeneIndex.of(folder, n_cells=shape[0], n_genes=shape[1]),
    )
    matrix.__dict__["fingerprint"] = str(about["fingerprint"])  # as it was computed when these files were written
    return matrix
