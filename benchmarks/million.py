"""From a file to factors at full size: `python -m benchmarks.million --folder FOLDER [--cells 1949131]`.

A gzipped .h5ad of so many cells x 26,000 genes, 2% of them not zero, is made in FOLDER (kept for the next time) and
goes through `info`, `train` with two epochs, the opening of every page, and `export`, each in a process of its own.
Prints, as a table, seconds, processor seconds, and the largest memory (VmHWM) that any process reached. With --scanpy,
a Python that has scanpy reads the same file and chooses genes by the same method, for comparison.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from benchmarks.report import table
from ldvae_core.durable import read_json

N_CELLS, FULL = 200_000, 1_949_131
N_GENES, DRAWN = 26_000, 740  # draws a cell, of which about 520 are different genes: 2%
PIECE = 20_000  # cells drawn together
N_TYPES = 12
SEED = 0
PROJECT = Path(__file__).resolve().parents[1]
SCANPY = """
import sys, scanpy
cells = scanpy.read_h5ad(sys.argv[1])
scanpy.pp.highly_variable_genes(cells, flavor="seurat_v3", n_top_genes=1000)
cells[:, cells.var["highly_variable"]].copy()
"""
PAGES = """
import sys
from streamlit.testing.v1 import AppTest
shown = AppTest.from_file("pages/shell.py", default_timeout=1800)
shown.query_params["run"] = sys.argv[1]
shown.run()
for page in ("data", "train", "factors", "cell_types", "genes", "compare", "export"):
    shown.switch_page(f"{page}.py").run()
    assert not shown.exception, (page, shown.exception)
    assert page not in ("factors", "cell_types") or shown.get("plotly_chart"), page
