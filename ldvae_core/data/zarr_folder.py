"""Raw counts out of a .zarr folder of AnnData, after every array in it was compared with the bytes it stands on."""

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from ldvae_core.data.gate import MOST_OBJECTS, MOST_UNFOLDING, SLACK_BYTES
from ldvae_core.data.h5ad import anndata_candidates
from ldvae_core.data.hdf5 import modality_candidates
from ldvae_core.data.limits import expect
from ldvae_core.data.opened import Opened, Opening
from ldvae_core.data.regular import require_regular
from ldvae_core.data.zarr_metadata import METADATA, MetadataError, declared_bytes, read_metadata
from ldvae_core.errors import CountsError

MOST_FILES = 1_000_000
UNREAD = re.compile(r"uns/(?![^/]*_(?:colors|categories)/).+/[^/]+")  # what lies in uns, but for what is read there


def open_zarr(folder: Path, opening: Opening) -> Opened:
    """AnnData, MuData or SpatialData. Raises CountsError: an unsafe or damaged folder, or none of these."""
    expect(check_folder(folder))
    import zarr  # here, not above: only this format needs it
    from zarr.errors import BaseZarrError

    try:
        root = zarr.open_group(store=str(folder), mode="r", use_consolidated=False)
    except (BaseZarrError, OSError, ValueError, KeyError):
        raise CountsError(f"{folder.name} is not a readable zarr folder.", "Write it again with write_zarr.") from None
    if "obs" in root and "var" in root:
        return Opened(anndata_candidates(root))
    for drawer in ("tables", "table", "mod"):  # SpatialData, its early versions, MuData
        if drawer in root and (found := modality_candidates(root[drawer])):
            single = len({candidate.group for candidate in found}) == 1
            return Opened(tuple(replace(one, group="") for one in found) if single else found)
    raise CountsError(
        f"{folder.name} has no obs or no var: it is neither AnnData, nor MuData, nor SpatialData with a table.",
        "Write it with adata.write_zarr.",
    )


def check_folder(folder: Path) -> int:
    """Bytes that the arrays of a folder declare, before any of them is decoded.

    In the "uns" of AnnData only entries that are read are looked at. Raises CountsError: links, pipes, too many files,
    arrays of a kind that is not allowed (see zarr_metadata), or that declare far more than their files hold.
    """
    stored, n_files, metadata = 0, 0, []
    for here, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(here, name)
            n_files += 1
            if n_files > MOST_FILES:
                _refuse(folder, f"it holds more than {MOST_FILES:,} files")
            if name in folders and not path.is_symlink():
                continue
            require_regular(path, folder)
            stored += path.stat().st_size
            if name in METADATA and not UNREAD.fullmatch(path.relative_to(folder).as_posix()):
                metadata.append(path)
    if len(metadata) > 2 * MOST_OBJECTS:
        _refuse(folder, f"it holds more than {2 * MOST_OBJECTS:,} arrays and groups")
    declared = sum(_declared_bytes(folder, path) for path in metadata)
    if declared > MOST_UNFOLDING * stored + SLACK_BYTES:
        _refuse(folder, f"it declares {declared:,} bytes, but only {stored:,} are stored")
    return declared


def _declared_bytes(folder: Path, path: Path) -> int:
    try:
        return declared_bytes(read_metadata(path), root=path.parent == folder)
    except MetadataError as fault:
        where = path if str(fault) == "is not readable" else path.parent
        _refuse(folder, f"{where.relative_to(folder).as_posix()} {fault}")


def _refuse(folder: Path, reason: str) -> NoReturn:
    raise CountsError(
        f"{folder.name} was refused for safety: {reason}.", "Write it again with adata.write_zarr, then load that copy."
    )
