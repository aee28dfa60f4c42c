"""A prior and a likelihood that the program does not have, added as docs/architecture.md says, train to results."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from ldvae_core.data.choices import DataChoices
from ldvae_core.data.synthetic import plant_programs
from ldvae_core.model.config import ModelConfig, TrainingConfig
from ldvae_core.model.describe import model_words
from ldvae_core.model.families import LIKELIHOODS, Likelihood
from ldvae_core.model.likelihood import log_negative_binomial
from ldvae_core.model.priors import PRIORS, Prior
from ldvae_core.runs.execute import execute
from ldvae_core.runs.opened import open_run_folder
from ldvae_core.runs.settings import RunSettings
from tests.model.test_families import from_arrays
from tests.model.test_priors import POSTERIORS, integral_of_kl

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
HEADINGS = {"Add a prior": PRIORS, "Add a likelihood": LIKELIHOODS}
MOST_FILES = 6
# that use one certain prior or likelihood, and would not have to know a new one
OF_ONE = {"ldvae_core/data/annotations.py",  # "normal" tissue
          "ldvae_core/model/presets.py", "ldvae_core/model/describe.py", "ldvae_core/model/config.py",
          "ldvae_core/runs/baseline.py", "pages/parts/train/form.py", "pages/parts/train/advanced.py",
          "pages/parts/cell_types/groups.py", *(f"ldvae_core/analysis/{name}.py" for name in
          ("metrics", "factors", "uncertainty", "importance"))}  # fmt: skip


def example(heading: str) -> tuple[str, object]:
    """What the worked example under a heading of the guide adds to the table, run as it stands there."""
    code = re.search(rf"### {heading}\n.*?```python\n(.*?)```", GUIDE, re.DOTALL).group(1)
    names = {"math": math, "np": np, "torch": torch, "log_negative_binomial": log_negative_binomial}
    tables: dict[str, dict] = {"PRIORS": {}, "LIKELIHOODS": {}}
    exec(code, {**names, "Prior": Prior, "Likelihood": Likelihood, **tables})
    ((name, added),) = [*tables["PRIORS"].items(), *tables["LIKELIHOODS"].items()]
    return name, added


@pytest.fixture
def laplace(monkeypatch):
    """The toy prior of the guide, registered."""
    name, prior = example("Add a prior")
    monkeypatch.setitem(PRIORS, name, prior)
    return prior


@pytest.fixture
def geometric(monkeypatch):
    """The toy likelihood of the guide, registered."""
    name, likelihood = example("Add a likelihood")
    monkeypatch.setitem(LIKELIHOODS, name, likelihood)
    return likelihood


@pytest.fixture
def train(tmp_path):
    """train(**model settings) -> the finished run."""

    def run(**model):
        counts = plant_programs(n_cells=200, n_genes=30, n_factors=2, depth=300.0, seed=0).counts
        choices = DataChoices(gene_selection="variance", n_genes=30)
        training = TrainingConfig(n_epochs=3, threads=1, device="cpu")
        RunSettings("toy", "demo", None, choices, ModelConfig(n_factors=2, **model), training).write(tmp_path / "run")
        execute(tmp_path / "run", open_counts=lambda: counts)
        return open_run_folder(tmp_path / "run")

    return run


@pytest.mark.parametrize("posterior", POSTERIORS, ids=str)
def test_the_toy_priors_kl_is_its_integral(laplace, posterior):
    """As for every prior of the table."""
    found = laplace.kl(*torch.tensor(posterior, dtype=torch.float64)).item()
    assert found == pytest.approx(integral_of_kl(laplace, *posterior), abs=1e-6)


def test_a_new_prior_trains_with_its_own_kl(laplace, train, monkeypatch):
    """Not silently with the normal one; its factors are not rotated, since their axes mean something."""
    asked = []
    kl = laplace.kl
    monkeypatch.setattr(laplace, "kl", lambda *posterior: asked.append(True) or kl(*posterior), raising=False)
    run = train(prior="laplace")
    assert asked
    assert not run.settings.model.is_fusable
    assert np.isfinite([run.metrics["test_elbo"], run.metrics["test_iwll"], run.metrics["gain"]]).all()
    assert run.metrics["test_elbo"] <= run.metrics["test_iwll"]
    assert list(run.factors) == ["as_trained"]
    assert (run.factors["as_trained"].prior, model_words(run.settings.model)) == ("laplace", "LDVAE, Laplace")


def test_the_toy_likelihoods_formulas_agree(geometric):
    """As for every likelihood of the table."""
    rng = np.random.default_rng(0)
    counts, log_mean = rng.poisson(3.0, 100).astype(float), rng.normal(0, 2, 100)
    exact = geometric.log_probability(torch.from_numpy(counts), torch.from_numpy(log_mean), None, None, None)
    assert from_arrays(geometric, counts, log_mean, np.ones(100)) == pytest.approx(exact.numpy(), abs=1e-10)


def test_a_new_likelihood_trains_and_its_figures_are_recomputed(geometric, train):
    """It has no inverse dispersion, takes the plain path, and its test error follows from the arrays."""
    run = train(likelihood="geometric")
    assert not run.settings.model.is_fusable
    assert run.settings.model.is_recomputable
    assert np.isfinite([run.metrics[name] for name in ("test_reconstruction_error", "test_elbo", "test_iwll")]).all()
    factors = run.factors["readable"]
    assert np.isinf(factors.inverse_dispersion).all()
    assert np.isfinite(factors.loadings_se).all()


@pytest.mark.parametrize("heading", HEADINGS)
def test_the_guide_names_few_files_and_no_other_file_knows_the_names(heading):
    """At most six files, all of them there; the names of priors and likelihoods stand in these alone."""
    section = GUIDE.split(f"### {heading}\n")[1].split("\n### ")[0]
    listed = re.findall(r"^\d\. `([^`]+)`", section, re.MULTILINE)
    assert len(listed) <= MOST_FILES
    assert all((ROOT / path).exists() for path in listed)
    names = [f'"{name}"' for name in HEADINGS[heading]]
    sources = [path for folder in ("ldvae_core", "pages") for path in (ROOT / folder).rglob("*.py")]
    texts = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in sources}
    knowing = {path for path, text in texts.items() if any(name in text for name in names)}
    assert knowing - OF_ONE <= set(listed)
