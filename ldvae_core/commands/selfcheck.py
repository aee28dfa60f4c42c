"""`selfcheck`: does this installation compute what it should? A few quick proofs, each against something outside."""

import contextlib
import logging
import platform
import sys
import time
from collections.abc import Callable
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import torch
from scipy.special import expit, log_softmax
from scipy.stats import nbinom, poisson

from ldvae_core.analysis.matching import match_factors
from ldvae_core.commands.about_machine import about_machine, without_person
from ldvae_core.commands.trial_run import train_trial
from ldvae_core.data.split import split_cells
from ldvae_core.data.synthetic import Planted, plant_programs
from ldvae_core.errors import LdvaeError
from ldvae_core.export import write_h5ad
from ldvae_core.model import likelihood
from ldvae_core.model.config import MAX_THETA, MIN_THETA, ModelConfig, TrainingConfig
from ldvae_core.runs.opened import OpenRun
from ldvae_core.runs.settings import PACKAGES, versions
from ldvae_core.training.devices import found_devices
from ldvae_core.training.engine import TorchEngine
from ldvae_core.training.loop import Trainer
from ldvae_core.workspace.scratch import scratch_folder

log = logging.getLogger(__name__)

POINTS = 400  # of the likelihood
RECOVERED = 0.9  # absolute cosine of planted and learned loadings
SIMULATED = {"n_cells": 1500, "n_genes": 150, "n_factors": 3, "seed": 1}
EPOCHS = 40


def all_versions() -> dict[str, str]:
    """Of everything that decides the numbers, and of numba, which decides the speed; what is missing is left out."""
    found = dict(versions())
    with contextlib.suppress(metadata.PackageNotFoundError):
        found["numba"] = metadata.version("numba")
    return found


class Failed(Exception):
    """A check that did not hold: what was found."""


def check_everything() -> dict[str, Any]:
    """Run all checks on one thread, one line each on stderr.

    {"ok", "checks", "versions", "machine", "device", "seconds"}: what may be sent when asking for help.
    """
    began = time.monotonic()
    torch.set_num_threads(1)
    with scratch_folder() as folder:
        check_up = SelfCheck(folder)
        results = [_tried(name, check) for name, check in check_up.checks.items()]
    return {
        "ok": all(result["ok"] for result in results),
        "checks": results,
        "versions": all_versions(),
        "machine": about_machine(),
        "device": found_devices()["best"],
        "seconds": round(time.monotonic() - began, 1),
    }


def _tried(name: str, check: Callable[[], str]) -> dict[str, Any]:
    began = time.monotonic()
    try:
        ok, words = True, check()
    except (Failed, LdvaeError) as fault:
        ok, words = False, str(fault)
    except Exception as fault:  # a broken installation can fail in any way, and the other checks still say something
        log.debug("The check %r broke off.", name, exc_info=True)
        ok, words = False, f"broke off with {type(fault).__name__}: {fault}"
    words = without_person(words)
    seconds = round(time.monotonic() - began, 1)
    sys.stderr.write(f"{'ok' if ok else 'FAILED':<7}{name}: {' '.join(words.split())} ({seconds} s)\n")
    sys.stderr.flush()
    return {"name": name, "ok": ok, "found": words, "seconds": seconds}


