"""The Train page: what the form asks for becomes runs, and the panel says where each of them stands."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ldvae_core.analysis.certificates import Certificates, Program
from ldvae_core.data.guide import Guide
from ldvae_core.data.prepare import DataChoices
from ldvae_core.durable import read_json, write_json, write_table
from ldvae_core.errors import LdvaeError
from ldvae_core.jobs.kinds import Outcome
from ldvae_core.jobs.lanes import Lanes
from ldvae_core.model.config import Covariate, ModelConfig, TrainingConfig
from ldvae_core.model.presets import PAPERS_MODELS, PLANS
from ldvae_core.runs.search import ADVICE_FILE, CERTIFICATES_FILE, Search, read_certificates, write_certificates
from ldvae_core.runs.settings import RunSettings
from ldvae_core.runs.store import RunStore
from ldvae_core.runs.training_jobs import TrainingJobs
from ldvae_core.workspace import processes
from tests.runs.conftest import claim

ONE_CPU = {"devices": [{"name": "cpu", "label": "CPU, 2 cores"}], "best": "cpu", "reason": "No GPU was found."}
PROGRESS = {"epoch": 12, "n_epochs": 60, "step": 600, "n_steps": 3000, "seconds": 10.0, "seconds_left": 41.0,
            "cells_per_second": 9800.0, "kl_weight": 1.0, "device": "cpu", "device_reason": "", "threads": 1,
            "top_genes": [["Ttr", "Apob"], ["Hba-x", "<i>Gypa"]]}  # fmt: skip
KINDS = ("button", "number_input", "toggle", "selectbox", "multiselect")


@pytest.fixture
def runs(workspace):
    return RunStore(workspace)


@pytest.fixture
def train_page(open_page, monkeypatch):
    """Opens the Train page in a fresh session, on a machine that is known to have one CPU."""
    monkeypatch.setattr("pages.parts.train.form.found_devices", lambda: ONE_CPU)

    def make(run_id=None):
        page = open_page("train.py", **({"run": run_id} if run_id else {}))
        assert not page.exception
        return page

    return make


@pytest.fixture
def page(train_page):
    """The form of a training whose number of factors is given."""
    page = train_page()
    page.session_state["train_plan"] = "First pass"
    return page.run()


@pytest.fixture
def queued(runs):
    """A run that waits."""
    return runs.jobs.submit(RunSettings(name="Mine <b>", data_source="demo", training=TrainingConfig(n_epochs=60)))


@pytest.fixture
def in_state(runs, queued):
    """Makes the waiting run one that a worker has brought to a state."""

    def make(state, stage, *, error=""):
        folder, owner = runs.workspace.runs / queued, processes.this_process()
        job = claim(runs.workspace, owner)
        write_json(folder / "progress.json", PROGRESS)
        write_json(folder / "state.json", {"stage": stage, "error": error, "owner": owner})
        write_table(folder / "history.parquet", history(12))
        if state != "running":
            Lanes(runs.workspace).settle(owner, job, Outcome(state, error))
        return queued

    return make


def history(n):
    """n epochs of curves that fall."""
    epochs = np.arange(1.0, n + 1)
    curve = 500 + 100 / epochs
    parts = {f"{part}_{name}": sign * curve for part in ("train", "validation")
             for name, sign in (("reconstruction_error", 1), ("kl", 1), ("elbo", -1))}  # fmt: skip
    rest = {"kl_weight": 1.0, "learning_rate": 0.007, "seconds": epochs}
    return pd.DataFrame({"epoch": epochs, "step": (50 * epochs).astype(int), **parts, **rest})


def find(page, key):
    """The widget with this key, None when it is not on the page."""
    return next((item for kind in KINDS for item in page.get(kind) if item.key == key), None)


def own_cards(runs):
    return [card for card in runs.cards() if card.run_id != "demo"]


def test_the_form_starts_with_the_demo_and_the_rule_of_thumb(page, words):
    """Demo data, 10 factors, and as many epochs as 6,250 updates on its training cells need."""
    assert find(page, "train_data").value == "demo"
    assert find(page, "train_n_factors").value == 10
    assert find(page, "train_epochs").value == 128
    assert "<b>128 epochs</b>" in words(page)
    assert "No GPU was found." in words(page)


def test_unless_asked_otherwise_the_number_of_programs_is_found(train_page, runs, words):
    """At most 30, in other cells; no number of factors is asked for, and the run's name says so."""
    page = train_page()
    assert find(page, "train_n_factors") is None
    assert find(page, "train_most").value == 30
    assert "the run is then trained with their number" in words(page)
    find(page, "train_most").set_value(20).run()
    find(page, "train").click().run()
    (card,) = own_cards(runs)
    assert card.settings.search == Search(auto=True, most=20)
    assert card.name.startswith("automatic number")


