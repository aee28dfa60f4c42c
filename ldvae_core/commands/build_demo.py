"""Rebuild the embedded demo from the full data set: `python -m ldvae_core.commands.build_demo --source FILE.h5ad`."""

import argparse
import io
import shutil
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from ldvae_core import durable
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.demo import DEMO_FOLDER, DEMO_RUN, load_demo
from ldvae_core.data.genes import select_genes
from ldvae_core.data.prepare import DataChoices
from ldvae_core.data.read import read_counts
from ldvae_core.model.config import ModelConfig, TrainingConfig
from ldvae_core.runs.settings import RunSettings

N_GENES = 2000
MARKERS = (
    *("Hba-x", "Hbb-bh1", "Hbb-y", "Gata1", "Gypa", "Blvrb", "Alad"),  # erythroid
    *("Ctsh", "Amn", "Apoa4", "Ttr", "Apoa1", "Rbp4"),  # extraembryonic endoderm
    *("Dnmt3b", "Slc7a3", "Utf1", "Pim2", "Snrpn"),  # epiblast
)
ABOUT = {
    "title": "Mouse embryo, day 7.5",
    "origin": "Wild-type mouse embryos at E7.5, 10x Genomics; example data of the Python package scgeno 0.1.5",
    "licence": "MIT (scgeno 0.1.5)",
    "caveats": (
        "The counts are the allele-informative subset of molecules (median about 1,900 per cell), so genes without "
        "usable SNPs are low or absent: Pou5f1, Hba-a1 and Hba-a2 are 0. The cell-type labels were derived by k-means "
        "and marker genes, not by the original authors. Library sizes count the molecules of the shipped genes only."
    ),
    "derived_labels": "cell_type",
}
EPOCH_OF_ZIP = (1980, 1, 1, 0, 0, 0)  # the same bytes whenever it is built


def build_counts(source: Path, folder: Path) -> None:
    """Write embryo.npz and embryo.json into `folder`: all cells, N_GENES genes by seurat_v3 with MARKERS always in.

    The same source gives the same bytes. Raises CountsError when the source cannot be read.
    """
    with tempfile.TemporaryDirectory() as scratch:
        matrix = read_counts(source, Path(scratch) / "counts")
        known = set(matrix.gene_names.tolist())
        genes = select_genes(matrix, n_genes=N_GENES, keep=tuple(name for name in MARKERS if name in known))
        chosen = matrix.subset(genes=genes)
        filled = chosen.library_size > 0
        durable.write_bytes(folder / "embryo.npz", _packed(chosen.subset(cells=filled)))
    notice = f"Embedded demo: {len(genes):,} of {matrix.n_genes:,} genes, the most variable ones and known markers."
    about = {"about": ABOUT, "notices": [notice], "n_cells": int(filled.sum()), "n_genes": len(genes)}
    durable.write_json(folder / "embryo.json", about)


def _packed(matrix: CountMatrix) -> bytes:
    """The arrays as a compressed .npz with fixed dates; gene positions fit in 16 bits."""
    cell_type = matrix.annotations["cell_type"].astype("category").cat
    ids = np.asarray([""] * matrix.n_genes) if matrix.gene_ids is None else matrix.gene_ids
    arrays = {
        "data": matrix.counts.data.astype(np.uint16),
        "indices": matrix.counts.indices.astype(np.uint16),
        "indptr": matrix.counts.indptr.astype(np.int32),
        "cell_ids": matrix.cell_ids,
        "gene_names": matrix.gene_names,
        "gene_ids": ids,
        "cell_type_codes": cell_type.codes.to_numpy().astype(np.int8),
        "cell_type_names": np.asarray(cell_type.categories, dtype=str),
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression=zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=EPOCH_OF_ZIP)
            entry.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(entry, content.getvalue(), compresslevel=9)
    return packed.getvalue()


def build_run(folder: Path) -> None:
    """Train the run that the program ships, on load_demo(); it leaves out the counts, which are shipped once already.

    About two minutes on one core. The same machine gives the same bits.
    """
    from ldvae_core.runs.execute import execute  # loads torch

    settings = RunSettings(
        name="Mouse embryo, 12 programs",
        data_source="demo",
        label_column="cell_type",
        choices=DataChoices(n_genes=N_GENES, gene_selection="variance"),  # all of the shipped genes
        model=ModelConfig(n_factors=12),
        training=TrainingConfig(n_epochs=300, seed=0, device="cpu", threads=1),
    )

    def fill(part: Path) -> None:
        settings.write(part, data_name=ABOUT["title"], fingerprint=load_demo().fingerprint)
        execute(part, open_counts=load_demo)
        durable.write_array(part / "cell_ids.npy", durable.read_array(part / "counts" / "cell_ids.npy"))
        shutil.rmtree(part / "counts")

    durable.write_folder(folder, fill)


def main() -> None:
    """Command line: where the full data set is, and where the demo goes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, required=True, help="the full mouse_E7.5_embryo.h5ad")
    parser.add_argument("--to", type=Path, default=DEMO_FOLDER, help="folder for embryo.npz and embryo.json")
    arguments = parser.parse_args()
    build_counts(arguments.source, arguments.to)
    if arguments.to == DEMO_FOLDER:
        build_run(DEMO_RUN)


if __name__ == "__main__":
    main()
