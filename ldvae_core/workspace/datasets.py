"""The data sets of a workspace: what was uploaded or found in the data folder, read once, checked, and kept by id."""

import contextlib
import errno
import hashlib
import io
import logging
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from ldvae_core import durable
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.demo import DEMO_ABOUT, load_demo
from ldvae_core.data.folder import load_counts
from ldvae_core.data.formats import format_of
from ldvae_core.errors import CountsError, LdvaeError, RunError
from ldvae_core.workspace import processes
from ldvae_core.workspace.datafolder import DataFile, find_data_file, list_data_folder
from ldvae_core.workspace.folders import DEMO, Workspace, listed_folder, listed_ids, make_id
from ldvae_core.workspace.trash import in_trash, marked, put_in_trash, take_from_trash

log = logging.getLogger(__name__)

Reader = Callable[..., CountMatrix]  # (source, into, **how), as read_counts
CARD_FILE = "dataset.json"
OWNER, UPLOADED = "owner", "upload.json"  # in a folder of the uploads
UPLOAD_ID = re.compile("[0-9a-f]{32}")
MOST_UPLOADED = 4 << 30  # bytes
CHUNK = 1 << 20  # bytes
OLD_SECONDS = 3600.0  # no folder is made or removed for so long
LONGEST_TITLE = 120  # characters
FULL_DISK = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


@dataclass(frozen=True)
class Parent:
    """The data set that the cells of another were taken from, and which cells those are, in words.

    name: what it was called then; it may have been deleted since.
    """

    dataset_id: str
    name: str
    cells: str


@dataclass(frozen=True)
class DatasetCard:
    """What a list of data sets shows, without opening any."""

    dataset_id: str
    name: str
    n_cells: int
    n_genes: int
    counts_from: str
    notices: tuple[str, ...] = ()
    fingerprint: str = ""  # of the counts and names; "" for the demo, which the program's version stands for
    identity: str = ""  # the same with the annotations
    about: dict[str, str] = field(default_factory=dict)  # title, origin, licence, caveats, where known
    source: str = ""  # what it can be read from again: "file ID" of the data folder, "upload ID" while that is kept
    parent: Parent | None = None  # of a data set of some of the cells of another


