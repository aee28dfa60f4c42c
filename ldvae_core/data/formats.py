"""The table of what can be read. A new format is a row here and a module with its opener."""

import os
from dataclasses import dataclass
from pathlib import Path

from ldvae_core.errors import CountsError


@dataclass(frozen=True)
class Format:
    """name, files, written_by, named_by: for people, a row of docs/formats.md. module, opener: an opened.Opener.

    suffixes: endings of single files and of folders that are one data set; the longest that fits decides. holding:
    endings of names that a folder must hold, one of each group, gzipped or not.
    """

    name: str
    files: str
    written_by: str
    module: str
    opener: str
    suffixes: tuple[str, ...] = ()
    holding: tuple[tuple[str, ...], ...] = ()
    named_by: str = ""  # what genes and cells are named by


TEXT = (".csv", ".tsv", ".txt", ".tab")
PACKED = (".gz",)
HDF5 = (".h5ad", ".h5", ".hdf5", ".loom", ".h5mu")
FORMATS = (
    Format(
        "AnnData", ".h5ad", "scanpy, anndata, CELLxGENE", "hdf5", "open_hdf5", (".h5ad",),
        named_by="the index of var, or a column of symbols where that holds ids or numbers; the index of obs",
    ),
    Format(
        "MuData", ".h5mu: its RNA", "muon", "hdf5", "open_hdf5", (".h5mu",),
        named_by="as AnnData, of the modality rna",
    ),
    Format(
        "10x HDF5", ".h5", "Cell Ranger 2 and later, CellBender", "hdf5", "open_hdf5", (".h5", ".hdf5"),
        named_by="features/name and features/id, before Cell Ranger 3 gene_names and genes; barcodes",
    ),
    Format(
        "loom", ".loom", "loompy, loomR, SCENIC, velocyto", "hdf5", "open_hdf5", (".loom",),
        named_by="Gene, gene_names, Accession or any attribute of distinct words; CellID, cell_names or numbers",
    ),
    Format(
        "Packed HDF5", "any of these with .gz", "GEO", "packed", "open_packed_file",
        tuple(f"{ending}.gz" for ending in HDF5),
        named_by="as the file inside",
    ),
    Format(
        "AnnData in zarr", "a .zarr folder", "anndata", "zarr_folder", "open_zarr", (".zarr",),
        named_by="as AnnData; of MuData the modality rna, of SpatialData its table",
    ),
    Format(
        "Packed folder", ".zip, .tar.gz or .tar of one of the folders below, or of one file", "GEO, Cell Ranger",
        "packed", "open_archive", (".zip", ".tar.gz", ".tgz", ".tar"),
        named_by="as what is inside; several data sets are a choice",
    ),
    Format(
        "Text table", ".csv, .tsv, .tab or .txt, also with .gz: cells x genes or genes x cells",
        "spreadsheets, R, featureCounts, BD Rhapsody, CosMx", "tables", "open_text_table",
        tuple(f"{ending}{packed}" for ending in TEXT for packed in ("", *PACKED)),
        named_by="the first column and the header; which are genes is told by the corner, the names or the totals",
    ),
    Format(
        "Parse Biosciences", "a folder with count_matrix.mtx or DGE.mtx, cell_metadata.csv, all_genes.csv",
        "split-pipe", "folders", "open_parse",
        holding=(("count_matrix.mtx", "dge.mtx"), ("cell_metadata.csv",), ("all_genes.csv",)),
        named_by="gene_name and gene_id of all_genes.csv; bc_wells of cell_metadata.csv, its other columns annotate",
    ),
    Format(
        "kallisto bustools", "a folder with cells_x_genes.mtx, .barcodes.txt, .genes.txt", "kb count",
        "folders", "open_kallisto",
        holding=(
            ("cells_x_genes.mtx", "cells_x_genes.total.mtx", "cells_x_genes.mature.mtx"),
            (".barcodes.txt",),
            (".genes.txt",),
        ),
        named_by="genes.names.txt where there is one, genes.txt; barcodes.txt",
    ),
    Format(
        "alevin-fry", "a folder with quants_mat.mtx, quants_mat_rows.txt, quants_mat_cols.txt", "alevin-fry",
        "folders", "open_alevin",
        holding=(("quants_mat.mtx",), ("quants_mat_rows.txt",), ("quants_mat_cols.txt",)),
        named_by="quants_mat_cols.txt, quants_mat_rows.txt; spliced and ambiguous counts are added up",
    ),
    Format(
        "10x folder", "a folder with matrix.mtx, barcodes.tsv, features.tsv or genes.tsv, gzipped or not",
        "Cell Ranger, STARsolo, CITE-seq-Count, GEO", "folders", "open_tenx",
        holding=(("matrix.mtx",), ("barcodes.tsv",), ("features.tsv", "genes.tsv")),
        named_by="the second column of features.tsv, its first as id; barcodes.tsv",
    ),
    Format(
        "Matrix Market folder", "a folder with any .mtx and two texts (.tsv, .csv, .txt) that name its sides",
        "STARsolo Velocyto and EM, kb --workflow lamanno, R, GEO", "loose_folder", "open_loose",
        holding=((".mtx",),),
        named_by="the texts with as many lines as the matrix has rows and columns, by the words in their names",
    ),
)  # fmt: skip
READABLE = (
    ".h5ad, a 10x folder (matrix.mtx, barcodes.tsv, features.tsv or genes.tsv, gzipped or not), a folder of Parse "
    "Biosciences, kallisto bustools or alevin-fry, any .mtx with files of names beside it, a .zip or .tar.gz of such a "
    "folder, a 10x .h5, .loom, .h5mu (these also .gz), .csv or .tsv (also .gz), and a .zarr folder of AnnData or "
    "SpatialData"
)
_FROM_R = "In R, write its counts with DropletUtils::write10xCounts, and load that folder. "
REMEDIES = {  # by what a name contains
    ".mtx": "For a matrix.mtx, choose the folder it lies in. ",
    ".xls": "In the spreadsheet, save the sheet as CSV, and load that. ",
    ".ods": "In the spreadsheet, save the sheet as CSV, and load that. ",
    **dict.fromkeys((".rds", ".rdata", ".rda", ".qs", ".h5seurat"), _FROM_R),
    **dict.fromkeys(
        (".bam", ".fastq", ".fq"), "These are reads: count them with Cell Ranger, STARsolo or alevin-fry. "
    ),
    **dict.fromkeys((".bz2", ".xz", ".rar", ".7z", ".zst"), "Unpack it, and load the file or folder inside. "),
}