class SelfCheck:
    """The checks, in order; the last three look at one small run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checks: dict[str, Callable[[], str]] = {
            "versions": self.versions,
            "device": self.device,
            "likelihood": self.likelihood,
            "training step": self.training_step,
            "training process": self.training_process,
            "planted programs": self.planted_programs,
            "export": self.export,
        }

    def versions(self) -> str:
        """Python and every package that decides the numbers are there."""
        found = all_versions()
        if missing := [package for package in PACKAGES if package not in found]:
            raise Failed(f"not installed: {', '.join(missing)}")
        named = ", ".join(f"{name} {version}" for name, version in found.items())
        return f"{named}, on {platform.system()} {platform.machine()}"

    def device(self) -> str:
        """What training would take; a sum there comes out right."""
        found = found_devices()
        total = torch.arange(1000, device=found["best"]).sum().item()
        if total != 499_500:
            raise Failed(f"{found['best']} adds 0 to 999 up to {total}")
        return f"{found['best']}. {found['reason']}"

    def likelihood(self) -> str:
        """The three likelihoods in double precision equal scipy's."""
        drawn = np.random.default_rng(0)
        x = np.floor(10 ** drawn.uniform(0, 3, POINTS)) - 1
        mean, theta = 10 ** drawn.uniform(-2, 3, POINTS), 10 ** drawn.uniform(np.log10(MIN_THETA), 4, POINTS)
        theta = theta.clip(MIN_THETA, MAX_THETA)
        logit = drawn.normal(0, 2, POINTS)
        counts, log_mean, log_theta, zero = (torch.from_numpy(v) for v in (x, np.log(mean), np.log(theta), logit))
        nb = nbinom.logpmf(x, theta, theta / (theta + mean))
        zinb = np.logaddexp(np.where(x == 0, np.log(expit(logit)), -np.inf), np.log(expit(-logit)) + nb)
        ours = {
            "negative binomial": (likelihood.log_negative_binomial(counts, log_mean, log_theta), nb),
            "Poisson": (likelihood.log_poisson(counts, log_mean), poisson.logpmf(x, mean)),
            "zero-inflated": (
                likelihood.log_zero_inflated_negative_binomial(counts, log_mean, log_theta, zero), zinb,
            ),
        }  # fmt: skip
        worst = {name: _relative(value.numpy(), np.asarray(truth)) for name, (value, truth) in ours.items()}
        if wrong := [f"{name} off by {error:.1e}" for name, error in worst.items() if not error < 1e-6]:
            raise Failed(f"against scipy: {', '.join(wrong)}")
        return f"equals scipy at {POINTS} points to {max(worst.values()):.0e}"

    def training_step(self) -> str:
        """The fast step's figures and gradients are those of the plain formulas."""
        try:
            from ldvae_core.training.cpu_engine import CpuEngine
        except ImportError as fault:
            return f"the compiled step is not there ({fault}); training takes the plain one, which is slower"
        planted = plant_programs(n_cells=200, n_genes=50, n_factors=3, seed=2)
        fast, plain = (_trainer(planted, fast=fast) for fast in (True, False))
        if not isinstance(fast.engine, CpuEngine) or not isinstance(plain.engine, TorchEngine):
            raise Failed("the compiled step is there, and training does not take it")
        error, kl = fast.engine.gradients(fast.train_cells, 0.5)
        terms = plain.engine.terms(plain.source.minibatch(plain.train_cells))
        terms.loss(0.5).backward()
        truth = (terms.reconstruction_error.mean().item(), terms.kl_factors.mean().item())
        worst = _relative(np.array([error, kl]), np.array(truth))
        for name, value in plain.engine.parameters.items():
            if value.grad is None:
                raise Failed(f"the plain step leaves {name} as it is")
            if name != "encoder.hidden.bias":  # batch norm takes it off: both find rounding
                largest = value.grad.abs().max()
                worst = max(worst, float((fast.engine.gradient[name] - value.grad).abs().max() / largest))
        if not worst < 1e-3:
            raise Failed(f"compiled and plain step differ by {worst:.1e}")
        return f"compiled, equal to the plain one to {worst:.0e}"

    def training_process(self) -> str:
        """A file is read, and a run trained from it, in processes of their own, as the dashboard does."""
        device = self.run.metrics["device"]
        return f"read a file and trained on {device}, each in a process of its own"

    def planted_programs(self) -> str:
        """Training finds programs that are known."""
        matching = match_factors(self.run.factors["readable"].loadings, self.planted.loadings)
        found = f"{(matching.match >= RECOVERED).sum()} of {len(matching.match)} recovered, |cosine| at least "
        if not matching.match.min() >= RECOVERED:
            raise Failed(f"{found}{matching.match.min():.2f}; {RECOVERED} is asked for")
        return f"{found}{matching.match.min():.2f}, on {self.run.metrics['device']}"

    def export(self) -> str:
        """Whoever has nothing but the exported file finds the reported fit to unseen cells."""
        path = self.folder / "run.h5ad"
        write_h5ad(self.run, path)
        file = anndata.read_h5ad(path)
        counts = file.layers["counts"].toarray().astype(float)
        if (counts != self.planted.counts.counts.toarray()).any():
            raise Failed("the counts in the file are not those of the data")
        logits = file.obsm["X_ldvae"] @ file.varm["LDVAE_loadings"].T + file.var["ldvae_intercept"].to_numpy()
        mean = counts.sum(axis=1, keepdims=True) * np.exp(log_softmax(logits.astype(float), axis=1))
        theta, test = file.var["ldvae_inverse_dispersion"].to_numpy(), file.obs["ldvae_split"] == "test"
        error = -nbinom.logpmf(counts[test], theta, theta / (theta + mean[test])).sum(axis=1).mean()
        reported = self.run.metrics["test_reconstruction_error"]
        if not abs(error / reported - 1) < 1e-5:
            raise Failed(f"the file gives a fit to unseen cells of {error:.6g}, the run reports {reported:.6g}")
        return f"the file alone gives the reported fit to unseen cells, {reported:.6g} nats per cell"

    @cached_property
    def planted(self) -> Planted:
        """Cells whose programs are known."""
        return plant_programs(**SIMULATED)

    @cached_property
    def run(self) -> OpenRun:
        """A run trained on them, wherever training would go on this machine."""
        return train_trial(
            self.folder / "workspace",
            self.planted.counts,
            model=ModelConfig(n_factors=SIMULATED["n_factors"]),
            training=TrainingConfig(n_epochs=EPOCHS, threads=1),
        )


def _trainer(planted: Planted, *, fast: bool) -> Trainer:
    counts = planted.counts
    return Trainer(
        counts.counts,
        counts.library_size,
        split_cells(counts.n_cells, seed=0),
        np.zeros((counts.n_cells, 0)),
        model_config=ModelConfig(counts.n_genes, n_factors=3),
        training_config=TrainingConfig(n_epochs=1),
        device=torch.device("cpu"),
        fast=fast,
    )


def _relative(values: np.ndarray, truth: np.ndarray) -> float:
    """The largest relative difference."""
    return float(np.max(np.abs(values - truth) / np.abs(truth)))
