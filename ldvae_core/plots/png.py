"""A picture of RGBA values as a data address, written by hand so that no imaging library is needed."""

import base64
import struct
import zlib

import numpy as np


def png_address(pixels: np.ndarray) -> str:
    """The address of (rows, columns, 4) uint8, first row on top. Raises ValueError for other shapes and types."""
    if pixels.ndim != 3 or pixels.shape[2] != 4 or pixels.dtype != np.uint8:
        raise ValueError(f"pixels are (rows, columns, 4) uint8, not {pixels.shape} {pixels.dtype}")
    rows, columns = pixels.shape[:2]
    lines = np.zeros((rows, 1 + 4 * columns), np.uint8)  # each line opens with its filter: 0, none
    lines[:, 1:] = pixels.reshape(rows, -1)
    content = b"\x89PNG\r\n\x1a\n"
    header = struct.pack(">IIBBBBB", columns, rows, 8, 6, 0, 0, 0)
    for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 6)), (b"IEND", b"")):
        content += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return "data:image/png;base64," + base64.b64encode(content).decode()
