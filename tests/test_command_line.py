"""The command line keeps its contract: JSON on the last line, errors in one line, runs that can be resumed."""

import json
import platform
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import anndata
import numpy as np
import pytest
from scipy import sparse
from scipy.special import log_softmax
from scipy.stats import nbinom

from ldvae_core.__main__ import main
from ldvae_core.data.synthetic import plant_programs
from ldvae_core.runs.additions import Additions

SUMMARY = {
    "run", "n_cells", "n_genes", "n_factors", "epochs", "device", "threads", "seconds_reading", "seconds_training",
    "test_reconstruction_error", "test_elbo",
}  # fmt: skip


def as_anndata(planted, counts=None) -> anndata.AnnData:
    matrix = planted.counts
    values = matrix.counts.astype(np.float32) if counts is None else counts
    return anndata.AnnData(values, obs=matrix.annotations.copy(), var={"names": matrix.gene_names})


@pytest.fixture(scope="module")
def planted():
    """Four hundred cells of 80 genes with 3 programs."""
    return plant_programs(n_cells=400, n_genes=80, n_factors=3, seed=5)


@pytest.fixture(scope="module")
def counts_file(planted, tmp_path_factory) -> Path:
    """The planted counts as a person's .h5ad."""
    path = tmp_path_factory.mktemp("data") / "cells.h5ad"
    as_anndata(planted).write_h5ad(path)
    return path


@pytest.fixture(scope="module")
def trained(counts_file, tmp_path_factory) -> Path:
    """A run of ten epochs."""
    run = tmp_path_factory.mktemp("runs") / "run"
    assert main(["train", str(counts_file), "--out", str(run), "--factors", "3", "--epochs", "10"]) == 0
    return run


def expected_error(exported: anndata.AnnData) -> float:
    """What a stranger computes from the file of an LDVAE alone: mean NB error of the test cells."""
    logits = exported.obsm["X_ldvae"] @ exported.varm["LDVAE_loadings"].T + exported.var["ldvae_intercept"].to_numpy()
    return error_at(exported, np.exp(log_softmax(logits.astype(float), axis=1)))


def error_at(exported: anndata.AnnData, fraction: np.ndarray) -> float:
    """Mean NB error of the test cells at these fractions."""
    counts = exported.layers["counts"].toarray().astype(float)
    mean = counts.sum(axis=1, keepdims=True) * fraction
    theta = exported.var["ldvae_inverse_dispersion"].to_numpy()
    test = (exported.obs["ldvae_split"] == "test").to_numpy()
    return -nbinom.logpmf(counts[test], theta, theta / (theta + mean[test])).sum(axis=1).mean()


def test_info_is_one_json_object(counts_file, capsys):
    """Cells, genes, where the counts are, annotations and warnings."""
    assert main(["info", str(counts_file)]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts == {
        "n_cells": 400, "n_genes": 80, "counts_from": "X", "annotations": ["cell_type"],
        "warnings": ["Genes are named by the column 'names'."], "genes_named_by": "names", "cells_named_by": "index",
        "sentence": "400 cells x 80 genes; genes named by `names`, cells by `index`; counts from X; 1 annotation.",
    }  # fmt: skip


def test_train_ends_with_its_summary(counts_file, tmp_path, capsys):
    """The last line of stdout is one JSON object with the promised keys, and the numbers are numbers."""
    arguments = ["--factors", "3", "--epochs", "2", "--genes", "50", "--gene-selection", "variance", "--seed", "1"]
    assert main(["train", str(counts_file), "--out", str(tmp_path / "run"), *arguments]) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(summary) == SUMMARY
    assert (summary["n_cells"], summary["n_genes"], summary["n_factors"], summary["epochs"]) == (400, 50, 3, 2)
    assert summary["test_reconstruction_error"] > 0 > summary["test_elbo"]


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--batch-norm"],
        ["--no-intercept"],
        ["--prior", "logistic_normal"],
        ["--prior", "logistic_normal", "--batch-norm"],
    ],
    ids=lambda options: " ".join(options) or "default",
)
def test_a_stranger_recomputes_the_reported_error(counts_file, tmp_path, capsys, options):
    """NB of library_size * softmax(X_ldvae @ LDVAE_loadings.T + ldvae_intercept) on the test cells, to 6 digits."""
    run, file = tmp_path / "run", tmp_path / "out.h5ad"
    assert main(["train", str(counts_file), "--out", str(run), "--factors", "3", "--epochs", "3", *options]) == 0
    reported = json.loads(capsys.readouterr().out.splitlines()[-1])["test_reconstruction_error"]
    assert main(["export", str(run), "--to", str(file)]) == 0
    assert expected_error(anndata.read_h5ad(file)) == pytest.approx(reported, rel=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        ["--decoder", "neural"],
        ["--likelihood", "poisson"],
        ["--likelihood", "zinb", "--batch-norm"],
        ["--library", "latent"],
        ["--batch", "cell_type", "--batch-norm"],
        ["--batch", "cell_type", "--decoder", "neural", "--library", "latent"],
        ["--batch", "cell_type", "--dispersion", "gene_level"],
    ],
    ids=" ".join,
)
def test_every_member_of_the_family_trains_and_exports(counts_file, tmp_path, capsys, options):
    """Finite figures, an ELBO below minus the error at the posterior mean, and a file with loadings."""
    run, file = tmp_path / "run", tmp_path / "out.h5ad"
    assert main(["train", str(counts_file), "--out", str(run), "--factors", "3", "--epochs", "3", *options]) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert np.isfinite([summary["test_reconstruction_error"], summary["test_elbo"]]).all()
    assert summary["test_elbo"] < -summary["test_reconstruction_error"]
    assert main(["export", str(run), "--to", str(file)]) == 0
    assert np.isfinite(anndata.read_h5ad(file).varm["LDVAE_loadings"]).all()


