"""The map before it is there: what it is, how long it takes, how far it is, why it failed; and computing it again."""

import functools
import math

import streamlit as st

from ldvae_core.analysis.neighbours import STAGES
from ldvae_core.runs.map_jobs import SILENT_SECONDS, MapStatus, cancel_map, end_map, map_status, start_map
from ldvae_core.runs.store import OpenRun
from pages.parts.job_bar import Actions, do_or_tell, show_end, show_job, show_refusal
from pages.parts.runs import store
from pages.parts.text import show

WHAT_IT_IS = (
    "**No map yet.** A map (UMAP) puts all cells into one picture: those that are alike in all factors lie side by "
    "side. Along with it the cells are grouped into clusters (Leiden), which then serve as an annotation on every page "
    "of this run. It is computed once, beside whatever else runs, and kept."
)
STAGE_WORDS = {
    "starting": "The map is about to be computed",
    STAGES[0]: "Step 1 of 3: finding each cell's neighbours in the factors",
    STAGES[1]: "Step 2 of 3: placing the cells",
    STAGES[2]: "Step 3 of 3: grouping them into clusters",
}
FIXED_SECONDS, SMALL_SECONDS, LARGE_SECONDS = (
    12.0,
    1.6e-3,
    1.3e-3,
)  # measured on one core: start; a cell of few, of many


def status_of(opened: OpenRun) -> MapStatus:
    """Where the map of this run stands."""
    return map_status(store().workspace, opened.run_id)


def offer_map(opened: OpenRun, status: MapStatus) -> None:
    """A sentence, a button and about how long it takes."""
    with st.container(border=True, key="no_map"):
        st.markdown(WHAT_IT_IS)
        show_refusal()
        again = status.state in ("failed", "interrupted")
        with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
            st.button("Compute the map again" if again else "Compute the map", key="map_start", type="primary",
                      icon=":material/scatter_plot:", on_click=do_or_tell, args=(_start(opened, 1.0),))  # fmt: skip
            show(f"Takes about {estimate(opened.counts.n_cells)}.", kind="quiet")


def show_progress(opened: OpenRun, status: MapStatus) -> None:
    """While it is computed: step and share, from second to second; where that failed: why."""
    if status.job.under_way:
        st.fragment(_live, run_every=1.0, key="map_progress")(opened)
    else:
        show_end(status.job, "The map was")


def recompute(opened: OpenRun, status: MapStatus) -> None:
    """More or fewer clusters: computes them again, on the same map."""
    resolution = float(status.about.get("resolution") or 1.0)
    with st.popover("Clusters", icon=":material/hub:", key="map_again", disabled=status.job.under_way):
        st.markdown("More clusters with a higher resolution, fewer with a lower one. The map itself stays.")
        wanted = st.slider("Resolution", 0.1, 3.0, min(max(resolution, 0.1), 3.0), 0.1, key="map_resolution")
        show_refusal()
        st.button("Compute again", key="map_restart", on_click=do_or_tell, args=(_start(opened, wanted),))


def estimate(n_cells: int) -> str:
    """'20 seconds', '4 minutes', '1 hour': on one core that nothing else uses."""
    seconds = FIXED_SECONDS + n_cells * (SMALL_SECONDS if n_cells <= 10_000 else LARGE_SECONDS)
    if seconds < 90:
        return f"{10 * math.ceil(seconds / 10)} seconds"
    minutes = round(seconds / 60)
    return f"{minutes} minutes" if minutes < 90 else f"{round(minutes / 60)} hours"


def _live(opened: OpenRun) -> None:
    status = status_of(opened)
    if not status.job.under_way:
        st.rerun(scope="app")
    words = STAGE_WORDS.get(status.job.progress.stage or "starting", "Working")
    actions = Actions(*(functools.partial(act, store().workspace, opened.run_id) for act in (cancel_map, end_map)))
    show_job(status.job, words, actions, key="map", patience=SILENT_SECONDS)


def _start(opened: OpenRun, resolution: float) -> functools.partial[None]:
    return functools.partial(start_map, store().workspace, opened.run_id, resolution=resolution)
