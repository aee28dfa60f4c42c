"""What a zarr folder says of its arrays, checked before anything is decoded.

A zarr array names the code that decodes it. Some of that code runs whatever a stranger wrote (pickle), so that only
what is on a list here is ever decoded: in zarr 2 (.zarray), in zarr 3 (zarr.json) and in the copies that groups hold.
"""

import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

LARGEST_PIECE_BYTES = 1 << 30
LARGEST_METADATA = 64 << 20  # bytes; copies of the metadata of 10,000 arrays have 10 MB
ARRAYS = (".zarray", "zarr.json")
METADATA = (*ARRAYS, ".zattrs", ".zgroup")  # not .zmetadata, a copy that is never used
COMPRESSORS = {"blosc", "gzip", "lz4", "zlib", "zstd"}
FILTERS_2 = {"shuffle", "vlen-bytes", "vlen-utf8"}
TEXT = {"vlen-bytes", "vlen-utf8"}
CODECS_3 = {"blosc", "bytes", "crc32c", "gzip", "transpose", "vlen-bytes", "vlen-utf8", "zstd"}
GROUP_KEYS = {"zarr_format", "node_type", "attributes", "consolidated_metadata"}
ARRAY_KEYS_3 = {
    *("zarr_format", "node_type", "attributes", "shape", "data_type", "chunk_grid", "chunk_key_encoding"),
    *("fill_value", "codecs", "storage_transformers", "dimension_names"),
}
SHARD_KEYS = {"chunk_shape", "codecs", "index_codecs", "index_location"}
SHARDS = "sharding_indexed"
TYPES_2 = re.compile(r"[<>|=]?(?:(b1)|[iuf]([1248])|S(\d{1,6})|U(\d{1,6}))")
TYPES_3 = re.compile(r"bool|u?int(?:8|16|32|64)|float(?:16|32|64)|string|variable_length_(?:utf8|bytes)")
FLOATS = re.compile(r"[<>]f\d|float\d\d")
NUMBERS = re.compile(r"[<>|]?[biuf]\d|bool|u?int\d+|float\d\d")
NO_NUMBERS = ("NaN", "Infinity", "-Infinity")
FIXED_TEXTS_3 = {"fixed_length_utf32", "null_terminated_bytes"}
POINTER = 8  # bytes of a text of any length, as far as the array itself goes


class MetadataError(ValueError):
    """What is not allowed or cannot be understood, as the end of a sentence about an array."""


def read_metadata(path: Path) -> dict[str, Any]:
    """One file of METADATA; {} of those that never describe an array.

    Raises MetadataError when it is not an object of JSON, or too large.
    """
    try:
        if path.stat().st_size > LARGEST_METADATA:
            raise MetadataError("is larger than a description of arrays can be")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, RecursionError, ValueError) as fault:
        raise fault if isinstance(fault, MetadataError) else MetadataError("is not readable") from None
    known = {".zattrs": 0, "zarr.json": 3}.get(path.name, 2)  # attributes of zarr 2 say no version
    if not isinstance(content, dict) or (known and content.get("zarr_format") != known):
        raise MetadataError("is not readable")
    if path.name == ".zgroup" and content.keys() & (GROUP_KEYS - {"zarr_format"}):
        raise MetadataError("is not readable")
    return content if path.name in ARRAYS else {}


def declared_bytes(content: dict[str, Any], *, root: bool) -> int:
    """Bytes an array unfolds to, 0 for a group. Raises MetadataError when it is of a kind that is not allowed.

    root: the copies of metadata in this group are not used, so that they are not looked at.
    """
    for copy in () if root else _copies(content):
        _declared(copy)
    if "shape" in content:
        return _declared(content)
    if not (content.keys() <= GROUP_KEYS and content.get("node_type", "group") == "group"):
        raise MetadataError("is not readable")
    return 0


