"""What can be wrong inside an HDF5 file: each object of it replaced, each attribute changed, the whole made odd."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Change = Callable[[h5py.Group, str, Path], None]  # where it is, its name, the folder of the canary


def put(make: Callable[[np.ndarray], Any]) -> Change:
    """In place of an object what is made of its values (of those of a group: an empty array)."""

    def change(parent: h5py.Group, name: str, canary: Path) -> None:
        old = parent[name]
        values = np.zeros(0) if isinstance(old, h5py.Group) else old[()]
        attributes = dict(old.attrs)
        del parent[name]
        made = make(np.atleast_1d(values))
        texts = h5py.string_dtype() if getattr(made, "dtype", np.dtype("f8")).kind == "O" else None
        parent.create_dataset(name, data=made, dtype=texts)
        for key, value in attributes.items():
            parent[name].attrs[key] = value

    return change


def declared(shape: tuple[int, ...], kind: str, **more: Any) -> Change:
    """In place of an object an array of which only its size was written."""

    def change(parent: h5py.Group, name: str, canary: Path) -> None:
        del parent[name]
        parent.create_dataset(name, shape, kind, **more)

    return change


def linked(make: Callable[[Path], Any]) -> Change:
    """In place of an object a link."""

    def change(parent: h5py.Group, name: str, canary: Path) -> None:
        del parent[name]
        parent[name] = make(canary)

    return change


def removed(parent: h5py.Group, name: str, canary: Path) -> None:
    """Gone."""
    del parent[name]


def emptied(parent: h5py.Group, name: str, canary: Path) -> None:
    """A group without anything."""
    del parent[name]
    parent.create_group(name)


def outside(parent: h5py.Group, name: str, canary: Path) -> None:
    """Its values are the bytes of another file."""
    del parent[name]
    parent.create_dataset(name, (32,), np.uint8, external=[(str(canary / "secret.txt"), 0, 32)])


def virtual(parent: h5py.Group, name: str, canary: Path) -> None:
    """Its values are those of another file."""
    del parent[name]
    layout = h5py.VirtualLayout((32,), np.uint8)
    layout[:] = h5py.VirtualSource(str(canary / "secret.h5"), "x", (32,))
    parent.create_virtual_dataset(name, layout)


def circular(parent: h5py.Group, name: str, canary: Path) -> None:
    """The file itself."""
    del parent[name]
    parent[name] = parent.file["/"]


def stripped(parent: h5py.Group, name: str, canary: Path) -> None:
    """Without attributes."""
    for key in list(parent[name].attrs):
        del parent[name].attrs[key]


def numbers(values: np.ndarray) -> np.ndarray:
    """As floats, whatever they are."""
    return values.astype("f8") if values.dtype.kind in "buif" else np.ones(values.shape)


OBJECTS: dict[str, Change] = {
    "removed": removed,
    "empty_group": emptied,
    "soft_link": linked(lambda canary: h5py.SoftLink("/obs")),
    "dangling_link": linked(lambda canary: h5py.SoftLink("/nowhere")),
    "external_link": linked(lambda canary: h5py.ExternalLink(str(canary / "secret.h5"), "/x")),
    "external_storage": outside,
    "virtual": virtual,
    "circle": circular,
    "no_attributes": stripped,
    "scalar": put(lambda values: np.float64(3)),
    "word": put(lambda values: "A" * 1000),
    "null": put(lambda values: h5py.Empty("f8")),
    "no_values": put(lambda values: values[:0]),
    "one_less": put(lambda values: values[:-1]),
    "one_more": put(lambda values: np.concatenate([values, values[:1]])),
    "cube": put(lambda values: values.reshape(-1, 1, 1)),
    "nan": put(lambda values: np.full_like(numbers(values), np.nan)),
    "infinite": put(lambda values: np.full_like(numbers(values), np.inf)),
    "negative": put(lambda values: -1 - numbers(values).astype("i8")),
    "huge": put(lambda values: np.full(values.shape, 2**62, dtype="i8")),
    "unsigned": put(lambda values: np.full(values.shape, 2**64 - 1, dtype="u8")),
    "half": put(lambda values: numbers(values).astype("f2")),
    "complex": put(lambda values: numbers(values).astype("c16")),
    "bytes": put(lambda values: np.full(values.shape, b"\xff\xfe\x00x")),
    "records": put(lambda values: np.zeros(values.shape, [("a", "f8"), ("b", "S3")])),
    "nul_texts": put(lambda values: np.full(values.shape, "a\x01b", dtype=object)),
    "long_texts": put(lambda values: np.full(values.shape, "x" * 100_000, dtype=object)),
    "equal_texts": put(lambda values: np.full(values.shape, "same", dtype=object)),
    "terabytes": declared((120_000, 1_000_000), "f8", chunks=(100, 1000)),
    "long": declared((10**12,), "i4", chunks=(1000,)),
    "huge_pieces": declared((8,), "f8", chunks=(2**28,), maxshape=(None,)),
    "no_dimension": declared((0, 0), "f8"),
}
VALUES: dict[str, Any] = {
    "empty_text": "", "word": "no such thing", "path": "../../etc/passwd", "number": 7, "negative": [-80, 40],
    "huge": [2**62, 2**62], "wide": [80, 10**12], "nan": np.nan, "three": [80, 40, 2], "bytes": np.bytes_(b"\xff\xfe"),
    "texts": np.array(["a"] * 2000, dtype=object), "null": h5py.Empty("i8"), "records": np.zeros(2, [("a", "f8")]),
}  # fmt: skip


def objects_of(path: Path) -> list[str]:
    """All that can be replaced: what is read of "uns" too."""
    names: list[str] = []
    with h5py.File(path, "r") as file:
        file.visit(names.append)
    return names


def attributes_of(path: Path) -> list[tuple[str, str]]:
    """(object, attribute) for all; the root is ""."""
    with h5py.File(path, "r") as file:
        found = [("", key) for key in file.attrs]
        file.visititems(lambda name, item: found.extend((name, key) for key in item.attrs))
    return found


def change_object(path: Path, name: str, change: Change, canary: Path) -> None:
    """Replace one object."""
    with h5py.File(path, "a") as file:
        parent, _, own = name.rpartition("/")
        change(file[parent] if parent else file["/"], own, canary)


def change_attribute(path: Path, name: str, key: str, value: Any) -> None:
    """Give an attribute another value."""
    with h5py.File(path, "a") as file:
        (file[name] if name else file).attrs[key] = value
