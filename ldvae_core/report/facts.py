"""Sections on what went in: data, training, settings, and how much was looked at."""

from collections.abc import Sequence

import pandas as pd

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.numbers import three_digits
from ldvae_core.plots.curves import plot_learning_curves
from ldvae_core.report.page import Section, figure, paragraph, table
from ldvae_core.runs.looked import Comparison
from ldvae_core.runs.opened import OpenRun
from ldvae_core.runs.options import options_of

ABOUT = {"title": "Title", "origin": "Origin", "licence": "Licence", "caveats": "Caveats"}
FIGURES = {  # of the metrics: words, and the key of its standard error
    "test_reconstruction_error": "Fit to unseen cells, nats per cell (lower is better)",
    "null_error": "The same of a model without factors",
    "test_elbo": "Evidence lower bound of unseen cells, nats per cell (higher is better)",
    "test_iwll": "Log-likelihood of unseen cells by importance weighting, nats per cell (higher is better)",
}


def data_section(opened: OpenRun) -> Section:
    """What was read, how, and what was left out."""
    counts, n = opened.counts, opened.counts.annotations.shape[1]
    n_cells, n_genes = counts.counts.shape
    rows: list[Sequence[object]] = [
        ["Data", opened.data_name],
        ["Cells", f"{n_cells:,}"],
        ["Modelled genes", f"{n_genes:,}"],
        ["Counts from", counts.counts_from],
        ["Annotations", f"{n}: {', '.join(map(str, counts.annotations.columns[:30]))}{', ...' if n > 30 else ''}"],
        *[(words, counts.about[key]) for key, words in ABOUT.items() if counts.about.get(key)],
    ]
    read = paragraph(counts.reading.sentence) if counts.reading is not None else ""
    notes = "".join(f"<li>{paragraph(notice)}</li>" for notice in counts.notices)
    derived = counts.about.get("derived_labels", "")
    warned = f"Derived by an algorithm, not observed: the labels {derived}." if derived else ""
    return Section("Data", read + table(["", ""], rows) + paragraph(warned) + (f"<ul>{notes}</ul>" if notes else ""))


def training_section(opened: OpenRun) -> Section:
    """The curves, and the figures on cells that nothing was learned from."""
    metrics, rows = opened.metrics, []
    for key, words in FIGURES.items():
        if isinstance(value := metrics.get(key), int | float):
            spread = metrics.get(f"{key}_se")
            rows.append([words, f"{value:,.2f}", f"{spread:.2f}" if isinstance(spread, int | float) else ""])
    body = table(["On held-out cells", "Mean", "Standard error"], rows, numbers=("Mean", "Standard error"))
    if metrics.get("structure_found") is False:
        body += paragraph("No structure was found: factors predict held-out cells no better than genes without them.")
    if opened.history["train_reconstruction_error"].notna().any():
        caption = "Reconstruction error of training and validation cells by epoch; below, the weight of the KL term."
        body += figure(plot_learning_curves(opened.history), caption, key="curves")
    return Section("Training", body)


def settings_section(opened: OpenRun) -> Section:
    """Every setting, by its option on the command line."""
    rows = []
    for part, field, option in options_of():
        value = getattr(getattr(opened.settings, part), field)
        if isinstance(value, tuple):
            value = ", ".join(getattr(item, "name", str(item)) for item in value)
        rows.append([option.flag, _said(value), option.about])
    return Section("Settings", table(["Option", "Value", "Meaning"], rows))


def looked_section(
    opened: OpenRun, factors: Factors, results: Sequence[tuple[str, pd.DataFrame]], comparisons: Sequence[Comparison]
) -> Section:
    """How many things could have been found by luck: so that a reader can judge what was."""
    told = [name for name in opened.label_columns if name not in opened.added]
    n_levels = sum(len(opened.labels(name).cat.categories) for name in told)
    rows: list[list[object]] = [
        ["Factors", f"{factors.n_factors}, of them {int(sum(factors.active))} active"],
        ["Annotations that factors were set against", f"{len(told)} with {n_levels:,} levels in all"],
        ["Comparisons of groups of cells, and designs, on the pages", f"{len(comparisons):,}"],
        ["Tests of genes and programs in these", f"{sum(each.n_tested for each in comparisons):,}"],
        ["Tests of gene sets", f"{sum(len(rows) for _, rows in results):,}"],
        ["Selections of cells kept", len(opened.planes)],
    ]
    words = (
        "False discovery rates hold within each comparison and each collection of gene sets, not over all of them "
        "together. Comparisons made by scripts, or before they were counted, are not among these."
    )
    return Section("How much was looked at", table(["", "Number"], rows) + paragraph(words))


def _said(value: object) -> str:
    """A setting's value in words."""
    if value is None:
        return "by itself"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value) or "none"


def number(value: float) -> str:
    """For tables: three digits, a proper minus; "" for none."""
    return "" if value != value else three_digits(value)  # noqa: PLR0124