def suffixes() -> tuple[str, ...]:
    """Endings of single files that can be read."""
    return tuple(suffix for one in FORMATS for suffix in one.suffixes if suffix != ".zarr")


def format_of(source: Path) -> Format:
    """The format of a file, or of a folder by the names in it: nothing is opened. Raises CountsError with the list."""
    name = source.name.lower()
    fitting = [(suffix, one) for one in FORMATS for suffix in one.suffixes if name.endswith(suffix)]
    if source.is_dir():
        if any(suffix == ".zarr" for suffix, _ in fitting):
            return next(one for suffix, one in fitting if suffix == ".zarr")
        return folder_format(source) or _by_name("10x folder")
    fitting = [(suffix, one) for suffix, one in fitting if suffix != ".zarr"]
    if fitting:
        return max(fitting, key=lambda pair: len(pair[0]))[1]
    remedy = next((words for ending, words in REMEDIES.items() if ending in name), "")
    raise CountsError(f"{source.name} is of a kind that cannot be read.", f"{remedy}Readable: {READABLE}.")


def folder_format(folder: Path) -> Format | None:
    """The format whose files this very folder holds; None when it holds none of the matrices."""
    names = [name.lower() for name in os.listdir(folder) if not name.startswith(".")]
    matrices = ((one, packings(one.holding[0])) for one in FORMATS if one.holding)
    return next((one for one, endings in matrices if any(name.endswith(endings) for name in names)), None)


def packings(endings: tuple[str, ...]) -> tuple[str, ...]:
    """The endings, gzipped or not."""
    return tuple(f"{ending}{packed}" for ending in endings for packed in ("", *PACKED))


def _by_name(name: str) -> Format:
    return next(one for one in FORMATS if one.name == name)
