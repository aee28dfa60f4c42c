"""A run of two million cells, written straight into a workspace: `python -m benchmarks.large_run --folder FOLDER`.

Nothing is trained: positions, loadings and counts are drawn from the model's own equations, a piece of the cells at a
time, so that writing takes little memory. FOLDER is a workspace outside the repository; a run that is there is reused.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ldvae_core.analysis.chunks import column_moments
from ldvae_core.analysis.factors import Axes, Factors, save_factors
from ldvae_core.data.folder import FORMAT_VERSION
from ldvae_core.data.genesets import load_collection
from ldvae_core.data.prepare import DataChoices
from ldvae_core.data.split import split_cells
from ldvae_core.durable import read_array, write_array, write_folder, write_json, write_table
from ldvae_core.model.config import ModelConfig
from ldvae_core.runs.additions import MAP
from ldvae_core.runs.settings import RunSettings
from ldvae_core.runs.states import write_folder_state
from ldvae_core.runs.store import HISTORY_COLUMNS, RunStore
from ldvae_core.workspace.folders import Workspace

N_CELLS, N_GENES, N_FACTORS, N_TYPES, N_SAMPLES = 2_000_000, 1_000, 20, 37, 8
N_CLUSTERS = 25  # of the map
NONZERO = 0.05  # share of the counts
PIECE = 20_000  # cells drawn together
SEED = 0


class Planted(NamedTuple):
    """What the cells are drawn from."""

    centres: np.ndarray  # (types, factors)
    loadings: np.ndarray  # (genes, factors)
    intercept: np.ndarray  # (genes,), log fraction
    shares: np.ndarray  # (types,), of the cells


def run_id(n_cells: int = N_CELLS) -> str:
    """The id of the run of this size."""
    return f"large-{n_cells}"


def large_run(home: Path, *, n_cells: int = N_CELLS) -> str:
    """Write the run into the workspace `home` unless it is there; returns its id."""
    workspace = Workspace(home).make()
    folder = workspace.runs / run_id(n_cells)
    if (folder / "state.json").exists():  # the last file to be written
        _add_map(workspace, folder)
        return folder.name
    rng = np.random.default_rng(SEED)
    planted = plant(rng)
    split = split_cells(n_cells, seed=SEED)
    settings = RunSettings(
        name=f"{n_cells:,} synthetic cells", data_source="demo", label_column="cell_type",
        choices=DataChoices(n_genes=N_GENES), model=ModelConfig(n_factors=N_FACTORS),
    )  # fmt: skip
    settings.write(folder, data_name="synthetic", fingerprint=f"synthetic-{n_cells}")
    annotations = annotate(rng, n_cells, planted.shares)
    z = positions(rng, planted, annotations)
    write_counts(folder / "counts", rng, planted, z, annotations)
    write_array(folder / "split.npy", split)
    for axes in ("as_trained", "readable"):
        save_factors(factors_of(planted, z, axes), folder / "factors" / axes)  # type: ignore[arg-type]
    write_json(folder / "metrics.json", {"test_reconstruction_error": 250.0, "test_elbo": -262.0, "epochs": 3,
                                         "n_cells": n_cells, "n_genes": N_GENES})  # fmt: skip
    write_table(folder / "history.parquet", pd.DataFrame(np.ones((3, len(HISTORY_COLUMNS))), columns=HISTORY_COLUMNS))
    write_folder_state(folder, "finished")
    _add_map(workspace, folder)
    return folder.name


def _add_map(workspace: Workspace, folder: Path) -> None:
    """A finished map and its clusters, where the run has none: islands of types, laid out without computing a UMAP."""
    target = RunStore(workspace).additions(folder.name).make() / MAP
    if (target / "about.json").exists():
        return
    rng = np.random.default_rng(SEED)
    types = pd.read_parquet(folder / "counts" / "annotations.parquet")["cell_type"].cat.codes.to_numpy()
    z = read_array(folder / "factors" / "readable" / "representation.npy")
    islands = rng.uniform(-12, 12, (N_TYPES, 2)).astype(np.float32)
    umap = islands[types] + 0.4 * z[:, :2] + 0.3 * rng.standard_normal((len(z), 2), dtype=np.float32)
    clusters = np.minimum(types, N_CLUSTERS - 1).astype(np.int32)
    largest = np.argsort(-np.bincount(clusters), kind="stable")  # cluster 0 is the largest
    about = {"resolution": 1.0, "seed": SEED, "n_cells": len(z), "n_clusters": N_CLUSTERS, "n_factors": N_FACTORS}

    def fill(part: Path) -> None:
        write_array(part / "umap.npy", umap)
        write_array(part / "leiden.npy", np.argsort(largest).astype(np.int32)[clusters])
        write_json(part / "about.json", about)

    write_folder(target, fill)


def plant(rng: np.random.Generator) -> Planted:
    """Types that lie apart on few factors each, genes that load on few, and types from common to rare."""
    centres = rng.normal(0, 2.5, (N_TYPES, N_FACTORS)) * (rng.random((N_TYPES, N_FACTORS)) < 0.15)
    loadings = rng.normal(0, 0.35, (N_GENES, N_FACTORS)) * (rng.random((N_GENES, N_FACTORS)) < 0.2)
    intercept = rng.normal(0, 1.2, N_GENES)
    shares = 1.0 / np.arange(1, N_TYPES + 1)
    return Planted(
        centres, loadings - loadings.mean(axis=0), intercept - np.log(np.exp(intercept).sum()), shares / shares.sum()
    )


def annotate(rng: np.random.Generator, n_cells: int, shares: np.ndarray) -> pd.DataFrame:
    """Cell types and conditions as categories, samples as plain text: the two ways in which files bring them."""
    types = [f"Cell type {number + 1}" for number in range(N_TYPES)]
    samples = np.array([f"sample_{number + 1}" for number in range(N_SAMPLES)], object)
    sample = rng.integers(N_SAMPLES, size=n_cells)
    return pd.DataFrame(
        {
            "cell_type": pd.Categorical.from_codes(rng.choice(N_TYPES, n_cells, p=shares), types),
            "condition": pd.Categorical.from_codes(sample % 2, ["control", "treated"]),
            "sample": samples[sample],
        }
    )


def positions(rng: np.random.Generator, planted: Planted, annotations: pd.DataFrame) -> np.ndarray:
    """(n_cells, factors) float32: the type's centre, half a step further for treated cells, and noise."""
    z = planted.centres.astype(np.float32)[annotations["cell_type"].cat.codes.to_numpy()]
    z[:, 0] += 0.5 * annotations["condition"].cat.codes.to_numpy()
    for cells in pieces(len(z)):
        z[cells] += rng.standard_normal(z[cells].shape, dtype=np.float32)
    return z


