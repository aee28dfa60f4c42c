"""`compare` says which runs may stand side by side, how they did, and which programs come back."""

import json
import shutil
from pathlib import Path

import pytest

from ldvae_core.analysis.comparison import principal_angles
from ldvae_core.analysis.matching import match_programs
from ldvae_core.runs.store import open_run_folder


@pytest.fixture
def compared(trained, answer):
    """Two models and two seeds on one split, another split, other genes, and a baseline."""
    runs = {
        "normal": trained(),
        "other prior": trained("--prior", "logistic_normal"),
        "other seed": trained("--seed", "1"),
        "other split": trained("--split-seed", "1"),
        "other genes": trained("--genes", "60", "--gene-selection", "variance"),
        "gene mean": trained("--method", "gene_mean"),
    }
    return {name: str(folder) for name, folder in runs.items()}, answer("compare", *runs.values())[0]


def test_every_run_has_its_settings_and_figures(compared):
    """Words for the model, the reported figures with their standard errors, and why one is missing."""
    runs, found = compared
    metrics = json.loads((Path(runs["normal"]) / "metrics.json").read_text())
    first = found["runs"][0]
    assert (first["run"], first["model"], first["factors"], first["genes"]) == (runs["normal"], "LDVAE, normal", 3, 80)
    for key in ("test_reconstruction_error", "test_elbo", "test_iwll", "gain"):
        assert first["figures"][key] == {"value": metrics[key], "standard_error": metrics[f"{key}_se"]}
    assert [found["runs"][i]["model"] for i in (1, -1)] == ["LDVAE, logistic-normal", "gene mean"]


def test_only_runs_on_the_same_test_cells_stand_together(compared):
    """Same counts and split make a group; the others are left out with a reason."""
    runs, found = compared
    first = found["groups"][0]
    assert first["runs"] == [runs[name] for name in ("normal", "other prior", "other seed", "gene mean")]
    assert first["left_out"][runs["other genes"]] == "other genes"
    assert first["left_out"][runs["other split"]].startswith("another split")
    assert len(first["left_out"]) == 2
    errors = {run["run"]: run["figures"]["test_reconstruction_error"]["value"] for run in found["runs"]}
    assert first["best"]["test_reconstruction_error"] == min(first["runs"], key=errors.get)


def test_pairs_on_the_same_genes_are_matched(compared):
    """Match per factor, their median, which replicate, and the angles in degrees; the gene mean has no factors."""
    runs, found = compared
    pairs = {tuple(pair["runs"]): pair for pair in found["pairs"]}
    assert len(pairs) == 6
    pair = pairs[runs["normal"], runs["other seed"]]
    ours, theirs = (open_run_folder(Path(run)).factors["readable"] for run in pair["runs"])
    matching = match_programs(ours, theirs)
    assert [row["match"] for row in pair["matches"]] == pytest.approx(matching.match.tolist())
    assert [row["replicates"] for row in pair["matches"]] == (matching.match >= 0.8).tolist()
    angles = principal_angles(ours.loadings, theirs.loadings) * 57.29577951308232
    assert pair["principal_angles_degrees"] == pytest.approx(angles.tolist(), abs=1e-3)


def test_a_run_without_results_is_left_out_with_its_state(trained, tmp_path, answer):
    """It is listed, in no group, with the reason."""
    begun = tmp_path / "begun"
    shutil.copytree(trained(), begun)
    (begun / "metrics.json").unlink()
    (begun / "state.json").unlink()
    found, _ = answer("compare", trained(), begun)
    assert found["groups"][0]["runs"] == [str(trained())]
    assert "no results" in found["groups"][0]["left_out"][str(begun)]


def test_what_cannot_be_compared_is_refused(trained, counts_file, refusal):
    """One run, the same run twice, something that is no run."""
    assert "at least two" in refusal("compare", trained())
    assert "at least two" in refusal("compare", trained(), f"{trained()}/")
    assert "is not a run" in refusal("compare", trained(), counts_file)


def test_a_run_that_is_not_refined_is_said_to_be_beside_one_that_is(compared, answer, tmp_path):
    """In their group; baselines have no encoder."""
    runs, found = compared
    assert {group["placement"] for group in found["groups"]} == {""}
    old = shutil.copytree(runs["normal"], tmp_path / "old")
    metrics = json.loads((old / "metrics.json").read_text())
    (old / "metrics.json").write_text(json.dumps({**metrics, "positions": "encoder"}))
    group = answer("compare", runs["normal"], str(old), runs["gene mean"])[0]["groups"][0]
    assert f"those of {old} stand where the encoder alone puts them" in group["placement"]
    assert runs["gene mean"] not in group["placement"]