"""


class Step(NamedTuple):
    """What a process and all that it started took. peak: bytes of the largest of them, mapped pages counted."""

    what: str
    seconds: float
    processor: float
    peak: int


def make_file(path: Path, n_cells: int) -> None:
    """Write the file piece by piece; one that is there is reused."""
    if path.exists():
        return
    rng = np.random.default_rng(SEED)
    common = rng.lognormal(0, 1.8, N_GENES)
    types = [np.cumsum(weights / weights.sum()) for weights in common * rng.lognormal(0, 0.7, (N_TYPES, N_GENES))]
    part = path.with_suffix(".part")
    with h5py.File(part, "w") as file:
        x = file.create_group("X")
        x.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": (n_cells, N_GENES)})
        packing = {"maxshape": (None,), "chunks": (100_000,), "compression": "gzip", "compression_opts": 4}
        data = x.create_dataset("data", (0,), "f4", **packing)
        indices = x.create_dataset("indices", (0,), "i4", **packing)
        starts, labels = [0], []
        for first in range(0, n_cells, PIECE):
            k = min(PIECE, n_cells - first)
            label = rng.integers(N_TYPES, size=k)
            labels.append(label)
            genes = np.stack([np.searchsorted(types[one], rng.random(DRAWN)) for one in label]).astype(np.int32)
            genes.sort(axis=1)
            new = np.ones(genes.shape, bool)
            new[:, 1:] = genes[:, 1:] != genes[:, :-1]
            rows = new.sum(axis=1)
            places = np.flatnonzero(new)
            counts = np.diff(np.append(places, genes.size))
            for array, values in ((data, counts), (indices, genes.ravel()[places])):
                array.resize((array.shape[0] + len(values),))
                array[-len(values) :] = values
            starts.extend((starts[-1] + np.cumsum(rows)).tolist())
        x.create_dataset("indptr", data=np.asarray(starts, np.int64))
        _write_table(file, "obs", [f"cell{n}" for n in range(n_cells)], np.concatenate(labels))
        _write_table(file, "var", [f"Gene{n}" for n in range(N_GENES)], None)
    part.rename(path)


def _write_table(file: h5py.File, name: str, names: list[str], labels: np.ndarray | None) -> None:
    table = file.create_group(name)
    columns = [] if labels is None else ["cell_type"]
    table.attrs.update({"encoding-type": "dataframe", "encoding-version": "0.2.0", "_index": "_index"})
    table.attrs["column-order"] = np.asarray(columns, dtype=h5py.string_dtype())
    index = table.create_dataset("_index", data=names, dtype=h5py.string_dtype(), compression="gzip")
    index.attrs.update({"encoding-type": "string-array", "encoding-version": "0.2.0"})
    if labels is not None:
        column = table.create_group("cell_type")
        column.attrs.update({"encoding-type": "categorical", "encoding-version": "0.2.0", "ordered": False})
        codes = column.create_dataset("codes", data=labels.astype(np.int8))
        codes.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        kinds = column.create_dataset(
            "categories", data=[f"type {n}" for n in range(N_TYPES)], dtype=h5py.string_dtype()
        )
        kinds.attrs.update({"encoding-type": "string-array", "encoding-version": "0.2.0"})


def run(what: str, command: list[str], home: Path) -> Step:
    """Run a command to its end. Raises RuntimeError when it fails."""
    began = time.monotonic()
    environment = {**os.environ, "GENE_PROGRAM_EXPLORER_HOME": str(home)}
    with open(home / f"{what}.log", "wb") as log:
        child = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=log, stderr=log)
        _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{what} ended with {child.returncode}; see {log.name}")
    step = Step(what, time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)
    print(
        f"{step.what}: {step.seconds:.0f} s, {step.processor:.0f} s of processor, {step.peak / 1e9:.2f} GB", flush=True
    )
    return step


def steps(path: Path, home: Path, scanpy: str | None) -> Iterator[Step]:
    """All commands in order."""
    ours = [sys.executable, "-m", "ldvae_core"]
    run_folder = home / "runs" / "million"
    shutil.rmtree(run_folder, ignore_errors=True)
    yield run("info", [*ours, "info", str(path)], home)
    yield run("train", [*ours, "train", str(path), "--genes", "1000", "--epochs", "2", "--out", str(run_folder)], home)
    yield run("pages", [sys.executable, "-c", PAGES, "million"], home)
    yield run("export", [*ours, "export", str(run_folder), "--to", str(home / "million.h5ad")], home)
    if scanpy:
        yield run("scanpy", [scanpy, "-c", SCANPY, str(path)], home)


def main() -> None:
    """Make the file, run the steps, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--cells", type=int, default=N_CELLS, help=f"{FULL:,} is the full size")
    parser.add_argument("--scanpy", help="a Python with scanpy and scikit-misc")
    arguments = parser.parse_args()
    home = arguments.folder.resolve()
    home.mkdir(parents=True, exist_ok=True)
    path = home / f"cells{arguments.cells}.h5ad"
    make_file(path, arguments.cells)
    with h5py.File(path, "r") as file:
        n_entries = int(file["X/data"].shape[0])
    done = list(steps(path, home, arguments.scanpy))
    modelled = read_json(home / "runs" / "million" / "counts" / "about.json")
    n_modelled = len(np.load(home / "runs" / "million" / "counts" / "counts_data.npy", mmap_mode="r"))
    allowed = 2e9 + 6 * n_modelled
    size = f"{arguments.cells:,} cells x {N_GENES:,} genes, {n_entries:,} not zero, {path.stat().st_size / 1e9:.2f} GB"
    print(f"\n{size}; {n_modelled:,} in the {modelled['n_genes']:,} modelled genes: {allowed / 1e9:.2f} GB allowed.\n")
    header = ("Step", "Seconds", "Processor seconds", "Million non-zeros a processor second", "Largest process, GB")
    print(table(list(header), [
        [step.what, f"{step.seconds:.0f}", f"{step.processor:.0f}", f"{n_entries / 1e6 / step.processor:.1f}",
         f"{step.peak / 1e9:.2f}"] for step in done
    ]))  # fmt: skip


if __name__ == "__main__":
    main()
