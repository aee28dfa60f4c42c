"""What follows from a run is worked out once, and anew as soon as something it depends on has changed."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest

from ldvae_core.analysis.factors import as_noted
from ldvae_core.runs.opened import open_demo_run
from pages.parts.per_run import per_run


@pytest.fixture(scope="module")
def opened():
    """A run with two selections that people added."""
    return replace(open_demo_run(), added={"mine": "1", "yours": "1"})


@pytest.fixture
def kept():
    """A function that is kept, and what it was asked each time that it had to work."""
    asked = []

    @per_run(max_entries=20)
    def work(opened, factors=None, what=None, *, more=0):
        asked.append(what)
        return len(asked)

    work.clear()
    return work, asked


@dataclass(frozen=True)
class Groups:
    """Arguments may be made of parts."""

    column: str
    within: tuple[str, str] | None = None


def test_equal_inputs_are_worked_out_once(opened, kept):
    """However they are given; other values are another result."""
    work, asked = kept
    factors = opened.factors["readable"]
    first = work(opened, factors, (1, 2))
    assert work(opened, what=[1, 2], factors=factors, more=0) == first
    assert work(replace(opened), as_noted(factors, names={}), (1, 2)) == first
    assert {work(opened, factors, (2, 1)), work(opened, factors, (1, 2), more=1)} == {2, 3}
    assert len(asked) == 3


def test_other_axes_and_turned_ones_are_another_result_and_new_names_are_not(opened, kept):
    """A name is no number; what shows it takes it as an argument."""
    work, asked = kept
    factors = opened.factors["readable"]
    work(opened, factors)
    work(opened, as_noted(factors, names={0: "erythroid"}))
    assert len(asked) == 1
    work(opened, as_noted(factors, names={}, flipped=[0]))
    work(opened, opened.factors["as_trained"])
    work(opened)
    assert len(asked) == 4


@pytest.mark.parametrize(
    "what", ["mine", ("mine", "other"), {"column": "mine"}, Groups("other", ("mine", "a value"))], ids=str
)
def test_an_annotation_made_anew_is_another_result_where_it_is_named(opened, kept, what):
    """Wherever among the arguments; one that is not named leaves the result as it is."""
    work, asked = kept
    work(opened, what=what)
    work(replace(opened, added={"mine": "1", "yours": "2"}), what=what)
    work(replace(opened, added={"mine": "1"}), what=what)
    assert len(asked) == 1
    work(replace(opened, added={"mine": "2", "yours": "1"}), what=what)
    assert len(asked) == 2


def test_what_reads_all_annotations_follows_all_of_them(opened):
    """Asked for, because it costs: every selection begins such results anew."""
    names = per_run(max_entries=2, all_annotations=True)(lambda opened: dict(opened.added))
    names.clear()
    assert names(opened) == {"mine": "1", "yours": "1"}
    assert names(replace(opened, added={"mine": "1", "yours": "2"})) == {"mine": "1", "yours": "2"}


def test_another_run_and_the_same_one_opened_anew_are_other_results(opened, kept):
    """Its arrays may have changed."""
    work, asked = kept
    work(opened)
    work(replace(opened, stamp="another"))
    assert len(asked) == 2
    work(opened, what=(opened, opened))
    work(opened, what=(opened, replace(opened, stamp="another")))
    assert len(asked) == 4


def test_an_argument_with_a_memo_is_known_by_it(opened, kept):
    """Its arrays, of millions of cells, are never read for that."""
    work, asked = kept
    for memo, cells in (("a", 1), ("a", 2), ("b", 2)):
        work(opened, what=SimpleNamespace(memo=memo, cells=cells))
    assert [found.memo for found in asked] == ["a", "b"]


def test_a_result_needs_a_run(kept):
    """Without one, runs would share their results."""
    with pytest.raises(TypeError, match="the run as an argument"):
        kept[0]("no run")


def test_no_more_results_are_kept_than_allowed_and_all_can_be_forgotten(opened):
    """What was asked for longest ago goes first."""
    asked = []

    @per_run(max_entries=2)
    def work(opened, number):
        asked.append(number)

    work.clear()
    for number in (1, 2, 3, 3, 2, 1):
        work(opened, number)
    assert asked == [1, 2, 3, 1]
    work.clear()
    work(opened, 1)
    assert asked == [1, 2, 3, 1, 1]


def test_functions_do_not_share_results(opened):
    """Not even where they are asked the same; and no argument is left out for its name."""

    @per_run(max_entries=2)
    def one(opened):
        """The number one."""
        return 1

    @per_run(max_entries=2)
    def two(opened):
        return 2

    @per_run(max_entries=2)
    def number(_opened, _number):
        return _number

    assert (one(opened), two(opened), one.__doc__) == (1, 2, "The number one.")
    assert [number(opened, value) for value in (1, 2)] == [1, 2], "names of arguments mean nothing"
