"""Older runs, whose cells stand where the encoder alone puts them: refined with one click, as a run of their own."""

import functools

import streamlit as st

from ldvae_core.model.refinable import unrefinable
from ldvae_core.runs.refine_jobs import (
    RefineStatus,
    cancel_refining,
    end_refining,
    refine_status,
    start_refining,
    why_not_refined,
)
from ldvae_core.runs.store import OpenRun
from pages.parts.job_bar import Actions, do_or_tell, show_end, show_job
from pages.parts.runs import store, use_run
from pages.parts.text import sentence, show

WHAT_IT_DOES = (
    "Its cells stand where the encoder alone puts them. Refining moves every cell to where its own counts put it, and "
    "fits the loadings to that: programs then predict new counts better. The refined run appears as a run of its own; "
    "this one stays as it is, with its links, names and selections."
)
STAGE_WORDS = {
    "refining": "Refining positions and loadings",
    "analysing": "Computing the figures of the refined run",
}


def offer_refining(opened: OpenRun) -> None:
    """A button for a run that can be refined and is not, the bar while that is done, then the way to the result."""
    if opened.has_refined_positions or unrefinable(opened.settings.model):
        return
    workspace = store().workspace
    if reason := why_not_refined(workspace, opened):
        sentence(f"This run cannot be refined: {reason}.", kind="quiet")
        return
    status = refine_status(workspace, opened.run_id)
    if status.job.under_way:
        st.fragment(_live, run_every=1.0, key="refine_progress")(opened)
    else:
        _show_offer(opened, status)


def _show_offer(opened: OpenRun, status: RefineStatus) -> None:
    with st.container(border=True, key="not_refined", horizontal=True, vertical_alignment="center", gap="medium"):
        if status.refined_id:
            show("This run is not refined; a refined one was made of it.", kind="quiet", width="content")
            st.button("Open the refined run", key="refine_open", icon=":material/arrow_forward:",
                      on_click=use_run, args=(status.refined_id,))  # fmt: skip
            return
        show("This run is not refined.", kind="quiet", width="content")
        start = functools.partial(start_refining, store().workspace, opened.run_id)
        st.button("Refine this run", key="refine_start", icon=":material/tune:", help=WHAT_IT_DOES,
                  on_click=do_or_tell, args=(start,))  # fmt: skip
    show_end(status.job, "The refined run was")


def _live(opened: OpenRun) -> None:
    status = refine_status(store().workspace, opened.run_id)
    if not status.job.under_way:
        st.rerun(scope="app")
    words = STAGE_WORDS.get(status.job.progress.stage, "The run is about to be refined")
    actions = Actions(
        *(functools.partial(act, store().workspace, opened.run_id) for act in (cancel_refining, end_refining))
    )
    show_job(status.job, words, actions, key="refine")
