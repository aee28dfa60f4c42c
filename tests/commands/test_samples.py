"""`samples`: a training a sample, and the same from packs alone."""

import numpy as np
import pandas as pd
import pytest

from ldvae_core.runs.settings import RunSettings

from .conftest import as_anndata

OPTIONS = ["--factors", "3", "--epochs", "40", "--genes", "80", "--device", "cpu"]


@pytest.fixture(scope="module")
def matched(counts_file, tmp_path_factory):
    """samples by donor, once: what it said and where."""
    from ldvae_core.__main__ import main

    out = tmp_path_factory.mktemp("samples") / "out"
    assert main(["samples", str(counts_file), "--sample", "donor", "--out", str(out), *OPTIONS]) == 0
    return out


def test_programs_of_two_donors_are_found_in_both(answer, counts_file, matched):
    """The donors are one population. Asked again, nothing is trained again."""
    told, said = answer("samples", counts_file, "--sample", "donor", "--out", matched, *OPTIONS)
    assert said.count("finished already") == 2
    assert told["n_samples"] == 2
    assert len(told["shared"]) >= 2
    for number, program in enumerate(told["shared"], start=1):
        assert program["program"] == number
        assert set(program["factors"]) == {"anna", "bert"}
        assert 0.6 <= program["match"] <= 1
        assert 1 <= len(program["genes"]) <= 10
    table = pd.read_csv(told["tables"]["programs"])
    assert table["factor"].between(1, 3).all()
    loadings = pd.read_csv(told["tables"]["loadings"])
    assert (loadings["low"] <= loadings["loading"]).all()
    assert (loadings["loading"] <= loadings["high"]).all()
    genes = loadings.groupby("program")["gene"].nunique()
    assert genes.to_dict() == dict.fromkeys(range(1, len(told["shared"]) + 1), 80)


def test_packs_alone_give_what_the_data_gave(answer, counts_file, matched, tmp_path):
    """Nobody has to move cells: the same programs, their loadings within what a pack rounds."""
    packs = []
    for run in sorted((matched / "runs").iterdir()):
        packs.append(tmp_path / f"{run.name}.pack")
        answer("pack", run, "--to", packs[-1])
    told, _ = answer("samples", *packs, "--out", tmp_path / "out")
    before, _ = answer("samples", counts_file, "--sample", "donor", "--out", matched, *OPTIONS)
    assert [each["factors"] for each in told["shared"]] == [each["factors"] for each in before["shared"]]
    first, second = (
        pd.read_csv(each["tables"]["loadings"]).sort_values(["program", "gene"]) for each in (before, told)
    )
    assert np.allclose(first["loading"], second["loading"], atol=1e-2)


def test_a_sample_may_be_called_by_what_cannot_be_shown(answer, planted, tmp_path):
    """Its run has a name that can be shown; its cells are found by the level as it is."""
    cells = as_anndata(planted)
    cells.obs["donor"] = np.where(cells.obs["donor"] == "anna", "an\nna", "b" * 150)
    cells.write_h5ad(tmp_path / "cells.h5ad")
    short = ["--factors", "3", "--epochs", "2", "--genes", "80", "--device", "cpu"]
    told, _ = answer("samples", tmp_path / "cells.h5ad", "--sample", "donor", "--out", tmp_path / "out", *short)
    runs = sorted((tmp_path / "out" / "runs").iterdir())
    assert (told["n_samples"], [RunSettings.read(run).name for run in runs]) == (2, ["an na", "b" * 120])


def test_what_cannot_be_matched_is_refused_in_words(refusal, counts_file, matched, tmp_path):
    """No such annotation, cells chosen as well, one run alone, other settings in the same folder."""
    data = [counts_file, "--out", tmp_path / "out"]
    assert "no annotation 'batch'" in refusal("samples", *data, "--sample", "batch", *OPTIONS)
    assert "cells cannot be chosen" in refusal("samples", *data, "--sample", "donor", "--cells", "donor=anna")
    run = next((matched / "runs").iterdir())
    assert "two samples" in refusal("samples", run, "--out", tmp_path / "out")
    again = ["--sample", "donor", "--out", matched, *OPTIONS, "--seed", "5"]
    assert "other settings" in refusal("samples", counts_file, *again)
