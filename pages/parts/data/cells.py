"""Which cells are modelled: three measures of quality, a threshold on each, and how many cells pass."""

import numpy as np
import pandas as pd
import streamlit as st

from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.prepare import DataChoices, passing_cells
from ldvae_core.plots.histogram import plot_histogram
from ldvae_core.plots.theme import chart_config
from pages.parts.data.opened import OpenData
from pages.parts.figures import download_table
from pages.parts.style import mode
from pages.parts.tables import free_name
from pages.parts.text import count, percent, sentence, show


def choose_cells(data: OpenData) -> DataChoices:
    """The three histograms with their filters; returns the filters, with all genes still to be chosen."""
    summary = data.summary
    has_mitochondrial = bool(summary.mitochondrial_share.any())
    with st.grid(3, min_column_width=280, gap="medium", key="quality"):
        with st.container(gap="xsmall", key="quality_counts"):
            counts = _filter("Minimum counts per cell", "min_counts", summary.library_size.max(), step=100)
            _histogram("counts", summary.library_size, "Counts per cell (library size)", counts or None, log=True)
        with st.container(gap="xsmall", key="quality_genes"):
            genes = _filter("Minimum genes per cell", "min_genes", summary.genes_per_cell.max(), step=50)
            _histogram("genes", summary.genes_per_cell, "Genes per cell", genes or None)
        with st.container(gap="xsmall", key="quality_mitochondrial"):
            largest = st.number_input(
                "Largest mitochondrial share, %", 0.0, 100.0, step=1.0, format="%.1f", width=220,
                key="mitochondrial_percent", persist_state="session", disabled=not has_mitochondrial,
                help="Counts from mitochondrial genes (mt-, MT-). Dying cells have a large share; how large depends on "
                "the tissue." if has_mitochondrial else "No gene name starts with mt- or MT-.",
            )  # fmt: skip
            if has_mitochondrial:
                _histogram("mitochondrial", summary.mitochondrial_share, "Mitochondrial share of counts",
                           largest / 100 if largest < 100 else None, share=True)  # fmt: skip
            else:
                show("No gene name starts with mt- or MT-, so there is no such share to see.", kind="quiet")
    return DataChoices(min_counts=counts, min_genes=genes, max_mitochondrial_share=round(largest / 100, 6))


def show_survivors(data: OpenData, choices: DataChoices) -> None:
    """How many cells pass the filters, and a table of all cells to take away."""
    passing = _passing(data.key, choices.min_counts, choices.min_genes, choices.max_mitochondrial_share, data.counts)
    left, total = int(passing.sum()), len(passing)
    with st.container(horizontal=True, vertical_alignment="center", key="survivors"):
        if left == total:
            sentence(f"All {count(total, 'cell')} pass.")
        else:
            sentence(f"{left:,} of {count(total, 'cell')} pass ({percent(left / total)}).")
        download_table(lambda: cell_table(data, passing), "cells", key="cells_csv", label="Cells")


def cell_table(data: OpenData, passing: np.ndarray) -> pd.DataFrame:
    """One row a cell: its name, annotations, quality, and whether it passes the filters. passing: bool (n_cells,)."""
    summary = data.summary
    quality = {
        "library_size": summary.library_size,
        "genes_per_cell": summary.genes_per_cell,
        "mitochondrial_share": summary.mitochondrial_share,
        "passes_filters": passing,
    }
    table = data.counts.annotations.reset_index(drop=True)
    for name, values in quality.items():
        table[free_name(name, table)] = values
    table.insert(0, free_name("cell", table), data.counts.cell_ids)
    return table


def _filter(label: str, key: str, highest: float, *, step: int) -> int:
    return st.number_input(label, 0, max(int(highest), 1), step=step, key=key, persist_state="session", width=220,
                           help="Cells below are left out; 0 keeps all.")  # fmt: skip


def _histogram(
    name: str, values: np.ndarray, title: str, threshold: float | None, *, log: bool = False, share: bool = False
) -> None:
    figure = plot_histogram(
        values, x_title=title, threshold=threshold, keep="below" if share else "above", log_axis=log, share=share,
        mode=mode(),
    )  # fmt: skip
    limit = "" if threshold is None else f" Threshold: at {'most' if share else 'least'} {threshold:g}."
    st.plotly_chart(figure, theme=None, key=f"quality_{name}_chart", config=chart_config(f"cells_{name}"),
                    alt=f"Histogram of {title.lower()}, median {np.median(values):.3g}.{limit}")  # fmt: skip


@st.cache_data(max_entries=16, show_spinner="Counting cells")
def _passing(
    key: tuple[str, str, str], min_counts: int, min_genes: int, largest_share: float, _counts: CountMatrix
) -> np.ndarray:
    filters = DataChoices(min_counts=min_counts, min_genes=min_genes, max_mitochondrial_share=largest_share)
    return passing_cells(_counts, filters)
