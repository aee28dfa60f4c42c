"""The Compare page: a table of runs, those that compare drawn together, and programs matched between two of them."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from ldvae_core.data.split import split_cells
from ldvae_core.durable import read_array, read_json, write_array, write_json, write_table
from ldvae_core.model.config import TrainingConfig
from ldvae_core.runs.settings import RunSettings
from ldvae_core.runs.store import HISTORY_COLUMNS

FIRST, SECOND, OTHER = "first-00000001", "second-00000002", "other-00000003"


@pytest.fixture
def add(make_run, workspace):
    """Put a run into the workspace; seed: of its split; figures: more metrics; gone: metrics it does not have."""

    def make(run_id, *, seed=0, figures=None, model=None, **settings):
        folder = workspace.runs / make_run(
            run_id, name=run_id.split("-")[0], training=TrainingConfig(split_seed=seed), **settings
        )
        write_array(folder / "split.npy", split_cells(300, seed=seed))
        write_json(folder / "metrics.json", read_json(folder / "metrics.json") | (figures or {}))
        if model:
            values = read_json(folder / "run.json")
            values["settings"]["model"] = model
            RunSettings.from_dict(values["settings"]).write(folder)
        return run_id

    return make


@pytest.fixture
def two(add):
    """Two runs that compare, the second one better."""
    return add(FIRST), add(SECOND, figures={"test_reconstruction_error": 90.0, "test_iwll": -95.0, "test_iwll_se": 1.0})


@pytest.fixture
def without_factors(add, workspace):
    """The gene-mean model: factors of width 0 and no epochs."""

    def make():
        folder = workspace.runs / add("mean-00000009", model={"method": "gene_mean"}, prior="logistic_normal")
        for path in (folder / "factors" / "as_trained").glob("*.npy"):
            values = np.array(read_array(path))
            if path.stem not in ("intercept", "inverse_dispersion"):
                keep = values[:0, :0] if path.stem == "rotation" else values[..., :0]
                write_array(path, keep)
        write_table(folder / "history.parquet", pd.DataFrame(columns=HISTORY_COLUMNS, dtype=float))
        return folder.name

    return make


def chart(at, number):
    return json.loads(at.get("plotly_chart")[number].proto.spec)


def names_drawn(at, number):
    return [trace["name"] for trace in chart(at, number)["data"]]


def table_of(at):
    return at.dataframe[0].value


def test_without_a_finished_run_the_page_offers_the_papers_five_models(open_page, words):
    """An empty state says what to do, and the button leads to Train with the preset chosen."""
    at = open_page("compare.py")
    assert "No finished run yet" in words(at)
    at.button(key="compare_five").click().run()
    assert at.session_state["train_plan"] == "The paper's five models"
    assert at.session_state["next_page"] == "train.py" if "next_page" in at.session_state else True


def test_one_run_is_shown_with_what_would_stand_beside_it(open_page, add, words):
    """It has its figures; the doors to models that compare are there."""
    at = open_page("compare.py", run=add(FIRST))
    assert "One run is drawn: first" in words(at).replace("\\", "")
    assert "same split of the cells (with any seed)" in words(at)  # since the split has a seed of its own
    assert at.button(key="compare_baselines")
    assert names_drawn(at, 0) == ["first"]


def test_runs_on_the_same_cells_genes_and_split_are_drawn_together(open_page, two):
    """Without any choice, the run in use and what compares with it."""
    at = open_page("compare.py", run=FIRST)
    assert not at.exception
    assert names_drawn(at, 0) == ["first", "second"]
    assert at.query_params["runs"] in (f"{FIRST},{SECOND}", [f"{FIRST},{SECOND}"])


def test_another_split_is_left_out_and_the_page_says_why(open_page, two, add, words):
    """Nats per cell on other test cells mean something else."""
    at = open_page("compare.py", run=FIRST, runs=f"{FIRST},{add(OTHER, seed=5)},{SECOND}")
    assert names_drawn(at, 0) == ["first", "second"]
    assert "<b>other</b> (another split: seed 5 instead of 0)" in words(at)


def test_the_run_ticked_last_decides_what_is_drawn(open_page, two, add, words):
    """Whatever run is in use: whoever ticks runs of another data set or split wants to see them."""
    at = open_page("compare.py", run=FIRST, runs=f"{FIRST},{SECOND},{add(OTHER, seed=5)}")
    assert names_drawn(at, 0) == ["other"]
    assert words(at).count("another split: seed 0 instead of 5") == 2


def test_of_several_groups_one_is_chosen(open_page, two, add):
    """All that is ticked can be drawn, group by group, by the letters of the table."""
    at = open_page("compare.py", run=FIRST, runs=f"{FIRST},{SECOND},{add(OTHER, seed=5)}")
    choice = next(control for control in at.segmented_control if control.label == "Compare within")
    assert [words.split(" · ")[0] + " " + words.split(" · ")[-1] for words in choice.options] == ["B 1 run", "A 2 runs"]
    choice.set_value(next(value for value in choice.options if value.startswith("A"))).run()
    assert names_drawn(at, 0) == ["first", "second"]


def test_what_is_ticked_stays_when_another_run_comes_into_use(open_page, two, add):
    """A run opened meanwhile, in the sidebar or on another page, takes nothing away."""
    at = open_page("compare.py", run=FIRST, runs=f"{FIRST},{SECOND}")
    add(OTHER, seed=5)
    at.query_params["run"] = OTHER
    at.run()
    assert at.query_params["runs"] in (f"{FIRST},{SECOND}", [f"{FIRST},{SECOND}"])
    assert names_drawn(at, 0) == ["first", "second"]


def test_no_winner_is_named_by_less_than_the_error(open_page, add, words):
    """0.5 nats ahead with errors of 7.3: nobody is best."""
    errors = {"test_reconstruction_error_se": 7.3}
    add(FIRST, figures=errors)
    add(SECOND, figures={"test_reconstruction_error": 99.0, **errors})
    at = open_page("compare.py", run=FIRST, figure="Fit to unseen cells")
    assert "second is ahead of first by 0.50 nats per cell, and whether that is beyond error is not known" in words(at)
    assert "best" not in at.dataframe[0].value["Fit to unseen cells"].astype(str).str.cat()
    assert "second fits unseen cells best" not in words(at)


def test_the_answers_come_before_the_figures(open_page, two, words):
    """Which programs come back, and who predicts best, in words."""
    said = words(open_page("compare.py", run=FIRST))
    assert "All 4 active programs of first come back in the other run, which learned from the same cells" in said
    assert said.index("Do they come back") < said.index("Held-out cells") if "Held-out cells" in said else True


def test_runs_of_one_data_set_are_listed_alone(open_page, two, make_run, workspace):
    """With many data sets the table is short again; what is drawn is of that data set."""
    folder = workspace.runs / make_run(OTHER, name="elsewhere")
    values = read_json(folder / "run.json")
    write_json(folder / "run.json", {**values, "data_name": "Kang"})
    at = open_page("compare.py", run=FIRST)
    assert len(table_of(at)) == 3
    at.selectbox(key="of_data").set_value("Kang").run()
    assert not at.exception
    assert table_of(at)["Name"].tolist() == ["elsewhere"]
    assert names_drawn(at, 0) == ["elsewhere"]


def test_a_run_is_renamed_here_and_back(open_page, add, workspace, words):
    """The name is saved, said, and taken back by one press."""
    at = open_page("compare.py", run=add(FIRST))
    at.text_input(key=f"rename_name_{FIRST}").set_value("Twelve programs")
    at.button(key="rename_save").click().run()
    assert "The name is saved." in words(at)
    assert table_of(at)["Name"].tolist() == ["Twelve programs"]
    at.button(key="undo").click().run()
    assert table_of(at)["Name"].tolist() == ["first"]


def test_the_table_holds_every_run_and_marks_the_best(open_page, two, add):
    """Settings and figures; a run that does not compare is listed too."""
    add(OTHER, seed=5, figures={"test_reconstruction_error": 1.0})
    table = table_of(open_page("compare.py", run=FIRST)).set_index("Name")
    assert set(table.index) == {"first", "second", "other"}
    assert table["Compares in"].to_dict() == {"first": "A", "second": "A", "other": "B"}
    assert table["Fit to unseen cells"].to_dict() == {"first": 99.5, "second": 90.0, "other": 1.0}


def test_a_missing_figure_is_explained(open_page, two, words):
    """A dash alone would leave people guessing."""
    said = words(open_page("compare.py", run=FIRST))
    assert "the run was made before this was measured: train it again to have it" in said


def test_the_choice_of_figure_is_in_the_address(open_page, two):
    """A pasted link shows the same figure of the test cells."""
    at = open_page("compare.py", run=FIRST, figure="IWLL")
    assert chart(at, 1)["layout"]["xaxis"]["title"]["text"] == "IWLL, nats per cell<br>(higher is better)"
    assert names_drawn(at, 1) == ["second"]


def test_the_axis_is_said_to_be_free_of_the_kl_weight(open_page, two, words):
    """Nobody should read a training loss into it."""
    assert "which no KL weight enters" in words(open_page("compare.py", run=FIRST))


def test_the_spectrum_belongs_to_components(open_page, two):
    """Correlation of the factors beside eigenvalue shares, as trained or readable."""
    at = open_page("compare.py", run=FIRST)
    assert chart(at, 4)["layout"]["xaxis"]["title"]["text"] == "Component of the representation (not a factor)"
    assert at.segmented_control(key="covariance_axes").options == ["Readable", "As trained"]


def test_usages_have_an_eigenvalue_of_zero_and_the_page_says_so(open_page, add, words):
    """They sum to 1 in every cell."""
    at = open_page("compare.py", run=add(FIRST, prior="logistic_normal"))
    assert "One eigenvalue is zero, because usages sum to 1" in words(at)


def test_every_figure_has_a_text_alternative(open_page, two):
    """A screen reader hears what each figure is."""
    figures = open_page("compare.py", run=FIRST).get("plotly_chart")
    assert len(figures) == 5
    assert all(len(figure.proto.alt) > 20 for figure in figures)


def test_a_damaged_run_does_not_take_the_page_down(open_page, two, workspace):
    """It is left out of what needs its arrays."""
    (workspace.runs / SECOND / "factors" / "readable" / "loadings.npy").write_bytes(b"x")
    assert not open_page("compare.py", run=FIRST).exception


def test_a_hostile_name_stays_letters(open_page, make_run, words):
    """A name that looks like HTML is shown as it is written."""
    run_id = make_run(FIRST, name="<img src=1> **x**")
    at = open_page("compare.py", run=run_id)
    assert not at.exception
    assert "<img src=1>" not in words(at)


@pytest.mark.parametrize("file", ["factors.py", "cell_types.py", "compare.py"])
def test_a_run_without_structure_is_said_calmly(open_page, add, file, words):
    """Permuted counts: no programs, what that means and what to do."""
    figures = {"structure_found": False, "gain": -0.4, "gain_se": 0.3}
    said = words(open_page(file, run=add(FIRST, figures=figures)))
    assert "No structure found:" in said
    assert "predicts no better than each gene&#x27;s mean (gain −0.40 ± 0.30 nats per cell)" in said
    assert "try fewer factors" in said


@pytest.mark.parametrize("file", ["factors.py", "cell_types.py"])
def test_a_run_without_factors_says_what_it_is(open_page, without_factors, file, words):
    """The gene mean has nothing to explore; the way to Compare is there."""
    at = open_page(file, run=without_factors())
    assert not at.exception
    assert "This run has no factors." in words(at)
    assert at.button(key="no_factors_compare")


def test_the_gene_mean_stands_beside_other_runs(open_page, two, without_factors):
    """A dashed line in the curves, an open dot in the figures."""
    at = open_page("compare.py", run=FIRST, runs=f"{FIRST},{SECOND},{without_factors()}")
    assert not at.exception
    assert names_drawn(at, 0) == ["first", "second"]
    assert chart(at, 1)["layout"]["yaxis"]["ticktext"][-1] == "mean"


@pytest.mark.parametrize("method", ["pca", "nmf"])
def test_a_baseline_with_factors_can_be_explored(open_page, add, method, words):
    """Its programs are shown, and the page says that it is a baseline."""
    at = open_page("factors.py", run=add(FIRST, model={"method": method, "n_factors": 4}))
    assert not at.exception
    assert "a baseline" in words(at)


def test_only_axes_that_both_runs_keep_can_be_matched(open_page, two, workspace):
    """Gene-sparse axes of one beside readable ones of the other would match nothing."""
    axes = workspace.runs / FIRST / "factors"
    shutil.copytree(axes / "readable", axes / "gene_sparse")
    about = read_json(axes / "gene_sparse" / "about.json")
    write_json(axes / "gene_sparse" / "about.json", {**about, "axes": "gene_sparse"})
    at = open_page("compare.py", view="Programs")
    assert not at.exception
    assert at.segmented_control(key="axes").options == ["Readable", "As trained"]
