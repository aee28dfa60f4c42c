"""Gene sets of people's own and enrichment results: kept with a run, by one writer at a time."""

import threading

import pandas as pd
import pytest

from ldvae_core.analysis.enrichment import background, enrichment_id, over_representation
from ldvae_core.data.gmt import GeneSets, write_gmt
from ldvae_core.errors import RunError, SettingsError
from ldvae_core.jobs import worker
from ldvae_core.jobs.queue import Queue
from ldvae_core.runs import gene_set_results
from ldvae_core.runs.enrichment_jobs import (
    ENRICHMENT,
    ENRICHMENT_KIND,
    OWN,
    enrichment_status,
    start_enrichment,
    stop_enrichment,
)
from ldvae_core.runs.gene_set_results import GeneSetResults

SETS = GeneSets("mine", {"first": tuple(f"Gene{k}" for k in range(10))})


@pytest.fixture(name="results")
def _results(store, finished_run) -> GeneSetResults:
    return GeneSetResults(store.additions(finished_run))


@pytest.fixture(name="asked")
def _asked(workspace, store, finished_run, results):
    """A pre-ranked enrichment of the run's own sets that waits; its name."""
    found = results.keep_own(write_gmt(SETS), "mine")
    name = enrichment_id(store.open(finished_run).factors["readable"], found, "pre_ranked")
    start_enrichment(workspace, finished_run, name, axes="readable", sets=OWN + found.digest, species=None)
    return name


def made(store, run_id):
    factors = store.open(run_id).factors["readable"]
    known = background(factors.gene_names, SETS)
    return over_representation(factors, known), SETS, known, "over_representation", factors


def test_a_result_is_a_table_with_what_it_follows_from(store, finished_run, results):
    """Read back as it was kept."""
    table, *rest = made(store, finished_run)
    results.keep("one", table, *rest)
    pd.testing.assert_frame_equal(pd.read_parquet(results.path("one")), table)
    assert results.path("one").with_suffix(".json").exists()


def test_a_deleted_run_does_not_come_back_with_a_result(workspace, store, finished_run, results):
    """Deleting a run while its enrichment is computed leaves no ghost of a folder."""
    given = made(store, finished_run)
    store.delete(finished_run)
    with pytest.raises(RunError, match="was deleted meanwhile"):
        results.keep("one", *given)
    store.jobs.empty_trash(finished_run)
    with pytest.raises(RunError, match="was deleted meanwhile"):
        results.keep("one", *given)
    assert list(workspace.runs.iterdir()) == []


def test_two_people_keeping_their_own_sets_at_once_keep_both(results, monkeypatch):
    """Nobody writes a list that somebody else has just made longer."""
    together, real = threading.Barrier(2), gene_set_results.read_own_bytes

    def read_together(content, title):
        found = real(content, title)
        together.wait(10)
        return found

    monkeypatch.setattr(gene_set_results, "read_own_bytes", read_together)
    files = [write_gmt(GeneSets("x", {f"set {k}": ("Gene1", "Gene2")})) for k in range(2)]
    people = [threading.Thread(target=results.keep_own, args=(file, f"{k}.gmt")) for k, file in enumerate(files)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert sorted(results.own_sets().values()) == ["0.gmt", "1.gmt"]


def test_a_run_keeps_only_so_many_files(results, monkeypatch):
    """Said in words; one that is there already is no further one."""
    monkeypatch.setattr(gene_set_results, "MOST_OWN", 1)
    results.keep_own(write_gmt(SETS), "mine")
    results.keep_own(write_gmt(SETS), "mine again")
    with pytest.raises(SettingsError, match="the most it can"):
        results.keep_own(write_gmt(GeneSets("x", {"other": ("A", "B")})), "other")


def test_a_file_that_was_added_can_be_taken_back(results):
    """With its place in the list; others stay, and once more is no error."""
    gone, stays = (results.keep_own(write_gmt(GeneSets("x", {name: ("A", "B")})), name) for name in ("one", "two"))
    results.forget_own(gone.digest)
    results.forget_own(gone.digest)
    assert results.own_sets() == {stays.digest: "two"}
    with pytest.raises(RunError, match="are gone"):
        results.read_own(gone.digest)


@pytest.mark.parametrize("digest", ["../../run", "0" * 16, ""])
def test_only_a_listed_file_is_read(results, digest):
    """No path gets through."""
    with pytest.raises(RunError, match="are gone"):
        results.read_own(digest)


def test_an_enrichment_is_computed_by_a_worker_and_kept(workspace, finished_run, results, asked):
    """From the queue to a table with one test a factor and set."""
    assert enrichment_status(workspace, finished_run, asked).state == "queued"
    assert worker.run(workspace, ENRICHMENT_KIND, idle_seconds=0) == 0
    assert enrichment_status(workspace, finished_run, asked).state == "finished"
    assert set(pd.read_parquet(results.path(asked))["method"]) == {"pre_ranked"}


def test_an_enrichment_of_factors_that_have_changed_is_refused(workspace, store, finished_run, results, asked):
    """A turned axis is another ranking: its result would stand under the wrong name."""
    store.additions(finished_run).write_factor_note("readable", 0, flipped=True)
    worker.run(workspace, ENRICHMENT_KIND, idle_seconds=0)
    status = enrichment_status(workspace, finished_run, asked)
    assert (status.state, "have changed" in status.error) == ("failed", True)
    assert not results.path(asked).exists()


def test_a_stopped_enrichment_is_not_begun(workspace, finished_run, results, asked):
    """What waits is cancelled at once."""
    stop_enrichment(workspace, finished_run, asked)
    worker.run(workspace, ENRICHMENT_KIND, idle_seconds=0)
    assert enrichment_status(workspace, finished_run, asked).state == "cancelled"
    assert not results.path(asked).exists()


def test_deleting_a_run_takes_its_jobs_out_of_the_queue(workspace, store, finished_run, asked):
    """Nothing is computed for a run that is gone."""
    store.delete(finished_run)
    assert Queue(workspace).all(ENRICHMENT) == []