class Datasets:
    """The data sets of one workspace; "demo", the embedded one, is always there."""

    def __init__(self, workspace: Workspace, *, read: Reader | None = None) -> None:
        self.workspace = workspace
        self._read = read or _read_safely

    def list(self) -> tuple[DatasetCard, ...]:
        """All data sets, the demo first, then by name. A damaged one is left out, and the log says so."""
        self.empty_trash()
        cards = []
        for dataset_id in listed_ids(self.workspace.datasets):
            try:
                cards.append(_read_card(self.workspace.datasets / dataset_id))
            except (LdvaeError, OSError) as fault:
                log.warning("The data set %s is left out: %s", dataset_id, fault)
        return (_demo_card(), *sorted(cards, key=lambda card: (card.name.lower(), card.dataset_id)))

    def card(self, dataset_id: str) -> DatasetCard:
        """One data set's card. Raises RunError when it is unknown, naming the known ones, or damaged."""
        return _demo_card() if dataset_id == DEMO else _read_card(self.folder(dataset_id))

    def open(self, dataset_id: str) -> CountMatrix:
        """Its counts, memory-mapped. Raises RunError when it is unknown or damaged, CountsError when newer."""
        return load_demo() if dataset_id == DEMO else load_counts(self.folder(dataset_id))

    def delete(self, dataset_id: str, *, for_good: bool = False) -> None:
        """Remove it, to be had back for ten minutes by restore, or for good; runs keep the counts they modelled.

        Raises RunError when it is unknown, the demo, or the disk refuses.
        """
        if dataset_id == DEMO:
            raise RunError("The demo's data belongs to the program and stays.")
        folder = self.folder(dataset_id)
        if for_good:
            durable.delete_folder(folder)
        else:
            put_in_trash(folder)

    def restore(self, dataset_id: str) -> None:
        """Have a deleted data set back. Raises RunError when its ten minutes are over."""
        take_from_trash(self.workspace.datasets, dataset_id)

    def empty_trash(self, dataset_id: str | None = None) -> None:
        """Remove for good what was deleted more than ten minutes ago, and `dataset_id` whatever its time."""
        for folder, until in marked(self.workspace.datasets):
            if folder.name == dataset_id or until <= time.time():
                with suppress(FileNotFoundError):  # somebody else was faster
                    durable.delete_folder(folder)

    def deleted(self) -> tuple[tuple[DatasetCard, float], ...]:
        """Those that can be had back, with the seconds left."""
        found = []
        for entry in in_trash(self.workspace.datasets):
            with suppress(LdvaeError, OSError):
                found.append((_read_card(entry.folder), entry.seconds_left))
        return tuple(found)

    def data_files(self) -> tuple[DataFile, ...]:
        """What add_file can load from the workspace's data folder."""
        return tuple(list_data_folder(self.workspace.data_folder))

    def add_file(self, file_id: str, **how: Any) -> str:
        """Read a file or folder of data_files(); returns the data set's id, the known one when it is known.

        how: options, on_progress and should_stop of read_counts. Raises RunError when the id is not listed, CountsError
        as read_counts does; nothing is kept then.
        """
        source = find_data_file(self.workspace.data_folder, file_id)
        with self.scratch_folder() as scratch:
            return self._add(source, source.name, scratch, f"file {file_id}", how)

    def add_path(self, source: Path, **how: Any) -> str:
        """The same for any file or folder of this machine: never one that a visitor names."""
        with self.scratch_folder() as scratch:
            return self._add(source, source.name, scratch, "", how)

    def add_upload(self, name: str, content: bytes | BinaryIO, *, most_bytes: int = MOST_UPLOADED) -> str:
        """Take in an uploaded file, its content in chunks; returns the data set's id, the known one when it is known.

        name: as the person's computer calls it; only its ending decides anything. Raises CountsError when the file is
        larger than most_bytes, of an unknown kind, does not fit on the disk, or is refused by read_counts; nothing is
        kept then.
        """
        upload_id = self.keep_upload(name, content, most_bytes=most_bytes)
        try:
            return self.add_kept(upload_id)
        finally:
            self.drop_upload(upload_id)

    def keep_upload(self, name: str, content: bytes | BinaryIO, *, most_bytes: int = MOST_UPLOADED) -> str:
        """Write an uploaded file to the disk, to be read by add_kept; returns its id. Raises as add_upload.

        It stays until drop_upload, or until the process that kept it has ended and another one sweeps.
        """
        shown, safe = _file_names(name)
        format_of(Path(safe))
        upload_id = uuid.uuid4().hex
        folder = self.workspace.make().uploads / upload_id
        with self._no_room_is_said():
            folder.mkdir(mode=0o700)
            try:
                (folder / OWNER).write_text(processes.this_process(), encoding="utf-8")
                durable.write_json(folder / UPLOADED, {"name": shown, "file": safe})
                (folder / "file").mkdir()
                stream = io.BytesIO(content) if isinstance(content, bytes) else content
                _copy_upload(stream, folder / "file" / safe, most_bytes)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
        return upload_id

    def add_kept(self, upload_id: str, **how: Any) -> str:
        """Read a kept upload, as add_file reads a file. Raises RunError when it is not kept any more."""
        file, name = self.upload(upload_id)
        with self.scratch_folder() as scratch:
            return self._add(file, name, scratch, f"upload {upload_id}", how)

    def upload(self, upload_id: str) -> tuple[Path, str]:
        """A kept upload: its file, and what it is called. Raises RunError when it is not kept any more."""
        folder = self._upload(upload_id)
        names = durable.read_json(folder / UPLOADED)
        return folder / "file" / names["file"], names["name"]

    def chain(self, card: DatasetCard) -> tuple[tuple[Parent, bool], ...]:
        """The parent of a data set, the parent of that and so on, nearest first, each with whether it is there yet."""
        known = {one.dataset_id: one for one in self.list()}
        found: list[tuple[Parent, bool]] = []
        while card.parent is not None and card.parent.dataset_id not in {one.dataset_id for one, _ in found}:
            found.append((card.parent, card.parent.dataset_id in known))
            card = known.get(card.parent.dataset_id, _GONE)
        return tuple(found)

    def can_be_read_again(self, card: DatasetCard) -> bool:
        """Whether the file of a data set is still there."""
        kind, _, key = card.source.partition(" ")
        if kind == "upload":
            return (self.workspace.uploads / key / UPLOADED).exists() if UPLOAD_ID.fullmatch(key) else False
        return kind == "file" and any(file.file_id == key for file in self.data_files())

    def drop_upload(self, upload_id: str) -> None:
        """Remove a kept upload, if it is there."""
        with contextlib.suppress(RunError):
            shutil.rmtree(self._upload(upload_id), ignore_errors=True)

    def sweep(self) -> None:
        """Remove what uploads and readings left behind whose process was killed.

        A folder without an owner was being made or removed when that happened: it goes after OLD_SECONDS.
        """
        for entry in self.workspace.uploads.iterdir() if self.workspace.uploads.exists() else ():
            try:
                dead = processes.is_surely_dead((entry / OWNER).read_text(encoding="utf-8"))
            except (OSError, UnicodeDecodeError):
                dead = _age_seconds(entry) > OLD_SECONDS
            if dead:  # removed in one step: a reader that outlived its parent writes there no more
                with contextlib.suppress(OSError):
                    durable.delete_folder(entry)

    def _upload(self, upload_id: str) -> Path:
        folder = self.workspace.uploads / upload_id
        if not UPLOAD_ID.fullmatch(upload_id) or not (folder / UPLOADED).exists():
            raise RunError("The uploaded file is not kept any more.", "Upload it again.")
        return folder

    def folder(self, dataset_id: str) -> Path:
        """Where a data set lies. Raises RunError when it is unknown; the demo has no folder."""
        try:
            return listed_folder(self.workspace.datasets, dataset_id, what="data set")
        except RunError as fault:
            raise RunError(fault.problems, f"{fault.remedy[:-1]}; and demo.") from None

    def _add(self, source: Path, name: str, scratch: Path, origin: str, how: Mapping[str, Any]) -> str:
        return self.keep(self._read(source, scratch / "counts", **how), name, scratch, origin=origin)

    def keep(
        self, matrix: CountMatrix, name: str, scratch: Path, *, origin: str = "", parent: Parent | None = None
    ) -> str:
        """Move scratch/counts, of which this is the matrix, among the data sets; its id, the known one of the same."""
        card = DatasetCard(
            dataset_id="",
            name=name,
            n_cells=matrix.n_cells,
            n_genes=matrix.n_genes,
            counts_from=matrix.counts_from,
            notices=matrix.notices,
            fingerprint=matrix.fingerprint,
            identity=_identity(matrix),
            about=matrix.about,
            source=origin,
            parent=parent,
        )
        del matrix  # its files are about to move
        known = {other.identity: other.dataset_id for other in self.list()}
        dataset_id = known.get(card.identity) or make_id(stem(name), card.identity)
        folder = self.workspace.datasets / dataset_id
        if durable.is_deleted(folder):  # loaded again: its files may be damaged or gone any moment
            durable.delete_folder(folder)
        if not folder.exists():
            durable.write_json(scratch / "counts" / CARD_FILE, {**asdict(card), "dataset_id": dataset_id})
            durable.write_folder(folder, lambda part: _move_files(scratch / "counts", part))
        return dataset_id

    @contextmanager
    def scratch_folder(self) -> Iterator[Path]:
        """A folder to work in that is gone afterwards; one that a killed process leaves is known by its owner."""
        scratch = self.workspace.make().uploads / uuid.uuid4().hex
        scratch.mkdir(mode=0o700)
        try:
            (scratch / OWNER).write_text(processes.this_process(), encoding="utf-8")
            with self._no_room_is_said():
                yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    @contextmanager
    def _no_room_is_said(self) -> Iterator[None]:
        try:
            yield
        except OSError as fault:
            if fault.errno not in FULL_DISK:
                raise
            raise _no_room(self.workspace.root) from fault


