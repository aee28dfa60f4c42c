"""The form of the Train page: which data, how many programs, what decoder, how long. Its values outlive other pages."""

import os
from typing import Any, NamedTuple

import streamlit as st

from ldvae_core.errors import LdvaeError
from ldvae_core.model.config import FIRST_PASS_UPDATES, REFERENCE_MINIBATCH, REFERENCE_RATE, THOROUGH, default_epochs
from ldvae_core.runs.datasets import Datasets
from ldvae_core.runs.settings import LONGEST_NAME
from ldvae_core.runs.workspace import DEMO
from pages.parts.problems import problem_box
from pages.parts.runs import go, store
from pages.parts.text import as_html, count, plain, show
from pages.parts.training_devices import await_devices, found_devices, kind_of
from pages.parts.training_plan import DATA_CHOICE, Data, data_of

PLANS = {"first": "First pass", "thorough": "Thorough", "five": "The paper's five models"}
PRIORS = {"normal": "Normal", "logistic_normal": "Logistic-normal"}
LIKELIHOODS = {"nb": "Negative binomial", "poisson": "Poisson", "zinb": "Zero-inflated negative binomial"}
LIBRARIES = {"observed": "Observed", "latent": "Latent, as published"}
SELECTIONS = {"variance": "highest variance", "seurat_v3": "seurat_v3"}
KEPT: dict[str, Any] = {"persist_state": "session"}  # a visit to another page does not empty the form


class Form(NamedTuple):
    """What the form says now."""

    data: Data
    plan: str
    name: str
    model: dict[str, Any]
    training: dict[str, Any]
    device: str  # the one that will be used


def show_form() -> Form:
    """Draw it. A data set that cannot be read is said in a box, and the demo stands in for it."""
    data = _pick_data()
    plan = st.session_state.get("train_plan") or PLANS["first"]
    plan = next((key for key, word in PLANS.items() if word == plan), "first")
    _head("Programs", "How many to look for, and of what kind.")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        n_factors = st.number_input(
            "Factors", 1, min(100, max(data.n_genes - 1, 1)), 10, key="train_n_factors", width=120, **KEPT,
            help="More factors give finer programs; unused ones switch themselves off. The paper uses 10 and 20.",
        )  # fmt: skip
        prior = _choice("Prior", PRIORS, key="train_prior", disabled=plan == "five",
                        help="**Normal**: factors go both ways from 0. **Logistic-normal**: a cell is a mixture; its "
                        "factors are shares that sum to 1.")  # fmt: skip
    batch_norm, intercept = _decoder(fixed=plan == "five")
    plan, n_epochs, seed, asked, device = _training(data)
    name, model, more = _advanced(data)
    model = {"n_factors": n_factors, "prior": prior, "batch_norm": batch_norm, "intercept": intercept, **model}
    training = {"n_epochs": n_epochs, "seed": seed, "device": asked, **more}
    return Form(data, plan, name, model, training, device)


def _pick_data() -> Data:
    cards = {card.dataset_id: card for card in Datasets(store().workspace).list()}
    left = st.session_state.get(DATA_CHOICE) or {}
    if st.session_state.get("train_data_seen") != left.get("data_source"):  # chosen on the Data page since
        st.session_state["train_data_seen"] = left.get("data_source")
        if left.get("data_source") in cards:
            st.session_state["train_data"] = left["data_source"]
    if st.session_state.get("train_data") not in (*cards, None):
        del st.session_state["train_data"]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        names = {dataset_id: plain(card.name) for dataset_id, card in cards.items()}
        chosen = st.selectbox("Data", list(names), format_func=lambda key: names.get(key, str(key)), key="train_data",
                              **KEPT)  # fmt: skip
        st.button("Change", key="train_to_data", icon=":material/table_view:", on_click=go, args=("data.py",),
                  help="Load other data, or choose other genes and cells.")  # fmt: skip
    try:
        data = data_of(cards[chosen])
    except LdvaeError as fault:
        problem_box(fault)
        data = data_of(cards[DEMO])
    labels = f", coloured by {as_html(data.label_column, longest=30)}" if data.label_column else ""
    genes = f"{data.n_genes:,} genes"
    if data.n_genes < data.card.n_genes:
        genes += f" of {data.card.n_genes:,} by {SELECTIONS[data.choices.gene_selection]}"
    show(f"{data.card.n_cells:,} cells x {genes}{labels}.", kind="quiet")
    return data


def _decoder(*, fixed: bool) -> tuple[bool, bool]:
    """Whether with batch norm, and whether with an intercept."""
    _head("Decoder", "How factors become counts of genes.")
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        words = "Evens out the decoded values while training; folded into the loadings shown."
        batch_norm = st.toggle("Batch norm", key="train_batch_norm", disabled=fixed, help=words, **KEPT)
        if batch_norm and not fixed:
            st.toggle("Intercept", True, key="train_intercept_fixed", disabled=True)
            show("Batch norm brings its own intercept.", kind="quiet")
            return True, True
        intercept = st.toggle("Intercept", True, key="train_intercept", **KEPT,
                              help="One number a gene for its overall level. The paper has none; with it, factors need "
                              "not spend themselves on levels.")  # fmt: skip
        if fixed:
            show("The five models differ in prior and batch norm.", kind="quiet")
    return batch_norm, intercept


