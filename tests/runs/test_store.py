"""Runs by id: every list and page survives whatever the folders hold, and no path comes in from outside."""

import ast
import math
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from ldvae_core.data.demo import DEMO_RUN
from ldvae_core.durable import read_json, write_array, write_json, write_table
from ldvae_core.errors import RunError
from ldvae_core.jobs.kinds import Outcome
from ldvae_core.runs import store as store_module
from ldvae_core.runs.opened import HISTORY_COLUMNS, NOT_LABELLED
from ldvae_core.runs.states import write_folder_state
from ldvae_core.workspace.folders import DEMO, PROJECT
from tests.links import make_link, make_pipe
from tests.runs.conftest import N_CELLS, N_GENES, claim, settings_named

PAYLOADS = [
    "", ".", "..", "../runs/done", "done/", "/done", "done/../done", "./done", "Done", "done ", "done\0", "..%2fdone",
    "~", "C:\\done", "\\\\server\\share", "done\n", "/etc", "/dev/zero", "file:///etc", "*", "don?", ".hidden",
    "a" * 5000, "ｄｏｎｅ", None, 3, b"done", ["done"],
]  # fmt: skip
DAMAGE = ["", "{", "null", "[]", "3", '"finished"', '{"stage": "exploded"}', '{"stage": ["finished"]}', "\ud800",
          '{"stage": null, "error": {"a": 1}}', "\x00\xff", "[" * 100_000, "NaN", '{"epoch": "many"}']  # fmt: skip


def test_the_page_server_never_loads_torch():
    """Torch costs a server 3.4 seconds and 690 MB: everything that a page imports does without."""
    code = (
        "import sys; from ldvae_core import work; from ldvae_core.workspace import datasets; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_history_has_the_columns_that_training_writes():
    """The store names them itself, because the training loop loads torch."""
    tree = ast.parse((PROJECT / "ldvae_core" / "training" / "reports.py").read_text(encoding="utf-8"))
    point = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "HistoryPoint")
    assert tuple(node.target.id for node in point.body if isinstance(node, ast.AnnAssign)) == HISTORY_COLUMNS


def test_a_finished_run_has_a_full_card(store, finished_run):
    """Name, size, figures and the strongest programs, without opening the run."""
    card = store.card(finished_run)
    assert (card.name, card.state, card.n_factors) == ("Done", "finished", 10)
    assert (card.n_cells, card.n_genes) == (N_CELLS, N_GENES)
    assert (card.test_reconstruction_error, card.test_elbo, card.epoch, card.error) == (12.5, -14.0, 2, "")
    assert card.top_programs[0] == ("Factor 1", ["Gene0", "Gene5"])
    assert card.has_results


def test_a_factor_that_predicts_nothing_is_no_program(store, finished_run):
    """Explained deviance on held-out cells can come out below zero: such a factor is not listed among the programs."""
    for axes in ("readable", "as_trained"):
        file = store.workspace.runs / finished_run / "factors" / axes / "explained_deviance.npy"
        write_array(file, np.where(np.arange(len(np.load(file))) == 0, 0.2, -0.0012))
    assert [label for label, _ in store.card(finished_run).top_programs] == ["Factor 1"]


def test_the_latest_submission_is_listed_first(store, finished_run):
    """Order is that of submission, never of a clock; what was not submitted here comes after."""
    first, second = (store.jobs.submit(settings_named()) for _ in range(2))
    cards = [card for card in store.cards() if card.run_id != "demo"]
    assert [card.run_id for card in cards] == [second, first, finished_run]
    assert [card.place for card in cards] == [2, 1, None]


@pytest.mark.parametrize(
    "file", ["state.json", "progress.json", "metrics.json", "run.json", "factors/readable/about.json"]
)
def test_a_damaged_file_never_breaks_the_list(store, finished_run, file):
    """One bad file costs its own run something, and no other run anything."""
    for content in DAMAGE:
        (store.workspace.runs / finished_run / file).write_bytes(content.encode("utf-8", "surrogatepass"))
        assert finished_run in [card.run_id for card in store.cards()], content
        assert store.progress(finished_run).n_epochs == 0
        assert len(store.history(finished_run)) == 2


def test_one_card_reads_one_run(store, finished_run, monkeypatch):
    """Every page asks for the run in use: what that costs must not grow with the number of runs."""
    for _ in range(3):
        store.jobs.submit(settings_named())
    expected, read = {card.run_id: card for card in store.cards()}, []
    real = store_module.read_card
    monkeypatch.setattr(store_module, "read_card", lambda folder, *a, **k: read.append(folder) or real(folder, *a, **k))
    for run_id, card in expected.items():
        read.clear()
        assert store.card(run_id) == card
        assert len(read) == 1