def write_counts(
    folder: Path, rng: np.random.Generator, planted: Planted, z: np.ndarray, annotations: pd.DataFrame
) -> None:
    """The folder that data.folder.save_counts would write, without ever holding the counts."""
    folder.mkdir(parents=True, exist_ok=True)
    n_cells, filled = len(z), 0
    per_cell = np.zeros(n_cells + 1, np.int64)
    with growing(folder / "counts_data.npy", np.uint16) as data, growing(folder / "counts_indices.npy", np.int32) as at:
        for cells in pieces(n_cells):
            rows, genes, counts = draw_counts(rng, planted, z[cells])
            per_cell[cells.start + 1 : cells.stop + 1] = np.bincount(rows, minlength=cells.stop - cells.start)
            data.write(counts.astype(np.uint16))
            at.write(genes.astype(np.int32))
            filled += len(counts)
    write_array(folder / "counts_indptr.npy", np.cumsum(per_cell).astype(np.int32))
    write_array(folder / "cell_ids.npy", np.char.add("cell-", np.char.zfill(np.arange(n_cells).astype(str), 7)))
    write_array(folder / "gene_names.npy", gene_names())
    write_table(folder / "annotations.parquet", annotations)
    about = {"format_version": FORMAT_VERSION, "n_cells": n_cells, "n_genes": N_GENES, "counts_from": "X",
             "notices": [], "about": {}, "fingerprint": f"synthetic-{n_cells}"}  # fmt: skip
    write_json(folder / "about.json", about)


