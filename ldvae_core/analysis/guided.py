"""Guided factors: which gene sets the cells bear out, the axes of these, and what the data changed in them.

Under a normal prior of z the likelihood is the same on any axes of the factors, so a prior of the loadings that is wide
inside a set and narrow outside decides one thing alone, however weak it is: where a factor's axis lies. With A the
loadings, each gene times the fourth root of its mean count (the information metric is the square root; there one gene
of very many counts stands for a whole set), a direction r holds the share

    r' A_S' A_S r / r' (A'A + RIDGE t I) r,     t = trace(A'A) / factors

of set S; the ridge keeps directions that explain nothing from holding much. The best direction is a generalised
eigenvector. A share, and not the prior's density, is maximised: that one also rewards small loadings, and puts the axis
where there is no program. The same is asked of random sets of genes as abundant as those of S: chance is what one in a
hundred of them exceeds. A set below it is *inactive*: its factor is free, and turned with the other free ones.

Then the axis is found once more, with each gene's chance of belonging (changes_of) in place of the set, so that wrong
genes in the set turn it less; it is kept where it still holds the set nearly as well. Axes are orthogonal; sets that
hold most beyond chance are taken first. A prior that acts in training too was tried and left: docs/guided.md.
"""

from collections.abc import Callable
from typing import NamedTuple, Self

import numpy as np
from scipy.linalg import eigh, null_space

RIDGE = 0.2
RANDOM_SETS = 200
CHANCE = 0.99  # quantile
FAITHFUL = 0.8  # of the set's own axis's share, that the second axis must hold
ABUNDANCE_BINS = 10
ADDED, DROPPED = 0.9, 0.5  # chance of belonging, above which a gene is added to the set, below which one is dropped
EVIDENCE = np.log(3.0)  # of the counts alone, that a dropped gene does not belong
MOST_ADDED = 0.1  # of all genes, or as many as the set has: where more would be added, loadings are no such mixture


class Borne(NamedTuple):
    """How far one set is borne out."""

    share: float  # of the best direction, 0 to 1
    chance: float  # that 1% of random sets exceed
    axis: np.ndarray | None  # (n_factors,) unit vector; None: inactive

    @property
    def active(self) -> bool:
        """Whether the cells bear the set out."""
        return self.axis is not None


class GuidedAxes(NamedTuple):
    """The sets that are borne out."""

    names: tuple[str, ...]
    axes: np.ndarray  # (n_factors, n_guided): orthonormal, on the trained axes
    member: np.ndarray  # (n_genes, n_guided) bool

    @classmethod
    def of(cls, found: list[Borne], names: tuple[str, ...], member: np.ndarray, n_factors: int) -> Self:
        """From what borne_out found."""
        active = [s for s, each in enumerate(found) if each.active]
        axes = [each.axis for each in found if each.axis is not None]
        stacked = np.column_stack(axes) if axes else np.zeros((n_factors, 0))
        return cls(tuple(names[s] for s in active), stacked, member[:, active])


class Changes(NamedTuple):
    """What the data made of a set: positions of genes, most certain first."""

    kept: np.ndarray
    added: np.ndarray  # outside the set, and surely of the program; none where that cannot be told
    dropped: np.ndarray  # in the set, and surely not
    added_can_be_told: bool = True  # False: nearly every gene loads, and the set's are not set apart


def borne_out(
    loadings: np.ndarray, abundance: np.ndarray, member: np.ndarray, *, n_cells: int, seed: int = 0
) -> list[Borne]:
    """Judge every set, and find the axes of those that are borne out, orthogonal to each other.

    loadings (n_genes, n_factors): centred, on any axes; abundance (n_genes,): mean counts; member (n_genes, n_sets)
    bool; n_cells: that the loadings were fitted to.
    """
    noise = 1 / np.sqrt(np.maximum(abundance * n_cells, 1.0))  # of a loading, about: a Poisson count's
    a = loadings * np.sqrt(np.sqrt(np.maximum(abundance, 0.0)))[:, None]
    whole = a.T @ a
    whole += np.eye(len(whole)) * max(RIDGE * np.trace(whole) / len(whole), np.finfo(float).tiny)
    draw = _random_sets(abundance, np.random.default_rng(seed))
    n_sets = member.shape[1]
    shares = [_best(a, whole, genes)[0] for genes in member.T]
    chances = [_chance(a, whole, genes, draw) for genes in member.T]
    axes: list[np.ndarray | None] = [None] * n_sets
    taken = np.zeros((len(whole), 0))
    for s in sorted(range(n_sets), key=lambda s: chances[s] - shares[s]):
        if shares[s] <= chances[s]:
            continue
        free = null_space(taken.T) if taken.shape[1] else np.eye(len(whole))
        if not free.shape[1]:
            break
        share, best = _best(a @ free, free.T @ whole @ free, member[:, s])
        if share > chances[s]:  # else another set has taken the direction
            axis = free @ _again(best, a @ free, free.T @ whole @ free, member[:, s], loadings @ free, noise)
            axes[s], taken = axis, np.column_stack([taken, axis])
    return [Borne(*each) for each in zip(shares, chances, axes, strict=True)]


