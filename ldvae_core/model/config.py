"""Settings of a model and of its training: frozen, valid from birth, each number with what it is for."""

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self

from ldvae_core.errors import SettingsError

Prior = Literal["normal", "logistic_normal"]
Decoder = Literal["linear", "neural"]
Likelihood = Literal["nb", "poisson", "zinb"]
Library = Literal["observed", "latent"]
Method = Literal["ldvae", "pca", "nmf", "gene_mean"]
Dispersion = Literal["gene", "gene_level"]
Device = Literal["auto", "cpu", "cuda", "mps"]

MIN_THETA, MAX_THETA = 1e-3, 1e4  # inverse dispersion; beyond: a gene with all counts in one cell, or a Poisson gene

CHOICES: dict[str, tuple[str, ...]] = {
    "prior": ("normal", "logistic_normal"),
    "decoder": ("linear", "neural"),
    "likelihood": ("nb", "poisson", "zinb"),
    "library": ("observed", "latent"),
    "method": ("ldvae", "pca", "nmf", "gene_mean"),
    "dispersion": ("gene", "gene_level"),
    "device": ("auto", "cpu", "cuda", "mps"),
}

FIRST_PASS_UPDATES = 6250  # the paper's "1 million / cells" epochs at minibatch 128 and 80% training cells, as updates
THOROUGH = 8  # times as many for a run to publish
REFERENCE_MINIBATCH = 128  # the minibatch size that the notebooks' learning rate of 7e-3 belongs to
REFERENCE_RATE = 7e-3
SHORT_RATE = 3e-2  # that a run of few updates may take
LARGEST_MINIBATCH = 4096  # that is ever chosen unasked


@dataclass(frozen=True)
class Covariate:
    """A categorical annotation the model corrects for, such as sequencing batch or donor: its name and its levels."""

    name: str
    levels: tuple[str, ...]


