"""What the Export page offers: one file with everything, tables, and the command that reproduces the run."""

import shlex
from collections.abc import Callable, Collection
from dataclasses import replace
from io import BytesIO

import numpy as np
import pandas as pd
import streamlit as st

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.gmt import programs_as_gmt
from ldvae_core.analysis.programs import top_genes
from ldvae_core.data.chunks import cell_chunks
from ldvae_core.data.demo import DEMO_RUN
from ldvae_core.data.split import SPLIT_NAMES
from ldvae_core.data.stored_names import encode
from ldvae_core.runs.pack import write_pack
from ldvae_core.runs.programs import programs_of
from ldvae_core.runs.recipe import train_command
from ldvae_core.runs.redraw import python_recipe, r_recipe
from ldvae_core.runs.store import OpenRun
from ldvae_core.workspace.folders import DEMO
from ldvae_core.workspace.scratch import scratch_folder
from pages.parts.factor_table import factor_file_of
from pages.parts.figures import csv_bytes
from pages.parts.runs import store
from pages.parts.saving import Work, save_button

TOP = 50  # genes of each end in the table of programs
ROW_NUMBERS = 40  # as wide as a row of cells.csv is taken to be
RECIPE = """\
import anndata
import numpy as np
from scipy.special import log_softmax
from scipy.stats import nbinom

cells = anndata.read_h5ad("{file}")
counts = cells.layers["counts"].toarray()
logits = cells.obsm["X_ldvae"] @ cells.varm["LDVAE_loadings"].T + cells.var["ldvae_intercept"].to_numpy()
expected = counts.sum(axis=1, keepdims=True) * np.exp(log_softmax(logits, axis=1))
theta = cells.var["ldvae_inverse_dispersion"].to_numpy()
test = (cells.obs["ldvae_split"] == "test").to_numpy()
error = -nbinom.logpmf(counts[test], theta, theta / (theta + expected[test])).sum(axis=1).mean()
"""


def show_file(opened: OpenRun, factors: Factors) -> None:
    """The .h5ad with everything, made only when it is asked for."""
    st.subheader("Everything in one file", anchor=False)
    st.markdown(
        "An **.h5ad** for scanpy, R and cell browsers: counts of the modelled genes, your annotations, the share each "
        "cell belonged to (`ldvae_split`), positions of cells (`X_ldvae`), loadings with standard errors, raw and "
        "shrunken, names and notes of the factors, gene sets found, the map and its clusters where there are any, and "
        "the settings and history of the run."
    )
    name = f"{opened.run_id}_{factors.axes}.h5ad"
    save_button(
        f"Save {name}",
        lambda report: _h5ad(opened, factors, report),
        file_name=name,
        mime="application/x-hdf5",
        key="h5ad",
        kind="primary",
    )
    with st.expander("What the numbers mean: recompute the fit to unseen cells from the file"):
        st.code(RECIPE.format(file=name), language="python")
        error = opened.metrics.get("test_reconstruction_error")
        if error is not None:
            st.caption(f"This run reports {error:.6g} nats per cell.")
    with st.expander("Redraw figures from the file, in Python or R"):
        column = opened.label_column
        stored = None if column is None else encode(str(column))
        python, other = st.tabs(["Python", "R"])
        python.code(python_recipe(name, stored), language="python")
        other.code(r_recipe(name, stored), language="r")


def show_report(opened: OpenRun, factors: Factors) -> None:
    """One HTML file to read, print and pass on."""
    st.subheader("A report", anchor=False)
    st.markdown(
        "One **.html** file that needs nothing else: data, curves, every program with its genes and your notes, types, "
        "tests, how much was looked at, a methods paragraph with its citations, settings and the command to train it "
        "again. It opens in any browser, offline, and prints."
    )
    name = f"{opened.run_id}_report.html"
    save_button(f"Save {name}", lambda report: _report(opened, factors, report), file_name=name, mime="text/html",
                key="report")  # fmt: skip


def show_pack(opened: OpenRun) -> None:
    """The programs without the cells, for other people's cells."""
    st.subheader("Programs to share, without cells", anchor=False)
    st.markdown(
        "A **program pack**: loadings with standard errors, names and notes, the trained network, and summaries of "
        "types, but no cell. Whoever gets it places cells of their own on these programs with "
        "`score PACK their_cells.h5ad --to placed.h5ad` on the command line, and finds which are unlike yours."
    )
    name = f"{opened.run_id}.programs"
    save_button(f"Save {name}", lambda report: _pack(opened), file_name=name, mime="application/zip", key="pack")


def _pack(opened: OpenRun) -> bytes:
    folder = DEMO_RUN if opened.run_id == DEMO else store().workspace.runs / opened.run_id
    with scratch_folder() as place:
        write_pack(programs_of(opened, folder), place / "pack")
        return (place / "pack").read_bytes()


