"""Settings of a model and of its training: frozen, valid from birth, each number with what it is for."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, get_args

from ldvae_core.errors import SettingsError
from ldvae_core.model.families import LIKELIHOODS, LikelihoodName
from ldvae_core.model.priors import PRIORS, PriorName
from ldvae_core.setting import is_within, known, problems_of, setting

Decoder = Literal["linear", "neural"]
Library = Literal["observed", "latent"]
Method = Literal["ldvae", "pca", "nmf", "gene_mean"]
Dispersion = Literal["gene", "gene_level"]
CovariateKind = Literal["levels", "number", "either"]
Device = Literal["auto", "cpu", "cuda", "mps"]

MIN_THETA, MAX_THETA = 1e-3, 1e4  # inverse dispersion; beyond: a gene with all counts in one cell, or a Poisson gene
MOST_FACTORS = 100
MOST_LEVELS = 500  # of one covariate: more is an identifier

FIRST_PASS_UPDATES = 6250  # the paper's "1 million / cells" epochs at minibatch 128 and 80% training cells, as updates
THOROUGH = 8  # times as many for a run to publish
REFERENCE_MINIBATCH = 128  # the minibatch size that the notebooks' learning rate of 7e-3 belongs to
REFERENCE_RATE = 7e-3
SHORT_RATE = 3e-2  # that a run of few updates may take
LARGEST_MINIBATCH = 4096  # that is ever chosen unasked


@dataclass(frozen=True)
class Covariate:
    """An annotation the model corrects for: by levels, such as batches or donors, or as a number, such as an age.

    A number is standardised over the modelled cells, and has one slope a gene.
    """

    name: str
    levels: tuple[str, ...] = ()  # () before the data is open, and of a number
    kind: CovariateKind = "levels"  # either: a number where the data has one
    mean: float = 0.0  # of a number
    sd: float = 1.0

    @property
    def columns(self) -> tuple[str, ...]:
        """What it adds to the model's inputs, by name: a column a level, or one."""
        if self.kind == "number":
            return (f"{self.name} (per SD)",)
        return tuple(f"{self.name}: {level}" for level in self.levels)