@pytest.mark.parametrize("method", ["pca", "nmf", "gene_mean"])
def test_every_baseline_trains_and_exports(counts_file, tmp_path, capsys, method):
    """The same summary line, an ELBO only where there is one, and a file that says how its numbers are meant."""
    run, file = tmp_path / "run", tmp_path / "out.h5ad"
    assert main(["train", str(counts_file), "--out", str(run), "--factors", "3", "--method", method]) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(summary) == SUMMARY
    assert summary["n_factors"] == (0 if method == "gene_mean" else 3)
    elbo = -summary["test_reconstruction_error"] if method == "gene_mean" else None
    assert summary["test_elbo"] == elbo
    assert main(["export", str(run), "--to", str(file)]) == 0
    exported = anndata.read_h5ad(file)
    assert exported.uns["ldvae"]["method"] == method
    assert exported.obsm["X_ldvae"].shape == (400, summary["n_factors"])


def test_a_stranger_recomputes_the_error_of_nmf(counts_file, tmp_path, capsys):
    """As the file itself says: library_size * usage @ programs, programs from loadings and intercept."""
    run, file = tmp_path / "run", tmp_path / "out.h5ad"
    assert main(["train", str(counts_file), "--out", str(run), "--factors", "3", "--method", "nmf"]) == 0
    reported = json.loads(capsys.readouterr().out.splitlines()[-1])["test_reconstruction_error"]
    assert main(["export", str(run), "--to", str(file)]) == 0
    exported = anndata.read_h5ad(file)
    logits = exported.varm["LDVAE_loadings"] + exported.var["ldvae_intercept"].to_numpy()[:, None]
    programs = np.exp(log_softmax(logits.astype(float), axis=0))
    assert error_at(exported, exported.obsm["X_ldvae"] @ programs.T) == pytest.approx(reported, rel=1e-5)


def test_both_axes_predict_the_same(trained, tmp_path):
    """Readable, gene-sparse and as-trained axes differ, their errors do not."""
    files = {axes: tmp_path / f"{axes}.h5ad" for axes in ("readable", "gene-sparse", "as-trained")}
    for axes, file in files.items():
        assert main(["export", str(trained), "--to", str(file), "--axes", axes]) == 0
    readable, sparse, as_trained = (anndata.read_h5ad(file) for file in files.values())
    assert sparse.uns["ldvae"]["factors"]["axes"] == "gene_sparse"
    assert expected_error(sparse) == pytest.approx(expected_error(as_trained), rel=1e-6)
    assert not np.allclose(readable.obsm["X_ldvae"], sparse.obsm["X_ldvae"])
    assert not np.allclose(readable.obsm["X_ldvae"], as_trained.obsm["X_ldvae"])
    assert expected_error(readable) == pytest.approx(expected_error(as_trained), rel=1e-6)


