"""The shown command is the run: whatever was chosen, on whichever page, the command line chooses it again."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldvae_core.__main__ import cli
from ldvae_core.model.config import ModelConfig, TrainingConfig
from ldvae_core.runs.options import PARTS
from ldvae_core.runs.recipe import settings_of, train_command
from ldvae_core.runs.search import Search
from ldvae_core.runs.settings import RunSettings
from ldvae_core.setting import choices_of, described

NAMES = st.text("abcXYZ019 -_é'\"$", min_size=1, max_size=8)


def _floats(low: float, high: float) -> st.SearchStrategy:
    """Without the tiniest numbers, which training has told this process to take for 0."""
    return st.floats(low, high, allow_subnormal=False)


SHARES = _floats(0.01, 0.5)
VALUES = {
    "choices": {
        "n_genes": st.integers(200, 3000),
        "gene_selection": st.sampled_from(["seurat_v3", "variance"]),
        "batch_column": st.none() | NAMES,
        "keep_genes": st.lists(NAMES, max_size=3, unique=True),
        "drop_mitochondrial": st.booleans(),
        "drop_ribosomal": st.booleans(),
        "min_counts": st.integers(0, 5000),
        "min_genes": st.integers(0, 500),
        "max_mitochondrial_share": _floats(0, 1),
    },
    "model": {
        "n_factors": st.integers(2, 50),
        "batch_norm": st.booleans(),
        "intercept": st.booleans(),
        "n_hidden": st.integers(8, 512),
        "dropout": _floats(0, 0.9),
        "covariates": st.lists(NAMES, min_size=1, max_size=2, unique=True),
        **{
            name: st.sampled_from(choices_of(ModelConfig, name))
            for name in ("prior", "decoder", "library", "dispersion")
        },
        "likelihood": st.sampled_from(["nb", "zinb"]),
        "method": st.just("ldvae"),
    },
    "training": {
        "n_epochs": st.none() | st.integers(1, 900),
        "minibatch_size": st.integers(2, 4096),
        "learning_rate": st.none() | _floats(1e-6, 1),
        "kl_warmup": _floats(0, 1),
        "validation_share": SHARES,
        "test_share": SHARES,
        "weight_decay": _floats(0, 1),
        "weight_prior_sd": _floats(0, 10),
        "adam_epsilon": _floats(1e-10, 1),
        "patience": _floats(0, 1),
        "seed": st.integers(0, 2**32 - 1),
        "split_seed": st.integers(0, 2**32 - 1),
        "device": st.sampled_from(choices_of(TrainingConfig, "device")),
        "threads": st.none() | st.integers(1, 64),
    },
}


def any_part(part: str) -> st.SearchStrategy:
    required = {"covariates": VALUES["model"]["covariates"]} if part == "model" else {}
    optional = {name: values for name, values in VALUES[part].items() if name not in required}
    return st.fixed_dictionaries(required, optional=optional)


def read_back(words: list[str]) -> RunSettings:
    """What the command line makes of a shown command."""
    assert words[:4] == ["python", "-m", "ldvae_core", "train"]
    given = cli.commands["train"].make_context("train", words[4:]).params
    return settings_of(given, name="a run", data_source=given["data"])


@settings(max_examples=150, deadline=None)
@given(any_part("choices"), any_part("model"), any_part("training"), st.none() | NAMES)
def test_the_command_trains_the_same_run(choices, model, training, label):
    """Reading the shown command gives back every setting."""
    parts = {"choices": choices, "model": model, "training": training}
    run = RunSettings.from_dict({"name": "a run", "data_source": "cells-1a2b", "label_column": label, **parts})
    assert read_back(train_command(run, "out")) == run


@pytest.mark.parametrize("method", ["pca", "nmf", "gene_mean"])
def test_the_command_of_a_baseline_names_it(method):
    """--method, and nothing it does not use."""
    run = RunSettings("a run", "demo", model=ModelConfig(method=method, n_factors=4))
    assert train_command(run, "out")[7:] == ["--method", method, "--factors", "4"]
    assert read_back(train_command(run, "out")) == run


def test_the_command_of_a_search_finds_the_number_anew():
    """The number that was found is no choice of anybody."""
    found = RunSettings(
        "a run", "demo", model=ModelConfig(n_factors=7), search=Search(auto=True, most=20, sample="donor")
    )
    words = train_command(found, "out")
    assert words[7:] == ["--factors", "auto", "--most", "20", "--sample", "donor"]
    again = read_back(words)
    assert (again.search, again.model.n_factors) == (found.search, 20)


def test_defaults_are_not_on_the_line():
    """Only what was chosen is."""
    run = RunSettings("a run", "demo", model=ModelConfig(), training=TrainingConfig())
    assert train_command(run, "out") == ["python", "-m", "ldvae_core", "train", "demo", "--out", "out"]


def test_every_setting_has_an_option_with_its_default():
    """A new field of the settings needs an option of `train`, or its runs cannot be repeated."""
    fields = {part: set(cls.__dataclass_fields__) for part, cls in PARTS.items()}
    fields["model"].remove("n_genes")  # chosen with the data
    fields["search"].remove("auto")  # --factors auto
    fields["guide"] = set()  # --guide takes a file of sets: tests/commands/test_guided_training.py
    assert {part: set(described(cls)) for part, cls in PARTS.items()} == fields
    assert read_back(["python", "-m", "ldvae_core", "train", "demo", "--out", "out"]) == RunSettings("a run", "demo")
