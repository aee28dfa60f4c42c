"""What was done, as a paragraph for a paper, and the works it cites: only what this very run did."""

from collections.abc import Callable
from typing import NamedTuple

from ldvae_core.analysis.certificates import certified_words
from ldvae_core.analysis.factors import Factors
from ldvae_core.data.choices import DataChoices
from ldvae_core.model.families import LIKELIHOODS
from ldvae_core.model.priors import PRIORS
from ldvae_core.runs.opened import OpenRun

Cite = Callable[[str], str]  # a work's key -> its number in brackets
WORKS = {
    "ldvae": "Svensson V, Gayoso A, Yosef N, Pachter L. Interpretable factor models of single-cell RNA-seq via "
    "variational autoencoders. Bioinformatics 36, 3418-3421 (2020).",
    "scvi": "Lopez R, Regier J, Cole MB, Jordan MI, Yosef N. Deep generative modeling for single-cell transcriptomics. "
    "Nature Methods 15, 1053-1058 (2018).",
    "adam": "Kingma DP, Ba J. Adam: a method for stochastic optimization. International Conference on Learning "
    "Representations (2015).",
    "varimax": "Kaiser HF. The varimax criterion for analytic rotation in factor analysis. Psychometrika 23, 187-200 "
    "(1958).",
    "shrinkage": "Stephens M. False discovery rates: a new deal. Biostatistics 18, 275-294 (2017).",
    "bh": "Benjamini Y, Hochberg Y. Controlling the false discovery rate: a practical and powerful approach to "
    "multiple testing. Journal of the Royal Statistical Society B 57, 289-300 (1995).",
    "seurat_v3": "Stuart T, Butler A, et al. Comprehensive integration of single-cell data. Cell 177, 1888-1902 "
    "(2019).",
    "batch_norm": "Ioffe S, Szegedy C. Batch normalization: accelerating deep network training by reducing internal "
    "covariate shift. International Conference on Machine Learning (2015).",
}


class Methods(NamedTuple):
    """The paragraph, with numbers in brackets, and the works in that order."""

    words: str
    works: list[str]


def methods(opened: OpenRun, factors: Factors, *, version: str, tested: bool) -> Methods:
    """What this run did. version: of the program that trained it; tested: whether anything was tested in it."""
    cited: list[str] = []

    def cite(key: str) -> str:
        if key not in cited:
            cited.append(key)
        return f"[{cited.index(key) + 1}]"

    sentences = [_data(opened, cite(opened.settings.choices.gene_selection)
                       if opened.settings.choices.gene_selection in WORKS else "")]  # fmt: skip
    sentences += _baseline(opened) if opened.settings.model.is_baseline else _model(opened, cite)
    sentences += [*_number(opened), *_axes(opened, factors, cite)]
    if tested:
        sentences.append(f"False discovery rates are by Benjamini and Hochberg {cite('bh')}.")
    sentences.append(f"All was computed with Gene Program Explorer {version}.")
    return Methods(" ".join(sentences), [WORKS[key] for key in cited])


def _data(opened: OpenRun, cited: str) -> str:
    choices: DataChoices = opened.settings.choices
    n_cells, n_genes = opened.counts.counts.shape
    how = {"variance": "of the highest variance of raw counts", "seurat_v3": f"chosen as most variable {cited}"}
    words = how.get(choices.gene_selection, "").strip()
    chosen = f"{n_genes:,} genes {words}".strip()
    kept = [
        f"at least {choices.min_counts:,} molecules" if choices.min_counts else "",
        f"at least {choices.min_genes:,} genes" if choices.min_genes else "",
        f"at most {choices.max_mitochondrial_share:.0%} mitochondrial molecules"
        if choices.max_mitochondrial_share < 1 else "",
    ]  # fmt: skip
    limits = ", ".join(part for part in kept if part)
    kind = "Values rounded to counts" if opened.settings.reading.round_counts else "Raw counts"
    of_cells = f"{n_cells:,} cells" + (f" with {limits}" if limits else "")
    return f"{kind} of {of_cells} and {chosen} were modelled."