def test_a_damaged_state_is_said_on_the_card(store, finished_run):
    """The list shows what is wrong instead of hiding the run."""
    (store.workspace.runs / finished_run / "state.json").write_text('{"stage": "exploded"}')
    card = store.card(finished_run)
    assert (card.state, card.error) == ("interrupted", "state.json in done cannot be understood. The file is damaged.")


def test_the_curves_are_empty_before_the_first_point(store):
    """An empty table with all its columns draws empty, titled axes."""
    history = store.history(store.jobs.submit(settings_named()))
    assert tuple(history.columns) == HISTORY_COLUMNS
    assert history.empty


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"\0" * 100 + b"PAR1"])
def test_a_damaged_history_is_an_empty_one(store, finished_run, content):
    """Curves that cannot be read are not drawn, and nothing else is lost."""
    (store.workspace.runs / finished_run / "history.parquet").write_bytes(content)
    assert store.history(finished_run).empty
    assert store.open(finished_run).factors


def test_a_history_without_its_columns_is_an_empty_one(store, finished_run):
    """A table of something else is no history."""
    write_table(store.workspace.runs / finished_run / "history.parquet", pd.DataFrame({"a": [1]}))
    assert tuple(store.history(finished_run).columns) == HISTORY_COLUMNS


def test_progress_is_read_as_it_was_written(store, finished_run):
    """What training reports is what a page shows; what is unknown is not a number."""
    folder = store.workspace.runs / finished_run
    assert math.isnan(store.progress(finished_run).seconds_left)
    values = {"epoch": 3, "n_epochs": 9, "step": 30, "n_steps": 90, "device": "cpu", "top_genes": [["Hbb-y", "T"]]}
    write_json(folder / "progress.json", {**values, "seconds_left": 4.5, "seconds": None})
    progress = store.progress(finished_run)
    assert (progress.epoch, progress.share, progress.seconds_left, progress.seconds) == (3, 1 / 3, 4.5, 0.0)
    assert (progress.stage, progress.top_genes) == ("finished", (("Hbb-y", "T"),))


def test_a_finished_run_opens_with_all_its_parts(store, finished_run):
    """Counts stay on the disk until they are used."""
    run = store.open(finished_run)
    assert run.counts.counts.shape == (N_CELLS, N_GENES)
    assert not run.counts.counts.data.flags.owndata
    assert set(run.factors) == {"readable", "as_trained"}
    assert (run.axes, run.name, run.metrics["test_elbo"], len(run.history)) == ("readable", "Done", -14.0, 2)


def test_labels_are_categories_with_the_unlabelled_last(store, finished_run):
    """A missing label is a group of its own, said in words."""
    labels = store.open(finished_run).labels()
    assert labels.name == "cell_type"
    assert list(labels.cat.categories) == ["blood", "gut", NOT_LABELLED]
    assert labels.tolist()[:3] == ["blood", "gut", NOT_LABELLED]


def test_an_unknown_annotation_is_refused_with_the_known_ones(store, finished_run):
    """The message is a list to choose from."""
    with pytest.raises(RunError, match=r"has no annotation 'donor'\. It has: cell_type, age\."):
        store.open(finished_run).labels("donor")


def test_a_run_without_results_says_why(store):
    """Opening too early names the state and the way on."""
    run_id = store.jobs.submit(settings_named("Early"))
    with pytest.raises(RunError, match=r"'Early' has no results to open: it is queued\. It waits for its turn\."):
        store.open(run_id)


@pytest.mark.parametrize(
    "file", ["split.npy", "metrics.json", "counts/counts_data.npy", "factors/readable/loadings.npy"]
)
def test_a_run_with_a_missing_part_is_refused_in_words(store, finished_run, file):
    """No raw error of a library reaches a page."""
    (store.workspace.runs / finished_run / file).unlink()
    with pytest.raises(RunError, match=r"missing|no results"):
        store.open(finished_run)


@pytest.mark.parametrize("method", ["card", "open", "history", "progress", "delete"])
def test_only_a_listed_id_is_a_run(store, finished_run, method):
    """A browser sends an id, never a path; anything else is refused with the known ones."""
    for run_id in PAYLOADS:
        with pytest.raises(RunError, match=r"There is no run .* Known runs: done"):
            getattr(store, method)(run_id)
    assert (store.workspace.runs / finished_run).exists()


