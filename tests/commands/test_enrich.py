"""`enrich`: gene sets at the ends of programs, by the hypergeometric test that scipy has too."""

import shutil

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy.stats import false_discovery_control, hypergeom

from ldvae_core.runs.additions import Additions
from ldvae_core.workspace.folders import HOME_VARIABLE, Workspace

CONTRACT = ["factor", "end", "set", "size", "overlap", "p", "q", "genes"]
AT_END = 10  # genes of an end, of 80


@pytest.fixture(autouse=True)
def _workspace(tmp_path, monkeypatch):
    """Results are kept with the run; the demo's lie in the workspace."""
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))


@pytest.fixture
def ends(answer, trained, tmp_path):
    """The genes of every end as `programs` prints them, those that enrichment looks at."""
    answer("programs", trained(), "--genes", AT_END, "--to", tmp_path / "programs.csv")
    return pd.read_csv(tmp_path / "programs.csv").groupby(["factor", "end"])["gene"].agg(list)


@pytest.fixture
def sets(ends, tmp_path):
    """A GMT file: the eight first genes of factor 2's high end, and genes that stand anywhere."""
    anywhere = [f"Abc{number}" for number in range(3, 80, 5)]
    path = tmp_path / "mine.gmt"
    members = {"planted": ends[2, "high"][:8], "anywhere": anywhere}
    path.write_text("".join("\t".join([name, "", *genes]) + "\n" for name, genes in members.items()))
    return path


def test_the_command_tests_the_ends_that_programs_lists(answer, trained, sets, ends, tmp_path):
    """Every row by scipy: overlap, p, q over all tests, genes in the order of the list; the planted set leads."""
    given, _ = answer("enrich", trained(), "--sets", sets, "--to", tmp_path / "found.csv")
    table = pd.read_csv(tmp_path / "found.csv")
    assert table.columns.tolist() == CONTRACT
    assert (given["n_sets"], given["n_rows"], given["method"]) == (2, len(table), "over_representation")
    assert table.iloc[0][["factor", "end", "set", "overlap"]].tolist() == [2, "high", "planted", 8]
    members = {line.split("\t")[0]: line.split("\t")[2:] for line in sets.read_text().splitlines()}
    p = {}
    for (factor, end), genes in ends.items():
        for name, inside in members.items():
            both = [gene for gene in genes if gene in inside]
            p[factor, end, name] = hypergeom.sf(len(both) - 1, 80, len(inside), len(genes))
            row = table.query("factor == @factor and end == @end and set == @name")
            assert row["genes"].tolist() == ([";".join(both)] if both else [])
    q = dict(zip(p, false_discovery_control(np.array(list(p.values()))), strict=True))
    rows = list(zip(table["factor"], table["end"], table["set"], strict=True))
    np.testing.assert_allclose(table["p"], [p[row] for row in rows])
    np.testing.assert_allclose(table["q"], [q[row] for row in rows])
    assert given["n_found"] == sum(value <= 0.05 for value in q.values())


@pytest.mark.filterwarnings("ignore")
def test_whole_rankings_may_be_tested(answer, trained, sets, tmp_path):
    """The planted set stands at the end it was planted at; one test a factor and set."""
    given, _ = answer("enrich", trained(), "--sets", sets, "--ranked", "--to", tmp_path / "found.csv")
    table = pd.read_csv(tmp_path / "found.csv")
    assert table.columns.tolist() == CONTRACT
    assert given["method"] == "pre_ranked"
    best = table[(table["factor"] == 2) & (table["set"] == "planted")].iloc[0]
    assert (best["end"], len(table)) == ("high", 6)
    assert best["q"] < 0.05


def test_a_shipped_collection_goes_by_its_name(answer, tmp_path):
    """The demo's first program, visceral endoderm: lipoproteins are made there."""
    given, _ = answer("enrich", "demo", "--sets", "go_mouse", "--to", tmp_path / "found.csv")
    table = pd.read_csv(tmp_path / "found.csv")
    first = table[(table["factor"] == 1) & (table["end"] == "high")]
    assert first["set"].str.contains("lipo", case=False).head(20).any()
    assert given["n_found"] > 0


def test_an_export_carries_the_results_that_are_kept(answer, trained, sets, tmp_path):
    """What was found stands in the file, under the collection's name; counts as whole numbers; notes of factors."""
    run = tmp_path / "run"
    shutil.copytree(trained(), run, ignore=shutil.ignore_patterns("kept"))
    answer("export", run, "--to", tmp_path / "before.h5ad")
    answer("enrich", run, "--sets", sets, "--to", tmp_path / "found.csv")
    kept = Additions(Workspace.default(), run / "kept", of=run)
    kept.write_factor_note("readable", 1, name="gut", notes="See Ttr.", who="Anna")
    answer("export", run, "--to", tmp_path / "after.h5ad")
    before, after = (anndata.read_h5ad(tmp_path / f"{name}.h5ad") for name in ("before", "after"))
    assert "enrichment" not in before.uns["ldvae"]
    found, table = after.uns["ldvae"]["enrichment"], pd.read_csv(tmp_path / "found.csv")
    assert found[["factor", "end", "set", "genes"]].astype(str).to_numpy().tolist() == table[
        ["factor", "end", "set", "genes"]].astype(str).to_numpy().tolist()  # fmt: skip
    assert set(found["collection"]) == {"mine.gmt"}
    assert after.uns["ldvae"]["factors"]["names"].tolist()[1] == "Factor 2 · gut"
    assert after.uns["ldvae"]["factors"]["notes"].tolist() == ["", "See Ttr.", ""]
    assert after.layers["counts"].dtype == np.int32


def test_unknown_sets_are_refused_with_those_there_are(refusal, trained, tmp_path):
    """A name, a file that is not there, sets of other genes."""
    known = "go_mouse, go_human, hallmark, pathways"
    assert known in refusal("enrich", trained(), "--sets", "nothing", "--to", tmp_path / "a.csv")
    assert "There is no file" in refusal("enrich", trained(), "--sets", "nothing.gmt", "--to", tmp_path / "a.csv")
    assert "modelled genes" in refusal("enrich", trained(), "--sets", "hallmark", "--to", tmp_path / "a.csv")
