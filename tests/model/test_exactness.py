"""The whole ELBO: its gradients, its KL terms, its bound, and what it must not depend on."""

import math
from itertools import product

import pytest
import torch
from scipy.stats import norm
from torch.autograd import gradcheck
from torch.func import functional_call

from ldvae_core.model.config import Covariate, ModelConfig
from ldvae_core.model.ldvae import LDVAE, ElboTerms, Minibatch, StartValues, draw
from ldvae_core.model.priors import normal_kl
from tests.model.conftest import seeded
from tests.model.outsider import Outsider

N_CELLS, N_GENES, N_FACTORS = 6, 5, 2
CHOICES = {
    "prior": ("normal", "logistic_normal"),
    "batch_norm": (False, True),
    "likelihood": ("nb", "poisson", "zinb"),
    "library": ("observed", "latent"),
    "covariates": (False, True),
    "decoder": ("linear", "neural"),
}
FAMILY = [dict(zip(CHOICES, values, strict=True)) for values in product(*CHOICES.values())]
FAMILY += [{"intercept": False}, {"intercept": False, "prior": "logistic_normal"}]
FAMILY += [{"dispersion": "gene_level", "covariates": True, "likelihood": likelihood} for likelihood in ("nb", "zinb")]
LINEAR = [settings for settings in FAMILY if settings.get("decoder") != "neural"]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)  # matrices this small only wait for a second one


def words(settings: dict) -> str:
    return ", ".join(str(value) if isinstance(value, str) else name for name, value in settings.items() if value)


def few_cells(*, covariates: bool = False) -> Minibatch:
    """Six cells of five genes; two donors, three chips."""
    counts = torch.poisson(torch.rand(N_CELLS, N_GENES, generator=seeded(3)) * 5, generator=seeded(4)).double()
    counts[:, 0] += 1
    levels = torch.cat([torch.eye(2).repeat(3, 1), torch.eye(3).repeat(2, 1)], dim=1).double()
    return Minibatch(counts, counts.sum(dim=1), levels if covariates else levels[:, :0])


def tiny_model(*, covariates: bool = False, n_factors: int = N_FACTORS, **settings) -> LDVAE:
    """A double-precision model of five genes whose parameters are all away from their start."""
    known = (Covariate("donor", ("a", "b")), Covariate("chip", ("x", "y", "z"))) if covariates else ()
    config = ModelConfig(N_GENES, n_factors=n_factors, n_hidden=8, covariates=known, **settings)
    start = StartValues(torch.linspace(-3, -1, N_GENES), torch.linspace(-1, 2, N_GENES), (2.3, 0.2))
    model = LDVAE(config, start, seeded()).double()
    with torch.no_grad():
        for parameter in (parameter for parameter in model.parameters() if parameter.requires_grad):
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=seeded(1)))
    return model


@pytest.mark.parametrize("settings", FAMILY, ids=words)
def test_the_gradient_of_the_whole_elbo_is_exact(settings):
    """In every parameter at once, for fixed draws of z and dropout: autograd equals finite differences."""
    model, batch = tiny_model(**settings).train(), few_cells(covariates=settings.get("covariates", False))
    free = {name: value.detach().clone() for name, value in model.named_parameters() if value.requires_grad}

    def loss(*values: torch.Tensor) -> torch.Tensor:
        model.forward = lambda: model.elbo(batch, seeded()).loss(0.7)
        return functional_call(model, dict(zip(free, values, strict=True)))

    assert gradcheck(loss, [value.requires_grad_() for value in free.values()], fast_mode=True)


def used(model: LDVAE, batch: Minibatch) -> LDVAE:
    """The model in evaluation mode, its running statistics away from their start."""
    with torch.no_grad():
        for seed in range(5):
            model.train().elbo(batch, seeded(seed))
    return model.eval()