def test_links_and_files_are_no_runs(store, finished_run, tmp_path):
    """A link in the runs folder does not lead out of it, and a sibling with the same beginning is another folder."""
    (tmp_path / "home" / "runs-of-others").mkdir()
    make_link(store.workspace.runs / "linked", tmp_path / "home" / "runs-of-others")
    (store.workspace.runs / "file").write_text("x")
    make_pipe(store.workspace.runs / "pipe")
    assert [card.run_id for card in store.cards() if card.run_id != "demo"] == [finished_run]


def test_a_run_of_a_newer_version_is_listed_and_left_alone(store, finished_run):
    """It says so, cannot be opened or deleted, and its files are not touched."""
    path = store.workspace.runs / finished_run / "run.json"
    write_json(path, {**read_json(path), "format_version": 2})
    card = store.card(finished_run)
    assert card.read_only
    assert "made by a newer version" in card.error
    for refused in (store.open, store.delete, lambda run_id: store.rename(run_id, "x")):
        with pytest.raises(RunError, match="newer version"):
            refused(finished_run)


@pytest.mark.parametrize(
    "golden", sorted((PROJECT / "tests" / "runs" / "golden").iterdir()), ids=lambda path: path.name
)
def test_a_run_of_every_format_still_opens(store, golden):
    """What people trained with an older version is read for good: one small run of every format is kept here."""
    shutil.copytree(golden, store.workspace.runs / golden.name)
    run = store.open(golden.name)
    assert run.counts.counts.shape == (60, 30)
    assert (run.metrics["test_elbo"], run.settings.name, set(run.factors)) == (
        -14.0,
        "Done",
        {"readable", "as_trained"},
    )
    assert store.card(golden.name).top_programs[0] == ("Factor 1", ["Gene0", "Gene5"])


def test_a_run_from_before_the_iwll_has_no_such_figure(store):
    """Figures that a newer version adds are not there in an older run; nothing is made up, nothing breaks."""
    shutil.copytree(PROJECT / "tests" / "runs" / "golden" / "format-1", store.workspace.runs / "old")
    run = store.open("old")
    assert {"test_iwll", "gain", "structure_found", "null_error"}.isdisjoint(run.metrics)
    assert (run.settings.model.method, store.card("old").state) == ("ldvae", "finished")


def test_renaming_shows_everywhere(store, finished_run):
    """The name is the person's; the id stays."""
    store.rename(finished_run, "Better")
    assert store.card(finished_run).name == store.open(finished_run).name == "Better"


def test_deleting_leaves_nothing(store, finished_run):
    """Neither files nor a row in the queue."""
    run_id = store.jobs.submit(settings_named())
    for gone in (run_id, finished_run):
        store.delete(gone, for_good=True)
    assert list(store.workspace.runs.iterdir()) == []
    assert store.jobs.all() == {}


def test_a_running_run_cannot_be_deleted(store, lanes):
    """Files are never taken from under a training process; when it is dead they may go."""
    run_id = store.jobs.submit(settings_named())
    job = claim(store.workspace)
    with pytest.raises(RunError, match=r"is running\. Cancel it first, then delete it\."):
        store.delete(run_id)
    lanes.settle(job.owner, job, Outcome("interrupted"))
    store.delete(run_id)


def test_a_run_of_a_live_command_line_cannot_be_deleted(store):
    """A run that the queue does not know is guarded by the owner in its own state."""
    settings_named().write(store.workspace.runs / "by-hand")
    write_folder_state(store.workspace.runs / "by-hand", "training")
    assert store.card("by-hand").state == "running"
    with pytest.raises(RunError, match="is running"):
        store.delete("by-hand")


def test_the_demo_run_is_there_and_stays_as_it_is(store, finished_run, monkeypatch):
    """It is listed last, opens, and can be neither renamed nor deleted."""
    for module in ("store", "opened"):
        monkeypatch.setattr(f"ldvae_core.runs.{module}.DEMO_RUN", store.workspace.runs / finished_run)
    card = store.cards()[-1]
    assert (card.run_id, card.state, card.read_only) == ("demo", "finished", True)
    assert store.open("demo").run_id == "demo"
    for refused in (store.delete, lambda run_id: store.rename(run_id, "x")):
        with pytest.raises(RunError, match=r"The demo run belongs to the program and stays as it is\."):
            refused("demo")


def test_another_shipped_run_takes_over_no_additions(store, monkeypatch, tmp_path):
    """Names and turned axes of one run's factors would lie about those of another."""
    before = store.additions(DEMO).folder
    another = tmp_path / "another"
    shutil.copytree(DEMO_RUN, another)
    about = read_json(another / "run.json")
    write_json(another / "run.json", {**about, "created": "2031-01-01T00:00:00+00:00"})
    monkeypatch.setattr("ldvae_core.runs.store.DEMO_RUN", another)
    assert store.additions(DEMO).folder != before
