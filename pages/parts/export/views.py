"""What the Export page offers: one file with everything, tables, and the command that reproduces the run."""

import shlex
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.programs import top_genes
from ldvae_core.data.split import SPLIT_NAMES
from ldvae_core.runs.recipe import train_command
from ldvae_core.runs.store import OpenRun
from pages.parts.factor_table import factor_file_of
from pages.parts.figures import download_table

TOP = 50  # genes of each end in the table of programs
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
        "shrunken, and the settings and history of the run."
    )
    name = f"{opened.run_id}_{factors.axes}.h5ad"
    st.download_button(
        f"Save {name}",
        data=lambda: _h5ad(opened, factors),
        file_name=name,
        mime="application/x-hdf5",
        key="h5ad",
        type="primary",
        icon=":material/download:",
        on_click="ignore",
    )
    with st.expander("What the numbers mean: recompute the test error from the file"):
        st.code(RECIPE.format(file=name), language="python")
        error = opened.metrics.get("test_reconstruction_error")
        if error is not None:
            st.caption(f"This run reports {error:.6g} nats per cell.")


def show_tables(opened: OpenRun, factors: Factors) -> None:
    """The same as spreadsheets."""
    st.subheader("Tables", anchor=False)
    offered = {
        "Programs": (
            lambda: factor_file_of(opened, factors),
            "factors",
            "one row a factor: name, notes, explained deviance, both ends",
        ),
        "Genes of every program": (lambda: _programs(factors), "programs", f"the {TOP} first genes of each end"),
        "Loadings": (lambda: _loadings(factors), "loadings", "every gene on every factor, with standard errors"),
        "Cells": (lambda: _cells(opened, factors), "cells", "every cell: factors, annotations, share"),
        "Learning curves": (lambda: opened.history, "history", "one row an epoch, nats per cell"),
    }
    for label, (table, name, words) in offered.items():
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            download_table(table, f"{opened.run_id}_{name}", key=f"table_{name}", label=label)
            st.caption(words)


def show_command(opened: OpenRun) -> None:
    """The line that trains this run again."""
    st.subheader("The same run on the command line", anchor=False)
    st.code(command_line(opened), language="bash", wrap_lines=True)


def command_line(opened: OpenRun) -> str:
    """`python -m ldvae_core train ...` with every choice that differs from the command line's defaults."""
    return shlex.join(train_command(opened.settings, opened.run_id))


def _h5ad(opened: OpenRun, factors: Factors) -> bytes:
    from ldvae_core.export import write_h5ad  # anndata takes a second to load

    with tempfile.TemporaryDirectory(prefix="gene-programs-") as folder:
        path = Path(folder) / "run.h5ad"
        shown = replace(opened, factors={**opened.factors, factors.axes: factors})
        write_h5ad(shown, path, axes=factors.axes)
        return path.read_bytes()


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


def _cells(opened: OpenRun, factors: Factors) -> pd.DataFrame:
    table = opened.counts.annotations.reset_index(names="cell")
    table["share"] = np.array(SPLIT_NAMES)[np.asarray(opened.split)]
    for k in range(factors.n_factors):
        table[factors.label(k)] = factors.representation[:, k]
    return table
