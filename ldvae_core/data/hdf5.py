"""One HDF5 file, opened through the gate and read by what it holds, whatever its name ends in."""

from pathlib import Path
from typing import Any

from ldvae_core.data.formats import READABLE
from ldvae_core.data.gate import SafeFile
from ldvae_core.data.h5ad import anndata_candidates
from ldvae_core.data.loom import loom_candidates
from ldvae_core.data.opened import Candidate, Opened, Opening
from ldvae_core.data.tenx_hdf5 import matrix_groups, tenx_candidates
from ldvae_core.errors import CountsError


def open_hdf5(path: Path, opening: Opening) -> Opened:
    """AnnData, MuData, loom or Cell Ranger. Raises CountsError: unsafe, damaged, or none of these."""
    file = opening.stack.enter_context(SafeFile(path))
    if "mod" in file and hasattr(file["mod"], "keys"):
        return Opened(modality_candidates(file["mod"]))
    if "obs" in file and "var" in file:
        return Opened(anndata_candidates(file))
    if all(name in file for name in ("matrix", "row_attrs", "col_attrs")):
        return Opened(loom_candidates(file))
    if matrix_groups(file):
        return Opened(tenx_candidates(file))
    raise CountsError(
        f"{path.name} holds neither AnnData (obs and var), nor MuData (mod), nor loom, nor a Cell Ranger matrix.",
        f"Readable: {READABLE}.",
    )


def modality_candidates(modalities: Any) -> tuple[Candidate, ...]:
    """The matrices of all modalities of a MuData, each an AnnData of its own."""
    found: list[Candidate] = []
    for name in sorted(modalities):
        if "obs" in modalities[name] and "var" in modalities[name]:
            found += anndata_candidates(modalities[name], group=name)
    return tuple(found)