_GONE = DatasetCard("", "", 0, 0, "")


def _read_safely(source: Path, into: Path, **how: Any) -> CountMatrix:
    from ldvae_core.data.read import read_counts

    return read_counts(source, into, **how)


def _read_card(folder: Path) -> DatasetCard:
    values = durable.read_json(folder / CARD_FILE)
    try:
        known = {name: values[name] for name in DatasetCard.__dataclass_fields__ if name not in ("source", "parent")}
        known["source"] = str(values.get("source", ""))  # cards had none before 2026-12
        known["parent"] = Parent(**values["parent"]) if values.get("parent") else None
        sizes = {"n_cells": int(known["n_cells"]), "n_genes": int(known["n_genes"])}
        return DatasetCard(**{**known, **sizes, "dataset_id": folder.name, "notices": tuple(known["notices"])})
    except (KeyError, TypeError, ValueError):
        raise RunError(f"{CARD_FILE} in {folder.name} is damaged.", "Load the file again.") from None


def _demo_card() -> DatasetCard:
    stored = durable.read_json(DEMO_ABOUT)
    about = {key: str(value) for key, value in stored["about"].items()}
    return DatasetCard(
        dataset_id=DEMO,
        name=f"{about['title']} (demo)",
        n_cells=stored["n_cells"],
        n_genes=stored["n_genes"],
        counts_from="X",
        notices=tuple(stored["notices"]),
        identity=DEMO,
        about=about,
    )


