"""Cells near each other in the factors: a map of them in two dimensions (UMAP), and clusters (Leiden).

scanpy, umap-learn and igraph are imported inside the functions: they take seconds to load, and only the process that
computes a map needs them.
"""

import io
import random
import zlib
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from ldvae_core.analysis.factors import Factors
from ldvae_core.data.chunks import cell_chunks
from ldvae_core.errors import RunError, SettingsError

N_NEIGHBOURS = 15  # scanpy's
MIN_DIST, SPREAD = 0.5, 1.0  # scanpy's
FEWEST_CELLS = 10
EXACT_UP_TO = 50_000  # cells: 10 s; the approximate search takes longer than that to be compiled
SPECTRAL_UP_TO = 200_000  # cells; beyond, the eigenvectors take longer than the map, and principal components begin it
LOWEST_RESOLUTION, HIGHEST_RESOLUTION = 0.05, 10.0
LEIDEN_ROUNDS = 2  # scanpy's with igraph
STAGES = ("finding neighbours", "placing cells", "clustering")

OnProgress = Callable[[str, float], None]  # a stage of STAGES, and the share of it that is done


class CellMap(NamedTuple):
    """Where cells lie on the map, and which cluster each belongs to."""

    positions: np.ndarray  # (n_cells, 2) float32; no unit
    clusters: np.ndarray  # (n_cells,) int32, 0 the largest


def map_cells(
    factors: Factors,
    *,
    resolution: float = 1.0,
    seed: int = 0,
    threads: int = 1,
    known_positions: np.ndarray | None = None,
    on_progress: OnProgress = lambda stage, share: None,
) -> CellMap:
    """The map and the clusters of a run's cells, from their positions on the active factors alone.

    As scanpy does it: 15 nearest neighbours in Euclidean distance; UMAP (min_dist 0.5) and Leiden by modularity, both
    on the same graph. The same seed gives the same map. known_positions: (n_cells, 2), of an earlier map of the same
    factors and seed, which is then not made again. Raises RunError (fewer than 10 cells, no active factor, a position
    that is not a number) or SettingsError (a resolution outside 0.05 to 10).
    """
    require_resolution(resolution)
    z = active_positions(factors)
    with threadpool_limits(threads):
        on_progress(STAGES[0], 0.0)
        graph = neighbour_graph(z, seed=seed, threads=threads)
        positions = known_positions
        if positions is None:
            on_progress(STAGES[1], 0.0)
            positions = place_cells(z, graph, seed=seed, on_share=lambda share: on_progress(STAGES[1], share))
        on_progress(STAGES[2], 0.0)
        clusters = cluster_cells(graph, resolution=resolution, seed=seed)
    return CellMap(np.ascontiguousarray(positions, np.float32), clusters)


def require_resolution(resolution: float) -> None:
    """Raise SettingsError unless Leiden can be asked for it."""
    if not LOWEST_RESOLUTION <= resolution <= HIGHEST_RESOLUTION:
        raise SettingsError(
            f"The resolution of the clusters is {resolution:g}.",
            f"Choose one between {LOWEST_RESOLUTION:g} (few clusters) and {HIGHEST_RESOLUTION:g} (many).",
        )


def active_positions(factors: Factors) -> np.ndarray:
    """(n_cells, n_active) float32, the positions of cells on the active factors. Raises RunError, see map_cells."""
    active = np.flatnonzero(factors.active)
    if not len(active):
        raise RunError(
            "This run has no active factor, so no cell is nearer to one than to another.",
            "Train it longer, or with fewer factors.",
        )
    if factors.n_cells < FEWEST_CELLS:
        raise RunError(f"This run has {factors.n_cells} cells.", f"A map takes at least {FEWEST_CELLS}.")
    z = np.empty((factors.n_cells, len(active)), np.float32)
    for cells in cell_chunks(*factors.representation.shape):
        z[cells] = factors.representation[cells][:, active]
    if not np.isfinite(z).all():
        raise RunError("Some cells have positions that are not numbers.", "Train the run again.")
    return z


def neighbour_graph(z: np.ndarray, *, seed: int = 0, threads: int = 1) -> sparse.csr_matrix:
    """scanpy's graph of neighbours: (n_cells, n_cells) CSR, symmetric, weights in (0, 1].

    z: (n_cells, n_factors) float32. Above 50,000 cells the neighbours are found approximately (PyNNDescent).
    """
    import anndata
    import numba
    import scanpy

    numba.set_num_threads(max(1, min(threads, numba.config.NUMBA_NUM_THREADS)))  # type: ignore[attr-defined]  # set at import
    cells, n_neighbours, exact = anndata.AnnData(z), min(N_NEIGHBOURS, len(z) - 1), len(z) <= EXACT_UP_TO
    scanpy.pp.neighbors(
        cells,
        n_neighbors=n_neighbours,
        use_rep="X",
        metric="euclidean",
        random_state=seed,
        transformer="sklearn" if exact else _descent(len(z), n_neighbours, seed=seed, threads=threads),
    )
    return sparse.csr_matrix(cells.obsp["connectivities"])


