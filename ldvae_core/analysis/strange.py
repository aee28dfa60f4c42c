"""Which new cells are unlike all cells that a run was trained on: how far they lie from its nearest type.

The distance of a cell is Mahalanobis' from the mean of the nearest type, by the type's own covariance over the training
cells, shrunken towards that of all types. One cell's position is noisy: distances are averaged over neighbourhoods of
the new cells (leaves of k-d trees on several turns of the factors), so that what a kind of cells has in common tells.
How far is far is told by the run's held-out cells, taken through the same steps. How much an average tells hangs on how
many cells there are to be neighbours: new cells are therefore gone through in batches of exactly as many cells as the
held-out ones were, all of them, or, where there are fewer new ones, halves of them, quarters, and so on.

Only summaries of types are kept, of at least FEWEST cells, so that a reference can be handed on without the cells.
Benchmark: benchmarks/place.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from ldvae_core.data.chunks import cell_chunks
from ldvae_core.data.split import TRAIN

FEWEST = 20  # cells of a type that is kept
MOST_TYPES = 200
UNLIKELY = 0.01  # share of held-out cells that lie as far out as a cell called strange
NEIGHBOURHOOD, TURNS = 12, 6  # cells of a leaf, at least; trees
MOST_HELD_OUT, LEAST_BATCH = 20_000, 25
FEWEST_HELD_OUT = 100  # of fewer, all may lie nearer than a cell that is not strange
MOST_QUANTILES = 1_001
RIDGE = 1e-3  # of the mean variance: shares that sum to 1 vary in one direction less than there are factors
GROUPED_BY = 400  # training cells for each group, where no annotation says what they are
SEED = 7193


@dataclass(frozen=True, eq=False)
class Reference:
    """Where a run's cells lie, without the cells. column: the annotation of the types; "" for groups that were found.

    means: float64 (n_types, n_factors); covariances: (n_types, n_factors, n_factors), as used; sizes: int64 (n_types,),
    training cells; batches: int64 (n_batches,), sizes that the held-out cells were gone through in, the largest first;
    far: float64 (n_batches, n_quantiles), of their distances, from the least to the largest; usual: the median of their
    own distances, before any average; n_held_out: how many they were.
    """

    column: str
    names: tuple[str, ...]
    sizes: np.ndarray
    means: np.ndarray
    covariances: np.ndarray
    batches: np.ndarray
    far: np.ndarray
    usual: float
    n_held_out: int


class Strangeness(NamedTuple):
    """Of new cells: (n_cells,) each."""

    distance: np.ndarray  # float32, standard deviations from the nearest type, mean over the neighbourhood
    beyond: np.ndarray  # float32, share of the run's held-out cells that lie as far out
    nearest: np.ndarray  # int32, type
    is_strange: np.ndarray  # bool: fewer than UNLIKELY lie so far out, and half of them nearer than the cell by itself


def reference_of(
    representation: np.ndarray, split: np.ndarray, labels: pd.Series | None, *, unlabelled: str = ""
) -> Reference:
    """Summaries of positions (n_cells, n_factors). labels: a category for every cell; None: groups are found.

    unlabelled: the category of cells without a label, which is no type.
    """
    training = np.flatnonzero(split == TRAIN)
    codes, names = _types(representation, training, labels, unlabelled)
    sizes = np.bincount(codes[codes >= 0], minlength=len(names))
    means, covariances = _moments(representation, training, codes, sizes)
    held_out = np.flatnonzero(split != TRAIN)
    if len(held_out) > MOST_HELD_OUT:
        held_out = np.sort(np.random.default_rng(SEED).choice(held_out, MOST_HELD_OUT, replace=False))
    column = "" if labels is None else str(labels.name)
    n = len(held_out)
    batches = np.array([n >> halved for halved in range(32) if halved == 0 or n >> halved >= LEAST_BATCH])
    bare = Reference(column, names, sizes, means, covariances, batches, np.zeros((len(batches), 1)), 0.0, n)
    positions = np.asarray(representation[held_out])
    distance, _ = _distances(bare, positions)
    places = np.linspace(0, 1, min(MOST_QUANTILES, max(n, 2)))
    far = np.stack([np.quantile(_smoothed(positions, distance, int(size)), places) for size in batches])
    return replace(bare, far=far, usual=float(np.median(distance)))


def strangeness(reference: Reference, positions: np.ndarray) -> Strangeness:
    """How far new cells, (n_cells, n_factors) on the reference's axes, lie from what the run has seen."""
    distance, nearest = _distances(reference, positions)
    fitting = np.flatnonzero(reference.batches <= len(positions))
    chosen = int(fitting[0]) if len(fitting) else len(reference.batches) - 1
    smooth = _smoothed(positions, distance, int(reference.batches[chosen]))
    far, n = reference.far[chosen], reference.n_held_out
    share = (len(far) - np.searchsorted(far, smooth, side="left")) / len(far)
    beyond = (1 + share * n) / (1 + n)  # the cell itself is one of them: never 0
    is_strange = (beyond < UNLIKELY) & (distance > reference.usual)
    return Strangeness(smooth.astype(np.float32), beyond.astype(np.float32), nearest, is_strange)


