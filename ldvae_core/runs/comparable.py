"""Which runs may be drawn together: nats per cell mean the same only on the same counts and the same test cells."""

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ldvae_core import durable
from ldvae_core.data.demo import load_demo
from ldvae_core.errors import LdvaeError
from ldvae_core.runs.settings import RunFile
from ldvae_core.workspace.folders import DEMO


@dataclass(frozen=True)
class Basis:
    """What a run's figures were measured on. Two runs compare where counts and split are equal."""

    data: str  # fingerprint of the data set, or where it came from while that is not known
    cells: str  # digest of the modelled cells' ids, in order
    genes: str  # digest of the modelled genes' names, in order
    counts: str  # fingerprint of the modelled counts, names included
    split: str  # digest of every cell's share
    seed: int = 0  # of the split
    shares: tuple[float, float] = (0.1, 0.1)  # validation and test, of all cells


def difference(first: Basis, other: Basis) -> str:
    """Why the second run is not drawn with the first one, in words; "" when it is."""
    if (first.counts, first.split) == (other.counts, other.split):
        return ""
    if first.cells != other.cells:
        if first.data != other.data:
            return "other data"
        return "other cells of the same data" if first.genes == other.genes else "other cells and genes"
    if first.genes != other.genes:
        return "other genes"
    if first.counts != other.counts:
        return "other data"
    if first.shares != other.shares:
        return "another split: its validation and test shares differ"
    if first.seed != other.seed:
        return f"another split: seed {other.seed} instead of {first.seed}"
    return "another split"


def left_out(first: Basis, others: Mapping[str, Basis | None]) -> dict[str, str]:
    """Run id -> why it cannot stand beside the first run; comparable runs are not among them.

    others: None for a run that has not prepared its data yet.
    """
    reasons = {
        run_id: "not begun yet, so its cells and genes are not known" if basis is None else difference(first, basis)
        for run_id, basis in others.items()
    }
    return {run_id: reason for run_id, reason in reasons.items() if reason}


def groups(bases: Mapping[str, Basis | None]) -> dict[str, int]:
    """Number of the group of comparable runs that each run belongs to, from 1 in order of appearance; 0: not known."""
    places: dict[tuple[str, str], int] = {}
    found = {}
    for run_id, basis in bases.items():
        found[run_id] = 0 if basis is None else places.setdefault((basis.counts, basis.split), len(places) + 1)
    return found


def read_basis(folder: Path) -> Basis | None:
    """The basis of a run folder; None before its data is prepared, or when its files cannot be read. Never raises."""
    try:
        changed = (folder / "split.npy").stat().st_mtime_ns
        return _read(folder, changed)
    except (LdvaeError, OSError, KeyError, TypeError, ValueError):
        return None


@functools.lru_cache(maxsize=512)
def _read(folder: Path, changed: int) -> Basis:
    """`changed` makes a rewritten folder another entry of the cache."""
    about = RunFile.read(folder)
    cells, genes, counts = _names(folder)
    training = about.settings.training
    return Basis(
        data=DEMO if about.settings.data_source == DEMO else about.fingerprint or about.settings.data_source,
        cells=_digest(cells),
        genes=_digest(genes),
        counts=counts,
        split=_digest(durable.read_array(folder / "split.npy")),
        seed=training.split_seed,
        shares=(training.validation_share, training.test_share),
    )


def _names(folder: Path) -> tuple[np.ndarray, np.ndarray, str]:
    """Cell ids, gene names, fingerprint of the counts; the shipped run takes its counts from the shipped data."""
    saved = folder / "counts"
    if saved.exists():
        fingerprint = str(durable.read_json(saved / "about.json")["fingerprint"])
        return durable.read_array(saved / "cell_ids.npy"), durable.read_array(saved / "gene_names.npy"), fingerprint
    whole = load_demo()
    about = durable.read_json(next((folder / "factors").iterdir()) / "about.json")
    genes = np.array(about["gene_names"], str)
    cells = durable.read_array(folder / "cell_ids.npy") if (folder / "cell_ids.npy").exists() else whole.cell_ids
    rows, columns = _places(cells, whole.cell_ids), _places(genes, whole.gene_names)
    return np.asarray(cells), genes, whole.subset(cells=rows, genes=columns).fingerprint


def _places(names: np.ndarray, among: np.ndarray) -> np.ndarray:
    place = {name: position for position, name in enumerate(among.tolist())}
    return np.array([place[name] for name in names.tolist()])


def _digest(values: np.ndarray) -> str:
    if values.dtype.kind == "U":
        return hashlib.sha256("\n".join(values.tolist()).encode("utf-8", "surrogatepass")).hexdigest()
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()
