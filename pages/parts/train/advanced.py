"""The folded part of the Train form: method, likelihood and the numbers few people change, each with one sentence."""

import os
from typing import Any

import streamlit as st

from ldvae_core.model.config import REFERENCE_MINIBATCH, TrainingConfig
from ldvae_core.runs.settings import LONGEST_NAME
from pages.parts.text import plain, show
from pages.parts.train.plan import BASELINES, Data

METHODS = {"ldvae": "LDVAE", "vae": "VAE, neural decoder", "pca": "PCA", "nmf": "NMF", "gene_mean": "Gene mean"}
LIKELIHOODS = {"nb": "Negative binomial", "poisson": "Poisson", "zinb": "Zero-inflated negative binomial"}
LIBRARIES = {"observed": "Observed", "latent": "Latent, as published"}
DISPERSIONS = {"gene": "Per gene", "gene_level": "Per gene and covariate level"}
SENTENCES = {
    "ldvae": "The linear decoder of the paper: its loadings are gene programs.",
    "vae": "Predicts better, but has no loadings to read: a yardstick.",
    "pca": "Baseline: principal components of log-normalised counts.",
    "nmf": "Baseline: factors and loadings that are never negative.",
    "gene_mean": "Baseline without factors: every cell gets each gene's mean.",
    "nb": "Counts vary more than chance alone, gene by gene: right for nearly all data.",
    "poisson": "Counts vary by chance alone: only for comparison.",
    "zinb": "Adds extra zeros: for data without molecule barcodes.",
    "observed": "A cell's own molecules say how deeply it was read.",
    "latent": "The depth of a cell is learned too, as in the paper.",
    "gene": "One number a gene says how much it varies beyond chance.",
    "gene_level": "That number differs between the levels of the annotations below.",
}
PERSISTED: dict[str, Any] = {"persist_state": "session"}  # a visit to another page does not empty the form


def method_in_use(*, preset: bool) -> str:
    """What the folded select box says; above it on the screen, the rest of the form depends on it."""
    method = st.session_state.get("train_method")
    return method if method in METHODS and not preset else "ldvae"


def show_advanced(data: Data, *, method: str, preset: bool) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Name of the run, settings of the model, settings of the training. preset: the plan decides on the method."""
    with st.expander("Advanced", key="train_advanced"), st.container(gap="small"):
        name = st.text_input("Name of the run", key="train_name", max_chars=LONGEST_NAME - 40, **PERSISTED,
                             placeholder="made from the settings")  # fmt: skip
        _select(METHODS, "Method", key="train_method", disabled=preset)
        if preset:
            show("The preset chosen above trains several methods.", kind="quiet")
        if method in BASELINES or st.session_state.get("train_plan") == "Baselines":
            return name, {}, {"threads": None}
        model = _likelihood(data)
        training = _numbers()
    model["n_hidden"] = training.pop("n_hidden")
    return name, model, training


def _likelihood(data: Data) -> dict[str, Any]:
    known = list(data.annotations)
    if kept := st.session_state.get("train_covariates"):  # another data set has other annotations
        st.session_state["train_covariates"] = [name for name in kept if name in known]
    likelihood = _select(LIKELIHOODS, "Likelihood", key="train_likelihood")
    library = _select(LIBRARIES, "Library size", key="train_library")
    with st.container(gap="xxsmall"):
        covariates = st.multiselect(
            "Correct for", known, key="train_covariates", format_func=plain, **PERSISTED,
            placeholder="no annotation" if known else "this data has no annotation",
        )  # fmt: skip
        show("Annotations such as sequencing batch or donor: their effect is kept out of the programs.", kind="quiet")
    model = {"likelihood": likelihood, "library": library, "covariates": list(covariates)}
    if covariates and likelihood != "poisson":
        dispersion = _select(DISPERSIONS, "Inverse dispersion", key="train_dispersion")
        model |= {"dispersion": dispersion} if dispersion != "gene" else {}
    return model


def _numbers() -> dict[str, Any]:
    left, right = st.columns(2, gap="small")
    minibatch = left.number_input("Minibatch size", 2, 1_000_000, None, key="train_minibatch", **PERSISTED,
                                  placeholder=f"{REFERENCE_MINIBATCH} (automatic)",
                                  help="Cells per update of the model; a GPU takes more when there are many cells.",
                                  )  # fmt: skip
    usual = f"{TrainingConfig().rate_for(minibatch or REFERENCE_MINIBATCH):.2g} (automatic)"
    rate = right.number_input("Learning rate", 1e-7, 1.0, None, step=0.001, format="%.5g", key="train_rate",
                              **PERSISTED, placeholder=usual,
                              help="How far one update moves the model; short runs take longer steps.")  # fmt: skip
    hidden = left.number_input("Hidden units", 8, 4096, 128, key="train_hidden", **PERSISTED,
                               help="Width of the encoder; the decoder stays linear.")  # fmt: skip
    threads = right.number_input("CPU threads", 1, os.cpu_count() or 1, None, key="train_threads", **PERSISTED,
                                 placeholder="automatic", help="Cores of this machine to use.")  # fmt: skip
    return {"minibatch_size": minibatch, "learning_rate": rate, "threads": threads, "n_hidden": hidden}


def _select(options: dict[str, str], label: str, *, key: str, **more: Any) -> str:
    """A drop-down with one sentence about what is chosen below it."""
    with st.container(gap="xxsmall"):
        chosen = st.selectbox(label, list(options), format_func=lambda option: options.get(option, option), key=key,
                              **PERSISTED, **more)  # fmt: skip
        if not more.get("disabled"):
            show(SENTENCES[chosen], kind="quiet")
    return chosen
