"""Settings are valid from birth, and survive being written down."""

import pytest

from ldvae_core.errors import SettingsError
from ldvae_core.model.config import Covariate, ModelConfig, TrainingConfig, default_epochs

DONOR = (Covariate("donor", ("a", "b")),)


def test_every_problem_is_named_at_once():
    """Someone who made two mistakes reads about both."""
    with pytest.raises(SettingsError) as refused:
        ModelConfig(n_genes=100, n_factors=0, dropout=2.0)
    assert refused.value.problems == (
        "The number of factors must lie between 1 and 99; it is 0.",
        "The dropout must lie between 0 and 0.9; it is 2.0.",
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"prior": "cauchy"}, "The prior must be one of normal, logistic_normal; it is 'cauchy'"),
        ({"likelihood": "gaussian"}, "The likelihood must be one of nb, poisson, zinb; it is 'gaussian'"),
        ({"prior": "logistic_normal", "n_factors": 1}, "A logistic-normal prior needs at least 2 factors"),
        ({"method": "nmf", "n_factors": 1}, "NMF needs at least 2 factors: with one, every cell has the usage 1"),
        (
            {"dispersion": "gene_level"},
            "per gene and covariate level needs an annotation to correct for; none is chosen",
        ),
        (
            {"dispersion": "gene_level", "covariates": DONOR, "likelihood": "poisson"},
            "per gene and covariate level does not go with the Poisson likelihood, which has none",
        ),
        (
            {"method": "pca", "covariates": DONOR},
            r"The baselines \(PCA, NMF, gene mean\) cannot correct for annotations; chosen are: donor",
        ),
        ({"n_factors": float("nan")}, "The number of factors must lie between 1 and 99; it is nan"),
    ],
    ids=["prior", "likelihood", "one archetype", "one program", "no levels", "poisson", "baseline", "not a number"],
)
def test_a_model_that_cannot_be_is_refused(settings, message):
    """A choice outside the family is refused with the family listed."""
    with pytest.raises(SettingsError, match=message):
        ModelConfig(n_genes=100, **settings)


def test_settings_of_an_older_version_are_read():
    """What was written before there were methods and dispersions is an LDVAE with one inverse dispersion per gene."""
    older = {"n_genes": 100, "n_factors": 5, "prior": "normal"}
    assert ModelConfig.from_dict(older) == ModelConfig(100, n_factors=5, method="ldvae", dispersion="gene")


def test_settings_survive_being_written_down():
    """to_dict and from_dict are inverse, covariates included."""
    config = ModelConfig(n_genes=100, covariates=DONOR, dispersion="gene_level")
    assert ModelConfig.from_dict(config.to_dict()) == config
    training = TrainingConfig(seed=3, n_epochs=7)
    assert TrainingConfig.from_dict(training.to_dict()) == training


@pytest.mark.parametrize(
    ("n_train", "epochs"), [(6_280, 128), (100_000, 8), (800_000, 1), (1_600_000, 1), (50, 16_000)]
)
def test_the_rule_of_thumb_counts_updates(n_train, epochs):
    """A first pass is 6,250 updates of 128 cells, and never less than one epoch."""
    assert default_epochs(n_train) == epochs


def test_the_learning_rate_grows_with_the_root_of_the_minibatch():
    """Four times the minibatch takes twice the notebooks' rate; a rate that was asked for is kept."""
    assert TrainingConfig().rate_for(512) == pytest.approx(0.014)
    assert TrainingConfig(learning_rate=0.003).rate_for(512) == 0.003


def test_a_short_run_takes_longer_steps():
    """A quarter of a first pass twice the rate, up to 0.03; a longer one, or one asked for otherwise, no other rate."""
    assert TrainingConfig().rate_for(128, 6250 // 4) == pytest.approx(0.014, rel=1e-3)
    assert TrainingConfig().rate_for(128, 10) == 0.03
    assert TrainingConfig().rate_for(4096, 10) == pytest.approx(0.007 * 32**0.5)
    assert TrainingConfig().rate_for(128, 50_000) == TrainingConfig().rate_for(128) == 0.007
    assert TrainingConfig(learning_rate=0.003).rate_for(128, 10) == 0.003


def test_a_gpu_takes_larger_minibatches_where_updates_are_plenty():
    """Doubled up to 4,096 while 6,250 updates remain; never on a processor, nor against what was asked for."""
    ten_epochs = TrainingConfig(n_epochs=10)
    assert ten_epochs.minibatch_for(1_560_000) == 128
    assert ten_epochs.minibatch_for(1_560_000, on_gpu=True) == 2048
    assert ten_epochs.minibatch_for(6_000, on_gpu=True) == 128
    assert TrainingConfig(n_epochs=1000).minibatch_for(1_560_000, on_gpu=True) == 4096
    assert TrainingConfig(minibatch_size=64).minibatch_for(1_560_000, on_gpu=True) == 64
    assert TrainingConfig().minibatch_for(90) == 90
