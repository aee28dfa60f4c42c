"""One HDF5 file, opened through the gate and read by what it holds, whatever its name ends in."""

from pathlib import Path

from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.formats import READABLE
from ldvae_core.data.gate import SafeFile
from ldvae_core.data.h5ad import read_anndata
from ldvae_core.data.loom import read_loom
from ldvae_core.data.tenx import matrix_groups, read_tenx
from ldvae_core.errors import CountsError


def read_hdf5(path: Path) -> CountMatrix:
    """Counts of AnnData, loom or Cell Ranger. Raises CountsError: unsafe, damaged, none of these, or no raw counts."""
    with SafeFile(path) as file:
        if "obs" in file and "var" in file:
            return read_anndata(file)
        if all(name in file for name in ("matrix", "row_attrs", "col_attrs")):
            return read_loom(file)
        if matrix_groups(file):
            return read_tenx(file)
        raise CountsError(
            f"{path.name} holds neither AnnData (obs and var), nor a loom file, nor a Cell Ranger matrix.",
            f"Readable: {READABLE}.",
        )