def test_the_exported_file_has_every_promised_slot(trained, planted, tmp_path):
    """Annotations, split, counts, loadings with errors, and the story of the run."""
    assert main(["export", str(trained), "--to", str(tmp_path / "run.h5ad")]) == 0
    file = anndata.read_h5ad(tmp_path / "run.h5ad")
    assert list(file.obs.columns) == ["cell_type", "ldvae_split"]
    assert set(file.obs["ldvae_split"]) == {"train", "validation", "test"}
    assert {name: file.varm[name].shape for name in file.varm} == dict.fromkeys(
        ("LDVAE_loadings", "LDVAE_loadings_se", "LDVAE_loadings_shrunken"), (80, 3)
    )
    assert (file.layers["counts"] != planted.counts.counts).nnz == 0
    assert np.abs(file.varm["LDVAE_loadings"].mean(axis=0)).max() < 1e-5
    assert set(file.uns["ldvae"]) == {
        "method", "expected_counts", "params", "history", "metrics", "factors", "version",
    }  # fmt: skip
    assert file.uns["ldvae"]["factors"]["names"].tolist() == ["Factor 1", "Factor 2", "Factor 3"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: x - 1, "negative"),
        (lambda x: x * 0.5, "not whole"),
        (lambda x: np.log1p(x / x.sum(1, keepdims=True) * 1e4), "log"),
        (lambda x: x * 0, "have counts"),
        (lambda x: x + np.nan, "NaN"),
    ],
    ids=["negative", "fractional", "log-normalised", "empty", "not a number"],
)
def test_what_are_no_raw_counts_is_refused_in_one_line(planted, tmp_path, capsys, change, words):
    """Exit status 2, one line that starts with error:, and no run folder left behind."""
    as_anndata(planted, change(planted.counts.counts.toarray().astype(np.float32))).write_h5ad(tmp_path / "bad.h5ad")
    assert main(["train", str(tmp_path / "bad.h5ad"), "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert words in said.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "no_such_file.h5ad", "--out", "RUN"],
        ["train", "FILE", "--out", "RUN", "--factors", "0"],
        ["train", "FILE", "--out", "RUN", "--epochs", "0"],
        ["train", "FILE", "--out", "RUN", "--prior", "cauchy"],
        ["train", "FILE", "--out", "RUN", "--batch", "donor"],
        ["train", "FILE", "--out", "RUN", "--dispersion", "gene_level"],
        ["train", "FILE", "--out", "RUN", "--method", "pca", "--batch", "cell_type"],
        ["train", "FILE", "--out", "RUN", "--method", "umap"],
        ["train", "FILE"],
        ["train", "FILE", "--out", "RUN", "--factors", "many"],
        ["train", "--resume", "FILE"],
        ["export", "FILE", "--to", "x.h5ad"],
        ["info"],
        ["fly"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_done_is_said_in_one_line(counts_file, tmp_path, capsys, arguments):
    """Whatever the mistake: status 2, one line on stderr, no traceback, nothing left behind."""
    given = [{"FILE": str(counts_file), "RUN": str(tmp_path / "run")}.get(word, word) for word in arguments]
    assert main(given) == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_finished_run_is_never_overwritten(trained, counts_file, capsys):
    """--out names a new folder, or nothing happens."""
    before = (trained / "metrics.json").read_bytes()
    assert main(["train", str(counts_file), "--out", str(trained)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert (trained / "metrics.json").read_bytes() == before


@pytest.mark.kills
@pytest.mark.skipif(platform.system() == "Windows", reason="Windows sends Ctrl-C to a console, not to one process")
def test_an_interrupted_run_is_resumed(counts_file, tmp_path):
    """Ctrl-C: status 130 and a hint; --resume goes on after the epochs already done."""
    run, arguments = tmp_path / "run", ["--factors", "3", "--epochs", "100000"]
    command = [sys.executable, "-m", "ldvae_core", "train"]
    process = subprocess.Popen(
        [*command, str(counts_file), "--out", str(run), *arguments], stderr=subprocess.PIPE, text=True
    )
    for line in process.stderr:
        if "epoch" in line:
            break
    time.sleep(2)  # the first line comes within the first epoch; a few more make sure that some are whole
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    assert process.wait(60) == 130
    assert f"train --resume {run}" in rest
    assert not (run / "metrics.json").exists()
    settings = json.loads((run / "run.json").read_text())
    settings["settings"]["training"]["n_epochs"] = 1  # the rest of 100,000 would take minutes
    (run / "run.json").write_text(json.dumps(settings))
    done = subprocess.run([*command, "--resume", str(run)], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1])["epochs"] > 1


def test_sparse_and_dense_files_give_the_same_run(planted, tmp_path, capsys):
    """How the counts are stored changes nothing."""
    errors = []
    for name, values in (("sparse", planted.counts.counts.astype(np.float32)), ("dense", None)):
        dense = planted.counts.counts.toarray().astype(np.float64) if values is None else sparse.csc_matrix(values)
        as_anndata(planted, dense).write_h5ad(tmp_path / f"{name}.h5ad")
        out = ["--out", str(tmp_path / name), "--epochs", "1", "--factors", "3"]
        assert main(["train", str(tmp_path / f"{name}.h5ad"), *out]) == 0
        errors.append(json.loads(capsys.readouterr().out.splitlines()[-1])["test_reconstruction_error"])
    assert errors[0] == errors[1]


def test_an_exported_file_has_the_names_and_the_turned_axes(trained, tmp_path):
    """What people added to the run goes along, and the file still predicts the same counts."""
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    Additions.beside(run).write_factor_note("readable", 1, name="gut", flipped=True)
    for source, target in ((trained, "before.h5ad"), (run, "after.h5ad")):
        assert main(["export", str(source), "--to", str(tmp_path / target)]) == 0
    before, after = (anndata.read_h5ad(tmp_path / name) for name in ("before.h5ad", "after.h5ad"))
    assert list(after.uns["ldvae"]["factors"]["names"]) == ["Factor 1", "Factor 2 · gut", "Factor 3"]
    assert np.array_equal(after.obsm["X_ldvae"][:, 1], -before.obsm["X_ldvae"][:, 1])
    assert expected_error(after) == pytest.approx(expected_error(before), rel=1e-12)
