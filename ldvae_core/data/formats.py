"""Which files can be read, and by what."""

from pathlib import Path

from ldvae_core.errors import CountsError

READABLE = (
    ".h5ad, a 10x folder (matrix.mtx, barcodes.tsv, features.tsv or genes.tsv, gzipped or not), "
    "a folder of Parse Biosciences, kallisto bustools or alevin-fry, a 10x .h5, .loom, "
    ".csv or .tsv (also .gz), and a .zarr folder of AnnData"
)

_READERS: dict[str, tuple[str, str]] = {
    ".h5ad": ("hdf5", "read_hdf5"),
    ".h5": ("hdf5", "read_hdf5"),
    ".hdf5": ("hdf5", "read_hdf5"),
    ".loom": ("hdf5", "read_hdf5"),
    ".csv": ("tables", "read_text_table"),
    ".tsv": ("tables", "read_text_table"),
    ".txt": ("tables", "read_text_table"),
    ".csv.gz": ("tables", "read_text_table"),
    ".tsv.gz": ("tables", "read_text_table"),
    ".txt.gz": ("tables", "read_text_table"),
}
SUFFIXES = tuple(_READERS)  # of single files, longest match wins


def reader_of(source: Path) -> tuple[str, str]:
    """(module, function) that reads this file or folder. Raises CountsError listing what can be read."""
    name = source.name.lower()
    if source.is_dir():
        return ("zarr_folder", "read_zarr") if name.endswith(".zarr") else ("tenx", "read_folder")
    for suffix in sorted(_READERS, key=len, reverse=True):
        if name.endswith(suffix):
            return _READERS[suffix]
    hint = " For a matrix.mtx, choose the folder it lies in." if ".mtx" in name else ""
    raise CountsError(f"{source.name} is of a kind that cannot be read.{hint}", f"Readable: {READABLE}.")