def guided_rotation(axes: np.ndarray, rotate: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Orthogonal (n_factors, n_factors): the guided axes (n_factors, n_guided) first, then the free ones.

    rotate: told a basis of the free axes (n_factors, n_free), gives the rotation among these.
    """
    free = null_space(axes.T) if axes.shape[1] else np.eye(len(axes))
    return np.column_stack([axes, free @ rotate(free)]) if free.shape[1] else axes


def changes_of(loading: np.ndarray, error: np.ndarray, member: np.ndarray) -> Changes:
    """Which genes belong to a guided program, by its loadings (n_genes,), their errors, and the set (n_genes,) bool.

    Loadings are a mixture: small ones of genes outside the program, large ones of those in it, normal with variances
    fitted by likelihood; how often a gene belongs is fitted apart inside and outside the set. Genes of which the
    counts say too little keep the place that the set gave them. Where more genes than the set has, and more than
    MOST_ADDED of all, would be added, the loadings are not such a mixture: none is added, and added_can_be_told is
    False.
    """
    chance, against = _belonging(np.asarray(loading, np.float64), np.asarray(error, np.float64), member)
    strongest = np.argsort(-np.abs(loading), kind="stable")
    out = (chance < DROPPED) & (against > EVIDENCE)
    places = (member & ~out, ~member & (chance > ADDED), member & out)
    kept, added, dropped = (strongest[there[strongest]] for there in places)
    told = len(added) <= max(int(member.sum()), MOST_ADDED * len(loading))
    return Changes(kept, added if told else added[:0], dropped[::-1], told)


def _best(a: np.ndarray, whole: np.ndarray, genes: np.ndarray) -> tuple[float, np.ndarray]:
    """Largest share of these genes, and its direction as a unit vector."""
    inside = a[genes]
    values, vectors = eigh(inside.T @ inside, whole, subset_by_index=[len(whole) - 1, len(whole) - 1])
    return float(values[0]), vectors[:, 0] / np.linalg.norm(vectors[:, 0])


def _again(
    best: np.ndarray, a: np.ndarray, whole: np.ndarray, genes: np.ndarray, loadings: np.ndarray, noise: np.ndarray
) -> np.ndarray:
    """The axis of the genes that belong by what the first one says; the first where that one leaves the set."""
    chance, _ = _belonging(loadings @ best, noise, genes)
    weighted = a * np.sqrt(chance)[:, None]
    vectors = eigh(weighted.T @ weighted, whole, subset_by_index=[len(whole) - 1, len(whole) - 1])[1]
    second = vectors[:, 0] / np.linalg.norm(vectors[:, 0])
    first, then = (((a[genes] @ r) ** 2).sum() / (r @ whole @ r) for r in (best, second))
    return second if then >= FAITHFUL * first else best


def _random_sets(abundance: np.ndarray, rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """draw(set) gives as many genes, (n_genes,) bool, of the same tenths of abundance."""
    bins = np.argsort(np.argsort(abundance, kind="stable"), kind="stable") * ABUNDANCE_BINS // len(abundance)
    of_bin = [np.flatnonzero(bins == number) for number in range(ABUNDANCE_BINS)]

    def draw(genes: np.ndarray) -> np.ndarray:
        drawn = np.zeros(len(genes), bool)
        for among in of_bin:
            drawn[rng.choice(among, int(genes[among].sum()), replace=False)] = True
        return drawn

    return draw


def _chance(a: np.ndarray, whole: np.ndarray, genes: np.ndarray, draw: Callable[[np.ndarray], np.ndarray]) -> float:
    return float(np.quantile([_best(a, whole, draw(genes))[0] for _ in range(RANDOM_SETS)], CHANCE))


def _belonging(loading: np.ndarray, error: np.ndarray, member: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each gene's chance of belonging, and the log evidence of its counts against it, each (n_genes,).

    Variances by a grid, shares by EM.
    """
    noise = np.where(np.isfinite(error), error, np.inf) ** 2
    largest = float(np.quantile(np.abs(loading), 0.99)) or 1.0
    best, found = -np.inf, (member.astype(float), np.zeros(len(loading)))
    for large in largest * np.array([0.3, 0.45, 0.65, 1.0]):
        for small in large * np.array([0.03, 0.06, 0.12, 0.25]):
            density = [-0.5 * (np.log(sd**2 + noise) + loading**2 / (sd**2 + noise)) for sd in (small, large)]
            out, into = np.where(np.isfinite(noise), density, 0.0)
            chance, height = _shares(out, into, member)
            if height > best:
                best, found = height, (chance, out - into)
    return found


def _shares(out: np.ndarray, into: np.ndarray, member: np.ndarray) -> tuple[np.ndarray, float]:
    """Chance of belonging under these log densities, (n_genes,), and the log likelihood."""
    share = np.where(member, 0.7, 0.05)
    for _ in range(100):
        joined = np.logaddexp(np.log(share) + into, np.log1p(-share) + out)
        chance = np.exp(np.log(share) + into - joined)
        new = np.where(member, chance[member].mean(), chance[~member].mean()).clip(1e-4, 1 - 1e-4)
        if np.abs(new - share).max() < 1e-5:
            break
        share = new
    return chance, float(joined.sum())