@dataclass(frozen=True)
class ModelConfig:
    """What the model is. Section 2 of the paper; the five models of its Fig. 1b are settings of this class.

    The same object goes from the form or the command line through run.json to the worker; what only the data knows,
    the number of genes and the covariates' levels, is filled in there (runs/prepare.py, completed_for).
    Raises SettingsError with every problem at once.
    """

    n_genes: int = 0  # 0 before the data is open
    method: Method = setting("ldvae", "--method", "Baselines use --factors only, of the model's settings.")
    n_factors: int = setting(  # D in the paper: 20 in Fig. 1c, 10 for the 2-million-cell atlas
        10, "--factors", "Latent dimension: how many gene programs."
    )
    prior: PriorName = setting("normal", "--prior", table=PRIORS)
    batch_norm: bool = setting(False, "--batch-norm", "Batch norm of the decoded values.")  # folded into the loadings
    intercept: bool = setting(True, "--intercept", "One constant a gene; none as published.")  # batch norm brings one
    decoder: Decoder = setting("linear", "--decoder")  # neural: the plain VAE, for comparison
    likelihood: LikelihoodName = setting("nb", "--likelihood", table=LIKELIHOODS)
    library: Library = setting("observed", "--library")  # latent: log-normal with its own encoder, as published
    dispersion: Dispersion = setting(
        "gene", "--dispersion", "Inverse dispersion per gene, or also per level of --batch."
    )
    n_hidden: int = setting(  # also of the neural decoder
        128, "--hidden-units", "Width of the encoder's hidden layer.", title="number of hidden units", low=8, high=4096
    )
    dropout: float = setting(
        0.1, "--dropout", "Share of hidden units silenced in each training step.", low=0.0, high=0.9
    )
    covariates: tuple[Covariate, ...] = setting(
        (), "--batch", "Annotation to correct for; may be given repeatedly.", metavar="COLUMN"
    )

    def __post_init__(self) -> None:
        _refuse([*self._wrong_genes(), *self.factor_problems(self.n_genes), *problems_of(self)])
        _refuse([*self._too_few_factors(), *self._impossible_dispersion(), *self._uncorrected()])

    def _wrong_genes(self) -> list[str]:
        fits = self.n_genes == 0 or is_within(self.n_genes, 2, 100_000)
        return [] if fits else [f"The number of genes must lie between 2 and 100000; it is {self.n_genes}."]

    def factor_problems(self, n_genes: int) -> list[str]:
        """What is wrong with the number of factors among so many genes (0: not known yet); the gene mean uses none."""
        most = most_factors(n_genes)
        if self.method == "gene_mean" or is_within(self.n_factors, 1, most):
            return []
        return [f"The number of factors must lie between 1 and {most}; it is {self.n_factors}."]

    def _too_few_factors(self) -> list[str]:
        if self.method == "nmf" and self.n_factors < 2:
            return ["NMF needs at least 2 factors: with one, every cell has the usage 1."]
        prior = PRIORS[self.prior]
        return [prior.too_few] if self.method == "ldvae" and self.n_factors < prior.least_factors else []

    def _impossible_dispersion(self) -> list[str]:
        if self.dispersion == "gene" or self.method != "ldvae":
            return []
        words, likelihood = "An inverse dispersion per gene and covariate level", LIKELIHOODS[self.likelihood]
        return [
            *([] if self.covariates else [f"{words} needs an annotation to correct for; none is chosen."]),
            *(f"{words} needs levels; {each.name} is a number." for each in self.covariates if each.kind == "number"),
            *(
                []
                if likelihood.has_dispersion
                else [f"{words} does not go with the {likelihood.words} likelihood, which has none."]
            ),
        ]

    def _uncorrected(self) -> list[str]:
        if self.method == "ldvae" or not self.covariates:
            return []
        names = ", ".join(covariate.name for covariate in self.covariates)
        return [f"The baselines (PCA, NMF, gene mean) cannot correct for annotations; chosen are: {names}."]

    @property
    def is_baseline(self) -> bool:
        """Whether it is fitted in one go, without a network."""
        return self.method != "ldvae"

    @property
    def is_fusable(self) -> bool:
        """Whether the hand-written gradients know this model (training/fused.py, cpu_engine.py)."""
        plain = self.decoder == "linear" and self.library == "observed" and self.dispersion == "gene"
        choices = PRIORS[self.prior].is_fusable and LIKELIHOODS[self.likelihood].is_fusable
        return self.method == "ldvae" and plain and choices

    @property
    def is_recomputable(self) -> bool:
        """Whether library_size * softmax(z W' + b) from the exported arrays is the whole model."""
        plain = self.decoder == "linear" and self.library == "observed" and self.dispersion == "gene"
        return plain and not self.covariates and LIKELIHOODS[self.likelihood].is_recomputable

    def to_dict(self) -> dict[str, Any]:
        """Plain values; from_dict reads them back. What only the data knows is left out where it is not known."""
        covariates = [item.name if item == Covariate(item.name) else asdict(item) for item in self.covariates]
        values = {**asdict(self), "covariates": covariates}
        return values if self.n_genes else {name: value for name, value in values.items() if name != "n_genes"}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Read what to_dict wrote, of any version; what is not there is the default. Raises SettingsError."""
        chosen = known(cls, values)
        return cls(**{**chosen, "covariates": covariates_of(chosen.get("covariates", ()))})


@dataclass(frozen=True)
class TrainingConfig:
    """How the model is trained. Raises SettingsError with every problem at once."""

    n_epochs: int | None = setting(  # None: the rule of thumb, default_epochs
        None, "--epochs", "Passes over the training cells; by default the rule of thumb.", title="number of epochs",
        low=1, high=100_000,
    )  # fmt: skip
    minibatch_size: int | None = setting(  # None: 128; on a GPU more where that leaves enough updates, minibatch_for
        None, "--minibatch-size", "Cells per step; 128, or more on a GPU.", title="number of cells in a minibatch",
        low=2, high=1_000_000,
    )  # fmt: skip
    learning_rate: float | None = setting(  # None: 7e-3 for a first pass at minibatch 128, see rate_for
        None, "--learning-rate", "By default 0.007 x sqrt(minibatch size / 128).", low=1e-7, high=1.0
    )
    kl_warmup: float = setting(
        1 / 3, "--kl-warmup", "Share of the run after which the KL weight is 1.", title="KL warm-up share", low=0.0,
        high=1.0,
    )  # fmt: skip
    validation_share: float = setting(0.1, "--validation-share", "Cells that choose when to stop.", low=0.01, high=0.5)
    test_share: float = setting(
        0.1, "--test-share", "Cells that nothing but the final figures touch.", low=0.01, high=0.5
    )
    weight_decay: float = setting(1e-6, "--weight-decay", low=0.0, high=1.0)
    weight_prior_sd: float = setting(  # 0 as published
        0.3, "--weight-prior-sd", "Of a normal prior on loadings and encoder weights; 0: none.",
        title="standard deviation of the weights' prior", low=0.0, high=100.0,
    )  # fmt: skip
    adam_epsilon: float = setting(  # the notebooks' value: large, it damps the steps of rarely seen genes
        1e-2, "--adam-epsilon", title="Adam epsilon", low=1e-12, high=1.0
    )
    patience: float = setting(
        0.25, "--patience", "Share of the run without a better validation ELBO that ends it early.", low=0.0, high=1.0
    )
    seed: int = setting(
        0, "--seed", "Of the start, the shuffling and the noise.", title="number of seed", low=0, high=2**32 - 1
    )
    split_seed: int = setting(  # the same for every seed, so that runs of several seeds can be compared
        0, "--split-seed", "Of the split into training, validation and test cells.", title="number of split seed",
        low=0, high=2**32 - 1,
    )  # fmt: skip
    device: Device = setting("auto", "--device")
    threads: int | None = setting(  # None: chosen by a probe of a few steps
        None, "--threads", "Processor threads; by default as many as a short probe finds best.",
        title="number of threads", low=1, high=1024,
    )  # fmt: skip

    def __post_init__(self) -> None:
        _refuse(problems_of(self))

    def rate_for(self, minibatch_size: int, n_updates: int = FIRST_PASS_UPDATES) -> float:
        """The learning rate at the top of the schedule: as asked for, else by a rule.

        It grows with the root of the minibatch. A run shorter than a first pass takes longer steps, by the root of how
        much shorter it is, up to 0.03: it then comes as far in a third to a half of the updates.
        """
        if self.learning_rate is not None:
            return self.learning_rate
        rate = REFERENCE_RATE * math.sqrt(minibatch_size / REFERENCE_MINIBATCH)
        hurried = rate * math.sqrt(max(1.0, FIRST_PASS_UPDATES / n_updates))
        return max(rate, min(hurried, SHORT_RATE))

    def epochs_for(self, n_train: int) -> int:
        """Epochs of a run on n_train training cells: what was asked for, else the rule of thumb."""
        return self.n_epochs or default_epochs(n_train, self.minibatch_size or REFERENCE_MINIBATCH)

    def minibatch_for(self, n_train: int, *, on_gpu: bool = False) -> int:
        """Cells in a minibatch: as asked for, else 128.

        A GPU is hardly slower with 4,096 cells than with 128; there the size is doubled as long as the run still has
        the updates of a first pass.
        """
        size = self.minibatch_size or REFERENCE_MINIBATCH
        if self.minibatch_size is None and on_gpu:
            cells = n_train * self.epochs_for(n_train)
            while size < LARGEST_MINIBATCH and cells / (2 * size) >= FIRST_PASS_UPDATES:
                size *= 2
        return min(size, n_train)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for run.json; from_dict reads them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Read what to_dict wrote. Raises SettingsError on unknown names."""
        return cls(**known(cls, values))


