"""`advise` says how many programs there are and which come back; `train --factors auto` trains them."""

from dataclasses import replace

import numpy as np
import pytest

from ldvae_core.data.synthetic import plant_programs
from ldvae_core.runs.store import open_run_folder
from tests.commands.conftest import as_anndata

QUICK = ["--most", "8", "--genes", "80", "--epochs", "20", "--device", "cpu"]
FIELDS = ["factor", "explained_deviance", "seed_match", "half_match", "certified", "genes"]


@pytest.fixture(scope="session")
def permuted_file(planted, tmp_path_factory):
    """Every gene's counts in other cells."""
    cells, path = as_anndata(planted), tmp_path_factory.mktemp("data") / "permuted.h5ad"
    cells.X = np.random.default_rng(1).permuted(cells.X.toarray(), axis=0)
    cells.write_h5ad(path)
    return path


@pytest.fixture(scope="session")
def strong_file(tmp_path_factory):
    """Three programs that nobody overlooks."""
    path = tmp_path_factory.mktemp("data") / "strong.h5ad"
    as_anndata(plant_programs(n_cells=600, n_genes=80, n_factors=3, seed=5)).write_h5ad(path)
    return path


def test_the_answer_has_the_number_its_reason_and_the_programs(strong_file, tmp_path, answer):
    """Of the run that is kept, in its order, with ten genes of the stronger end."""
    found, _ = answer("advise", strong_file, "--out", tmp_path / "run", *QUICK)
    assert (found["n_programs"], found["structure_found"], found["metric"]) == (3, True, "information")
    assert found["bar"] >= 0.6
    assert "come back in disjoint halves of the cells" in found["reason"]
    run = open_run_folder(tmp_path / "run")
    assert [program["factor"] for program in found["programs"]] == [1, 2, 3]
    assert [program["explained_deviance"] for program in found["programs"]] == pytest.approx(
        run.factors["readable"].explained_deviance.tolist()
    )
    for program in found["programs"]:
        assert list(program) == FIELDS
        assert program["certified"] == (program["half_match"] >= found["bar"])
        assert len(program["genes"]) == 10


def test_the_reason_says_that_the_trained_programs_do_not_come_back(strong_file, answer, monkeypatch):
    """Where the generous model's do: else the number and the certificates contradict each other."""
    from ldvae_core.runs.searching import Found

    def none(found, factors):
        program = replace(found.generous.programs[-1], certified=False)
        return replace(found.generous, programs=(program,) * factors.n_factors)

    monkeypatch.setattr(Found, "certify", none)
    found, _ = answer("advise", strong_file, *QUICK)
    assert found["n_programs"] == 3
    assert [program["certified"] for program in found["programs"]] == [False] * 3
    assert "none of the 3 factors of the final model is certified: its programs do not come" in found["reason"]


def test_without_a_folder_nothing_is_kept(permuted_file, tmp_path, answer, monkeypatch):
    """And shuffled counts have no program: an answer, not an error."""
    monkeypatch.chdir(tmp_path)
    found, _ = answer("advise", permuted_file, *QUICK)
    assert (found["n_programs"], found["structure_found"], found["programs"]) == (0, False, [])
    assert "no structure is found" in found["reason"]
    assert list(tmp_path.iterdir()) == []


def test_training_a_number_that_is_to_be_found_ends_in_words_without_structure(permuted_file, tmp_path, capsys):
    """Status 2, and no folder."""
    from ldvae_core.__main__ import main

    assert main(["train", str(permuted_file), "--out", str(tmp_path / "run"), "--factors", "auto", *QUICK]) == 2
    assert "error: None of 8 factors comes back" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_what_is_no_number_of_factors_is_refused(counts_file, tmp_path, refusal):
    """Before anything is read."""
    assert "many" in refusal("train", counts_file, "--out", tmp_path / "run", "--factors", "many")
    assert "between 2 and 100" in refusal("advise", counts_file, "--most", "1")