def _copies(group: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The arrays that a group of zarr 3 describes again, at any depth."""
    again = group.get("consolidated_metadata") or {}
    copies = again.get("metadata") if isinstance(again, dict) else None
    if again and not isinstance(copies, dict):
        raise MetadataError("is not readable")
    for copy in (copies or {}).values():
        if not isinstance(copy, dict):
            raise MetadataError("is not readable")
        if "shape" in copy:
            yield copy
        yield from _copies(copy)


def _declared(array: dict[str, Any]) -> int:
    try:
        item = _checked_2(array) if "dtype" in array else _checked_3(array)
        grid = array["chunks"] if "dtype" in array else _piece_3(array)
        piece, total = (item * math.prod(_length(number) for number in lengths) for lengths in (grid, array["shape"]))
        shard = grid if "dtype" in array else array["chunk_grid"]["configuration"]["chunk_shape"]
        sizes = zip(grid, shard, array["shape"], strict=True)
        pieces = all((one > 0 and _length(whole) > 0) or length == 0 for one, whole, length in sizes)
        fits = pieces and _is_plain(array)
    except (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError) as fault:
        raise fault if isinstance(fault, MetadataError) else MetadataError("is not readable") from None
    if not fits:
        raise MetadataError("is not readable")
    if piece > LARGEST_PIECE_BYTES:
        raise MetadataError(f"is stored in pieces larger than {LARGEST_PIECE_BYTES:,} bytes")
    return total


def _is_plain(array: dict[str, Any]) -> bool:
    """Whether what the library would refuse in its own words is as it should be."""
    fill, separator = array.get("fill_value"), array.get("dimension_separator", ".")
    if "data_type" in array:
        encoding = array.get("chunk_key_encoding", {})
        separator = encoding.get("configuration", {}).get("separator", "/")
        more = [value for key, value in array.items() if key not in ARRAY_KEYS_3]
        optional = all(isinstance(value, dict) and value.get("must_understand") is False for value in more)
        if array["node_type"] != "array" or not isinstance(array.get("attributes", {}), dict) or not optional:
            return False
    kind = str(array.get("dtype", array.get("data_type")))
    worded = NO_NUMBERS if FLOATS.fullmatch(kind) else ()
    filled = abs(fill) < 2**64 if isinstance(fill, int) else not isinstance(fill, str) or fill in worded
    return (filled or not NUMBERS.fullmatch(kind)) and separator in (".", "/") and array.get("order", "C") in ("C", "F")


def _length(number: object) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise MetadataError("is not readable")
    return number


def _checked_2(array: dict[str, Any]) -> int:
    """Bytes of one value of an array of zarr 2."""
    names = [_name(one, "id") for one in array.get("filters") or ()]
    _allow(names, FILTERS_2)
    compressor = array.get("compressor")
    if compressor is not None:
        _allow([_name(compressor, "id")], COMPRESSORS)
    dtype = array["dtype"]
    if dtype == "|O":
        if sum(name in TEXT for name in names) != 1:
            raise MetadataError("holds objects that are not text")
        return POINTER
    match = TYPES_2.fullmatch(dtype) if isinstance(dtype, str) else None
    if match is None or TEXT & set(names):
        raise MetadataError(f"holds values of type {str(dtype)[:40]}, which are not read")
    return int(match[1] is not None or match[2] or match[3] or 4 * int(match[4]))


def _checked_3(array: dict[str, Any]) -> int:
    """Bytes of one value of an array of zarr 3."""
    _check_codecs(array["codecs"], shards=True)
    if array.get("storage_transformers"):
        raise MetadataError("is stored in a way that is not read")
    kind = array["data_type"]
    name = _name(kind, "name")
    if name in FIXED_TEXTS_3:
        return _length(kind["configuration"]["length_bytes"])
    if not TYPES_3.fullmatch(name):
        raise MetadataError(f"holds values of type {name[:40]}, which are not read")
    return POINTER


def _check_codecs(codecs: Sequence[Any], *, shards: bool) -> None:
    names = [_name(codec, "name") for codec in codecs]
    _allow(names, CODECS_3 | ({SHARDS} if shards else set()))
    if sum(name in COMPRESSORS or name == SHARDS for name in names) > 1:
        raise MetadataError("is compressed more than once")
    for name, codec in zip(names, codecs, strict=True):
        if name == SHARDS and not codec["configuration"].keys() <= SHARD_KEYS:
            raise MetadataError("is not readable")
        if name == SHARDS:
            _check_codecs(codec["configuration"]["codecs"], shards=False)
            _check_codecs(codec["configuration"].get("index_codecs") or (), shards=False)


def _piece_3(array: dict[str, Any]) -> Sequence[Any]:
    """Lengths of what is decoded together: a piece within a shard, where there are shards."""
    for codec in array["codecs"]:
        if _name(codec, "name") == SHARDS:
            lengths: Sequence[Any] = codec["configuration"]["chunk_shape"]
            return lengths
    grid: Sequence[Any] = array["chunk_grid"]["configuration"]["chunk_shape"]
    return grid


def _name(thing: Any, key: str) -> str:
    name = thing if isinstance(thing, str) else thing[key]
    if not isinstance(name, str):
        raise MetadataError("is not readable")
    return name


def _allow(names: Sequence[str], allowed: set[str]) -> None:
    for name in names:
        if name not in allowed:
            raise MetadataError(
                f"is packed with {name[:40]!r}; those that can be read are {', '.join(sorted(allowed))}"
            )
