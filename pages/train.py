"""Train: which model, and is it done?"""

import streamlit as st

from pages.parts.header import page_header
from pages.parts.problems import refusals
from pages.parts.runs import RUN, store, use_run
from pages.parts.text import show
from pages.parts.train.devices import kind_of
from pages.parts.train.form import Form, show_form
from pages.parts.train.panel import show_panel
from pages.parts.train.plan import (
    BASELINE_PASSES,
    BASELINES,
    PAPERS_MODELS,
    baseline_models,
    duration,
    papers_models,
    seconds_expected,
    settings_of,
    submit_once,
)
from pages.parts.train.runs import show_runs

MAKERS = {"five": papers_models, "baselines": baseline_models}  # presets of several runs
CHANGES = {"five": list(PAPERS_MODELS.values()), "baselines": [{"method": method} for method in BASELINES]}


def estimate(form: Form) -> str:
    """How long it will take, roughly, and what it waits for."""
    runs, cards = store(), store().cards()
    passes = form.training["n_epochs"] or BASELINE_PASSES
    models = [form.model | changes for changes in CHANGES.get(form.plan, [{}])]
    seconds = sum(seconds_expected(form.data, passes, form.device, cards, runs, model) for model in models)
    if len(models) > 1:
        word = {3: "Three", 5: "Five"}[len(models)]
        return f"{word} runs, one after the other: roughly {duration(seconds)} on this {kind_of(form.device)}."
    waiting = sum(card.state in ("queued", "running") for card in cards)
    after = f", after {waiting} other run{'s' * (waiting > 1)}" if waiting else ""
    return f"Roughly {duration(seconds)} on this {kind_of(form.device)}{after}."


def launch(form: Form) -> None:
    """Queue what the form says and make it the run in use. Raises LdvaeError; then nothing was queued."""
    make = MAKERS.get(form.plan, lambda *values: [settings_of(*values)])
    wanted = make(form.data, form.name, form.model, form.training)
    submitted = [submit_once(store(), settings) for settings in wanted]
    if not any(new for _, new in submitted):
        st.toast("A run with these very settings is already under way: here it is.", icon=":material/info:")
    use_run(submitted[0][0])
    st.rerun()


page_header("Train", "Which model, and is it done?")
with st.container(key="split"):
    left, right = st.columns([0.35, 0.65], gap="large")
with left, st.container(gap="xsmall", key="train_form"):
    form = show_form()
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="train_launch"):
        label = {"five": "Train five models", "baselines": "Train three baselines"}.get(form.plan, "Train")
        pressed = st.button(label, key="train", type="primary", icon=":material/play_arrow:")
        show(estimate(form), kind="quiet")
    if pressed:
        with refusals(end_page=False):
            launch(form)
with right:
    show_panel(st.session_state.get(RUN))
show_runs()
