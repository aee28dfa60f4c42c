"""What people add to a finished run: names, notes, turned axes, selections."""

import threading

import numpy as np
import pytest

from ldvae_core.analysis.factors import as_noted
from ldvae_core.durable import read_json, write_array, write_bytes, write_json
from ldvae_core.errors import RunError
from ldvae_core.runs.additions import LEIDEN, OTHERS
from ldvae_core.runs.opened import open_demo_run, with_additions
from ldvae_core.runs.store import RunStore
from ldvae_core.workspace.folders import Workspace


@pytest.fixture
def workspace(tmp_path):
    """An empty workspace."""
    return Workspace(tmp_path / "home").make()


@pytest.fixture
def kept(workspace):
    """Additions to the run that comes with the program."""
    return RunStore(workspace).additions("demo")


@pytest.fixture(scope="module")
def demo():
    """The demo run, opened."""
    return open_demo_run()


def some(n_cells, *chosen):
    cells = np.zeros(n_cells, bool)
    cells[list(chosen)] = True
    return cells


def test_the_demo_is_annotated_in_the_workspace(kept, workspace):
    """The program's own files are never written to."""
    kept.write_factor_note("readable", 0, name="blood")
    assert workspace.root in kept.folder.parents
    assert (kept.folder / "factors.json").exists()


def test_a_run_of_ones_own_is_annotated_in_its_folder(workspace):
    """So that deleting the run deletes what was written to it."""
    (workspace.runs / "mine-1a2b3c4d").mkdir()
    assert RunStore(workspace).additions("mine-1a2b3c4d").folder == workspace.runs / "mine-1a2b3c4d" / "kept"


@pytest.mark.parametrize("run_id", ["../elsewhere", "nobody-00000000", "", "demo/../x"])
def test_only_a_known_run_can_be_annotated(workspace, run_id):
    """No path gets through."""
    with pytest.raises(RunError, match="There is no run"):
        RunStore(workspace).additions(run_id)


def test_a_note_keeps_what_was_not_changed(kept):
    """A new name leaves notes and direction alone, and says who and when."""
    kept.write_factor_note("readable", 2, notes="look again", flipped=True)
    note = kept.write_factor_note("readable", 2, name="  two \n words ", who="Ada")
    assert kept.factor_notes("readable") == {2: note}
    assert (note.name, note.notes, note.flipped, note.who) == ("two words", "look again", True, "Ada")
    assert note.when.endswith("+00:00")


def test_the_axes_have_notes_of_their_own(kept):
    """Factor 1 as trained is another factor than Factor 1 on readable axes."""
    kept.write_factor_note("readable", 0, name="blood")
    assert kept.factor_notes("as_trained") == {}


def test_names_arrive_where_factors_are_shown(kept, demo):
    """An opened run carries them; without a name a factor keeps its number."""
    kept.write_factor_note("readable", 1, name="gut")
    factors = with_additions(demo, kept).factors["readable"]
    assert [factors.label(k) for k in (0, 1)] == ["Factor 1", "Factor 2 · gut"]
    assert demo.factors["readable"].label(1) == "Factor 2"


def test_a_turned_axis_changes_no_expected_count(kept, demo):
    """z and W turn together: the logits are the same bit for bit, and so is every other factor."""
    kept.write_factor_note("readable", 3, flipped=True)
    before, after = demo.factors["readable"], with_additions(demo, kept).factors["readable"]
    assert np.array_equal(after.representation[:, 3], -before.representation[:, 3])
    assert np.array_equal(after.loadings_shrunken[:, 3], -before.loadings_shrunken[:, 3])
    assert np.array_equal(after.representation[:50] @ after.loadings.T, before.representation[:50] @ before.loadings.T)
    assert after.flipped[3] != before.flipped[3]
    assert np.array_equal(after.rotation[:, 3], -before.rotation[:, 3])


def test_usages_have_no_direction(demo):
    """A share cannot be turned round."""
    usages = object.__new__(type(demo.factors["readable"]))
    usages.__dict__.update({**demo.factors["readable"].__dict__, "prior": "logistic_normal"})
    assert as_noted(usages, names={}, flipped=[0]).representation is usages.representation


