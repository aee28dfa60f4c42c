"""A run's settings as options of the command line, and back: so any run can be trained again with one line."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from ldvae_core.data.prepare import DataChoices
from ldvae_core.model.config import ModelConfig, TrainingConfig
from ldvae_core.runs.settings import RunSettings

FLAGS: dict[str, dict[str, str]] = {  # part of RunSettings -> field -> option of `train`
    "choices": {
        "n_genes": "--genes",
        "gene_selection": "--gene-selection",
        "batch_column": "--gene-selection-batch",
        "keep_genes": "--keep-gene",
        "drop_mitochondrial": "--drop-mitochondrial",
        "drop_ribosomal": "--drop-ribosomal",
        "min_counts": "--min-counts",
        "min_genes": "--min-genes",
        "max_mitochondrial_share": "--max-mitochondrial-share",
    },
    "model": {
        "method": "--method",
        "n_factors": "--factors",
        "prior": "--prior",
        "batch_norm": "--batch-norm",
        "intercept": "--intercept",
        "decoder": "--decoder",
        "likelihood": "--likelihood",
        "library": "--library",
        "dispersion": "--dispersion",
        "n_hidden": "--hidden-units",
        "dropout": "--dropout",
        "covariates": "--batch",
    },
    "training": {
        "n_epochs": "--epochs",
        "minibatch_size": "--minibatch-size",
        "learning_rate": "--learning-rate",
        "kl_warmup": "--kl-warmup",
        "validation_share": "--validation-share",
        "test_share": "--test-share",
        "weight_decay": "--weight-decay",
        "weight_prior_sd": "--weight-prior-sd",
        "adam_epsilon": "--adam-epsilon",
        "patience": "--patience",
        "seed": "--seed",
        "split_seed": "--split-seed",
        "device": "--device",
        "threads": "--threads",
    },
}
CLASSES = {"choices": DataChoices, "model": ModelConfig, "training": TrainingConfig}


def defaults_of(part: str) -> dict[str, Any]:
    """What every field of a part is unless it is chosen. n_genes of the model is known once the data is open."""
    return {field.name: field.default for field in fields(CLASSES[part]) if field.default is not MISSING}


def settings_of(options: Mapping[str, Any], *, name: str, data_source: str) -> RunSettings:
    """Settings of a run from the options of `train`, by the names click gives them; left-out ones are the defaults.

    Raises SettingsError with every problem at once.
    """
    chosen: dict[str, dict[str, Any]] = {}
    for part, flags in FLAGS.items():
        given = {field: options[_parameter(flag)] for field, flag in flags.items() if _parameter(flag) in options}
        chosen[part] = {field: list(value) if isinstance(value, tuple) else value for field, value in given.items()}
    return RunSettings(
        name=name,
        data_source=data_source,
        label_column=options.get("label"),
        choices=DataChoices.from_dict(chosen["choices"]),
        model=chosen["model"],
        training=chosen["training"],
    )


def train_command(settings: RunSettings, out: str) -> list[str]:
    """The words of `python -m ldvae_core train ...` that train this run again, with all that is not the default."""
    words = ["python", "-m", "ldvae_core", "train", settings.data_source, "--out", out]
    chosen = {"choices": settings.choices.to_dict(), "model": settings.model, "training": settings.training}
    for part, flags in FLAGS.items():
        defaults = defaults_of(part)
        for field, flag in flags.items():
            value = chosen[part].get(field, defaults[field])
            if isinstance(value, list | tuple):
                words += [word for item in value for word in (flag, str(item))]
            elif isinstance(defaults[field], bool):
                words += [] if value == defaults[field] else [flag if value else f"--no-{flag.removeprefix('--')}"]
            elif value != defaults[field]:
                words += [flag, str(value)]
    return [*words, "--label", settings.label_column] if settings.label_column else words


def _parameter(flag: str) -> str:
    """--hidden-units -> hidden_units."""
    return flag.removeprefix("--").replace("-", "_")
