"""Factors: what a trained linear model says about cells and genes, in the order and orientation people see."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from scipy import sparse
from scipy.special import logsumexp

from ldvae_core import durable
from ldvae_core.analysis.chunks import column_moments, library_sizes, require_positive
from ldvae_core.analysis.guided import GuidedAxes, guided_rotation
from ldvae_core.analysis.importance import active_factors, gene_deviance
from ldvae_core.analysis.metrics import expected_counts
from ldvae_core.analysis.rotation import axis_variance, gene_sparse, varimax
from ldvae_core.analysis.uncertainty import Shrunken, loading_standard_errors, moment_variance, shrink_loadings
from ldvae_core.data.chunks import cell_chunks, some_cells
from ldvae_core.errors import RunError
from ldvae_core.model.families import LIKELIHOODS, LikelihoodName
from ldvae_core.model.packed import packed, unpacked
from ldvae_core.model.priors import PRIORS, PriorName

Axes = Literal["readable", "gene_sparse", "as_trained"]
GeneOrder = Literal["deviance", "effect"]
ARRAYS = ("representation", "loadings", "loadings_se", "loadings_shrunken", "loadings_shrunken_sd", "intercept",
          "inverse_dispersion", "explained_deviance", "active", "flipped", "trained_as", "rotation")  # fmt: skip
GENE_DEVIANCE = "gene_deviance.npy"  # not there in older runs
SHARE_CELLS = 2_000  # enough for the mean share of a gene


@dataclass(frozen=True, eq=False)
class Factors:
    """A run's factors, strongest first (dead ones last). Array index k is "Factor k + 1" on screen.

    library_size * softmax(representation @ loadings.T + intercept) is an LDVAE's expected count of every gene. A
    baseline has a rule of its own and no standard errors (NaN); its raw loadings stand for the shrunken ones.
    """

    axes: Axes  # readable: rotated by varimax of cells; gene_sparse: of loadings; as_trained: as training ended
    prior: PriorName
    gene_names: np.ndarray  # (n_genes,) str
    representation: np.ndarray  # (n_cells, n_factors) float32, posterior mean of z
    loadings: np.ndarray  # (n_genes, n_factors) float32, natural log per unit of z, centred over genes
    loadings_se: np.ndarray  # (n_genes, n_factors) float32, standard errors; NaN where unknown
    loadings_shrunken: np.ndarray  # (n_genes, n_factors) float32, posterior mean after adaptive shrinkage
    loadings_shrunken_sd: np.ndarray  # (n_genes, n_factors) float32, its posterior standard deviation
    intercept: np.ndarray  # (n_genes,) float32, log fraction of a cell at z = 0 (usages: of an even mixture)
    inverse_dispersion: np.ndarray  # (n_genes,) float32; infinite where the likelihood has none
    explained_deviance: np.ndarray  # (n_factors,) float64, share of the held-out null deviance; not additive
    active: np.ndarray  # (n_factors,) bool
    flipped: np.ndarray  # (n_factors,) bool, sign reversed so that the heavier tail is positive
    trained_as: np.ndarray  # (n_factors,) int: index of the trained axis; -1 on rotated axes
    rotation: np.ndarray  # (n_factors, n_factors) float64: representation = trained representation @ rotation
    names: tuple[str, ...] = ()  # what people call the factors, "" for those without a name; not saved with the arrays
    uncertified: frozenset[int] = frozenset()  # known not to come back in other cells; not saved
    gene_deviance: np.ndarray | None = None  # (n_genes, n_factors) float32, parts of explained_deviance; None: unknown
    gene_order: GeneOrder = "deviance"  # what decides which genes of a factor are named first; not saved
    guided_by: tuple[str, ...] = ()  # the gene set that each factor was guided by, "" for free ones; () without any

    def label(self, factor: int) -> str:
        """What factor k (from 0) is called on screen: "Factor 3", or "Factor 3 · erythroid" once somebody named it.

        One that does not come back in other cells is called "Factor 3 (not certified)".
        """
        said = factor_label(factor, self.name_of(factor))
        return f"{said} (not certified)" if factor in self.uncertified else said

    def name_of(self, factor: int) -> str:
        """The name that a person gave factor k, else that of the gene set that guided it, "" without either."""
        given = self.names[factor] if factor < len(self.names) else ""
        return given or self.set_of(factor)

    def set_of(self, factor: int) -> str:
        """The gene set that factor k was guided by, "" for a free factor."""
        return self.guided_by[factor] if factor < len(self.guided_by) else ""

    @property
    def n_cells(self) -> int:
        """Cells, training and held out together."""
        return self.representation.shape[0]

    @property
    def n_genes(self) -> int:
        """Modelled genes."""
        return self.loadings.shape[0]

    @property
    def n_factors(self) -> int:
        """Factors, dead ones included."""
        return self.loadings.shape[1]

    @property
    def are_usages(self) -> bool:
        """Whether they are shares of a cell: >= 0, summing to 1, without a sign that could be turned."""
        return PRIORS[self.prior].is_usage

    @property
    def may_flip(self) -> bool:
        """Whether a factor means the same with its sign reversed."""
        return PRIORS[self.prior].may_flip

    @cached_property
    def _moments(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return column_moments(self.representation)

    @property
    def centre(self) -> np.ndarray:
        """Mean of each factor over cells: (n_factors,) float64."""
        return self._moments[0]

    @property
    def scale(self) -> np.ndarray:
        """Standard deviation of each factor over cells: loadings * scale is the log fold change per sd."""
        return self._moments[1]

    @cached_property
    def molecule_share(self) -> np.ndarray:
        """Each gene's share of a cell's molecules as the model expects it, a mean over cells: (n_genes,) float64.

        Of at most 2,000 cells, and without the effects of covariates.
        """
        cells = some_cells(np.arange(self.n_cells), SHARE_CELLS, seed=0)
        total, size = np.zeros(self.n_genes), np.ones(len(cells))
        for chunk in cell_chunks(len(cells), self.n_genes):
            z = self.representation[cells[chunk]]
            total += expected_counts(z, self.loadings, self.intercept, size[chunk])[1].sum(axis=0)
        return total / max(len(cells), 1)


def factor_label(factor: int, name: str = "") -> str:
    """What factor k (from 0) is called, with the name that a person gave it, if any."""
    return f"Factor {factor + 1} · {name}" if name else f"Factor {factor + 1}"


def as_noted(factors: Factors, *, names: Mapping[int, str], flipped: Collection[int] = ()) -> Factors:
    """The same factors under the names people gave them, with the given ones turned round; the arrays stay shared.

    Turning z and W together changes no expected count. flipped is ignored for usages, which have no sign.
    """
    named = tuple(names.get(factor, "") for factor in range(factors.n_factors))
    turned = [factor for factor in flipped if 0 <= factor < factors.n_factors and factors.may_flip]
    if not turned:
        return replace(factors, names=named)
    sign = np.ones(factors.n_factors, np.float32)
    sign[turned] = -1
    changed = {
        name: getattr(factors, name) * sign for name in ("representation", "loadings", "loadings_shrunken", "rotation")
    }
    return replace(factors, names=named, flipped=np.asarray(factors.flipped) ^ (sign < 0), **changed)


def build_factors(
    *,
    representation: np.ndarray,
    posterior_variance: np.ndarray | None,
    loadings: np.ndarray,
    intercept: np.ndarray,
    inverse_dispersion: np.ndarray | None,
    counts: sparse.csr_matrix,
    library_size: np.ndarray | None,
    split: np.ndarray,
    prior: PriorName,
    axes: Axes,
    gene_names: np.ndarray,
    likelihood: LikelihoodName = "nb",
    covariates: np.ndarray | None = None,
    covariate_loadings: np.ndarray | None = None,
    fractions: Callable[[np.ndarray], np.ndarray] | None = None,
    posterior_covariance: np.ndarray | None = None,
    guided: GuidedAxes | None = None,
) -> Factors:
    """Everything that happens after training, at exactly unchanged likelihood: docs/model.md, "After training".

    representation: (n_cells, n_factors), E[z | x] on the trained axes; posterior_variance: the same shape, Var[z | x],
    None for logistic_normal; loadings: (n_genes, n_factors), batch norm folded in; intercept, inverse_dispersion:
    (n_genes,), the latter None for Poisson; counts: (n_cells, n_genes) CSR; library_size: (n_cells,), by default the
    cell's counts; split: (n_cells,), 0 train, 1 validation, 2 test; covariates: (n_cells, n_levels) design with
    covariate_loadings (n_genes, n_levels), kept in the predictions and never rotated.

    As far as the prior allows, axes="readable" rotates Z and W together by varimax, axes="gene_sparse" by varimax of
    the loadings alone, and a factor whose heavier tail is
    negative is flipped. Usages: neither; loadings are also centred per gene over factors, the removed part moving into
    the intercept. Zero-inflated models are ordered by their negative binomial part.
    posterior_covariance: (n_cells, pairs) on the trained axes, as model/packed.py has it, of refined positions; widens
    the intervals of loadings.
    fractions: of a baseline, whose positions become fractions in another way than by the softmax; its loadings have no
    standard errors (NaN) and are not shrunken.
    guided: axes that gene sets hold; only the others are rotated, and their loadings are shrunken apart inside and
    outside the set.
    Raises CountsError when a cell has no counts.
    """
    usage, of_prior = PRIORS[prior].is_usage, PRIORS[prior]
    size = library_sizes(counts) if library_size is None else np.asarray(library_size, np.float64)
    require_positive(size)
    weights, bias = _centred(loadings, intercept, usage=usage)
    rotated = axes != "as_trained" and of_prior.may_rotate and loadings.shape[1] > 1
    rotation, of_axis = np.eye(loadings.shape[1]), _sets_of(guided, loadings.shape[1], axes)
    if rotated:
        rotation = _rotation(axes, representation, weights, guided)
    z, flips = _oriented(representation, rotation, may_flip=of_prior.may_flip)
    rotation = rotation * np.where(flips, -1.0, 1.0)
    known = posterior_variance if of_prior.is_standard else None
    variance = None if known is None else _rotate(known, rotation**2)

    extra = (None, None) if covariates is None else (covariates, covariate_loadings)
    has_theta = LIKELIHOODS[likelihood].has_dispersion
    theta = np.asarray(inverse_dispersion, np.float64) if has_theta else None
    by_gene = gene_deviance(
        counts=counts, representation=_beside(z, extra[0]), loadings=_beside(weights @ rotation, extra[1]),
        intercept=bias, inverse_dispersion=theta, library_size=size, split=split, usage=usage, likelihood=likelihood,
        n_factors=loadings.shape[1],
        fractions=None if fractions is None else lambda positions: fractions(positions @ rotation.T),
    )  # fmt: skip
    explained = by_gene.sum(axis=0)
    active = active_factors(z, variance, usage=usage)
    order = np.lexsort((-explained, ~active))
    z, rotation = np.ascontiguousarray(z[:, order]), rotation[:, order]
    weights, sets = weights @ rotation, tuple(of_axis[k] for k in order)
    if fractions is None:
        fitted = np.flatnonzero(np.asarray(split) == 0) if (np.asarray(split) == 0).any() else np.arange(len(z))
        around = None
        if posterior_covariance is not None and of_prior.is_standard:
            around = turned(posterior_covariance[fitted], rotation)
        errors = loading_standard_errors(
            _beside(z, extra[0])[fitted], _beside(weights, extra[1]), bias, theta, size[fitted],
            usage=usage, likelihood=likelihood, n_factors=loadings.shape[1], covariance=around,
        )  # fmt: skip
        shrunken = shrink_loadings(weights, errors, _inside(guided, sets))
        shared = np.zeros_like(rotation)  # of what all loadings on an axis have in common: its place, its unit
        if rotated:
            free = [k for k, name in enumerate(sets) if not name]  # the place of a guided axis is the set's
            shared[np.ix_(free, free)] = axis_variance(z[:, free], weights[:, free], of_genes=axes == "gene_sparse")
        if around is not None:
            shared = shared + moment_variance(z[fitted], around)
        errors = np.sqrt(errors**2 + weights**2 @ shared)
        shrunken = Shrunken(shrunken.mean, np.sqrt(shrunken.sd**2 + shrunken.mean**2 @ shared))
    else:
        errors = np.full(weights.shape, np.nan)
        shrunken = Shrunken(weights, errors)
    return Factors(
        axes=axes,
        prior=prior,
        gene_names=np.asarray(gene_names, dtype=str),
        representation=z,
        loadings=weights.astype(np.float32),
        loadings_se=errors.astype(np.float32),
        loadings_shrunken=shrunken.mean.astype(np.float32),
        loadings_shrunken_sd=shrunken.sd.astype(np.float32),
        intercept=bias.astype(np.float32),
        inverse_dispersion=np.full(len(bias), np.inf, np.float32) if theta is None else theta.astype(np.float32),
        explained_deviance=explained[order],
        active=active[order],
        flipped=flips[order],
        trained_as=np.full(len(order), -1) if rotated else order,
        rotation=rotation,
        gene_deviance=by_gene[:, order].astype(np.float32),
        guided_by=sets if any(sets) else (),
    )


def with_gene_deviance(
    factors: Factors,
    *,
    counts: sparse.csr_matrix,
    library_size: np.ndarray,
    split: np.ndarray,
    likelihood: LikelihoodName = "nb",
    covariates: np.ndarray | None = None,
    covariate_loadings: np.ndarray | None = None,
) -> Factors:
    """The factors of an LDVAE that were saved without gene_deviance, with it; arguments as of build_factors."""
    extra = (None, None) if covariates is None else (covariates, covariate_loadings)
    found = gene_deviance(
        counts=counts, representation=_beside(factors.representation, extra[0]),
        loadings=_beside(factors.loadings, extra[1]), intercept=factors.intercept,
        inverse_dispersion=factors.inverse_dispersion if LIKELIHOODS[likelihood].has_dispersion else None,
        library_size=library_size, split=split, usage=factors.are_usages, likelihood=likelihood,
        n_factors=factors.n_factors,
    )  # fmt: skip
    return replace(factors, gene_deviance=found.astype(np.float32))


def save_factors(factors: Factors, folder: Path) -> None:
    """Write a folder of .npy arrays and about.json in one step; an existing folder is replaced only when complete."""

    def fill(target: Path) -> None:
        for name in ARRAYS:
            durable.write_array(target / f"{name}.npy", getattr(factors, name))
        if factors.gene_deviance is not None:
            durable.write_array(target / GENE_DEVIANCE, factors.gene_deviance)
        about = {"axes": factors.axes, "prior": factors.prior, "gene_names": [str(name) for name in factors.gene_names]}
        if factors.guided_by:
            about["guided_by"] = list(factors.guided_by)
        durable.write_json(target / "about.json", about)

    durable.write_folder(folder, fill)


def load_factors(folder: Path) -> Factors:
    """Open what save_factors wrote; arrays are memory-mapped, read-only. Raises RunError when it is damaged."""
    about = durable.read_json(folder / "about.json")
    arrays = {name: durable.read_array(folder / f"{name}.npy") for name in ARRAYS}
    n_factors, n_genes = arrays["rotation"].shape[0], len(about["gene_names"])
    shapes: dict[str, tuple[int, ...]] = {
        "representation": (len(arrays["representation"]), n_factors),
        "rotation": (n_factors, n_factors),
    }
    shapes |= {name: (n_genes, n_factors) for name in ARRAYS if name.startswith("loadings")}
    shapes |= dict.fromkeys(("intercept", "inverse_dispersion"), (n_genes,))
    shapes |= dict.fromkeys(("explained_deviance", "active", "flipped", "trained_as"), (n_factors,))
    if about["prior"] not in PRIORS:
        raise RunError(f"The prior {about['prior']!r} of this run is not known here.", "Update the program to open it.")
    by_gene = durable.read_array(folder / GENE_DEVIANCE) if (folder / GENE_DEVIANCE).exists() else None
    if by_gene is not None and by_gene.shape != (n_genes, n_factors):
        by_gene = None  # known to be wrong is as good as unknown
    if wrong := [name for name, shape in shapes.items() if arrays[name].shape != shape]:
        raise RunError(f"The factors in {folder.name} do not fit together: {', '.join(wrong)}.", "Train the run again.")
    return Factors(
        axes=about["axes"],
        prior=about["prior"],
        gene_names=np.array(about["gene_names"], str),
        names=(),
        uncertified=frozenset(),
        gene_order="deviance",
        gene_deviance=by_gene,
        guided_by=tuple(map(str, about.get("guided_by", ()))),
        **arrays,
    )


def _rotation(axes: Axes, representation: np.ndarray, weights: np.ndarray, guided: GuidedAxes | None) -> np.ndarray:
    """Of the free factors; guided ones keep their axes."""

    def rotate(basis: np.ndarray | None) -> np.ndarray:
        z, w = (representation, weights) if basis is None else (_rotate(representation, basis), weights @ basis)
        return gene_sparse(w) if axes == "gene_sparse" else varimax(z, w)

    return rotate(None) if guided is None else guided_rotation(guided.axes, rotate)


def _sets_of(guided: GuidedAxes | None, n_factors: int, axes: Axes) -> list[str]:
    """The set that each factor follows, before they are ordered; none on the axes as trained."""
    names = guided.names if guided is not None and axes != "as_trained" else ()
    return [*names, *[""] * (n_factors - len(names))]


def _inside(guided: GuidedAxes | None, sets: tuple[str, ...]) -> dict[int, np.ndarray]:
    """The genes of each guided factor's set, (n_genes,) bool, by factor."""
    if guided is None:
        return {}
    return {k: guided.member[:, guided.names.index(name)] for k, name in enumerate(sets) if name}


