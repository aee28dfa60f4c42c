"""A table about cells or samples, of people's own: read by a limited child, every field as text."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from ldvae_core import durable
from ldvae_core.data.limited import run_limited
from ldvae_core.data.regular import require_regular
from ldvae_core.data.table_form import form_of, header_of, open_table
from ldvae_core.errors import CountsError

ENDINGS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
SHEETS = (".xlsx", ".xls", ".ods", ".numbers")
LARGEST_FILE, LARGEST_TEXT = 200 << 20, 1 << 30  # bytes, as uploaded and unpacked
MOST_ROWS, MOST_COLUMNS = 5_000_000, 500
MEMORY_BYTES, SECONDS = 3 << 30, 120.0
CHILD = "ldvae_core.data.cell_table_process"
REMEDY = "A table has a header and one row a cell, or one row a sample, with commas, semicolons or tabs between fields."
FEWER = "Keep the rows and columns you need."


def read_own_table(source: Path, title: str, *, look: Callable[[], bool] = lambda: True) -> pd.DataFrame:
    """All fields as text without spaces around them, "" where there is none; columns as the header names them.

    look: called some times a second; false stops the reading.

    Raises CountsError: no such file, a spreadsheet, another ending, no table, or a child that was too slow, too large
    or died.
    """
    ending = source.name.lower()
    if ending.endswith(SHEETS):
        raise CountsError(f"{title} is a spreadsheet.", "Save it as .csv (one sheet, one header row), then add that.")
    if not ending.endswith(ENDINGS):
        raise CountsError(f"{title} is no table that can be read here.", f"Save it as one of {', '.join(ENDINGS)}.")
    require_regular(source)
    if source.stat().st_size > LARGEST_FILE:
        raise CountsError(f"{title} is larger than {LARGEST_FILE >> 20} MB.", FEWER)
    with tempfile.TemporaryDirectory(prefix="cell-table-") as folder:
        checked = Path(folder, "checked.parquet")
        run_limited(
            CHILD,
            [str(source.resolve()), str(checked), title],
            name=title,
            memory_bytes=MEMORY_BYTES,
            seconds=SECONDS,
            smaller=FEWER,
            error=CountsError,
            look=look,
        )
        return durable.read_table(checked)


def read_table_file(source: Path, title: str) -> pd.DataFrame:
    """The same for a file that is trusted, or in a child. Raises CountsError when it is no such table."""
    try:
        form = form_of(source)
        separator, _, corner, names = header_of(source, form)
        names = [corner, *names]
        if len(names) > MOST_COLUMNS:
            raise CountsError(f"{title} has {len(names):,} columns, more than {MOST_COLUMNS}.", FEWER)
        with open_table(source, form.encoding) as file:
            table: pd.DataFrame = pd.read_csv(
                file, sep=r"\s+" if separator == " " else separator, header=None, skiprows=form.n_before + 1,
                names=range(len(names)), usecols=range(len(names)), index_col=False, dtype=str, keep_default_na=False,
                nrows=MOST_ROWS + 1, skipinitialspace=True,
            )  # fmt: skip
    except (ValueError, EOFError, OSError) as fault:  # pandas' and the csv module's are ValueError or OSError
        raise CountsError(f"{title} is not a readable table ({fault}).", REMEDY) from None
    if len(table) > MOST_ROWS:
        raise CountsError(f"{title} has more than {MOST_ROWS:,} rows.", FEWER)
    table = table.fillna("").apply(lambda column: column.str.strip())
    table.columns = pd.Index([name.strip() or f"column {place + 1}" for place, name in enumerate(names)])
    return table
