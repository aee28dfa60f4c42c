"""The form of the Train page: which data, how many programs, what decoder, how long. Its values outlive other pages."""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

import streamlit as st

from ldvae_core.data.halving import FEWEST_SAMPLES
from ldvae_core.errors import LdvaeError
from ldvae_core.model.config import (
    REFERENCE_MINIBATCH,
    Decoder,
    Device,
    Method,
    ModelConfig,
    TrainingConfig,
    default_epochs,
    most_factors,
)
from ldvae_core.model.describe import PRIOR_TITLES, SENTENCES
from ldvae_core.model.presets import OF_SEVERAL, PLANS, Plan, updates_of
from ldvae_core.model.priors import PRIORS, PriorName
from ldvae_core.runs.search import Search
from ldvae_core.runs.settings import RunSettings
from ldvae_core.workspace.datasets import Datasets
from ldvae_core.workspace.folders import DEMO
from pages.parts.lineage import chain_html, parents
from pages.parts.problems import problem_box
from pages.parts.runs import DATA, go, store
from pages.parts.text import as_html, count, plain, show
from pages.parts.train.advanced import PERSISTED, method_in_use, show_advanced
from pages.parts.train.confounding import show_confounding
from pages.parts.train.devices import await_devices, found_devices, kind_of
from pages.parts.train.plan import Data, data_of, runs_of

Key = TypeVar("Key", bound=str)
CELLS = "cells"
FINDS = (
    "Ten quick trainings, on all cells and on halves of them, tell which programs come back; the run is then trained "
    "with their number. Choose another plan below to give a number."
)
SELECTIONS = {"variance": "highest variance", "seurat_v3": "seurat_v3"}


class Form(NamedTuple):
    """What the form says now."""

    data: Data
    plan: Plan
    wanted: tuple[RunSettings, ...]  # the runs it asks for; none when there is a problem
    problem: LdvaeError | None  # why these settings cannot be
    device: str  # the one that will be used


class _Training(NamedTuple):
    """What the part about the training says."""

    plan: Plan
    n_epochs: int | None  # None where there are none
    seed: int
    asked: Device
    device: str  # the one that will be used


def show_form() -> Form:
    """Draw it. A data set that cannot be read is said in a box, and the demo stands in for it."""
    data = _pick_data()
    plan = key_of(PLANS, st.session_state.get("train_plan"), "find")
    shown = method_in_use(preset=plan in OF_SEVERAL)
    method: Method = "ldvae" if shown == "vae" else shown
    fitted = method != "ldvae" or plan == "baselines"  # in one go: no decoder, no epochs
    finds = plan == "find" and shown == "ldvae" and most_factors(data.n_genes) > 1
    _head("Programs", "How many to look for, and of what kind.")
    prior: PriorName = "normal"
    search = Search()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        if finds:
            search = _search(data)
            n_factors = search.most
        else:
            n_factors = ModelConfig.n_factors if method == "gene_mean" else _n_factors(data)
        if not fitted and not finds:
            prior = _choice(
                "Prior", PRIOR_TITLES, key="train_prior", disabled=plan == "five",
                help=" ".join(f"**{each.title}**: {each.about}." for each in PRIORS.values()),
            )  # fmt: skip
    if finds:
        show(FINDS, kind="quiet")
    batch_norm, intercept = False, True
    if fitted:
        words = "PCA, NMF and the gene mean, with the same cells, genes and split." if plan == "baselines" else ""
        show(words or f"{SENTENCES[method]} Choose another method below, under Advanced.", kind="quiet")
    else:
        batch_norm, intercept = _decoder(fixed=plan == "five")
    decoder: Decoder = "neural" if shown == "vae" else "linear"
    training = _training(data, fitted=fitted)
    linear = shown == "ldvae" and plan not in OF_SEVERAL and PRIORS[prior].may_rotate
    more = show_advanced(data, method=shown, preset=plan in OF_SEVERAL, n_guided=n_factors if linear else 0)
    show_confounding(data, [each.name for each in more.model.covariates if each.kind == "levels"])
    try:
        model = ModelConfig(
            method=method, n_factors=n_factors, prior=prior, batch_norm=batch_norm, intercept=intercept,
            decoder=decoder, **more.model._asdict(),
        )  # fmt: skip
        trained = TrainingConfig(
            n_epochs=training.n_epochs, seed=training.seed, device=training.asked, **more.numbers._asdict()
        )
        name = st.session_state.get("train_name") or ""
        wanted = runs_of(training.plan, data, name, model, trained, search=search, guide=more.guide)
    except LdvaeError as fault:
        return Form(data, training.plan, (), fault, training.device)
    return Form(data, training.plan, tuple(wanted), None, training.device)


def _search(data: Data) -> Search:
    """The largest number that is tried, and what programs have to come back in."""
    allowed = most_factors(data.n_genes)
    if st.session_state.get("train_most", 0) > allowed:  # chosen for data of more genes
        st.session_state["train_most"] = allowed
    most = st.number_input(
        "At most", 2, max(allowed, 2), min(Search.most, max(allowed, 2)), key="train_most", width=120, **PERSISTED,
        help="Factors of the models that are tried. Raise it where nearly all of them come back.",
    )  # fmt: skip
    samples = [name for name, levels in data.annotations.items() if levels >= FEWEST_SAMPLES]
    if st.session_state.get("train_sample") not in (*samples, CELLS, None):
        del st.session_state["train_sample"]
    sample = st.selectbox(
        "Come back in other", [CELLS, *samples], key="train_sample", width=190, **PERSISTED,
        format_func=lambda name: plain(str(name), longest=24),
        help="A program counts that is found again in both halves of the cells, or of the donors where an annotation "
        "names them.",
    )  # fmt: skip
    return Search(auto=True, most=most, sample=None if sample == CELLS else sample)