def draw_counts(rng: np.random.Generator, planted: Planted, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, genes and counts above zero of some cells: Poisson about library size x fraction, NONZERO of them.

    A count is above zero with its Poisson chance; one that is then exceeds 1 by a Poisson count of half the mean.
    """
    log_fraction = z @ planted.loadings.T.astype(np.float32) + planted.intercept.astype(np.float32)
    mean = np.exp(log_fraction - log_fraction.max(axis=1, keepdims=True))
    mean *= (
        1.25
        * NONZERO
        * N_GENES
        * rng.lognormal(0, 0.3, (len(z), 1)).astype(np.float32)
        / mean.sum(axis=1, keepdims=True)
    )
    seen = rng.random(mean.shape, dtype=np.float32) < -np.expm1(-mean)
    seen[:, 0] |= ~seen.any(axis=1)  # a cell without any counts would be no cell
    rows, genes = np.nonzero(seen)
    return rows, genes, 1 + rng.poisson(mean[rows, genes] / 2)


def factors_of(planted: Planted, z: np.ndarray, axes: Axes) -> Factors:
    """The planted factors as a run keeps them, the readable axes being those as trained with their signs turned."""
    sign = np.where(np.arange(N_FACTORS) % 2 == 0, 1.0, -1.0 if axes == "as_trained" else 1.0)
    loadings = (planted.loadings * sign).astype(np.float32)
    errors = np.full(loadings.shape, 0.02, np.float32)
    strength = column_moments(z)[1] * planted.loadings.std(axis=0)
    return Factors(
        axes=axes,
        prior="normal",
        gene_names=gene_names(),
        representation=z if (sign > 0).all() else z * sign.astype(np.float32),
        loadings=loadings,
        loadings_se=errors,
        loadings_shrunken=loadings,
        loadings_shrunken_sd=errors,
        intercept=planted.intercept.astype(np.float32),
        inverse_dispersion=np.full(N_GENES, 5.0, np.float32),
        explained_deviance=0.3 * strength**2 / (strength**2).sum(),
        active=np.ones(N_FACTORS, bool),
        flipped=sign < 0,
        trained_as=np.arange(N_FACTORS),
        rotation=np.diag(sign),
    )


def gene_names() -> np.ndarray:
    """(genes,) str: the first symbols of the shipped gene sets, so that looking genes up in sets finds some."""
    sets = load_collection("go_human").sets.values()
    return np.array(list(dict.fromkeys(gene for genes in sets for gene in genes))[:N_GENES])


def pieces(n_cells: int) -> Iterator[slice]:
    """The cells, PIECE at a time."""
    for start in range(0, n_cells, PIECE):
        yield slice(start, min(start + PIECE, n_cells))


class Growing:
    """A .npy file whose length is known only at the end."""

    def __init__(self, path: Path, dtype: type) -> None:
        self.file = open(path, "w+b")  # noqa: SIM115  (growing() closes it)
        self.dtype, self.length = np.dtype(dtype), 0
        self.head()

    def head(self) -> None:
        """The header, always of the same size: numpy leaves room for lengths to grow."""
        self.file.seek(0)
        described = {"descr": self.dtype.str, "fortran_order": False, "shape": (self.length,)}
        np.lib.format.write_array_header_1_0(self.file, described)

    def write(self, values: np.ndarray) -> None:
        """Append."""
        self.file.write(np.ascontiguousarray(values, self.dtype).tobytes())
        self.length += len(values)


@contextmanager
def growing(path: Path, dtype: type) -> Iterator[Growing]:
    """A file of one array to append to, complete when the block ends."""
    array = Growing(path, dtype)
    try:
        yield array
        array.head()
    finally:
        array.file.close()


def main() -> None:
    """Write it, and say where."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="a workspace outside the repository")
    parser.add_argument("--cells", type=int, default=N_CELLS)
    asked = parser.parse_args()
    large_run(asked.folder, n_cells=asked.cells)


if __name__ == "__main__":
    main()
