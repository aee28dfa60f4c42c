"""The Design view: what it offers, what the command computes, and refusals in words."""

import json

import numpy as np
import pandas as pd
import pytest

from ldvae_core.__main__ import main
from ldvae_core.data.synthetic import plant_programs

DESIGN = {"view_types": "Design"}
N = 300


@pytest.fixture
def donors(planted):
    """Six donors, each with control and treated cells of the planted types; age and batch are the donor's."""
    cell = np.arange(N)
    donor, arm = cell % 6, cell // 6 % 2
    return planted.counts.annotations.assign(
        kind=np.where(cell // 12 % 2, "T", "B"), donor=[f"d{k}" for k in donor],
        condition=np.where(arm, "treated", "control"), age=20.5 + 7 * donor, batch=np.where(donor % 2, "x", "y"),
    )  # fmt: skip


def dots(at):
    """What each dot of the table shows: (factor from 0, row) -> effect."""
    figure = json.loads(at.get("plotly_chart")[0].proto.spec)
    trace = next(trace for trace in figure["data"] if trace.get("name") == "tests")
    rows = figure["layout"]["yaxis"]["ticktext"]
    values = _numbers(trace["marker"]["color"])
    return {(key[0], rows[key[1]]): value for key, value in zip(trace["customdata"], values, strict=True)}


def _numbers(values):
    if isinstance(values, dict):
        import base64

        return np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"]).tolist()
    return values


def test_the_page_shows_what_the_command_computes(open_page, make_run, donors, words, tmp_path):
    """Every effect, the sentence, and how numbers were read; donors with both conditions are paired without asking."""
    run = make_run(annotations=donors)
    at = open_page("cell_types.py", run=run, design_by="kind", **DESIGN)
    assert not at.exception
    assert at.selectbox(key="design_sample").value == "donor / condition"
    assert at.multiselect(key="design_covariates").value == ["donor"]
    to = tmp_path / "design.csv"
    asked = ["--sample", "donor", "--sample", "condition", "--condition", "condition", "--covariate", "donor"]
    assert main(["design", run, *asked, "--by", "kind", "--to", str(to)]) == 0
    table = pd.read_csv(to)
    theirs = {(row.factor - 1, row.level): row.effect for row in table.itertuples()}
    assert dots(at) == pytest.approx(theirs, rel=1e-5)
    said = " ".join(words(at).split())
    assert f"of {len(table)} tests" in said
    assert "12 samples with at least 10 cells, adjusted for donor" in said
    assert "What the others are compared with is control" in said


def test_annotations_of_cells_are_not_offered(open_page, make_run, donors):
    """A condition, and a covariate, has one value a sample; numbers are offered too."""
    donors["depth"] = np.random.default_rng(0).random(N)
    at = open_page("cell_types.py", run=make_run(annotations=donors), design_sample="donor", **DESIGN)
    assert at.selectbox(key="design_condition").options == ["condition", "age", "batch"]
    at.selectbox(key="design_condition").set_value("age").run()
    assert not at.exception
    assert at.multiselect(key="design_covariates").options == ["batch"]


def test_a_condition_that_differs_within_samples_is_refused_in_words(open_page, make_run, donors):
    """With the sample named, and what to do."""
    at = open_page("cell_types.py", run=make_run(annotations=donors), design_sample="donor", **DESIGN)
    assert "differs within the sample" in at.error[0].value
    assert "name both columns as sample" in at.error[0].value


def test_a_design_that_cannot_tell_is_refused_in_words(open_page, make_run, donors):
    """The covariate by its name."""
    donors["lane"] = np.where(donors["batch"] == "x", "one", "two")
    at = open_page("cell_types.py", run=make_run(annotations=donors), design_sample="donor", design_condition="batch",
                   design_covariates="lane", **DESIGN)  # fmt: skip
    assert "batch and the covariate lane are the same grouping" in at.error[0].value.replace("\\", "")


def test_a_dot_has_its_samples(open_page, make_run, donors, words):
    """As points, the program and the row chosen from lists or by a click."""
    at = open_page("cell_types.py", run=make_run(annotations=donors), design_by="kind", design_factor="Factor 2",
                   design_row="T", **DESIGN)  # fmt: skip
    figure = json.loads(at.get("plotly_chart")[1].proto.spec)
    points = next(trace for trace in figure["data"] if trace.get("name") == "samples")
    assert len(_numbers(points["y"])) == 12
    assert figure["layout"]["xaxis"]["ticktext"] == ["control", "treated"]
    assert "Factor 2 in T" in words(at)


def test_data_without_samples_say_what_a_design_needs(open_page, finished_run, words):
    """And where it comes from."""
    at = open_page("cell_types.py", run=finished_run, **DESIGN)
    assert not at.exception
    assert "A design compares samples" in words(at)
    assert at.button(key="design_to_data").label == "To the data"


def test_names_from_files_stay_what_they_are(open_page, make_run, donors, words):
    """Long ones with markup, of samples, levels, conditions and covariates; and a single factor."""
    odd = "<b>healthy</b> $x$ **bold** :smile: " * 4
    donors = donors.rename(columns={"batch": odd}).replace({"treated": odd + "t", "T": odd, "d0": odd})
    at = open_page("cell_types.py", run=make_run(annotations=donors), design_by="kind", **DESIGN)
    assert not at.exception
    at.multiselect(key="design_covariates").set_value([odd]).run()
    assert not at.exception
    assert not at.error
    assert "<b>healthy" not in words(at)
    truth = plant_programs(n_cells=N, n_genes=60, n_factors=1, seed=2)
    single = make_run("single-1a2b3c4d", annotations=donors, truth=truth)
    at = open_page("cell_types.py", run=single, design_by="kind", **DESIGN)
    assert not at.exception
    assert len(dots(at)) == 2
