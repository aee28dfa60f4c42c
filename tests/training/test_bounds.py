"""ELBO <= IWLL <= the exact log-likelihood, which can be integrated where a cell has one or two unknowns.

Every margin is worked out from the model at hand. With v the variance of a weight p(x, z) / q(z | x) over q, divided by
p(x)^2 and integrated on the same grid, the IWLL of K draws lies v / (2 K) below log p(x) on average, and one estimate
of it has the variance v / K (both to first order in v / K: the delta method). q is made twice as wide as training
leaves it: where it is narrower than the true posterior, v may be infinite, and no number of draws is enough.
"""

import copy

import numpy as np
import pytest
import torch
from scipy import sparse
from scipy.special import logsumexp, softmax
from scipy.stats import norm

from ldvae_core.data.synthetic import plant_programs
from ldvae_core.model.ldvae import Minibatch
from ldvae_core.training.minibatches import MinibatchSource
from ldvae_core.training.score import likelihood_bounds
from tests.model.outsider import Outsider

CPU = torch.device("cpu")
N_CELLS, COPIES = 5, 400  # cells scored, and independent sets of draws for each
ACROSS = np.linspace(-12, 12, 145)  # posterior standard deviations: the trapezoid rule is exact to 1e-6 nats
FAMILY = {
    "normal": {},
    "batch norm": {"batch_norm": True},
    "poisson": {"likelihood": "poisson"},
    "zero-inflated": {"likelihood": "zinb"},
    "logistic-normal": {"prior": "logistic_normal", "n_factors": 2},
    "latent library": {"library": "latent"},
}


class Toy:
    """A trained model of few genes, and how well it predicts some cells: exactly, and by its bounds."""

    def __init__(self, trainer, planted) -> None:
        self.model = copy.deepcopy(trainer.model).double().eval()
        for name in {"encoder", "library_encoder"} & {name for name, _ in self.model.named_children()}:
            bias = self.model.get_parameter(f"{name}.outputs.bias").data  # means first, then log-variances
            bias[len(bias) // 2 :] += np.log(4.0)
        self.counts = planted.counts.counts[:N_CELLS]
        self.library_size = planted.counts.library_size[:N_CELLS].astype(float)
        many = sparse.vstack([self.counts] * COPIES, format="csr")
        self.source = MinibatchSource(many, np.tile(self.library_size, COPIES), np.zeros((many.shape[0], 0)), CPU)

    def exact(self, cell: int) -> tuple[float, float]:
        """log p(x), the joint density of counts and unknowns summed over a grid of these, and v (see above)."""
        one = Minibatch(*map(torch.from_numpy, (self.counts[[cell]].toarray().astype(float), self.library_size[[cell]],
                                                np.zeros((1, 0)))))  # fmt: skip
        centres = [(*Outsider(self.model, one).posterior("encoder"), 0.0, 1.0)]
        if self.model.config.library == "latent":
            centres.append((*Outsider(self.model, one).posterior("library_encoder"), *self.model.log_library_prior))
        axes, log_weight = [], 0.0
        for mean, variance, prior_mean, prior_variance in centres:
            for middle, sd in zip(mean[0], np.sqrt(variance[0]), strict=True):
                prior = norm(prior_mean, np.sqrt(prior_variance))
                axes.append((middle + sd * ACROSS, prior.logpdf, norm(middle, sd).logpdf))
                log_weight += np.log(sd * (ACROSS[1] - ACROSS[0]))
        places = np.stack(np.meshgrid(*(values for values, _, _ in axes)), axis=-1).reshape(-1, len(axes))
        log_prior = sum(density(places[:, k]) for k, (_, density, _) in enumerate(axes))
        log_q = sum(density(places[:, k]) for k, (_, _, density) in enumerate(axes))
        many = Minibatch(*(part.expand(len(places), *part.shape[1:]) for part in one))
        n_factors, library_size = self.model.config.n_factors, self.library_size[cell]
        z = softmax(places, axis=1) if self.model.config.prior == "logistic_normal" else places[:, :n_factors]
        if self.model.config.library == "latent":
            library_size = np.exp(places[:, -1])
        value = Outsider(self.model, many).log_likelihood(z, np.broadcast_to(library_size, len(places)))
        joint = value + log_prior
        log_p = float(logsumexp(joint) + log_weight)
        return log_p, float(np.exp(logsumexp(2 * joint - log_q) + log_weight - 2 * log_p) - 1)

    def bounds(self, draws: int, copies: int = COPIES) -> tuple[np.ndarray, np.ndarray]:
        """ELBO and IWLL of every cell, independent estimates from that many draws: (copies, cells)."""
        found = likelihood_bounds(self.model, self.source, np.arange(N_CELLS * copies), draws=draws)
        return tuple(part.reshape(copies, N_CELLS) for part in found)


@pytest.fixture(params=FAMILY)
def toy(request, trainer_for, made={}) -> Toy:  # noqa: B006  (trained once, shared by the tests)
    if request.param not in made:
        planted = plant_programs(n_cells=400, n_genes=25, n_factors=1, depth=150.0, seed=3)
        model = {"n_factors": 1, "dropout": 0.0, **FAMILY[request.param]}  # a posterior close enough to be seen through
        trainer = trainer_for(planted, model=model, n_epochs=100)
        trainer.train()
        made[request.param] = Toy(trainer, planted)
    return made[request.param]


def test_both_bounds_stay_below_the_exact_likelihood_and_the_tighter_one_reaches_it(toy):
    """In every cell ELBO <= IWLL <= log p(x); the IWLL rises with its draws, from the ELBO to log p(x)."""
    exact, v = np.array([toy.exact(cell) for cell in range(N_CELLS)]).T
    (elbo, one), (_, few), (_, many) = toy.bounds(1), toy.bounds(4), toy.bounds(64)
    np.testing.assert_allclose(elbo, one, rtol=1e-12)
    for lower, higher in ((one, few), (few, many), (many, exact[None])):
        assert (lower.mean(axis=0) < higher.mean(axis=0) + 4 * (error_of(lower) + error_of(higher))).all()
    assert one.mean() < few.mean() < many.mean()
    assert exact.mean() - elbo.mean() > 0.02
    draws, copies = 4000, 10
    margin = v / draws + 5 * np.sqrt(v / (draws * copies))
    assert (margin < 0.08).all()
    assert (np.abs(toy.bounds(draws, copies)[1].mean(axis=0) - exact) < margin).all()


def error_of(estimates: np.ndarray) -> np.ndarray:
    """Standard error of the mean over copies, of every cell; 0 for a number known exactly."""
    return estimates.std(axis=0) / np.sqrt(len(estimates))


def test_the_elbo_reported_is_minus_error_and_kl(toy):
    """The mean log weight, draws only, equals the model's own ELBO with its KL terms in closed form, at weight 1."""
    batch = next(toy.source.in_order(np.arange(N_CELLS * COPIES), N_CELLS * COPIES))
    terms = toy.model.elbo(Minibatch(*(part.double() for part in batch)), torch.Generator().manual_seed(1))
    own = -sum(terms).detach().numpy().reshape(COPIES, N_CELLS)
    spread = own.std(axis=0) / np.sqrt(COPIES)
    assert (np.abs(toy.bounds(16)[0].mean(axis=0) - own.mean(axis=0)) < 4 * spread + 1e-3).all()