def strange_table(found: Strangeness, types: Sequence[str], labels: pd.Series) -> pd.DataFrame:
    """One row a level of labels (categories, one a new cell) that has cells, the strangest first.

    Columns: level, n_cells, n_strange, share (of its cells that are strange), nearest (the type nearest to most of
    them), nearest_share (of its cells).
    """
    codes, rows = labels.cat.codes.to_numpy(), []
    for code, level in enumerate(labels.cat.categories):
        cells = np.flatnonzero(codes == code)
        if len(cells):
            near = np.bincount(np.asarray(found.nearest)[cells], minlength=len(types))
            n_strange, first = int(np.count_nonzero(np.asarray(found.is_strange)[cells])), int(near.argmax())
            rows.append((str(level), len(cells), n_strange, n_strange / len(cells), types[first],
                         near[first] / len(cells)))  # fmt: skip
    columns = ["level", "n_cells", "n_strange", "share", "nearest", "nearest_share"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values("share", ascending=False, kind="stable").reset_index(drop=True)


def neighbourhood_means(positions: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Mean of values (n_cells,) over the neighbourhoods of each cell: float64 (n_cells,)."""
    random, n_factors = np.random.default_rng(SEED), positions.shape[1]
    total = np.zeros(len(values))
    for _ in range(TURNS):
        turn = np.linalg.qr(random.normal(size=(n_factors, n_factors)))[0].astype(np.float32)
        leaves = _leaves(np.asarray(positions, np.float32) @ turn, random)
        total[leaves] += values[leaves].mean(axis=1, keepdims=True)  # a cell that stands in two has what one adds
    return total / TURNS


def _smoothed(positions: np.ndarray, distance: np.ndarray, size: int) -> np.ndarray:
    """Distances averaged over neighbourhoods, in batches of `size` cells, the last filled up: float64 (n_cells,)."""
    smooth = np.empty(len(distance))
    order = np.random.default_rng(SEED).permutation(len(distance))
    for first in range(0, len(order), size):
        own = order[first : first + size]
        others = order[: max(0, min(first, size - len(own)))]  # those of the first batch: no cell stands in it twice
        rows = np.concatenate([own, others])
        smooth[own] = neighbourhood_means(positions[rows], distance[rows])[: len(own)]
    return smooth


def _leaves(positions: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Rows in groups, (n_groups, NEIGHBOURHOOD to twice as many): halved again and again along the widest factor.

    All groups are of one size: some rows stand in two of them.
    """
    n = len(positions)
    depth = max(0, int(np.log2(max(n, 1) / NEIGHBOURHOOD)))
    width = -(-n // (1 << depth))
    twice = random.choice(n, (width << depth) - n, replace=False)
    rows = np.concatenate([np.arange(n), twice])[None]
    for _ in range(depth):
        here = positions[rows]  # (groups, rows, factors)
        widest = here.var(axis=1).argmax(axis=1)
        along = np.take_along_axis(here, widest[:, None, None], axis=2)[..., 0]
        half = rows.shape[1] // 2
        rows = np.take_along_axis(rows, np.argpartition(along, half, axis=1), axis=1).reshape(-1, half)
    return rows


def _types(
    representation: np.ndarray, training: np.ndarray, labels: pd.Series | None, unlabelled: str
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Code of every training cell, -1 for those of no type; names of the types."""
    if labels is None:
        return _groups(representation[training])
    categories = [str(name) for name in labels.cat.categories]
    codes = labels.cat.codes.to_numpy()[training].astype(np.int64)
    sizes = np.bincount(codes[codes >= 0], minlength=len(categories))
    kept = [code for code, name in enumerate(categories) if sizes[code] >= FEWEST and name != unlabelled][:MOST_TYPES]
    if not kept:
        return _groups(representation[training])
    place = np.full(len(categories) + 1, -1)  # the last for cells without a category
    place[kept] = np.arange(len(kept))
    return place[codes], tuple(categories[code] for code in kept)


def _groups(positions: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """k-means; small groups are no types."""
    from sklearn.cluster import MiniBatchKMeans

    n_groups = int(np.clip(len(positions) // GROUPED_BY, 1, 30))
    found = MiniBatchKMeans(n_groups, random_state=SEED, n_init=3, batch_size=4096).fit_predict(np.array(positions))
    sizes = np.bincount(found, minlength=n_groups)
    kept = np.flatnonzero(sizes >= min(FEWEST, sizes.max()))
    place = np.full(n_groups, -1)
    place[kept] = np.arange(len(kept))
    return place[found], tuple(f"Group {number + 1}" for number in range(len(kept)))


def _moments(
    representation: np.ndarray, training: np.ndarray, codes: np.ndarray, sizes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    n_types, n_factors = len(sizes), representation.shape[1]
    means, squares = np.zeros((n_types, n_factors)), np.zeros((n_types, n_factors, n_factors))
    for second in (False, True):
        for chunk in cell_chunks(len(training), n_factors):
            values, own = representation[training[chunk]].astype(np.float64), codes[chunk]
            for code in np.unique(own[own >= 0]):
                rows = values[own == code]
                if second:
                    around = rows - means[code]
                    squares[code] += around.T @ around
                else:
                    means[code] += rows.sum(axis=0) / sizes[code]
    together = squares.sum(axis=0) / max(1, sizes.sum() - n_types)
    weight = (sizes / (sizes + 3 * n_factors))[:, None, None]
    own_covariance = squares / np.maximum(sizes - 1, 1)[:, None, None]
    ridge = RIDGE * max(np.trace(together) / n_factors, 1e-12) * np.eye(n_factors)
    return means, weight * own_covariance + (1 - weight) * together + ridge


def _distances(reference: Reference, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """From the nearest type: (n_cells,) standard deviations, and which it is."""
    roots = np.linalg.cholesky(np.linalg.inv(reference.covariances))  # precision = root root'
    distance, nearest = np.empty(len(positions)), np.empty(len(positions), np.int32)
    for chunk in cell_chunks(len(positions), positions.shape[1] * 2):
        least = np.full(chunk.stop - chunk.start, np.inf)
        here = positions[chunk].astype(np.float64)
        for code, (mean, root) in enumerate(zip(reference.means, roots, strict=True)):
            far = np.square((here - mean) @ root).sum(axis=1)
            closer = far < least
            least[closer], nearest[chunk][closer] = far[closer], code
        distance[chunk] = np.sqrt(least)
    return distance, nearest