@pytest.mark.parametrize("method", ["pca", "vae"])
def test_models_whose_number_cannot_be_found_ask_for_it(train_page, runs, method):
    """Baselines and the VAE."""
    page = train_page()
    find(page, "train_method").set_value(method).run()
    assert find(page, "train_n_factors") is not None
    find(page, "train").click().run()
    assert own_cards(runs)[0].settings.search.auto is False


@pytest.fixture
def searched(runs):
    """A run whose number was found: two programs of weight among three factors."""
    run_id = runs.jobs.submit(RunSettings("Found", "demo", model=ModelConfig(n_factors=2), search=Search(auto=True)))
    programs = tuple(Program(0.9, half, half > 0.6, half / 10) for half in (0.95, 0.8, 0.2))
    found = Certificates(programs, 0.6, "cells", (Program(np.nan, 0.3, False, 0.001),))
    write_certificates(runs.workspace.runs / run_id / ADVICE_FILE, found)
    return run_id


def test_the_number_that_was_found_has_its_reason_and_a_picture(searched, train_page, words):
    """On the panel of the run, whatever stage it is in."""
    page = train_page(searched)
    said = words(page)
    assert "<b>2 programs</b>: trained with this number." in said
    assert "2 of 3 factors come back in disjoint halves of the cells" in said
    assert "shuffled counts reach 0.30" in said


def test_sets_that_guide_and_programs_that_do_not_come_back_are_said(searched, runs, train_page, words):
    """The reason tells of the run what its factors and its cards show."""
    folder = runs.workspace.runs / searched
    guide = Guide("mine", tuple((f"set {s}", (f"G{s}", "X", "Y")) for s in range(3)))
    settings = RunSettings.read(folder)
    replace(settings, guide=guide, model=replace(settings.model, n_factors=3)).write(folder)
    found = read_certificates(folder / ADVICE_FILE)
    write_certificates(folder / CERTIFICATES_FILE, replace(found, programs=found.programs[2:] * 3))
    said = words(train_page(searched))
    assert "<b>2 programs</b>: trained with 3 factors." in said
    assert "one for each gene set that guides" in said
    assert "none of the 3 factors of the final model is certified" in said


def test_no_structure_is_said_so(searched, runs, train_page, words):
    """In so many words, above the picture."""
    path = runs.workspace.runs / searched / ADVICE_FILE
    found = read_certificates(path)
    write_certificates(path, replace(found, programs=found.programs[2:]))
    assert "<b>No structure found.</b>" in words(train_page(searched))


def test_train_queues_one_run_with_the_settings_chosen(page, runs, words):
    """The run asks for exactly what the form says, and becomes the run in use."""
    find(page, "train_n_factors").set_value(7)
    find(page, "train_epochs").set_value(3)
    find(page, "train_batch_norm").set_value(True)
    page.run()
    find(page, "train").click().run()
    (card,) = own_cards(runs)
    assert (card.state, card.settings.n_factors, card.settings.training.n_epochs) == ("queued", 7, 3)
    assert card.settings.model.batch_norm
    assert card.settings.choices.gene_selection == "variance"
    assert page.session_state["run"] == card.run_id
    assert page.query_params["run"] in (card.run_id, [card.run_id])
    assert "next in the queue" in words(page)


def test_pressing_twice_or_in_two_tabs_trains_once(page, runs, train_page):
    """The same settings under way are the same run."""
    find(page, "train").click().run()
    find(page, "train").click().run()
    second_tab = train_page()
    second_tab.session_state["train_plan"] = "First pass"
    second_tab.run()
    find(second_tab, "train").click().run()
    assert len(own_cards(runs)) == 1


