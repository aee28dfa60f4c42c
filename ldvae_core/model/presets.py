"""What people train together, and for how long: the plans of the Train form, the paper's five models, the baselines."""

from dataclasses import replace
from typing import Literal, NamedTuple

from ldvae_core.model.config import FIRST_PASS_UPDATES, THOROUGH, Decoder, ModelConfig, TrainingConfig
from ldvae_core.model.priors import PriorName

Plan = Literal["find", "first", "thorough", "five", "baselines"]
PLANS: dict[Plan, str] = {
    "find": "Find the number for me",
    "first": "First pass",
    "thorough": "Thorough",
    "five": "The paper's five models",
    "baselines": "Baselines",
}
OF_SEVERAL: tuple[Plan, ...] = ("five", "baselines")  # that train several models


class PapersModel(NamedTuple):
    """One of the five models of Svensson et al. 2020, Fig. 1b: they differ in decoder, prior and batch norm only."""

    key: str  # of its folder
    title: str
    decoder: Decoder
    prior: PriorName
    batch_norm: bool

    def of(self, model: ModelConfig) -> ModelConfig:
        """This one of the five, otherwise as `model`; batch norm brings its own intercept."""
        intercept = model.intercept or self.batch_norm
        return replace(
            model, decoder=self.decoder, prior=self.prior, batch_norm=self.batch_norm, intercept=intercept
        )  # fmt: skip


PAPERS_MODELS = (  # in the order of docs/model.md, "Published numbers"
    PapersModel("vae", "VAE", "neural", "normal", False),
    PapersModel("normal_batch_norm", "LDVAE, normal, batch norm", "linear", "normal", True),
    PapersModel("logistic_normal_batch_norm", "LDVAE, logistic-normal, batch norm", "linear", "logistic_normal", True),
    PapersModel("normal", "LDVAE, normal", "linear", "normal", False),
    PapersModel("logistic_normal", "LDVAE, logistic-normal", "linear", "logistic_normal", False),
)


def baselines(n_factors: int) -> list[ModelConfig]:
    """PCA, NMF and the gene mean, which has no factors."""
    return [
        ModelConfig(method="pca", n_factors=n_factors),
        ModelConfig(method="nmf", n_factors=n_factors),
        ModelConfig(method="gene_mean"),
    ]


def as_published(model: ModelConfig, training: TrainingConfig) -> tuple[ModelConfig, TrainingConfig]:
    """As the authors trained: latent library, no intercept, no KL warm-up, no early stop, no prior on the weights."""
    published = replace(training, kl_warmup=0.0, patience=1.0, weight_prior_sd=0.0)
    return replace(model, library="latent", intercept=False), published


def updates_of(plan: Plan) -> int:
    """Updates of a model by the rule of thumb."""
    return FIRST_PASS_UPDATES * (THOROUGH if plan == "thorough" else 1)
