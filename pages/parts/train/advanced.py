"""The folded part of the Train form: method, likelihood and the numbers few people change, each with one sentence."""

import os
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import streamlit as st

from ldvae_core.data.guide import Guide
from ldvae_core.model.config import (
    REFERENCE_MINIBATCH,
    Covariate,
    Dispersion,
    Library,
    Method,
    ModelConfig,
    TrainingConfig,
)
from ldvae_core.model.describe import BASELINES, DISPERSIONS, LIBRARIES, LIKELIHOOD_TITLES, METHODS, SENTENCES
from ldvae_core.model.families import LIKELIHOODS, LikelihoodName
from ldvae_core.model.presets import PLANS
from ldvae_core.setting import defaults_of, described
from pages.parts.text import plain, show
from pages.parts.train.guiding import show_guide
from pages.parts.train.plan import Data

PERSISTED: dict[str, Any] = {"persist_state": "session"}  # a visit to another page does not empty the form


MethodShown = Method | Literal["vae"]


class OfModel(NamedTuple):
    """Fields of ModelConfig that are chosen here; baselines have none of them."""

    likelihood: LikelihoodName = "nb"
    library: Library = "observed"
    covariates: tuple[Covariate, ...] = ()
    dispersion: Dispersion = "gene"
    n_hidden: int = ModelConfig.n_hidden


class Numbers(NamedTuple):
    """Fields of TrainingConfig that are chosen here; None: by a rule."""

    minibatch_size: int | None = None
    learning_rate: float | None = None
    threads: int | None = None


class Advanced(NamedTuple):
    """What this part of the form says."""

    model: OfModel
    numbers: Numbers
    guide: Guide = Guide()  # an empty one


def method_in_use(*, preset: bool) -> MethodShown:
    """What the folded select box says; above it on the screen, the rest of the form depends on it."""
    method = st.session_state.get("train_method")
    return method if method in METHODS and not preset else "ldvae"


def show_advanced(data: Data, *, method: MethodShown, preset: bool, n_guided: int) -> Advanced:
    """Draw it. preset: the plan decides on the method. n_guided: how many factors of this model gene sets may guide."""
    with st.expander("Advanced", key="train_advanced"), st.container(gap="small"):
        _select(METHODS, "Method", key="train_method", disabled=preset)
        if preset:
            show("The preset chosen above trains several methods.", kind="quiet")
        if method in BASELINES or st.session_state.get("train_plan") == PLANS["baselines"]:
            return Advanced(OfModel(), Numbers())
        likelihood, library, covariates, dispersion = _counts(data)
        guide = show_guide(data, n_guided) if n_guided else Guide()
        numbers, n_hidden = _numbers()
    return Advanced(OfModel(likelihood, library, covariates, dispersion, n_hidden), numbers, guide)


def _counts(data: Data) -> tuple[LikelihoodName, Library, tuple[Covariate, ...], Dispersion]:
    known = [*data.annotations, *data.numbers]
    if kept := st.session_state.get("train_covariates"):  # another data set has other annotations
        st.session_state["train_covariates"] = [name for name in kept if name in known]
    likelihood: LikelihoodName = _select(LIKELIHOOD_TITLES, "Likelihood", key="train_likelihood")
    library: Library = _select(LIBRARIES, "Library size", key="train_library")
    with st.container(gap="xxsmall"):
        covariates = st.multiselect(
            "Correct for", known, key="train_covariates", format_func=plain, **PERSISTED,
            placeholder="no annotation" if known else "this data has no annotation",
        )  # fmt: skip
        show(
            "Annotations such as sequencing batch or donor, or numbers such as an age: their effect is kept "
            "out of the programs.",
            kind="quiet",
        )
    dispersion: Dispersion = "gene"
    if covariates and not set(covariates) & set(data.numbers) and LIKELIHOODS[likelihood].has_dispersion:
        dispersion = _select(DISPERSIONS, "Inverse dispersion", key="train_dispersion")
    corrected = tuple(Covariate(name, kind="either" if name in data.numbers else "levels") for name in covariates)
    return likelihood, library, corrected, dispersion


def _numbers() -> tuple[Numbers, int]:
    """Numbers of the training, and the width of the encoder."""
    left, right = st.columns(2, gap="small")
    minibatch = left.number_input("Minibatch size", *_bounds(TrainingConfig, "minibatch_size"), key="train_minibatch",
                                  **PERSISTED, placeholder=f"auto {REFERENCE_MINIBATCH}",
                                  help="Cells per update of the model; left empty, a GPU takes more when there are "
                                  "many cells.",
                                  )  # fmt: skip
    usual = f"auto {TrainingConfig().rate_for(minibatch or REFERENCE_MINIBATCH):.2g}"
    rate = right.number_input("Learning rate", *_bounds(TrainingConfig, "learning_rate"), step=0.001, format="%.5g",
                              key="train_rate", **PERSISTED, placeholder=usual,
                              help="How far one update moves the model; short runs take longer steps.")  # fmt: skip
    hidden = left.number_input("Hidden units", *_bounds(ModelConfig, "n_hidden"), key="train_hidden", **PERSISTED,
                               help="Width of the encoder; the decoder stays linear.")  # fmt: skip
    threads = right.number_input("CPU threads", 1, os.cpu_count() or 1, None, key="train_threads", **PERSISTED,
                                 placeholder="auto", help="Cores of this machine to use.")  # fmt: skip
    return Numbers(minibatch, rate, threads), hidden


def _bounds(cls: type, field: str) -> tuple[Any, Any, Any]:
    """Least, most and default value of a number of the settings."""
    about = described(cls)[field]
    return about.low, about.high, defaults_of(cls)[field]


def _select(options: Mapping[Any, str], label: str, *, key: str, **more: Any) -> Any:
    """A drop-down with one sentence about what is chosen below it; one of the keys."""
    with st.container(gap="xxsmall"):
        chosen = st.selectbox(label, list(options), format_func=lambda option: options.get(option, option), key=key,
                              **PERSISTED, **more)  # fmt: skip
        if not more.get("disabled"):
            show(SENTENCES[chosen], kind="quiet")
    return chosen
