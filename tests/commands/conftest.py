"""Small runs on planted cells, trained once for all tests of the commands."""

import json
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from ldvae_core.__main__ import main
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.folder import load_counts
from ldvae_core.data.reading_options import NOTHING_SAID, ReadingOptions
from ldvae_core.data.reading_process import fill_folder
from ldvae_core.data.synthetic import Planted, plant_programs

SHORT = ["--factors", "3", "--epochs", "4", "--genes", "80", "--device", "cpu"]


@pytest.fixture(scope="session")
def planted() -> Planted:
    """Four hundred cells of 80 genes with 3 programs."""
    return plant_programs(n_cells=400, n_genes=80, n_factors=3, seed=5)


@pytest.fixture(scope="session")
def counts_file(planted, tmp_path_factory) -> Path:
    """The planted counts as a person's .h5ad, with a donor for every cell and an Ensembl id for every gene."""
    path = tmp_path_factory.mktemp("data") / "cells.h5ad"
    as_anndata(planted).write_h5ad(path)
    return path


def as_anndata(planted: Planted) -> anndata.AnnData:
    """With a donor for every cell and an Ensembl id for every gene."""
    matrix = planted.counts
    donors = np.where(np.arange(matrix.n_cells) % 2, "anna", "bert")
    return anndata.AnnData(
        matrix.counts.astype(np.float32),
        obs=matrix.annotations.assign(donor=donors),
        var=pd.DataFrame({"gene_ids": [f"ENSMUSG{i:011d}.2" for i in range(matrix.n_genes)]}, _symbols(matrix.n_genes)),
    )


def _symbols(n: int) -> list[str]:
    """Names that nobody takes for ids."""
    return [f"Abc{i + 1}" for i in range(n)]


@pytest.fixture(scope="package", autouse=True)
def _no_reading_process():
    """Files are read in this process, which saves a second each; tests/data reads them as a person's are read."""

    def read(source: Path, into: Path, *, options: ReadingOptions = NOTHING_SAID, **_watching: object) -> CountMatrix:
        into.mkdir(parents=True)
        fill_folder(source, into, options)
        return load_counts(into)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ldvae_core.data.read.read_counts", read)
        yield


@pytest.fixture(scope="session")
def trained(counts_file, tmp_path_factory):
    """trained(*options) gives the folder of a short run with these options; the same options, the same folder."""
    folders: dict[tuple[str, ...], Path] = {}

    def train(*options: str) -> Path:
        if options not in folders:
            folders[options] = tmp_path_factory.mktemp("runs") / "run"
            assert main(["train", str(counts_file), "--out", str(folders[options]), *SHORT, *options]) == 0
        return folders[options]

    return train


@pytest.fixture
def answer(capsys):
    """answer(*arguments) runs a command that succeeds; the JSON object of its last line, and its words on stderr."""

    def ask(*arguments: object) -> tuple[dict, str]:
        capsys.readouterr()
        assert main([str(argument) for argument in arguments]) == 0
        said = capsys.readouterr()
        return json.loads(said.out.splitlines()[-1]), said.err

    return ask


@pytest.fixture
def refusal(capsys):
    """refusal(*arguments) runs a command that refuses: status 2, nothing on stdout; the one line that says why."""

    def ask(*arguments: object) -> str:
        capsys.readouterr()
        assert main([str(argument) for argument in arguments]) == 2
        said = capsys.readouterr()
        lines = [line for line in said.err.splitlines() if line]
        assert said.out == ""
        assert lines[-1].startswith("error: ")
        assert len(lines) == 1
        return lines[-1]

    return ask
