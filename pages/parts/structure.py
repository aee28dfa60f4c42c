"""Runs that show nothing: no structure on held-out cells, or no factors at all. Said calmly, with what to do."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from ldvae_core.analysis.findings import join, position_findings, structure_finding
from ldvae_core.model.describe import BASELINE_WORDS, SLOPES
from ldvae_core.runs.store import OpenRun
from pages.parts.runs import go
from pages.parts.text import as_html, literal, sentence, show

WHAT_TO_DO = (
    "Its factors are noise: do not read programs off them. Check on the Data page that the counts are raw and that "
    "enough cells and genes are left; try fewer factors or longer training; or take it as the answer: these cells may "
    "not differ in programs."
)


def say_no_structure(found: Mapping[str, Mapping[str, Any]]) -> None:
    """One calm box for the runs whose metrics say so; nothing for every other run.

    found: metrics of each run by its name; a single run on its own page may have the name "".
    """
    findings = {name: words for name, metrics in found.items() if (words := structure_finding(metrics))}
    if not findings:
        return
    with st.container(border=True, gap="xsmall", key="no_structure"):
        for name, words in findings.items():
            head, _, rest = words.partition(":")
            whose = f"<b>{as_html(name)}</b> · " if name else ""
            show(f"{whose}<b>{as_html(head)}:</b> {as_html(rest, longest=300)}")
        show(WHAT_TO_DO, kind="quiet")


def say_slopes(*runs: OpenRun) -> None:
    """What loadings are where the decoder is not linear; nothing for other runs. For every view that shows them."""
    models = [(opened.name, opened.settings.model) for opened in runs]
    neural = [name for name, model in models if model.method == "ldvae" and model.decoder == "neural"]
    if neural:
        st.caption(SLOPES if len(runs) == 1 else f"{literal(join(neural), longest=200)}: {SLOPES}")


def warn_about_run(opened: OpenRun) -> None:
    """At the top of an exploring page: that it found nothing, that it is a baseline; ends the page without factors."""
    method = opened.settings.model.method
    if method != "gene_mean":  # which is the yardstick itself
        say_no_structure({"": opened.metrics})
    if method in BASELINE_WORDS:
        st.caption(BASELINE_WORDS[method])
    say_slopes(opened)
    if opened.factors[opened.axes].n_factors:
        return
    with st.container(border=True, key="no_factors"):
        st.markdown(
            "**This run has no factors.** It is the gene-mean model: every cell has the same fraction of each gene, so "
            "there is no program to show. It is the yardstick that other runs are measured against."
        )
        with st.container(horizontal=True):
            st.button("Compare it with other runs", key="no_factors_compare", icon=":material/compare_arrows:",
                      type="primary", on_click=go, args=("compare.py",))  # fmt: skip
            st.button("Train a model with factors", key="no_factors_train", icon=":material/model_training:",
                      on_click=go, args=("train.py",))  # fmt: skip
    st.stop()


def say_positions(opened: OpenRun) -> None:
    """What to know of the axes and the cells' positions before programs are read off them."""
    for words in position_findings(opened.metrics):
        sentence(words, kind="quiet")
