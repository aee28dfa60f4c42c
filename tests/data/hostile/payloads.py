"""Zarr arrays that name code to be run when they are decoded: what they would do is write one file."""

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

ARRAY = "obs/_index"
BYTES = {"name": "bytes", "configuration": {"endian": "little"}}
PICKLE_3 = {"name": "numcodecs.pickle", "configuration": {}}


class Payload(NamedTuple):
    """Changes to the description of an array in a zarr folder of this version."""

    version: int
    changes: dict[str, Any]


PAYLOADS = {
    "pickle_filter": Payload(2, {"dtype": "|O", "filters": [{"id": "pickle", "protocol": 0}], "compressor": None}),
    "pickle_compressor": Payload(2, {"dtype": "|O", "filters": [{"id": "vlen-utf8"}], "compressor": {"id": "pickle"}}),
    "json_objects": Payload(2, {"dtype": "|O", "filters": [{"id": "json2"}], "compressor": None}),
    "msgpack_objects": Payload(2, {"dtype": "|O", "filters": [{"id": "msgpack2"}], "compressor": None}),
    "objects_without_a_filter": Payload(2, {"dtype": "|O", "filters": None, "compressor": None}),
    "pickle_3": Payload(3, {"codecs": [BYTES, PICKLE_3]}),
    "pickle_in_shards": Payload(
        3,
        {
            "codecs": [
                {
                    "name": "sharding_indexed",
                    "configuration": {
                        "chunk_shape": [80],
                        "codecs": [BYTES, PICKLE_3],
                        "index_codecs": [BYTES, {"name": "crc32c"}],
                        "index_location": "start",
                    },
                }
            ]
        },
    ),
}


def opening(witness: Path) -> bytes:
    """A pickle that makes `witness` when it is loaded; written by hand, for nothing here imports pickle."""
    return f"cio\nopen\n(V{witness}\nVw\ntR.".encode()


def plant(folder: Path, payload: str, witness: Path) -> Path:
    """Put a payload into a zarr folder of AnnData in place of the names of the cells; the folder."""
    version, changes = PAYLOADS[payload]
    place = folder / ARRAY
    described = place / (".zarray" if version == 2 else "zarr.json")
    content = json.loads(described.read_text()) | changes
    described.write_text(json.dumps(content))
    for piece in place.iterdir():
        if piece != described and piece.is_dir():
            shutil.rmtree(piece)
    pieces = place / "0" if version == 2 else place / "c" / "0"
    pieces.parent.mkdir(exist_ok=True)
    pieces.write_bytes(opening(witness))
    return folder
