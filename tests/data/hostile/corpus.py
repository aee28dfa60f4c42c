"""All hostile files, each by a name: the sample it is made from, where it is changed, and how."""

import atexit
import shutil
import tempfile
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from tests.data.hostile import in_archives, in_hdf5, in_texts, in_zarr
from tests.data.hostile.samples import SAMPLES, files_of

HDF5_ENDINGS = (".h5ad", ".h5", ".loom", ".h5mu")
ARCHIVES = (".zip", ".tar.gz")
UNREAD = ("obsm", "obsp", "varm", "varp")
ONLY = {  # the rest is as in other samples
    "csc.h5ad": ("X",), "dense.h5ad": ("X",), "zstd.h5ad": ("X",), "blosc.h5ad": ("X",), "shards.zarr": ("X",),
    "x.h5mu": ("mod/rna/X", "mod/rna/obs", "mod/adt/var"), "spatial.zarr": ("zarr.json", "tables/table/X"),
}  # fmt: skip
QUICK = 4  # cases of every sample that are tested every time


@dataclass(frozen=True)
class Case:
    """A hostile file. change: of a copy of the sample, given the folder of the canary."""

    name: str
    sample: str
    change: Callable[[Path, Path], None]


@cache
def samples() -> Path:
    """A folder with all samples, made once a process."""
    folder = Path(tempfile.mkdtemp(prefix="samples-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, write in SAMPLES.items():
            write(folder / name)
    return folder


def copy_of(sample: str, folder: Path) -> Path:
    """A fresh copy in an empty folder, for a case to change."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    source, copy = samples() / sample, folder / sample
    if source.is_dir():
        shutil.copytree(source, copy)
    else:
        shutil.copyfile(source, copy)
    return copy


def make(case: Case, folder: Path, canary: Path) -> Path:
    """The hostile file."""
    path = copy_of(case.sample, folder)
    case.change(path, canary)
    return path


def cases() -> list[Case]:
    """All of them."""
    return [case for sample in SAMPLES for case in _cases_of(sample)]


def quick_cases() -> list[Case]:
    """A few of every sample, the same ones every time."""
    chosen = (sorted(_cases_of(sample), key=lambda case: zlib.crc32(case.name.encode())) for sample in SAMPLES)
    return [case for of_sample in chosen for case in of_sample[:QUICK]]


def _is_read(sample: str, place: str) -> bool:
    return place.startswith(ONLY.get(sample, ("",))) and not place.startswith(tuple(f"{name}/" for name in UNREAD))


def _cases_of(sample: str) -> Iterator[Case]:
    path = samples() / sample
    if sample.endswith(HDF5_ENDINGS):
        yield from _hdf5_cases(sample, path)
    elif sample.endswith(".zarr"):
        yield from _zarr_cases(sample, path)
    elif sample.endswith(ARCHIVES):
        yield from _whole_cases(sample, in_texts.CHOSEN | in_archives.changes_of(sample))
    elif sample.endswith(".h5ad.gz"):
        yield from _whole_cases(sample, in_texts.CHOSEN | in_texts.PACKED | in_texts.PACKED_BYTES)
    else:
        yield from _text_cases(sample, path)


def _hdf5_cases(sample: str, path: Path) -> Iterator[Case]:
    for name in filter(partial(_is_read, sample), in_hdf5.objects_of(path)):
        for how, change in in_hdf5.OBJECTS.items():
            apply = partial(_object, name=name, change=change)
            yield Case(f"{sample}-{name}-{how}", sample, apply)
    for name, key in in_hdf5.attributes_of(path):
        if not _is_read(sample, name):
            continue
        for how, value in in_hdf5.VALUES.items():
            yield Case(f"{sample}-{name}@{key}-{how}", sample, partial(_attribute, name=name, key=key, value=value))
    yield from _whole_cases(sample, in_texts.CHOSEN)


def _whole_cases(sample: str, changes: dict[str, Callable[[Path, Path], None]]) -> Iterator[Case]:
    for how, change in changes.items():
        yield Case(f"{sample}-{how}", sample, change)


def _object(path: Path, canary: Path, *, name: str, change: in_hdf5.Change) -> None:
    in_hdf5.change_object(path, name, change, canary)


def _attribute(path: Path, canary: Path, *, name: str, key: str, value: object) -> None:
    in_hdf5.change_attribute(path, name, key, value)


def _zarr_cases(sample: str, path: Path) -> Iterator[Case]:
    described = [place for place in in_zarr.descriptions_of(path) if _is_read(sample, place)]
    for place in described:
        for how, text in in_zarr.TEXTS.items():
            yield Case(f"{sample}-{place}-{how}", sample, partial(_text, place=place, text=text))
        for how, changes in in_zarr.CHANGES.items():
            yield Case(f"{sample}-{place}-{how}", sample, partial(_description, place=place, changes=changes))
    for place in (*described, *in_zarr.pieces_of(path)):
        for how, change in in_zarr.FILES.items():
            yield Case(f"{sample}-{place}-{how}", sample, partial(_inside, place=place, change=change))


def _text(path: Path, canary: Path, *, place: str, text: str) -> None:
    (path / place).write_text(text)


def _description(path: Path, canary: Path, *, place: str, changes: dict) -> None:
    in_zarr.change_description(path / place, changes)


def _inside(path: Path, canary: Path, *, place: str, change: Callable[[Path, Path], None]) -> None:
    change(path / place if place else path, canary)


def _text_cases(sample: str, path: Path) -> Iterator[Case]:
    for file in files_of(path):
        place = file.relative_to(path).as_posix() if path.is_dir() else ""
        contents = {**in_texts.CONTENTS, **(in_texts.MATRICES if ".mtx" in file.name else {})}
        changes = {
            **(in_texts.FILES if place else in_texts.CHOSEN),
            **(in_texts.PACKED if file.name.endswith(".gz") else {}),
        }
        for how, content in contents.items():
            change = partial(_content, content=content)
            yield Case(f"{sample}-{place}-{how}", sample, partial(_inside, place=place, change=change))
        for how, change in changes.items():
            yield Case(f"{sample}-{place}-{how}", sample, partial(_inside, place=place, change=change))


def _content(path: Path, canary: Path, *, content: Callable[[bytes], bytes]) -> None:
    in_texts.change_content(path, content)