def test_settings_whose_run_has_ended_can_be_trained_anew(page, runs):
    """A cancelled run does not stand in the way."""
    find(page, "train").click().run()
    runs.jobs.request(own_cards(runs)[0].run_id, "cancel")
    page.run()
    find(page, "train").click().run()
    assert sorted(card.state for card in own_cards(runs)) == ["cancelled", "queued"]


def test_the_papers_five_models_are_five_runs_with_clear_names(page, runs):
    """VAE, and LDVAE with either prior, with and without batch norm; the first one is shown."""
    page.session_state["train_plan"] = "The paper's five models"
    page.run()
    find(page, "train").click().run()
    cards = own_cards(runs)[::-1]
    assert [card.name.split(" · ")[0] for card in cards] == [each.title for each in PAPERS_MODELS]
    made = {(c.settings.model.decoder, c.settings.model.prior, c.settings.model.batch_norm) for c in cards}
    assert len(made) == 5
    assert page.session_state["run"] == cards[0].run_id


def test_settings_that_cannot_be_are_a_box_and_no_run(page, runs):
    """One factor that must sum to 1 in every cell holds nothing: said, and nothing is queued."""
    page.session_state["train_prior"] = "Logistic-normal"
    find(page, "train_n_factors").set_value(1).run()
    find(page, "train").click().run()
    assert "needs at least 2 factors" in page.error[0].value.replace("\\", "")
    assert own_cards(runs) == []


def test_batch_norm_brings_its_own_intercept(page, words):
    """With batch norm the switch stands on, cannot be moved, and says why; without it the choice is back."""
    find(page, "train_intercept").set_value(False).run()
    find(page, "train_batch_norm").set_value(True).run()
    fixed = find(page, "train_intercept_fixed")
    assert fixed.value
    assert fixed.disabled
    assert "brings its own intercept" in words(page)
    find(page, "train_batch_norm").set_value(False).run()
    assert find(page, "train_intercept").value is False


def test_what_the_data_page_chose_is_what_is_trained_on(page, runs, words):
    """Genes and label column of the Data page reach the run."""
    choices = DataChoices(n_genes=300, gene_selection="variance").to_dict()
    page.session_state["data_choice"] = {"data_source": "demo", "choices": choices, "label_column": None}
    page.run()
    assert "300 genes of 2,000" in words(page)
    find(page, "train").click().run()
    assert own_cards(runs)[0].settings.choices.n_genes == 300


@pytest.mark.parametrize("n_genes", [2, 8, 10])
@pytest.mark.parametrize("method", ["ldvae", "gene_mean"])
def test_few_modelled_genes_lower_the_number_of_factors(page, runs, n_genes, method):
    """Fewer factors than genes; ten by default where that many can be. The gene mean has none, and minds no number."""
    choices = DataChoices(n_genes=n_genes, gene_selection="variance").to_dict()
    page.session_state["data_choice"] = {"data_source": "demo", "choices": choices, "label_column": None}
    find(page, "train_method").set_value(method)
    page.run()
    assert not page.exception
    find(page, "train").click().run()
    (card,) = own_cards(runs)
    assert card.settings.n_factors == (0 if method == "gene_mean" else n_genes - 1)


def test_one_settings_object_goes_from_the_form_to_the_trainer(page, runs, monkeypatch):
    """RunSettings with ModelConfig and TrainingConfig inside, at both ends; the data adds genes and levels, no more."""
    from ldvae_core.data.demo import load_demo
    from ldvae_core.runs import execute as worker

    submitted, trained = [], []
    submit = TrainingJobs.submit
    monkeypatch.setattr(TrainingJobs, "submit", lambda jobs, settings, **more: (
        submitted.append(settings), submit(jobs, settings, **more))[1])  # fmt: skip
    find(page, "train_covariates").set_value(["cell_type"])
    find(page, "train_n_factors").set_value(7).run()
    find(page, "train").click().run()

    def trainer(*parts, model_config, training_config, **more):
        trained.extend([model_config, training_config])
        raise LdvaeError("seen enough")

    monkeypatch.setattr(worker, "Trainer", trainer)
    with pytest.raises(LdvaeError, match="seen enough"):
        worker.execute(runs.workspace.runs / own_cards(runs)[0].run_id, open_counts=load_demo)
    (settings,), (model, training) = submitted, trained
    assert isinstance(settings, RunSettings)
    assert (type(settings.model), type(settings.training)) == (type(model), type(training))
    assert (type(model), type(training)) == (ModelConfig, TrainingConfig)
    assert training == settings.training
    assert replace(model, n_genes=0, covariates=(Covariate("cell_type"),)) == settings.model
    assert (model.n_genes, len(model.covariates[0].levels) > 1) == (settings.choices.n_genes, True)