def default_epochs(n_train: int, minibatch_size: int = REFERENCE_MINIBATCH, *, thorough: bool = False) -> int:
    """Epochs for a first pass: max(1, ceil(6250 updates * minibatch / n_train)); eight times that when thorough.

    The paper's rule is "1 million / cells" epochs; counted in updates it also holds for very small and very large data.
    """
    updates = FIRST_PASS_UPDATES * (THOROUGH if thorough else 1)
    return max(1, math.ceil(updates * minibatch_size / n_train))


def _refuse(problems: list[str]) -> None:
    if problems:
        raise SettingsError(problems)


def may_be_guided(model: ModelConfig) -> bool:
    """Whether gene sets can inform its factors: they have loadings, and axes that a prior of these may choose."""
    prior = PRIORS[model.prior]
    return model.method == "ldvae" and model.decoder == "linear" and prior.is_standard and prior.may_rotate


def most_factors(n_genes: int) -> int:
    """How many factors a model of so many genes can have; 0 genes: not known yet."""
    return min(MOST_FACTORS, max(n_genes - 1, 1)) if n_genes else MOST_FACTORS


def covariates_of(values: Any) -> tuple[Covariate, ...]:
    """Covariates from a list of annotation names, or of names with levels. Raises SettingsError for anything else."""
    try:
        if isinstance(values, str):
            raise TypeError  # its letters are no names
        return tuple(_covariate(item) for item in values)
    except (TypeError, KeyError, ValueError, AttributeError):
        raise SettingsError(f"Covariates are a list of annotation names; this is {values!r}.") from None


def _covariate(item: Any) -> Covariate:
    if isinstance(item, str | Covariate):
        return Covariate(item) if isinstance(item, str) else item
    kind, mean, sd = item.get("kind", "levels"), float(item.get("mean", 0.0)), float(item.get("sd", 1.0))
    if kind not in get_args(CovariateKind) or not (math.isfinite(mean) and 0 < sd < math.inf):
        raise TypeError
    return Covariate(item["name"], tuple(item.get("levels", ())), kind, mean, sd)