def test_a_selection_becomes_an_annotation(kept, demo):
    """Exactly these cells, by name, with who, when and from which view."""
    cells = some(demo.counts.n_cells, 3, 4, 4000)
    made = kept.save_selection("Odd cells", cells, who="Ada", view="run=demo&x=1", taken=["cell_type"])
    opened = with_additions(demo, kept)
    labels = opened.labels("Odd cells")
    assert np.array_equal(labels.to_numpy() == "Odd cells", cells)
    assert list(labels.cat.categories) == ["Odd cells", OTHERS]
    assert (made.n_cells, made.who, made.view) == (3, "Ada", "run=demo&x=1")
    assert "Odd cells" not in demo.counts.annotations


@pytest.mark.parametrize(
    ("name", "chosen", "words"),
    [
        ("", [1], "no name"),
        ("x" * 61, [1], "has 61 characters"),
        ("Cell_Type", [1], "already"),
        (LEIDEN, [1], "already"),
        ("fine", [], "No cell is selected"),
        ("fine", range(8), "All cells are selected"),
    ],
    ids=["nameless", "long", "taken", "reserved", "empty", "everything"],
)
def test_a_selection_that_says_nothing_is_refused(kept, name, chosen, words):
    """With the reason, and nothing is written."""
    with pytest.raises(RunError, match=words):
        kept.save_selection(name, some(8, *chosen), who="", view="", taken=["cell_type"])
    assert kept.selections() == []


def test_a_deleted_selection_is_gone_and_the_others_stay(kept):
    """Deleting twice is deleting once."""
    first, second = (kept.save_selection(name, some(9, 1), who="", view="", taken=[]) for name in "ab")
    kept.delete_selection(first.selection_id)
    kept.delete_selection(first.selection_id)
    assert kept.selections() == [second]
    assert list(kept.annotations(9)) == ["b"]


def test_saving_at_once_loses_nothing(kept):
    """Twenty people save at the same moment: twenty selections."""
    threads = [
        threading.Thread(
            target=kept.save_selection, args=(f"s{i}", some(9, 1)), kwargs={"who": "", "view": "", "taken": []}
        )
        for i in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(s.name for s in kept.selections()) == sorted(f"s{i}" for i in range(20))


@pytest.mark.parametrize("content", [b"", b"[]", b'{"readable": 3}', b'{"selections": [{"name": 1}]}', b"\xff\xfe"])
def test_damaged_additions_are_left_out(kept, demo, content):
    """The run opens all the same."""
    kept.make()
    for name in ("factors.json", "selections.json"):
        write_bytes(kept.folder / name, content)
    opened = with_additions(demo, kept)
    assert opened.factors["readable"].label(0) == "Factor 1"
    assert list(opened.counts.annotations) == list(demo.counts.annotations)


def test_a_selection_file_never_leads_outside(kept):
    """An id that is not one names no file."""
    row = {"selection_id": "../../x", "name": "a", "n_cells": 1, "who": "", "when": "", "view": ""}
    kept.make()
    write_json(kept.folder / "selections.json", {"selections": [row]})
    assert kept.selections() == []


def test_clusters_are_an_annotation_derived_from_this_model(kept, demo):
    """Leiden clusters come under their reserved name, marked as derived."""
    codes = np.arange(demo.counts.n_cells, dtype=np.int32) % 3
    (kept.make() / "map").mkdir()
    write_array(kept.folder / "map" / "leiden.npy", codes)
    opened = with_additions(demo, kept)
    assert list(opened.labels(LEIDEN).cat.categories) == ["Cluster 1", "Cluster 2", "Cluster 3"]
    assert LEIDEN in opened.counts.about["derived_labels"].split(",")


def test_the_version_changes_with_every_addition(kept):
    """Pages look at it to know whether to open the run anew."""
    seen = {kept.version}
    kept.write_factor_note("readable", 0, name="a")
    seen.add(kept.version)
    kept.save_selection("b", some(9, 1), who="", view="", taken=[])
    seen.add(kept.version)
    assert len(seen) == 3


def test_a_name_leaves_what_was_computed_alone_and_a_turn_does_not(kept, demo):
    """Caches go by the opening of the run and the turns of its axes."""
    as_it_was = demo.factors["readable"].flipped.tolist()
    kept.write_factor_note("readable", 0, name="a")
    named = with_additions(demo, kept)
    assert (named.stamp, named.factors["readable"].flipped.tolist()) == (demo.stamp, as_it_was)
    kept.write_factor_note("readable", 0, flipped=True)
    turned = with_additions(demo, kept)
    assert (turned.stamp, turned.factors["readable"].flipped.tolist()) != (demo.stamp, as_it_was)


def test_a_runs_card_shows_the_names_of_its_programs(kept, workspace):
    """Home and Train list programs by the names people gave them."""
    kept.write_factor_note("readable", 0, name="gut")
    assert RunStore(workspace).card("demo").top_programs[0][0] == "Factor 1 · gut"


def test_other_cells_under_the_same_name_are_not_mistaken_for_the_old_ones(kept, demo):
    """Deleted and saved anew, an annotation is another one to the caches."""
    versions = []
    for cell in (1, 2):
        made = kept.save_selection("mine", some(demo.counts.n_cells, cell), who="", view="", taken=[])
        opened = with_additions(demo, kept)
        versions.append(opened.added["mine"])
        kept.delete_selection(made.selection_id)
    assert versions[0] != versions[1]


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b'"a"'])
def test_a_damaged_file_is_put_aside_before_it_is_written(kept, content):
    """What somebody wrote, and a person might still read, is never overwritten by the next save."""
    kept.make()
    for name in ("factors.json", "selections.json"):
        write_bytes(kept.folder / name, content)
    kept.write_factor_note("readable", 0, name="blood")
    kept.save_selection("mine", some(9, 1), who="", view="", taken=[])
    assert {path.read_bytes() for path in kept.folder.glob("*.damaged-*")} == {content}
    assert len(list(kept.folder.glob("*.damaged-*"))) == 2
    assert kept.factor_notes("readable")[0].name == "blood"


