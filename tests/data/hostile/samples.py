"""One small valid file or folder of every format, to be made hostile; a new format is one line of SAMPLES."""

import gzip
import io
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import anndata
import h5py
import hdf5plugin
import numpy as np
import pandas as pd
import zarr as zarr_library
from anndata.io import write_elem
from scipy import sparse
from scipy.io import mmwrite

from tests.data.conftest import CELLS, GENES
from tests.data.hostile import in_archives

LINES = [f"ID{n}\t{name}\tGene Expression" for n, name in enumerate(GENES)]
COUNTS = np.random.default_rng(0).poisson(1.5, (len(CELLS), len(GENES))).astype(np.int32)
COUNTS[:, 0] += 1


def annotated(layout: Callable = sparse.csr_matrix) -> anndata.AnnData:
    """Counts, an annotation with its colours, and names; one layer beside."""
    kinds = pd.Categorical.from_codes(np.arange(len(CELLS)) % 2, ["Erythroid", "Epiblast"])
    found = anndata.AnnData(
        layout(COUNTS.astype(np.float32)),
        obs=pd.DataFrame({"cell_type": kinds, "depth": COUNTS.sum(axis=1)}, index=CELLS),
        var=pd.DataFrame({"gene_ids": [f"ID{n}" for n in range(len(GENES))]}, index=GENES),
        layers={"counts": sparse.csr_matrix(COUNTS)},
    )
    found.uns["cell_type_colors"] = np.array(["#ff0000", "#00ff00"], dtype=object)
    return found


def h5ad(layout: Callable) -> Callable[[Path], None]:
    """An .h5ad whose X is stored so."""
    return lambda path: annotated(layout).write_h5ad(path, compression="gzip")


def h5ad_by(packing: Mapping) -> Callable[[Path], None]:
    """An .h5ad whose X is packed by a plugin of HDF5."""

    def write(path: Path) -> None:
        annotated().write_h5ad(path)
        with h5py.File(path, "a") as file:
            for part in ("data", "indices", "indptr"):
                values = file["X"][part][:]
                del file["X"][part]
                file["X"].create_dataset(part, data=values, **packing)

    return write


def mudata(path: Path) -> None:
    """RNA and what was counted beside it."""
    with h5py.File(path, "w") as file:
        for name in ("rna", "adt"):
            write_elem(file, f"mod/{name}", annotated())


def spatial(path: Path) -> None:
    """SpatialData: a table, and shapes that are not read."""
    root = zarr_library.open_group(path, mode="w", zarr_format=3)
    root.create_group("shapes")
    write_elem(root, "tables/table", annotated())


def packed(write: Callable[[Path], None], inner: str) -> Callable[[Path], None]:
    """A file of that kind in one .gz."""

    def write_packed(path: Path) -> None:
        with tempfile.TemporaryDirectory() as place:
            write(Path(place, inner))
            path.write_bytes(gzip.compress(Path(place, inner).read_bytes(), mtime=0))

    return write_packed


def archived(write: Callable[[Path], None]) -> Callable[[Path], None]:
    """A folder of that kind in one archive, of the kind that its name says."""

    def write_archive(path: Path) -> None:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place, "sample")
            write(folder)
            in_archives.write(path, [(f"sample/{file.name}", file.read_bytes()) for file in files_of(folder)])

    return write_archive


def zarr(version: int, *, sharded: bool = False) -> Callable[[Path], None]:
    """A .zarr folder of this format."""

    def write(path: Path) -> None:
        with anndata.settings.override(zarr_write_format=version, auto_shard_zarr_v3=sharded):
            annotated().write_zarr(path)

    return write


def cell_ranger(group: str, names: str, ids: str) -> Callable[[Path], None]:
    """An .h5 of Cell Ranger."""

    def write(path: Path) -> None:
        counts = sparse.csr_matrix(COUNTS)
        with h5py.File(path, "w") as file:
            own = file.create_group(group)
            own.update({"data": counts.data, "indices": counts.indices, "indptr": counts.indptr})
            own.update({"shape": [len(GENES), len(CELLS)], "barcodes": np.array(CELLS, dtype="S")})
            own.update({names: np.array(GENES, dtype="S"), ids: np.array(GENES, dtype="S")})

    return write