def _identity(matrix: CountMatrix) -> str:
    """sha256 over counts, names, annotations and maps: the same counts with other labels are another data set."""
    digest = hashlib.sha256(f"{matrix.fingerprint} {matrix.counts_from}".encode())
    for name in matrix.annotations.columns:
        digest.update(f"\n{name}\n".encode("utf-8", "replace"))
        values = matrix.annotations[name].astype(str)
        digest.update(pd.util.hash_array(values.to_numpy(dtype=object)).tobytes())
    for name, places in matrix.maps.items():
        digest.update(f"\nmap {name}\n".encode("utf-8", "replace"))
        digest.update(np.ascontiguousarray(places).tobytes())
    return digest.hexdigest()


def _file_names(name: str) -> tuple[str, str]:
    """The upload's name for people, and one that is safe on any disk with the same ending."""
    base = re.split(r"[/\\]", str(name))[-1]
    shown = "".join(character for character in base if character.isprintable())[-120:].strip() or "upload"
    return shown, re.sub(r"[^A-Za-z0-9._-]+", "_", shown)[-80:].lstrip(".-") or "upload"


def stem(name: str) -> str:
    """The name without the ending that tells the kind."""
    return re.sub(r"(?i)(\.(csv|tsv|txt))?\.[a-z0-9]{1,5}$", "", name) or name


def _copy_upload(stream: BinaryIO, target: Path, most_bytes: int) -> None:
    """Write the stream to the disk piece by piece, never more than allowed and flushed at the end."""
    written = 0
    with open(target, "xb") as file:
        while chunk := stream.read(CHUNK):
            written += len(chunk)
            if written > most_bytes:
                raise CountsError(
                    f"The file is larger than the {most_bytes / 2**20:,.0f} MB that may be uploaded.",
                    "Put it into the server's data folder instead.",
                )
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    if not written:
        raise CountsError("The uploaded file is empty.", "Upload it again.")


def _move_files(source: Path, target: Path) -> None:
    for file in source.iterdir():
        durable.rename(file, target / file.name)


def _age_seconds(path: Path) -> float:
    try:
        return time.time() - path.lstat().st_mtime
    except OSError:
        return 0.0


def _no_room(root: Path) -> CountsError:
    free = shutil.disk_usage(root).free / 2**20
    return CountsError(
        f"The disk is full: {free:,.0f} MB are free where data sets are kept.", "Make room, then try again."
    )