def test_the_seed_is_said_to_leave_the_split_alone(page):
    """Runs of several seeds compare, because the cells held out are the same."""
    said = find(page, "train_seed").help
    assert "not which cells are held out" in said
    assert "same split" not in said


@pytest.mark.parametrize(
    ("state", "stage", "said", "offered"),
    [
        (
            "running",
            "training",
            "Epoch 12 of 60, 0:41 left, 9,800 cells/s, CPU (1 thread)",
            {"stop", "pause", "cancel"},
        ),
        ("running", "preparing", "Preparing the data", {"pause", "cancel"}),
        ("running", "analysing", "Computing factors", set()),
        ("paused", "paused", "It stands in epoch 12 of 60", {"resume", "cancel"}),
        ("interrupted", "training", "Its process has ended", {"resume", "cancel"}),
        ("failed", "failed", "the loss stopped being a number", {"resume"}),
        ("cancelled", "cancelled", "Nothing of it was kept", set()),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isalpha() else "",
)
def test_a_run_says_where_it_stands_and_offers_what_makes_sense(
    in_state, state, stage, said, offered, train_page, words
):
    """Words of its state, and no button that would be refused."""
    page = train_page(in_state(state, stage, error="the loss stopped being a number" if state == "failed" else ""))
    assert said in words(page).replace("\\", "")
    buttons = {what: find(page, f"train_{what}") for what in ("stop", "pause", "resume", "cancel")}
    assert {what for what, button in buttons.items() if button and not button.disabled} == offered


@pytest.mark.parametrize("stage", ["preparing", "training", "refining", "analysing"])
def test_the_panel_has_the_same_parts_in_every_stage(queued, in_state, train_page, stage, monkeypatch):
    """From second 0 to the end: bar, three buttons, curve, programs; what comes and goes would move the rest."""
    # no worker of these tests beats: one that earlier tests looked at would be called silent
    monkeypatch.setattr("ldvae_core.jobs.queue.LIVES.silent_seconds", lambda owner, heartbeat: 0.0)

    def parts(page):
        keys = [button.key for button in page.button if button.key.startswith("train_")]
        return keys, len(page.get("plotly_chart")), len(page.get("progress"))

    waiting = parts(train_page(queued))
    there = parts(train_page(in_state("running", stage)))
    assert there == waiting
    assert there[1:] == (1, 1)
    assert {"train_stop", "train_pause", "train_cancel"} <= set(there[0])


def test_a_row_of_the_queue_has_its_progress_and_its_buttons(in_state, runs, train_page, words, with_demo):
    """Whichever run the panel shows: how far, how long, and pause without opening it."""
    run_id = in_state("running", "training")
    page = train_page("demo")
    assert "training, 20%" in words(page)
    assert "0:41 left" in words(page)
    find(page, f"row_pause_{run_id}").click().run()
    assert runs.card(run_id).request == "pause"


def test_a_run_is_named_beside_the_button_and_a_long_name_is_refused_in_words(page, runs, words):
    """Nothing is cut without a word."""
    page.text_input(key="train_name").set_value("Kang, ten programs").run()
    find(page, "train").click().run()
    assert own_cards(runs)[0].name == "Kang, ten programs"
    page.text_input(key="train_name").set_value("x" * 200).run()
    assert "this one has 200" in page.error[0].value.replace("\\", "")


def test_the_tab_says_how_far_the_run_is(in_state, train_page):
    """'20% · demo' for the browser's tab, in the sidebar and for a call when it ends."""
    page = train_page(in_state("running", "training"))
    told = next(item.value for item in page.sidebar.get("html") if "gpe-live" in item.value)
    assert 'data-title="20% · ' in told
    assert page.session_state["run"] in told


def test_a_waiting_run_can_be_cancelled(queued, runs, train_page, words):
    """After the confirmation it is cancelled at once, and the page says so."""
    page = train_page(queued)
    find(page, "train_cancel").click().run()
    assert runs.card(queued).state == "cancelled"
    assert "Nothing of it was kept" in words(page)


def test_stop_is_asked_once_and_said(in_state, runs, train_page, words):
    """A running run is told to stop; until it has, the page says that it will."""
    run_id = in_state("running", "training")
    page = train_page(run_id)
    find(page, "train_stop").click().run()
    assert runs.card(run_id).request == "stop"
    assert "will stop and keep" in words(page)
    assert find(page, "train_stop").disabled


def test_a_frozen_worker_is_said_and_can_be_ended(in_state, runs, train_page, words, monkeypatch):
    """Not answering for so many seconds, in the panel and in the list, with a way out."""
    run_id, ended = in_state("running", "training"), []
    monkeypatch.setattr("ldvae_core.jobs.queue.LIVES", processes.Watch())
    assert find(train_page(run_id), "train_end") is None
    monkeypatch.setattr("ldvae_core.jobs.queue.LIVES.silent_seconds", lambda owner, heartbeat: 12.0)
    monkeypatch.setattr("ldvae_core.runs.training_jobs.TrainingJobs.end", lambda self, asked: ended.append(asked))
    page = train_page(run_id)
    assert words(page).count("not answering for 12 s") == 2
    find(page, "train_end").click().run()
    assert ended == [run_id]


def test_why_waiting_runs_do_not_start_is_said(queued, runs, train_page, words):
    """In the panel of the run and above the list."""
    Lanes(runs.workspace).say_trouble("training", "Its process ended 2 times in a row.")
    assert words(train_page(queued)).count("Its process ended 2 times in a row") == 2


def test_programs_as_they_form_are_shown_as_the_letters_they_are(in_state, train_page, words):
    """Gene and run names never become HTML."""
    page = train_page(in_state("running", "training"))
    assert "<i>Ttr</i>" in words(page)
    assert "&lt;i&gt;Gypa" in words(page)
    assert "Mine &lt;b&gt;" in words(page)


def test_all_four_curves_are_reachable(in_state, train_page):
    """Each is a chart with a titled axis; the first one is the fit."""
    page = train_page(in_state("running", "training"))
    for measure, title in (("Fit", "Fit to cells"), ("KL", "KL divergence"), ("ELBO",) * 2, ("KL weight",) * 2):
        page.session_state["train_measure"] = measure
        page.run()
        (chart,) = page.get("plotly_chart")
        assert json.loads(chart.proto.spec)["layout"]["yaxis"]["title"]["text"].startswith(title)


def test_a_finished_run_shows_its_test_figures_and_the_way_to_its_factors(train_page, words, with_demo):
    """The demo's own run: figures, strongest programs, and a door."""
    page = train_page("demo")
    assert "fit to unseen cells, nats per cell" in words(page)
    assert "Its strongest programs" in words(page)
    assert find(page, "train_to_factors")
    assert not find(page, "train_cancel")


def test_what_people_should_know_of_a_run_is_said_beside_its_figures(train_page, make_run, words, runs):
    """Such as that a GPU was too small for its minibatches."""
    path = runs.workspace.runs / make_run() / "metrics.json"
    write_json(path, {**read_json(path), "notices": ["Went on with <b>64</b> cells."]})
    assert "Went on with &lt;b&gt;64&lt;/b&gt; cells." in words(train_page(path.parent.name))


def test_curves_of_another_run_on_the_same_cells_can_be_laid_over(in_state, runs, train_page, with_demo):
    """Only runs on the same cells and genes are offered."""
    in_state("cancelled", "cancelled")
    page = train_page("demo")
    assert find(page, "train_overlay") is None  # another selection of genes: nats per cell do not compare


def test_a_row_of_the_list_opens_its_run(queued, train_page, words, with_demo):
    """Each run of the list is a door to its panel."""
    page = train_page("demo")
    find(page, f"train_open_{queued}").click().run()
    assert page.session_state["run"] == queued
    assert "next in the queue" in words(page)


def test_the_baselines_are_three_runs_on_one_split(page, runs):
    """PCA, NMF and the gene mean, with the form's genes, seed and number of factors."""
    page.session_state["train_plan"] = "Baselines"
    page.run()
    find(page, "train_n_factors").set_value(6)
    find(page, "train_seed").set_value(3).run()
    find(page, "train").click().run()
    cards = own_cards(runs)[::-1]
    assert [card.settings.model.method for card in cards] == ["pca", "nmf", "gene_mean"]
    assert [card.settings.n_factors for card in cards] == [6, 6, 0]
    assert {card.settings.training.seed for card in cards} == {3}
    assert not page.exception


@pytest.mark.parametrize(
    ("method", "hidden"),
    [
        ("pca", {"train_prior", "train_batch_norm", "train_epochs", "train_likelihood"}),
        ("gene_mean", {"train_n_factors", "train_prior", "train_batch_norm", "train_epochs", "train_covariates"}),
        ("vae", set()),
    ],
)
def test_a_method_hides_what_does_not_apply(page, runs, method, hidden):
    """A baseline has no prior, decoder or epochs; the gene mean has no factors either."""
    find(page, "train_method").set_value(method).run()
    everything = {"train_n_factors", "train_prior", "train_batch_norm", "train_epochs", "train_likelihood",
                  "train_covariates"}  # fmt: skip
    shown = {item.key for kind in (*KINDS, "segmented_control") for item in page.get(kind)} & everything
    assert shown.isdisjoint(hidden)
    find(page, "train").click().run()
    (card,) = own_cards(runs)
    assert card.settings.model.method == ("ldvae" if method == "vae" else method)


def test_the_vae_is_a_neural_decoder(page, runs):
    """The paper's comparison is reachable alone too."""
    find(page, "train_method").set_value("vae").run()
    find(page, "train").click().run()
    assert own_cards(runs)[0].settings.model.decoder == "neural"


def test_every_advanced_choice_says_what_it_means(page, words):
    """One plain sentence under each of them."""
    said = words(page)
    for sentence in ("its loadings are gene programs", "Counts vary more than chance alone", "how deeply it was read"):
        assert sentence in said
    find(page, "train_likelihood").set_value("zinb").run()
    assert "Adds extra zeros" in words(page)


def test_dispersion_by_level_needs_an_annotation(page, runs):
    """It is offered once an annotation is chosen, and reaches the run."""
    assert find(page, "train_dispersion") is None
    find(page, "train_covariates").set_value(["cell_type"]).run()
    find(page, "train_dispersion").set_value("gene_level").run()
    find(page, "train").click().run()
    assert not page.error
    assert own_cards(runs)[0].settings.model.dispersion == "gene_level"


def test_gene_sets_guide_factors_of_the_run(page, runs):
    """Those chosen of a shipped collection, with their genes; nothing is chosen at first."""
    find(page, "train_guide").set_value("hallmark").run()
    assert not page.exception
    sets = next(box for box in page.multiselect if str(box.key).startswith("train_guide_sets"))
    assert sets.value == []
    sets.set_value(sets.options[:2]).run()
    find(page, "train").click().run()
    (card,) = own_cards(runs)
    assert len(card.settings.guide.names) == 2
    assert all(len(genes) > 10 for _, genes in card.settings.guide.sets)


def test_models_without_axes_of_their_own_offer_no_guide(page):
    """Usages cannot be turned."""
    page.segmented_control(key="train_plan").set_value(PLANS["first"]).run()
    assert find(page, "train_guide") is not None
    page.segmented_control(key="train_prior").set_value("Logistic-normal").run()
    assert not page.exception
    assert find(page, "train_guide") is None


def test_a_run_that_was_hardly_begun_does_not_set_the_estimate(make_run, workspace, train_page, words):
    """Its first step compiles: 20 cells a second would make hours of a minute."""
    run_id = make_run()
    said = re.search(r"Roughly [^.]*", words(train_page(run_id)))[0]
    write_json(workspace.runs / run_id / "progress.json", PROGRESS | {"seconds": 6.0, "cells_per_second": 20.0})
    assert re.search(r"Roughly [^.]*", words(train_page(run_id)))[0] == said
    write_json(workspace.runs / run_id / "progress.json", PROGRESS | {"seconds": 6000.0, "cells_per_second": 20.0})
    assert re.search(r"Roughly [^.]*", words(train_page(run_id)))[0] != said
