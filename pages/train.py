"""Train: which model, and is it done?"""

import streamlit as st

from pages.parts.header import page_header
from pages.parts.problems import problem_box, refusals
from pages.parts.runs import RUN, store, use_run
from pages.parts.text import show
from pages.parts.train.advanced import PERSISTED
from pages.parts.train.devices import kind_of
from pages.parts.train.form import Form, show_form
from pages.parts.train.panel import show_panel
from pages.parts.train.plan import BASELINE_PASSES, duration, seconds_expected, submit_once
from pages.parts.train.runs import show_runs


def estimate(form: Form) -> str:
    """How long it will take, roughly, and what it waits for; "" for settings that cannot be."""
    runs, cards = store(), store().cards()
    seconds = sum(
        seconds_expected(
            form.data,
            each.training.n_epochs or BASELINE_PASSES,
            form.device,
            cards,
            runs,
            each.model,
            search=each.search,
        )
        for each in form.wanted
    )
    if not form.wanted:
        return ""
    if len(form.wanted) > 1:
        word = {3: "Three", 5: "Five"}[len(form.wanted)]
        return f"{word} runs, one after the other: roughly {duration(seconds)} on this {kind_of(form.device)}."
    waiting = sum(card.state in ("queued", "running") for card in cards)
    after = f", after {waiting} other run{'s' * (waiting > 1)}" if waiting else ""
    return f"Roughly {duration(seconds)} on this {kind_of(form.device)}{after}."


def launch(form: Form) -> None:
    """Queue what the form says and make it the run in use. Raises LdvaeError; then nothing was queued."""
    if form.problem is not None:
        raise form.problem
    submitted = [submit_once(store(), settings) for settings in form.wanted]
    if not any(new for _, new in submitted):
        st.toast("A run with these very settings is already under way: here it is.", icon=":material/info:")
    use_run(submitted[0][0])
    st.rerun()


page_header("Train", "Which model, and is it done?")
with st.container(key="split"):
    left, right = st.columns([0.35, 0.65], gap="large")
with left, st.container(gap="xsmall", key="train_form"):
    form = show_form()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="train_launch"):
        label = {"five": "Train five models", "baselines": "Train three baselines"}.get(form.plan, "Train")
        pressed = st.button(label, key="train", type="primary", icon=":material/play_arrow:")
        st.text_input("Name of the run", key="train_name", placeholder="made from the settings", **PERSISTED)
    show(estimate(form), kind="quiet")
    if pressed:
        with refusals(end_page=False):
            launch(form)
    elif form.problem is not None and st.session_state.get("train_name"):  # such as a name that is too long
        problem_box(form.problem)
with right:
    show_panel(st.session_state.get(RUN))
show_runs()