def _baseline(opened: OpenRun) -> list[str]:
    model = opened.settings.model
    what = {
        "pca": f"{model.n_factors} principal components of log-normalised counts were computed.",
        "nmf": f"A non-negative matrix factorisation into {model.n_factors} factors was computed.",
        "gene_mean": "As a baseline, every cell was given the mean share of each gene.",
    }
    return [what[model.method]]


def _model(opened: OpenRun, cite: Cite) -> list[str]:
    model, training, metrics = opened.settings.model, opened.settings.training, opened.metrics
    kind = "a linear decoder (LDVAE)" if model.decoder == "linear" else "a neural decoder"
    prior = f"{'standard ' if PRIORS[model.prior].is_standard else ''}{PRIORS[model.prior].words}"
    title = LIKELIHOODS[model.likelihood].title
    extra = [
        "batch normalisation of the decoder " + cite("batch_norm") if model.batch_norm else "",
        "a latent library size" if model.library == "latent" else "",
        f"additive effects of {', '.join(each.name for each in model.covariates)}" if model.covariates else "",
    ]
    with_extra = ", with " + ", ".join(part for part in extra if part) if any(extra) else ""
    found = [
        f"A variational autoencoder with {kind} {cite('ldvae')}{cite('scvi')}, {model.n_factors} factors under a "
        f"{prior} prior and a {title[:1].lower()}{title[1:]} likelihood{with_extra} was trained with Adam "
        f"{cite('adam')} for {metrics.get('epochs', len(opened.history))} epochs (seed {training.seed}) on "
        f"{1 - training.validation_share - training.test_share:.0%} of the cells; {training.validation_share:.0%} "
        f"served to stop and {training.test_share:.0%} were held out."
    ]  # fmt: skip
    if opened.has_refined_positions:
        found.append("Positions of all cells were then refined to the mode of their posterior density by damped Newton "
                     "steps.")  # fmt: skip
    if metrics.get("refit_rounds"):
        found.append("Loadings and intercepts were refitted to them by expectation maximisation as long as held-out "
                     "validation cells gained.")  # fmt: skip
    error, spread = metrics.get("test_reconstruction_error"), metrics.get("test_reconstruction_error_se")
    if isinstance(error, int | float):
        around = f" (standard error {spread:.2f})" if isinstance(spread, int | float) else ""
        found.append(f"The negative log-likelihood of held-out cells at their positions is {error:.2f} nats per "
                     f"cell{around}.")  # fmt: skip
    return found


def _number(opened: OpenRun) -> list[str]:
    """How the number of factors was found, where it was, and what certified means."""
    found = opened.certificates
    if found is None:
        return []
    return [
        "The number of factors was found from ten shorter trainings: on the cells, on disjoint halves of the "
        f"{found.unit}, and on counts shuffled within every gene. A factor is certified when {certified_words(found)}. "
        "Matches are cosines of shrunken loadings in the information metric. "
        f"Of {len(found.programs)} factors {found.n_certified} {'is' if found.n_certified == 1 else 'are'} certified."
    ]


def _axes(opened: OpenRun, factors: Factors, cite: Cite) -> list[str]:
    found = []
    if factors.axes == "readable":
        found.append(f"Factors were rotated by varimax {cite('varimax')}, which leaves every prediction unchanged.")
    if factors.axes == "gene_sparse":
        found.append(f"Factors were rotated by varimax of the loadings {cite('varimax')}, which leaves every "
                     "prediction unchanged.")  # fmt: skip
    if sets := [name for name in factors.guided_by if name]:  # inactive sets placed nothing
        placed = (
            f"axes of {len(sets)} factors were placed by gene sets"
            if len(sets) > 1
            else "axis of one factor was placed by a gene set"
        )
        found.append(f"The {placed} ({', '.join(sets)})" + (", one factor a set." if len(sets) > 1 else "."))
    if factors.n_factors and not opened.settings.model.is_baseline:
        found.append(f"Loadings were shrunken by their standard errors {cite('shrinkage')}.")
    if factors.gene_deviance is not None:
        found.append("Genes are ordered by their share of the deviance that a factor explains in held-out cells.")
    return found
