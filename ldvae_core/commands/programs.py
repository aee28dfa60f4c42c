"""`programs`: the genes of every program as a table, in the order of the pages."""

from pathlib import Path
from typing import Any

import pandas as pd

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.programs import SIGNS, top_genes
from ldvae_core.commands.sources import opened_run
from ldvae_core.durable import write_bytes
from ldvae_core.errors import SettingsError
from ldvae_core.runs.opened import ordered

COLUMNS = ("factor", "end", "rank", "gene", "effect", "low", "high", "deviance_share")
ENDS = {"positive": "high", "negative": "low"}


def list_programs(run: str, *, n_genes: int, target: Path) -> dict[str, Any]:
    """Write the genes of every factor of RUN as CSV, n_genes of each end; return the command's last line.

    Raises LdvaeError: no such run, fewer than one gene.
    """
    if n_genes < 1:
        raise SettingsError(f"{n_genes} genes of each end are none.", "Ask for 1 or more.")
    opened = ordered(opened_run(run), most=None)
    factors = opened.factors[opened.axes]
    table = programs_table(factors, n_genes)
    write_bytes(target, table.to_csv(index=False, lineterminator="\n").encode())
    return {
        "file": str(target),
        "n_factors": factors.n_factors,
        "n_rows": len(table),
        "axes": factors.axes,
        "order": "effect" if factors.gene_deviance is None else "deviance_share",
        "explained_deviance": [float(share) for share in factors.explained_deviance],
    }


def programs_table(factors: Factors, n_genes: int) -> pd.DataFrame:
    """COLUMNS, factors from 1; of usages, which have one direction, only the high end."""
    ends = ["positive"] if factors.are_usages else list(SIGNS)
    tables = [pd.DataFrame(columns=list(COLUMNS))]
    for factor in range(factors.n_factors):
        genes = top_genes(factors, factor, n_genes)
        genes = genes[genes["end"].isin(ends)].rename(columns={"loading": "effect"})
        tables.append(genes.assign(factor=factor + 1, end=genes["end"].map(ENDS))[list(COLUMNS)])
    return pd.concat(tables[1:] or tables, ignore_index=True)
