"""`paper` trains the five models of Fig. 1b under the same conditions, once, beside the published numbers."""

import json
import signal

import numpy as np
import pandas as pd
import pytest

from ldvae_core.__main__ import main
from ldvae_core.commands import training
from ldvae_core.commands.paper import MODELS, PUBLISHED, paper_table
from ldvae_core.runs.comparable import read_basis
from ldvae_core.runs.settings import RunSettings

QUICK = ("--factors", "3", "--epochs", "2", "--seed", "1")


@pytest.fixture(scope="module")
def papers_models(counts_file, tmp_path_factory):
    """The folder of the five, two epochs each."""
    out = tmp_path_factory.mktemp("paper") / "models"
    assert main(["paper", str(counts_file), "--out", str(out), *QUICK]) == 0
    return out


def test_the_five_share_genes_split_and_seed(papers_models):
    """Only decoder, prior and batch norm differ; the counts are on the disk once."""
    bases = [read_basis(papers_models / key) for key in MODELS]
    assert len({(basis.counts, basis.split, basis.seed) for basis in bases}) == 1
    models = [RunSettings.read(papers_models / key).model for key in MODELS]
    assert len(set(models)) == 5
    choices = RunSettings.read(papers_models / "vae").choices
    assert (choices.gene_selection, choices.n_genes) == ("variance", 1000)
    files = {(papers_models / key / "counts" / "counts_data.npy").stat().st_ino for key in MODELS}
    assert len(files) == 1


def test_the_table_has_our_figures_beside_the_published(papers_models):
    """One row a model in the paper's order; nothing published is claimed for other data."""
    table = pd.read_csv(papers_models / "paper.csv")
    assert table["run"].tolist() == list(MODELS)
    reported = [json.loads((papers_models / key / "metrics.json").read_text()) for key in MODELS]
    for name in ("test_reconstruction_error", "test_elbo_se", "test_iwll", "gain"):
        assert table[name].tolist() == pytest.approx([metrics[name] for metrics in reported])
    assert table["published_error"].isna().all()
    assert table["pijuan_sala_error"].tolist() == [2239.5, 2260.8, 2277.4, 2275.2, 2275.1]
    assert table["cao_above_vae_percent"][1] == pytest.approx(100 * (608.03 / 597.07 - 1), abs=1e-3)


def test_the_published_numbers_apply_to_the_published_data(papers_models, monkeypatch):
    """A data set of that many cells is taken for it."""
    monkeypatch.setattr("ldvae_core.commands.paper.PUBLISHED", (PUBLISHED[0]._replace(n_cells=402), PUBLISHED[1]))
    table, same = paper_table(papers_models)
    assert same.name == "pijuan_sala"
    assert table["published_error"].tolist() == list(PUBLISHED[0].errors)


def test_finished_runs_are_not_trained_again(papers_models, counts_file, answer):
    """The missing ones are; the table is made anew."""
    before = {key: (papers_models / key / "factors").stat().st_mtime_ns for key in MODELS}
    (papers_models / "normal" / "metrics.json").unlink()
    found, words = answer("paper", counts_file, "--out", papers_models, *QUICK)
    after = {key: (papers_models / key / "factors").stat().st_mtime_ns for key in MODELS}
    assert [key for key in MODELS if after[key] != before[key]] in ([], ["normal"])
    assert words.count("finished already") == 4
    assert [model["run"] for model in found["models"]] == list(MODELS)
    assert np.isfinite([model["test_elbo"] for model in found["models"]]).all()


def test_an_interrupted_paper_goes_on(counts_file, tmp_path, monkeypatch, answer):
    """Ctrl-C in the first model: status 130; the same command again ends with five finished runs."""
    out = tmp_path / "models"
    monkeypatch.setattr(training, "say_progress", lambda title: lambda progress: signal.raise_signal(signal.SIGINT))
    with pytest.raises(SystemExit) as ended:
        main(["paper", str(counts_file), "--out", str(out), "--factors", "3", "--epochs", "3000"])
    assert ended.value.code == 130
    assert [path.name for path in out.glob("*/run.json")] == ["run.json"]
    monkeypatch.undo()
    settings = json.loads((out / "vae" / "run.json").read_text())
    settings["settings"]["training"]["n_epochs"] = 2  # the rest of 3,000 would take minutes
    (out / "vae" / "run.json").write_text(json.dumps(settings))
    found, _ = answer("paper", counts_file, "--out", out, "--factors", "3", "--epochs", "2")
    assert len(found["models"]) == 5


def test_as_published_is_a_switch(papers_models, counts_file, tmp_path, monkeypatch):
    """Latent library size, no warm-up, and an intercept only where batch norm brings it."""
    started = []
    monkeypatch.setattr("ldvae_core.commands.paper._train", lambda folder, settings, *rest: started.append(settings))
    monkeypatch.setattr("ldvae_core.commands.paper._answer", lambda *rest: {})
    assert main(["paper", str(counts_file), "--out", str(tmp_path / "models"), "--as-published"]) == 0
    assert {settings.model.library for settings in started} == {"latent"}
    assert {settings.training.kl_warmup for settings in started} == {0.0}
    assert [settings.model.intercept for settings in started] == [False, True, True, False, False]


def test_other_settings_in_the_folder_are_refused(papers_models, counts_file, tmp_path, refusal):
    """Nothing is lost, and nothing is mixed; what is refused leaves no folder."""
    assert "holds a run of other settings" in refusal("paper", counts_file, "--out", papers_models)
    assert "no file or folder" in refusal("paper", tmp_path / "nothing.h5ad", "--out", tmp_path / "out")
    assert "factors must lie" in refusal("paper", counts_file, "--out", tmp_path / "out", "--factors", "0")
    (tmp_path / "text.csv").write_text("no,counts\n1,a\n")
    refusal("paper", tmp_path / "text.csv", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()