def _training(data: Data) -> tuple[str, int, int, str, str]:
    """Plan, epochs, seed, the device asked for, and the one that will be used."""
    _head("Training", "How long, from which start, and where.")
    plan = _choice("Plan", PLANS, key="train_plan")
    rule = default_epochs(
        data.n_train, st.session_state.get("train_minibatch") or REFERENCE_MINIBATCH, thorough=plan == "thorough"
    )
    if st.session_state.get("train_rule") != (plan, rule):  # another plan or other data: the rule speaks anew
        st.session_state["train_rule"] = (plan, rule)
        st.session_state["train_epochs"] = rule
    found = found_devices()
    names = ["auto", *(device["name"] for device in (found["devices"] if found else []))]
    if st.session_state.get("train_device") not in (*names, None):
        del st.session_state["train_device"]
    best = found["best"] if found else "cpu"
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        n_epochs = st.number_input("Epochs", 1, 100_000, key="train_epochs", width=105, **KEPT,
                                   help="One epoch shows every training cell once.")  # fmt: skip
        seed = st.number_input("Seed", 0, 2**32 - 1, 0, key="train_seed", width=95, **KEPT,
                               help="The same seed gives the same run; another one shows what to trust.")  # fmt: skip
        words = {name: f"Best ({kind_of(best)})" if name == "auto" else kind_of(name) for name in names}
        asked = st.selectbox("Device", names, key="train_device", width=135, format_func=words.get, **KEPT)
    updates = FIRST_PASS_UPDATES * (THOROUGH if plan == "thorough" else 1)
    words = f"{updates:,} updates of the model, after the paper's “1 million / cells”"
    reason = as_html(found["reason"], longest=200) if found else ""
    show(f"Rule of thumb: <b>{count(rule, 'epoch')}</b>, {words}. {reason}", kind="quiet")
    if found is None:
        await_devices()
    return plan, n_epochs, seed, asked, best if asked == "auto" else asked


def _advanced(data: Data) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The folded part: name of the run, settings of the model, settings of the training."""
    known = list(data.annotations)
    if kept := st.session_state.get("train_covariates"):  # another data set has other annotations
        st.session_state["train_covariates"] = [name for name in kept if name in known]
    with st.expander("Advanced", key="train_advanced"):
        name = st.text_input("Name of the run", key="train_name", max_chars=LONGEST_NAME - 40, **KEPT,
                             placeholder="made from the settings")  # fmt: skip
        left, right = st.columns(2, gap="small")
        minibatch = left.number_input("Minibatch size", 2, 1_000_000, 128, key="train_minibatch", **KEPT,
                                      help="Cells per update of the model.")  # fmt: skip
        usual = f"{REFERENCE_RATE * (minibatch / REFERENCE_MINIBATCH) ** 0.5:.2g} (automatic)"
        rate = right.number_input("Learning rate", 1e-7, 1.0, None, step=0.001, format="%.5g", key="train_rate",
                                  placeholder=usual, **KEPT)  # fmt: skip
        hidden = left.number_input("Hidden units", 8, 4096, 128, key="train_hidden", **KEPT,
                                   help="Width of the encoder; the decoder stays linear.")  # fmt: skip
        threads = right.number_input("CPU threads", 1, os.cpu_count() or 1, None, key="train_threads", **KEPT,
                                     placeholder="automatic")  # fmt: skip
        likelihood = _select(LIKELIHOODS, "Likelihood", key="train_likelihood")
        library = _select(LIBRARIES, "Library size", key="train_library")
        covariates = st.multiselect(
            "Correct for", known, key="train_covariates", format_func=plain, **KEPT,
            placeholder="no annotation" if known else "this data has no annotation",
            help="Annotations such as sequencing batch or donor, whose effect is kept out of the programs.",
        )  # fmt: skip
    model = {"likelihood": likelihood, "library": library, "n_hidden": hidden, "covariates": list(covariates)}
    return name, model, {"minibatch_size": minibatch, "learning_rate": rate, "threads": threads}


def _head(title: str, words: str) -> None:
    show(f"<b>{title}</b> <span class='gpe-quiet'>{words}</span>", kind="line")


def _choice(label: str, options: dict[str, str], *, key: str, **more: Any) -> str:
    """A row of options, one always chosen, kept while other pages are looked at."""
    words = list(options.values())
    unset = {} if key in st.session_state else {"default": words[0]}
    chosen = st.segmented_control(label, words, key=key, required=True, **unset, **KEPT, **more)
    return next((option for option, word in options.items() if word == chosen), next(iter(options)))


def _select(options: dict[str, str], label: str, *, key: str) -> str:
    return st.selectbox(label, list(options), format_func=lambda option: options.get(option, option), key=key, **KEPT)