def loom(path: Path) -> None:
    """Genes along the rows."""
    with h5py.File(path, "w") as file:
        file["matrix"] = COUNTS.T
        file["row_attrs/Gene"] = np.array(GENES, dtype="S")
        file["col_attrs/CellID"] = np.array(CELLS, dtype="S")
        file["col_attrs/ClusterName"] = np.array(["a", "b"] * (len(CELLS) // 2), dtype="S")
        file.create_group("layers")


def folder(matrix: str, files: dict[str, list[str]], *, cells_first: bool = False) -> Callable[[Path], None]:
    """A matrix and its names; what ends in .gz is packed."""

    def write(path: Path) -> None:
        path.mkdir()
        text = io.BytesIO()
        mmwrite(text, sparse.coo_matrix(COUNTS if cells_first else COUNTS.T))
        contents = {name: "".join(f"{line}\n" for line in lines).encode() for name, lines in files.items()}
        for name, content in {matrix: text.getvalue(), **contents}.items():
            (path / name).write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)

    return write


def table(separator: str) -> Callable[[Path], None]:
    """Cells along the rows."""
    frame = pd.DataFrame(COUNTS, index=CELLS, columns=GENES)
    return lambda path: frame.to_csv(path, sep=separator)


def spaced(path: Path) -> None:
    """As R writes it: spaces, quotes, no word in the corner."""
    rows = [" ".join(f'"{name}"' for name in GENES)]
    rows += [f'"{cell}" {" ".join(map(str, counts))}' for cell, counts in zip(CELLS, COUNTS, strict=True)]
    path.write_text("\n".join([*rows, ""]))


PARSE = {
    "cell_metadata.csv": ["bc_wells,sample,tscp_count", *(f"{cell},s{n % 2},{n}" for n, cell in enumerate(CELLS))],
    "all_genes.csv": ["gene_id,gene_name,genome", *(f"ID{n},{name},mm10" for n, name in enumerate(GENES))],
}
TENX = folder("matrix.mtx", {"barcodes.tsv": CELLS, "features.tsv": LINES})
SAMPLES: dict[str, Callable[[Path], None]] = {
    "csr.h5ad": h5ad(sparse.csr_matrix),
    "csc.h5ad": h5ad(sparse.csc_matrix),
    "dense.h5ad": h5ad(np.asarray),
    "zstd.h5ad": h5ad_by(hdf5plugin.Zstd()),
    "blosc.h5ad": h5ad_by(hdf5plugin.Blosc()),
    "x.h5mu": mudata,
    "x.h5ad.gz": packed(h5ad(sparse.csr_matrix), "x.h5ad"),
    "v3.h5": cell_ranger("matrix", "features/name", "features/id"),
    "v2.h5": cell_ranger("mm10", "gene_names", "genes"),
    "x.loom": loom,
    "v2.zarr": zarr(2),
    "v3.zarr": zarr(3),
    "shards.zarr": zarr(3, sharded=True),
    "spatial.zarr": spatial,
    "tenx": TENX,
    "tenx.zip": archived(TENX),
    "tenx.tar.gz": archived(TENX),
    "tenx_gz": folder("matrix.mtx.gz", {"barcodes.tsv.gz": CELLS, "features.tsv.gz": LINES}),
    "parse": folder("count_matrix.mtx", PARSE, cells_first=True),
    "kallisto": folder(
        "cells_x_genes.mtx",
        {"cells_x_genes.barcodes.txt": CELLS, "cells_x_genes.genes.txt": GENES, "cells_x_genes.genes.names.txt": GENES},
        cells_first=True,
    ),
    "alevin": folder(
        "quants_mat.mtx", {"quants_mat_rows.txt": CELLS, "quants_mat_cols.txt": GENES}, cells_first=True
    ),
    "x.csv": table(","),
    "x.tsv": table("\t"),
    "x.csv.gz": table(","),
    "x.tsv.gz": table("\t"),
    "x.txt": spaced,
}  # fmt: skip


def files_of(sample: Path) -> list[Path]:
    """The files of a sample, in order; of a file itself."""
    return sorted(path for path in sample.rglob("*") if path.is_file()) if sample.is_dir() else [sample]
