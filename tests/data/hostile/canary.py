"""Files of the machine that no data file may lead to: as text, as HDF5, as an array of zarr."""

from pathlib import Path

import h5py
import numpy as np

TOKEN = b"the secret of this machine, never to be shown"


def put_canary(folder: Path) -> Path:
    """Fill an empty folder; that folder."""
    (folder / "secret.txt").write_bytes(TOKEN)
    with h5py.File(folder / "secret.h5", "w") as file:
        file["x"] = np.frombuffer(TOKEN, dtype=np.uint8)
        file["names"] = np.array([TOKEN] * 80)
    return folder