def _n_factors(data: Data) -> int:
    most = most_factors(data.n_genes)
    if st.session_state.get("train_n_factors", 0) > most:  # chosen for data of more genes
        st.session_state["train_n_factors"] = most
    return st.number_input(
        "Factors", 1, most, min(ModelConfig.n_factors, most), key="train_n_factors", width=120, **PERSISTED,
        help="More factors give finer programs; unused ones switch themselves off. The paper uses 10 and 20.",
    )  # fmt: skip


def _pick_data() -> Data:
    cards = {card.dataset_id: card for card in Datasets(store().workspace).list()}
    in_use = st.session_state.get(DATA)
    if in_use in cards and st.session_state.get("train_data_seen") != in_use:  # chosen since, or a run on it
        st.session_state["train_data"] = in_use
    st.session_state["train_data_seen"] = in_use
    if st.session_state.get("train_data") not in (*cards, None):
        del st.session_state["train_data"]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        names = {dataset_id: plain(card.name) for dataset_id, card in cards.items()}
        chosen = st.selectbox("Data", list(names), format_func=lambda key: names.get(key, str(key)), key="train_data",
                              on_change=_use_chosen_data, **PERSISTED)  # fmt: skip
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
    show(f"{data.card.n_cells:,} cells × {genes}{labels}.", kind="quiet")
    if chain := parents().get(data.card.dataset_id):
        show(f"Zoomed in: {chain_html(chain)}. Compare matches its programs with the parent's.", kind="quiet")
    return data


def _use_chosen_data() -> None:
    st.session_state[DATA] = st.session_state["train_data_seen"] = st.session_state["train_data"]


def _decoder(*, fixed: bool) -> tuple[bool, bool]:
    """Whether with batch norm, and whether with an intercept."""
    _head("Decoder", "How factors become counts of genes.")
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        words = "Evens out the decoded values while training; folded into the loadings shown."
        batch_norm = st.toggle("Batch norm", key="train_batch_norm", disabled=fixed, help=words, **PERSISTED)
        if batch_norm and not fixed:
            st.toggle("Intercept", True, key="train_intercept_fixed", disabled=True)
            show("Batch norm brings its own intercept.", kind="quiet")
            return True, True
        intercept = st.toggle("Intercept", True, key="train_intercept", **PERSISTED,
                              help="One number a gene for its overall level. The paper has none; with it, factors need "
                              "not spend themselves on levels.")  # fmt: skip
        if fixed:
            show("The five models differ in prior and batch norm.", kind="quiet")
    return batch_norm, intercept


def _training(data: Data, *, fitted: bool) -> _Training:
    _head("Training", "How long, from which start, and where.")
    plan = _choice("Plan", PLANS, key="train_plan")
    if fitted:
        seed = _seed()
        show("A baseline is fitted in one go, on the CPU, without epochs.", kind="quiet")
        return _Training(plan, None, seed, "cpu", "cpu")
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
    best: str = found["best"] if found else "cpu"
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        n_epochs = st.number_input("Epochs", 1, 100_000, key="train_epochs", width=105, **PERSISTED,
                                   help="One epoch shows every training cell once.")  # fmt: skip
        seed = _seed()
        titles = {name: f"Best ({kind_of(best)})" if name == "auto" else kind_of(name) for name in names}
        asked: Any = st.selectbox(
            "Device", names, key="train_device", width=135, format_func=lambda name: titles[name], **PERSISTED
        )
    words = f"{updates_of(plan):,} updates of the model, after the paper's “1 million / cells”"
    reason = as_html(found["reason"], longest=200) if found else ""
    show(f"Rule of thumb: <b>{count(rule, 'epoch')}</b>, {words}. {reason}", kind="quiet")
    if found is None:
        await_devices()
    return _Training(plan, n_epochs, seed, asked, best if asked == "auto" else asked)


def _seed() -> int:
    return st.number_input("Seed", 0, 2**32 - 1, 0, key="train_seed", width=95, **PERSISTED,
                           help="The same seed gives the same run. Another one changes the start and the noise, not "
                           "which cells are held out: runs of several seeds can be compared.")  # fmt: skip


def _head(title: str, words: str) -> None:
    show(f"<b>{title}</b> <span class='gpe-quiet'>{words}</span>", kind="line")


def _choice(label: str, options: Mapping[Key, str], *, key: str, **more: Any) -> Key:
    """A row of options, one always chosen, kept while other pages are looked at."""
    words = list(options.values())
    unset: dict[str, Any] = {} if key in st.session_state else {"default": words[0]}
    chosen = st.segmented_control(label, words, key=key, required=True, **unset, **PERSISTED, **more)
    return key_of(options, chosen, next(iter(options)))


def key_of(options: Mapping[Key, str], word: str | None, otherwise: Key) -> Key:
    """The option that is called so."""
    return next((option for option, called in options.items() if called == word), otherwise)