@pytest.mark.parametrize("settings", LINEAR, ids=words)
def test_an_outsider_finds_the_same_reconstruction_error(settings):
    """Encoder, draw, decoder and likelihood, written a second time from the paper: equal for every member."""
    batch = few_cells(covariates=settings.get("covariates", False))
    model = used(tiny_model(**settings), batch)
    outsider, numbers = Outsider(model, batch), seeded(5)
    noise = [torch.randn(N_CELLS, N_FACTORS, generator=numbers, dtype=torch.float64).numpy()]
    noise.append(torch.randn(N_CELLS, generator=numbers, dtype=torch.float64).numpy()[:, None])
    expected = -outsider.log_likelihood(*outsider.latents(*noise))
    assert model.elbo(batch, seeded(5)).reconstruction_error.tolist() == pytest.approx(expected.tolist(), rel=1e-9)


@pytest.mark.parametrize("prior", ["normal", "logistic_normal"])
def test_kl_of_a_model_agrees_with_monte_carlo(prior):
    """Of the factors from N(0, I) and of the library size from the training cells': means of log q - log p."""
    batch = few_cells()
    model = used(tiny_model(prior=prior, library="latent"), batch)
    terms, outsider = model.elbo(batch, seeded()), Outsider(model, batch)
    assert terms.kl_factors.tolist() == pytest.approx(outsider.kl("encoder").tolist(), rel=5e-3, abs=5e-3)
    library = outsider.kl("library_encoder", *model.log_library_prior)
    assert terms.kl_library.tolist() == pytest.approx(library.tolist(), rel=5e-3, abs=5e-3)


@pytest.mark.parametrize("prior", [(0.0, 1.0), (-1.0, 0.3), (6.5, 2.0)], ids=str)
@pytest.mark.parametrize("posterior", [(0.0, 0.0), (1.5, -3.0), (-0.4, 1.2)], ids=str)
def test_kl_in_closed_form_agrees_with_the_integral(posterior, prior):
    """KL(q || p) = integral of q (log q - log p), for standard and other priors; 0 where they are equal."""
    mean, log_variance = torch.tensor(posterior, dtype=torch.float64)
    q, p = norm(posterior[0], math.exp(posterior[1] / 2)), norm(prior[0], math.sqrt(prior[1]))
    exact = q.expect(lambda value: q.logpdf(value) - p.logpdf(value))
    assert normal_kl(mean, log_variance, *prior).item() == pytest.approx(exact, abs=1e-7)


def test_the_loss_weighs_the_factors_kl_only():
    """Error + weight * KL of the factors + KL of the library size, a mean over cells; -ELBO at weight 1."""
    terms = ElboTerms(torch.tensor([10.0, 20.0]), torch.tensor([1.0, 3.0]), torch.tensor([0.5, 0.5]))
    assert terms.loss(0.25).item() == pytest.approx(15 + 0.25 * 2 + 0.5)
    assert terms.loss().item() == pytest.approx(17.5)


def test_dropout_leaves_the_posterior_where_it_is_on_average():
    """What is kept is scaled up by 1 / (1 - dropout): the mean over draws equals the pass without dropout."""
    batch, model = few_cells(), tiny_model(dropout=0.4).train()
    many = Minibatch(*(part.repeat(5000, *[1] * (part.ndim - 1)) for part in batch))  # the same moments for batch norm
    dropped = model.encode(many, seeded())[0].view(5000, N_CELLS, N_FACTORS)
    model.encoder.dropout = 0.0
    assert dropped[:, 0].std(dim=0).min() > 0.1
    assert torch.allclose(dropped.mean(dim=0), model.encode(batch)[0], atol=0.06)


def test_draws_have_the_posteriors_spread():
    """mean + exp(log variance / 2) * noise: the variance of the draws is the posterior's."""
    mean, log_variance = torch.tensor([2.0, -1.0]).double(), torch.tensor([-1.0, 2.0]).double()
    draws = draw(mean.expand(200_000, 2), log_variance.expand(200_000, 2), seeded())
    assert draws.mean(dim=0).tolist() == pytest.approx([2.0, -1.0], abs=0.03)
    assert draws.var(dim=0).tolist() == pytest.approx(log_variance.exp().tolist(), rel=0.02)