def place_cells(
    z: np.ndarray,
    graph: sparse.csr_matrix,
    *,
    seed: int = 0,
    on_share: Callable[[float], None] = lambda share: None,
) -> np.ndarray:
    """UMAP of the graph: (n_cells, 2) float32, the same as scanpy.tl.umap with the same seed.

    z: (n_cells, n_factors), where the placing begins. on_share is told the share of the rounds done, now and then.
    Source: McInnes, Healy, Melville 2018; the call is scanpy's, which offers no way to follow it.
    """
    from umap.umap_ import find_ab_params, simplicial_set_embedding

    a, b = find_ab_params(SPREAD, MIN_DIST)
    positions, _ = simplicial_set_embedding(
        data=z,
        graph=graph.tocoo(),
        n_components=2,
        initial_alpha=1.0,
        a=a,
        b=b,
        gamma=1.0,
        negative_sample_rate=5,
        n_epochs=500 if len(z) <= 10_000 else 200,
        init="spectral" if len(z) <= SPECTRAL_UP_TO else "pca",
        random_state=np.random.RandomState(seed),  # umap-learn takes no Generator
        metric="euclidean",
        metric_kwds={},
        densmap=False,
        densmap_kwds={},
        output_dens=False,
        tqdm_kwds={"file": _Rounds(on_share), "disable": False, "bar_format": "{n}/{total}", "mininterval": 0.5},
    )
    return np.ascontiguousarray(positions, np.float32)


def cluster_cells(graph: sparse.csr_matrix, *, resolution: float = 1.0, seed: int = 0) -> np.ndarray:
    """Leiden clusters by modularity: (n_cells,) int32, 0 the largest, in order of size.

    The algorithm and settings of scanpy.tl.leiden(flavor="igraph"); each edge is handed over once, as an array, so that
    millions of cells fit. Source: Traag, Waltman, van Eck 2019.
    """
    import igraph

    edges = sparse.triu(graph, k=1).tocoo()
    network = igraph.Graph(n=graph.shape[0], edges=np.column_stack([edges.row, edges.col]), directed=False)
    igraph.set_random_number_generator(random.Random(seed))
    try:
        found = network.community_leiden(
            objective_function="modularity",
            weights=edges.data.astype(np.float64),
            resolution=resolution,
            n_iterations=LEIDEN_ROUNDS,
        )
    finally:
        igraph.set_random_number_generator(random)
    membership = np.asarray(found.membership)
    sizes = np.bincount(membership)
    rank = np.empty(len(sizes), np.int32)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return rank[membership]


def fingerprint(z: np.ndarray) -> str:
    """Of positions (n_cells, n_factors): whether an earlier map was made of the same."""
    found = 0
    for cells in cell_chunks(*z.shape):
        found = zlib.crc32(np.ascontiguousarray(z[cells]).tobytes(), found)
    return f"{z.shape[0]}x{z.shape[1]}-{found:08x}"


def versions() -> dict[str, str]:
    """Of the packages that a map depends on."""
    return {name: version(name) for name in ("scanpy", "umap-learn", "pynndescent", "igraph")}


def _descent(n_cells: int, n_neighbours: int, *, seed: int, threads: int) -> Any:
    """scanpy's own approximate search, with its settings; PyNNDescent 0.7 answers in a form scanpy 1.11 cannot read."""
    from pynndescent import PyNNDescentTransformer

    class Descent(PyNNDescentTransformer):  # type: ignore[misc]  # the library carries no types
        def fit_transform(self, X: np.ndarray, y: None = None, **fit_params: Any) -> sparse.csr_matrix:
            return sparse.csr_matrix(super().fit_transform(X, y, **fit_params))

    return Descent(
        n_neighbors=n_neighbours,
        metric="euclidean",
        random_state=seed,
        n_jobs=threads,
        n_trees=min(64, 5 + round(n_cells**0.5 / 20)),
        n_iters=max(5, round(np.log2(n_cells))),
    )


class _Rounds(io.StringIO):
    """Reads "12/200" from umap-learn's progress bar, the only news it gives."""

    def __init__(self, on_share: Callable[[float], None]) -> None:
        super().__init__()
        self._on_share = on_share

    def write(self, text: str) -> int:
        done, _, total = text.strip().partition("/")
        if done.isdigit() and total.isdigit() and int(total):
            self._on_share(int(done) / int(total))
        return len(text)