@dataclass(frozen=True)
class ModelConfig:
    """What the model is. Section 2 of the paper; the five models of its Fig. 1b are settings of this class.

    Raises SettingsError with every problem at once.
    """

    n_genes: int
    n_factors: int = 10  # D in the paper: 20 in Fig. 1c, 10 for the 2-million-cell atlas
    prior: Prior = "normal"  # logistic_normal: factors are >= 0 and sum to 1 in every cell
    batch_norm: bool = False  # of the decoded values; always folded into the loadings that are shown
    intercept: bool = True  # one number a gene; False as published. Batch norm brings its own
    decoder: Decoder = "linear"  # neural: the plain VAE, for comparison
    likelihood: Likelihood = "nb"
    library: Library = "observed"  # latent: log-normal with its own encoder, as published
    n_hidden: int = 128  # width of the encoder's hidden layer, and of the neural decoder's
    dropout: float = 0.1  # share of hidden units silenced in each training step
    covariates: tuple[Covariate, ...] = ()
    method: Method = "ldvae"  # the others are baselines (model/baselines.py); of this class they use n_factors only
    dispersion: Dispersion = "gene"  # gene_level: an inverse dispersion for every level of the covariates too

    def __post_init__(self) -> None:
        _refuse(
            [
                *_unknown_choices(self, ("prior", "decoder", "likelihood", "library", "method", "dispersion")),
                *_outside("genes", self.n_genes, low=2, high=100_000),
                *_outside("factors", self.n_factors, low=1, high=min(100, max(self.n_genes - 1, 1))),
                *_outside("hidden units", self.n_hidden, low=8, high=4096),
                *_outside("dropout", self.dropout, low=0.0, high=0.9),
            ]
        )
        _refuse([*self._too_few_factors(), *self._impossible_dispersion(), *self._uncorrected()])

    def _too_few_factors(self) -> list[str]:
        if self.n_factors > 1 or self.method in ("pca", "gene_mean"):
            return []
        if self.method == "nmf":
            return ["NMF needs at least 2 factors: with one, every cell has the usage 1."]
        if self.prior == "logistic_normal":
            return ["A logistic-normal prior needs at least 2 factors: with one, every cell has the value 1."]
        return []

    def _impossible_dispersion(self) -> list[str]:
        if self.dispersion == "gene" or self.method != "ldvae":
            return []
        words = "An inverse dispersion per gene and covariate level"
        return [
            *([] if self.covariates else [f"{words} needs an annotation to correct for; none is chosen."]),
            *([f"{words} does not go with the Poisson likelihood, which has none."] * (self.likelihood == "poisson")),
        ]

    def _uncorrected(self) -> list[str]:
        if self.method == "ldvae" or not self.covariates:
            return []
        names = ", ".join(covariate.name for covariate in self.covariates)
        return [f"The baselines (PCA, NMF, gene mean) cannot correct for annotations; chosen are: {names}."]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for run.json; from_dict reads them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Read what to_dict wrote. Raises SettingsError on unknown names."""
        known = _known(cls, values)
        covariates = (Covariate(item["name"], tuple(item["levels"])) for item in known.pop("covariates", ()))
        return cls(**known, covariates=tuple(covariates))


@dataclass(frozen=True)
class TrainingConfig:
    """How the model is trained. Raises SettingsError with every problem at once."""

    n_epochs: int | None = None  # None: the rule of thumb, default_epochs
    minibatch_size: int | None = None  # None: 128; on a GPU more where that leaves enough updates, minibatch_for
    learning_rate: float | None = None  # None: 7e-3 for a first pass at minibatch 128, see rate_for
    kl_warmup: float = 1 / 3  # share of the run after which the KL weight has risen to 1
    validation_share: float = 0.1  # cells that choose when to stop
    test_share: float = 0.1  # cells that nothing but the final figures touch
    weight_decay: float = 1e-6
    weight_prior_sd: float = 0.3  # of a normal prior on loadings and encoder weights; 0: none, as published
    adam_epsilon: float = 1e-2  # the notebooks' value: large, it damps the steps of rarely seen genes
    patience: float = 0.25  # stop when the validation ELBO has not improved for this share of the run; 1 never stops
    seed: int = 0  # of the start, the shuffling and the noise
    split_seed: int = 0  # of the shares: the same for every seed, so that runs of several seeds can be compared
    device: Device = "auto"
    threads: int | None = None  # None: chosen by a probe of a few steps

    def __post_init__(self) -> None:
        _refuse(
            [
                *_unknown_choices(self, ("device",)),
                *([] if self.n_epochs is None else _outside("epochs", self.n_epochs, low=1, high=100_000)),
                *(
                    []
                    if self.minibatch_size is None
                    else _outside("cells in a minibatch", self.minibatch_size, low=2, high=1_000_000)
                ),
                *(
                    []
                    if self.learning_rate is None
                    else _outside("learning rate", self.learning_rate, low=1e-7, high=1.0)
                ),
                *_outside("KL warm-up share", self.kl_warmup, low=0.0, high=1.0),
                *_outside("validation share", self.validation_share, low=0.01, high=0.5),
                *_outside("test share", self.test_share, low=0.01, high=0.5),
                *_outside("weight decay", self.weight_decay, low=0.0, high=1.0),
                *_outside("standard deviation of the weights' prior", self.weight_prior_sd, low=0.0, high=100.0),
                *_outside("Adam epsilon", self.adam_epsilon, low=1e-12, high=1.0),
                *_outside("patience", self.patience, low=0.0, high=1.0),
                *_outside("seed", self.seed, low=0, high=2**32 - 1),
                *_outside("split seed", self.split_seed, low=0, high=2**32 - 1),
                *([] if self.threads is None else _outside("threads", self.threads, low=1, high=1024)),
            ]
        )

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
        return cls(**_known(cls, values))


def default_epochs(n_train: int, minibatch_size: int = REFERENCE_MINIBATCH, *, thorough: bool = False) -> int:
    """Epochs for a first pass: max(1, ceil(6250 updates * minibatch / n_train)); eight times that when thorough.

    The paper's rule is "1 million / cells" epochs; counted in updates it also holds for very small and very large data.
    """
    updates = FIRST_PASS_UPDATES * (THOROUGH if thorough else 1)
    return max(1, math.ceil(updates * minibatch_size / n_train))


def _refuse(problems: list[str]) -> None:
    if problems:
        raise SettingsError(problems)


def _outside(name: str, value: float, *, low: float, high: float) -> list[str]:
    if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
        return []
    counted = "number of " if isinstance(low, int) else ""
    return [f"The {counted}{name} must lie between {low:g} and {high:g}; it is {value}."]


def _unknown_choices(config: object, names: tuple[str, ...]) -> list[str]:
    return [
        f"The {name.replace('_', ' ')} must be one of {', '.join(CHOICES[name])}; it is {getattr(config, name)!r}."
        for name in names
        if getattr(config, name) not in CHOICES[name]
    ]


def _known(cls: type, values: dict[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(cls)}
    if unknown := sorted(set(values) - names):
        raise SettingsError(f"Unknown settings: {', '.join(unknown)}.", f"Known are: {', '.join(sorted(names))}.")
    return dict(values)
