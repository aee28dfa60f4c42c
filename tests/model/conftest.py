"""A handful of cells and models small enough to work out by hand."""

import pytest
import torch

from ldvae_core.model.config import Covariate, ModelConfig
from ldvae_core.model.ldvae import LDVAE, Minibatch, StartValues

N_GENES = 12


def seeded(seed: int = 0) -> torch.Generator:
    """A generator of its own."""
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def cells() -> Minibatch:
    """Forty cells of 12 genes from two donors."""
    counts = torch.poisson(torch.rand(40, N_GENES, generator=seeded()) * 6, generator=seeded()) + 0.0
    counts[:, 0] += 1
    donor = torch.arange(40) % 2
    return Minibatch(counts.double(), counts.sum(1).double(), torch.nn.functional.one_hot(donor, 2).double())


@pytest.fixture
def build():
    """build(**settings) gives a double-precision LDVAE of 12 genes and 3 factors whose parameters are all awake."""

    def build_model(*, covariates: bool = False, **settings) -> LDVAE:
        levels = (Covariate("donor", ("a", "b")),) if covariates else ()
        config = ModelConfig(N_GENES, **{"n_factors": 3, "n_hidden": 16, "covariates": levels, **settings})
        start = StartValues(torch.linspace(-4, -1, N_GENES), torch.linspace(-1, 2, N_GENES), (3.5, 0.2))
        model = LDVAE(config, start, seeded()).double()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.requires_grad:
                    parameter.add_(0.1 * torch.randn(parameter.shape, generator=seeded(1)))
        return model

    return build_model


def without_covariates(batch: Minibatch) -> Minibatch:
    """The same cells, their donor forgotten."""
    return batch._replace(covariates=batch.covariates[:, :0])