def show_tables(opened: OpenRun, factors: Factors) -> None:
    """The same as spreadsheets."""
    st.subheader("Tables", anchor=False)
    offered: dict[str, tuple[Work, str, str]] = {
        "Programs": (
            lambda report: csv_bytes(factor_file_of(opened, factors)),
            "factors",
            "one row a factor: name, notes, explained deviance, both ends",
        ),
        "Genes of every program": (
            lambda report: csv_bytes(_programs(factors)),
            "programs",
            f"the {TOP} first genes of each end",
        ),
        "Loadings": (
            lambda report: csv_bytes(_loadings(factors)),
            "loadings",
            "every gene on every factor, with standard errors",
        ),
        "Cells": (
            lambda report: cells_csv(opened, factors, report),
            "cells",
            "every cell: factors, annotations, share",
        ),
        "Learning curves": (lambda report: csv_bytes(opened.history), "history", "one row an epoch, nats per cell"),
    }
    for label, (work, name, words) in offered.items():
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            save_button(label, work, file_name=f"{opened.run_id}_{name}.csv", mime="text/csv", key=f"table_{name}")
            st.caption(words)

    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.download_button(
            "Gene sets", data=lambda: programs_as_gmt(factors, n_genes=TOP, source=opened.name), type="tertiary",
            file_name=f"{opened.run_id}_programs.gmt", mime="text/tab-separated-values", key="programs_gmt",
            on_click="ignore", icon=":material/download:", help="For enrichment tests in other programs.",
        )  # fmt: skip
        st.caption(f"both ends of every program as a .gmt file, {TOP} genes each")


def show_command(opened: OpenRun) -> None:
    """The line that trains this run again."""
    st.subheader("The same run on the command line", anchor=False)
    st.code(command_line(opened), language="bash", wrap_lines=True)


def command_line(opened: OpenRun) -> str:
    """`python -m ldvae_core train ...` with every choice that differs from the command line's defaults."""
    return shlex.join(train_command(opened.settings, opened.run_id))


def cells_csv(opened: OpenRun, factors: Factors, report: Callable[[float], None] = lambda share: None) -> bytes:
    """A row a cell: its id, annotations, share and place on every factor; made a block of the cells at a time."""
    content, n_cells = BytesIO(), factors.n_cells
    for cells in cell_chunks(n_cells, ROW_NUMBERS):
        content.write(csv_bytes(_cells(opened, factors, cells), header=cells.start == 0))
        report(cells.stop / n_cells)
    return content.getvalue()


def _h5ad(opened: OpenRun, factors: Factors, report: Callable[[float], None]) -> bytes:
    from ldvae_core.export import write_h5ad  # anndata takes a second to load

    with scratch_folder() as folder:
        path = folder / "run.h5ad"
        shown = replace(opened, factors={**opened.factors, factors.axes: factors})
        write_h5ad(shown, path, axes=factors.axes, report=report)
        return path.read_bytes()


def _report(opened: OpenRun, factors: Factors, report: Callable[[float], None]) -> bytes:
    from ldvae_core.report import report_html  # a library of 5 MB is read with it

    shown = replace(opened, factors={**opened.factors, factors.axes: factors})
    return report_html(shown, axes=factors.axes, report=report).encode()


def _programs(factors: Factors) -> pd.DataFrame:
    active = np.flatnonzero(factors.active)
    tables = [top_genes(factors, int(k), TOP).assign(factor=int(k) + 1, name=factors.name_of(int(k))) for k in active]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _loadings(factors: Factors) -> pd.DataFrame:
    columns = {
        "gene": factors.gene_names,
        "intercept": factors.intercept,
        "inverse_dispersion": factors.inverse_dispersion,
    }
    for k in range(factors.n_factors):
        label = factors.label(k)
        columns |= {
            label: factors.loadings[:, k],
            f"{label} standard error": factors.loadings_se[:, k],
            f"{label} shrunken": factors.loadings_shrunken[:, k],
        }
    return pd.DataFrame(columns)


def _cells(opened: OpenRun, factors: Factors, cells: slice) -> pd.DataFrame:
    annotations = opened.counts.annotations.iloc[cells]
    positions = np.asarray(factors.representation[cells])
    own = {
        "cell": annotations.index.to_numpy(),
        "share": np.array(SPLIT_NAMES)[np.asarray(opened.split[cells])],
        **{factors.label(k): positions[:, k] for k in range(factors.n_factors)},
    }
    named = {_free(name, annotations.columns): values for name, values in own.items()}
    table = pd.concat([pd.DataFrame(named), annotations.reset_index(drop=True)], axis=1)
    names = list(named)
    return table[[names[0], *annotations.columns, *names[1:]]]


def _free(name: str, taken: Collection[str]) -> str:
    """A name that no annotation has."""
    while name in taken:
        name += "_"
    return name
