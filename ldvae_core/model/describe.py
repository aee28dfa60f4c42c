"""The words for models: of methods, decoders and other choices, and a whole model in one line.

Those of a prior or a likelihood stand with it, in priors.py and families.py. Choices that a form offers: key -> title.
"""

from ldvae_core.model.config import ModelConfig, TrainingConfig
from ldvae_core.model.families import LIKELIHOODS
from ldvae_core.model.priors import PRIORS

BASELINES = {"pca": "PCA", "nmf": "NMF", "gene_mean": "gene mean"}  # in a sentence
BASELINE_TITLES = {"pca": "PCA", "nmf": "NMF", "gene_mean": "Gene mean"}
METHODS = {"ldvae": "LDVAE", "vae": "VAE, neural decoder", **BASELINE_TITLES}  # "vae": an LDVAE's neural decoder
PRIOR_TITLES = {name: prior.title for name, prior in PRIORS.items()}
LIKELIHOOD_TITLES = {name: likelihood.title for name, likelihood in LIKELIHOODS.items()}
LIBRARIES = {"observed": "Observed", "latent": "Latent, as published"}
DISPERSIONS = {"gene": "Per gene", "gene_level": "Per gene and covariate level"}
SENTENCES = {  # what a choice means; the keys of all of the above
    "ldvae": "The linear decoder of the paper: its loadings are gene programs.",
    "vae": "Predicts better, but has no loadings to read: a yardstick.",
    "pca": "Baseline: principal components of log-normalised counts.",
    "nmf": "Baseline: factors and loadings that are never negative.",
    "gene_mean": "Baseline without factors: every cell gets each gene's mean.",
    **{str(name): likelihood.about for name, likelihood in LIKELIHOODS.items()},
    "observed": "A cell's own molecules say how deeply it was read.",
    "latent": "The depth of a cell is learned too, as in the paper.",
    "gene": "One number a gene says how much it varies beyond chance.",
    "gene_level": "That number differs between the levels of the annotations below.",
}

SLOPES = (
    "This run has a neural decoder: what is shown as its loadings are mean slopes over cells. A gene may rise with a "
    "factor in some cells and fall in others, and no product of loadings gives the model's expected counts."
)
BASELINE_WORDS = {
    "pca": "This run is a PCA of log-normalised counts, a baseline: its factors are principal components.",
    "nmf": "This run is an NMF, a baseline: its factors are never negative.",
}


def model_words(model: ModelConfig) -> str:
    """A model in plain words: 'LDVAE, logistic-normal + batch norm', 'VAE', 'PCA', 'gene mean'."""
    if model.method in BASELINES:
        return BASELINES[model.method]
    is_vae = model.decoder == "neural"
    parts = [] if is_vae and model.prior == "normal" else [PRIORS[model.prior].words]
    parts += ["batch norm"] if model.batch_norm else [] if model.intercept else ["no intercept"]
    parts += ["latent library"] if model.library == "latent" else []
    parts += ["inverse dispersion by level"] if model.dispersion == "gene_level" else []
    name = "VAE" if is_vae else "LDVAE"
    words = f"{name}, {' + '.join(parts)}" if parts else name
    corrected = ", ".join(covariate.name for covariate in model.covariates)
    return f"{words}, corrected for {corrected}" if corrected else words


def run_name(model: ModelConfig, training: TrainingConfig, data: str, *, searched: bool = False) -> str:
    """'10 factors, batch norm, 60 epochs · Mouse embryo, day 7.5': what tells runs apart comes first.

    searched: the number of factors is still to be found.
    """
    parts = [BASELINE_TITLES[model.method]] if model.is_baseline else ["VAE"] if model.decoder == "neural" else []
    number = "automatic number" if searched else _count(model.n_factors, "factor")
    parts += [number] if model.method != "gene_mean" else []
    if not model.is_baseline:
        parts += [PRIORS[model.prior].words] if model.prior != "normal" else []
        parts += ["batch norm"] if model.batch_norm else [] if model.intercept else ["no intercept"]
        parts += [model.likelihood] if model.likelihood != "nb" else []
        parts += [_count(training.n_epochs, "epoch")] if training.n_epochs else []
    parts += [f"seed {training.seed}"] if training.seed else []
    return f"{', '.join(parts)} · {data.removesuffix(' (demo)')}"


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
