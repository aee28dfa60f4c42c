"""Cells with planted gene programs: counts whose true factors are known."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from ldvae_core.data.counts import CountMatrix, make_count_matrix

FEWEST_MOLECULES = 20  # a simulated cell's library size, so that none is empty


@dataclass(frozen=True, eq=False)
class Planted:
    """Simulated counts with their truth; rows of loadings, intercept, inverse_dispersion follow counts.gene_names."""

    counts: CountMatrix
    representation: np.ndarray  # (n_cells, n_factors), standard normal
    loadings: np.ndarray  # (n_genes, n_factors), natural-log fold change per unit, each column of mean 0
    intercept: np.ndarray  # (n_genes,), natural log
    inverse_dispersion: np.ndarray  # (n_genes,)


def plant_programs(
    *,
    n_cells: int = 2000,
    n_genes: int = 300,
    n_factors: int = 5,
    seed: int = 0,
    depth: float = 2000.0,
    depth_spread: float = 0.3,
    share_driven: float = 0.15,
    effect: float = 0.8,
) -> Planted:
    """Draw counts from the linear model: x ~ NB(library_size * softmax(z W' + b), theta), z ~ N(0, I).

    depth: median molecules per cell, log-normal with sd depth_spread. Each program drives share_driven of the genes by
    about `effect` (log fold change per unit of z), up or down; the others not at all. The column `cell_type` names
    the strongest program of a cell, or "mixed". Same arguments, same counts. Source:
    docs/model.md, "Generative model and its variants".
    """
    random = np.random.default_rng(seed)
    z = random.standard_normal((n_cells, n_factors))
    driven = random.random((n_genes, n_factors)) < share_driven
    size = effect * random.uniform(0.6, 1.4, (n_genes, n_factors)) * random.choice([-1.0, 1.0], (n_genes, n_factors))
    loadings = np.where(driven, size, 0.0)
    loadings -= loadings.mean(axis=0)
    intercept = random.normal(0.0, 1.0, n_genes)
    theta = np.exp(random.uniform(np.log(2.0), np.log(20.0), n_genes))
    library = np.maximum(np.round(depth * np.exp(depth_spread * random.standard_normal(n_cells))), FEWEST_MOLECULES)
    counts = _draw(random, z @ loadings.T + intercept, library, theta)
    seen = counts.any(axis=0)
    filled = counts.any(axis=1)
    names = np.asarray([f"Gene{gene + 1:0{len(str(n_genes))}d}" for gene in range(n_genes)])[seen]
    matrix = make_count_matrix(
        sparse.csr_matrix(counts[np.ix_(filled, seen)]),
        cell_ids=[f"cell_{cell + 1}" for cell in np.flatnonzero(filled)],
        gene_names=names,
        annotations=pd.DataFrame({"cell_type": _strongest_program(z[filled])}),
        counts_from="simulation",
        about={"title": "Simulated cells with planted programs"},
    )
    kept = loadings[seen]
    return Planted(matrix, z[filled], kept - kept.mean(axis=0), intercept[seen], theta[seen])


def _draw(random: np.random.Generator, logits: np.ndarray, library: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """Negative binomial counts as a Poisson whose rate is gamma-distributed, cells by genes."""
    logits -= logits.max(axis=1, keepdims=True)
    fraction = np.exp(logits)
    fraction /= fraction.sum(axis=1, keepdims=True)
    expected = library[:, None] * fraction
    rate: np.ndarray = expected * random.gamma(theta, 1.0 / theta, expected.shape)
    return random.poisson(rate).astype(np.uint32)


def _strongest_program(z: np.ndarray) -> "pd.Categorical[str]":
    """The program with the largest z where that exceeds 1, else "mixed"."""
    codes = np.where(z.max(axis=1) > 1, z.argmax(axis=1), z.shape[1])
    names = [*(f"program {k + 1}" for k in range(z.shape[1])), "mixed"]
    return pd.Categorical.from_codes(codes, pd.Index(names))
