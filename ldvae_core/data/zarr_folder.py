"""Raw counts out of a .zarr folder of AnnData, after every array in it was compared with the bytes it stands on."""

import json
import math
from pathlib import Path

from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.gate import MOST_OBJECTS, MOST_UNFOLDING, SLACK_BYTES
from ldvae_core.data.h5ad import read_anndata
from ldvae_core.errors import CountsError

LARGEST_PIECE_BYTES = 1 << 30
MOST_FILES = 1_000_000
_METADATA = (".zarray", "zarr.json")


def read_zarr(folder: Path) -> CountMatrix:
    """Counts as read_h5ad finds them. Raises CountsError: unsafe or damaged folder, no AnnData, no raw counts."""
    check_folder(folder)
    import zarr  # here, not above: only this format needs it
    from zarr.errors import BaseZarrError

    try:
        root = zarr.open_group(store=str(folder), mode="r", use_consolidated=False)
    except (BaseZarrError, OSError, ValueError, KeyError):
        raise CountsError(f"{folder.name} is not a readable zarr folder.", "Write it again with write_zarr.") from None
    if "obs" not in root or "var" not in root:
        raise CountsError(f"{folder.name} has no obs or no var: it is not AnnData.", "Write it with adata.write_zarr.")
    return read_anndata(root)


def check_folder(folder: Path) -> None:
    """Refuse symbolic links, too many files, and arrays that declare far more than their files hold."""
    stored = 0
    metadata = []
    for n_files, path in enumerate(folder.rglob("*"), start=1):
        if n_files > MOST_FILES:
            _refuse(folder, f"it holds more than {MOST_FILES:,} files")
        if path.is_symlink():
            _refuse(folder, f"{path.relative_to(folder)} is a link to another place")
        if path.is_file():
            stored += path.stat().st_size
            if path.name in _METADATA:
                metadata.append(path)
    if len(metadata) > 2 * MOST_OBJECTS:
        _refuse(folder, f"it holds more than {2 * MOST_OBJECTS:,} arrays and groups")
    declared = sum(_declared_bytes(folder, path) for path in metadata)
    if declared > MOST_UNFOLDING * stored + SLACK_BYTES:
        _refuse(folder, f"it declares {declared:,} bytes, but only {stored:,} are stored")


def _declared_bytes(folder: Path, path: Path) -> int:
    """Bytes an array declares, taking 8 a value; 0 for a group."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        shape = content.get("shape")
        if shape is None:
            return 0
        grid = content.get("chunk_grid", {}).get("configuration", {}).get("chunk_shape", content.get("chunks", shape))
        piece = 8 * math.prod(int(length) for length in grid)
        total = 8 * math.prod(int(length) for length in shape)
    except (ValueError, TypeError, AttributeError, OSError):
        _refuse(folder, f"{path.relative_to(folder)} is not readable")
    if piece > LARGEST_PIECE_BYTES:
        _refuse(
            folder, f"{path.parent.relative_to(folder)} is stored in pieces larger than {LARGEST_PIECE_BYTES:,} bytes"
        )
    return total


def _refuse(folder: Path, reason: str) -> None:
    raise CountsError(
        f"{folder.name} was refused for safety: {reason}.", "Write it again with adata.write_zarr, then load that copy."
    )
