"""One small valid file or folder of every format, to be made hostile; a new format is one line of SAMPLES."""

import gzip
import io
from collections.abc import Callable
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
from scipy import sparse
from scipy.io import mmwrite

from tests.data.conftest import CELLS, GENES

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


PARSE = {
    "cell_metadata.csv": ["bc_wells,sample,tscp_count", *(f"{cell},s{n % 2},{n}" for n, cell in enumerate(CELLS))],
    "all_genes.csv": ["gene_id,gene_name,genome", *(f"ID{n},{name},mm10" for n, name in enumerate(GENES))],
}
SAMPLES: dict[str, Callable[[Path], None]] = {
    "csr.h5ad": h5ad(sparse.csr_matrix),
    "csc.h5ad": h5ad(sparse.csc_matrix),
    "dense.h5ad": h5ad(np.asarray),
    "v3.h5": cell_ranger("matrix", "features/name", "features/id"),
    "v2.h5": cell_ranger("mm10", "gene_names", "genes"),
    "x.loom": loom,
    "v2.zarr": zarr(2),
    "v3.zarr": zarr(3),
    "shards.zarr": zarr(3, sharded=True),
    "tenx": folder("matrix.mtx", {"barcodes.tsv": CELLS, "features.tsv": LINES}),
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
}  # fmt: skip


def files_of(sample: Path) -> list[Path]:
    """The files of a sample, in order; of a file itself."""
    return sorted(path for path in sample.rglob("*") if path.is_file()) if sample.is_dir() else [sample]