def _centred(loadings: np.ndarray, intercept: np.ndarray, *, usage: bool) -> tuple[np.ndarray, np.ndarray]:
    """Centre each factor over genes, usages also each gene over factors; the intercept becomes a log fraction.

    Softmax ignores a constant per cell, and usages sum to 1, so no fraction changes.
    """
    weights, bias = np.asarray(loadings, np.float64), np.asarray(intercept, np.float64)
    weights = weights - weights.mean(axis=0)
    if usage:
        shared = weights.mean(axis=1)
        weights, bias = weights - shared[:, None], bias + shared
    return weights, bias - logsumexp(bias)


def _oriented(representation: np.ndarray, rotation: np.ndarray, *, may_flip: bool) -> tuple[np.ndarray, np.ndarray]:
    """Rotated positions (float32) with their heavier tails positive, by skewness; and which factors were flipped."""
    z = _rotate(representation, rotation)
    flips = column_moments(z)[2] < 0 if may_flip else np.zeros(z.shape[1], bool)
    z[:, flips] *= -1
    return z, flips


def _rotate(values: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    rotated = np.empty((len(values), matrix.shape[1]), np.float32)
    for cells in cell_chunks(*values.shape):
        rotated[cells] = values[cells].astype(np.float64) @ matrix
    return rotated


def turned(covariance: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Packed covariances on the turned axes: R' S R, float32."""
    turned = np.empty(covariance.shape, np.float32)
    for cells in cell_chunks(len(covariance), rotation.size):
        turned[cells] = packed(rotation.T @ unpacked(covariance[cells], len(rotation)) @ rotation)
    return turned


def _beside(factors: np.ndarray, covariates: np.ndarray | None) -> np.ndarray:
    return factors if covariates is None else np.hstack([factors, np.asarray(covariates, factors.dtype)])
