"""What can be wrong in the descriptions of a zarr folder's arrays and groups."""

import json
from pathlib import Path
from typing import Any

from tests.data.hostile.in_texts import directory, link, missing, pipe

DESCRIPTIONS = (".zarray", ".zgroup", ".zattrs", "zarr.json")
DEEP = '{"a":' * 5000 + "1" + "}" * 5000
TEXTS = {
    "empty": "", "no_json": "{", "list": "[]", "number": "7", "nan": "NaN", "deep": DEEP, "binary": "\x00\x01",
    "null": "null", "long_number": "1" * 5000,
}  # fmt: skip
CHANGES: dict[str, dict[str, Any]] = {
    "wide": {"shape": [10**12]},
    "wide_2d": {"shape": [10**6, 10**6]},
    "negative": {"shape": [-1]},
    "no_shape": {"shape": None},
    "cube": {"shape": [80, 1, 1]},
    "shape_of_words": {"shape": ["80"]},
    "shape_of_truth": {"shape": [True]},
    "shape_of_fractions": {"shape": [80.5]},
    "longer": {"shape": [100]},
    "shorter": {"shape": [3]},
    "huge_pieces": {"chunks": [2**40], "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2**40]}}},
    "no_pieces": {"chunks": [0], "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [0]}}},
    "odd_grid": {"chunks": "x", "chunk_grid": {"name": "rectilinear"}},
    "objects": {"dtype": "|O", "data_type": "object"},
    "records": {"dtype": [["a", "<f8"]], "data_type": {"name": "struct", "configuration": {}}},
    "huge_text": {"dtype": "<U999999",
                  "data_type": {"name": "fixed_length_utf32", "configuration": {"length_bytes": 9}}},
    "time": {"dtype": "<M8[ns]", "data_type": {"name": "numpy.datetime64", "configuration": {}}},
    "double": {"dtype": "<f8", "data_type": "float64"},
    "byte": {"dtype": "|u1", "data_type": "uint8"},
    "pickle": {"compressor": {"id": "pickle"}, "codecs": [{"name": "numcodecs.pickle"}]},
    "unknown": {"compressor": {"id": "os.system"}, "codecs": [{"name": "os.system"}]},
    "no_codec": {"compressor": None, "codecs": []},
    "zlib": {"compressor": {"id": "zlib", "level": 99}, "codecs": [{"name": "bytes"}, {"name": "gzip"}]},
    "astype": {"filters": [{"id": "astype", "encode_dtype": "<f8", "decode_dtype": "|O"}], "codecs": "bytes"},
    "fill_text": {"fill_value": "x"},
    "fill_huge": {"fill_value": 10**400},
    "order": {"order": "Z", "chunk_key_encoding": {"name": "default", "configuration": {"separator": "../"}}},
    "separator": {"dimension_separator": "/../", "chunk_key_encoding": {"name": "v2"}},
    "version": {"zarr_format": 99},
    "attributes": {"attributes": "x"},
    "encoding": {"attributes": {"encoding-type": "awkward-array", "shape": [10**12, 2], "_index": "../../x"},
                 "encoding-type": "awkward-array", "shape": [10**12, 2], "_index": "../../x"},
    "copies": {"consolidated_metadata": {"metadata": {"x": {"shape": [10**12], "dtype": "<f8", "chunks": [1]}}}},
    "node_type": {"node_type": "link"},
}  # fmt: skip
FILES = {"link": link, "pipe": pipe, "directory": directory, "missing": missing}


def descriptions_of(folder: Path) -> list[str]:
    """The files that describe what is read, by their places."""
    found = (path for path in folder.rglob("*") if path.name in DESCRIPTIONS)
    return sorted(path.relative_to(folder).as_posix() for path in found)


def pieces_of(folder: Path) -> list[str]:
    """The files that hold values."""
    known = (*DESCRIPTIONS, ".zmetadata")
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*")
                  if path.is_file() and path.name not in known)  # fmt: skip


def change_description(path: Path, changes: dict[str, Any]) -> None:
    """Change those keys that are there, or all where none is."""
    content = json.loads(path.read_text())
    known = {key: value for key, value in changes.items() if key in content} or changes
    path.write_text(json.dumps(content | known))