def test_a_file_that_cannot_be_read_now_is_not_written(kept, monkeypatch):
    """A disk that fails for a moment must not cost what is on it."""
    kept.write_factor_note("readable", 0, name="blood")

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    with pytest.raises(RunError, match="Nothing was saved"):
        kept.write_factor_note("readable", 1, name="gut")
    monkeypatch.undo()
    assert [note.name for note in kept.factor_notes("readable").values()] == ["blood"]


def test_what_a_later_version_added_stays(kept):
    """Rows with further keys are shown, and keep them through every change; so do rows that are not understood."""
    made = kept.save_selection("mine", some(9, 1), who="", view="", taken=[])
    row = {**read_json(kept.folder / "selections.json")["selections"][0], "colour": "red"}
    write_json(kept.folder / "selections.json", {"version": 2, "selections": [row, {"kind": "new"}]})
    assert kept.selections() == [made]
    other = kept.save_selection("other", some(9, 2), who="", view="", taken=[])
    kept.delete_selection(other.selection_id)
    assert read_json(kept.folder / "selections.json") == {"version": 2, "selections": [row, {"kind": "new"}]}
    kept.write_factor_note("readable", 0, name="a")
    notes = read_json(kept.folder / "factors.json")
    notes["readable"]["0"]["colour"] = "red"
    write_json(kept.folder / "factors.json", notes)
    kept.write_factor_note("readable", 0, name="b")
    assert read_json(kept.folder / "factors.json")["readable"]["0"]["colour"] == "red"


def test_nothing_is_added_to_a_run_that_was_deleted(workspace):
    """Its folder does not come back."""
    (workspace.runs / "mine-1a2b3c4d").mkdir()
    kept = RunStore(workspace).additions("mine-1a2b3c4d")
    (workspace.runs / "mine-1a2b3c4d").rmdir()
    with pytest.raises(RunError, match="was deleted meanwhile"):
        kept.write_factor_note("readable", 0, name="a")
    assert list(workspace.runs.iterdir()) == []
