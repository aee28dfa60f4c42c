"""Long computations beside the page."""

import threading

import pytest

from ldvae_core.errors import RunError
from pages.parts import later as module
from pages.parts.later import Later


def test_a_page_does_not_wait_for_a_long_computation():
    """Nothing while it is worked on, with the share that is done; then the result."""
    go = threading.Event()

    def work(tell):
        tell(0.5)
        go.wait(20)
        return 42

    later = Later(work, at_once=False)
    assert later.running
    assert later.now() is None
    go.set()
    assert later.wait() == 42
    assert (later.running, later.now(), later.share) == (False, 42, 0.5)


@pytest.mark.parametrize("at_once", [True, False])
def test_what_the_work_raises_reaches_the_page(at_once):
    """Short work raises at once; long work when its result is asked for."""

    def work(tell):
        raise RunError("No such annotation.", "Choose another.")

    with pytest.raises(RunError, match=r"^No such annotation\. Choose another\.$"):
        Later(work, at_once=at_once).wait()


def test_short_work_is_done_when_it_returns():
    """Ordinary runs never see a bar."""
    later = Later(lambda tell: "table", at_once=True)
    assert (later.running, later.now()) == (False, "table")


def test_a_refusal_stays_and_costs_nothing():
    """It follows from what was asked: the work is done once, however often somebody looks."""
    begun = []

    def work(tell):
        begun.append(1)
        raise RunError("No such annotation.", "Choose another.")

    later = Later(work, at_once=False)
    for _ in range(3):
        with pytest.raises(RunError):
            later.wait()
    assert len(begun) == 1


def test_a_fault_that_may_pass_is_told_once_and_tried_again():
    """A full memory is no answer to keep."""
    outcomes = [MemoryError("full"), MemoryError("full again"), 42]

    def work(tell):
        found = outcomes.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    later = Later(work, at_once=False)
    for words in ("full", "full again"):
        with pytest.raises(MemoryError, match=f"^{words}$"):
            later.wait()
    assert (later.wait(), later.now(), outcomes) == (42, 42, [])


def test_a_result_that_comes_while_the_page_is_drawn_is_shown_all_the_same(monkeypatch):
    """The page was told "not yet", so it is drawn again, once; another thread's page was told nothing."""
    reruns, go = [], threading.Event()
    monkeypatch.setattr(module.st, "rerun", lambda **how: reruns.append(how))
    monkeypatch.setattr(module.st, "progress", lambda share, text: None)
    monkeypatch.setattr(module.st, "fragment", lambda part, run_every, key: lambda *given: part(*given))
    later = Later(lambda tell: go.wait(20), at_once=False)
    assert later.now() is None
    go.set()
    later._done.wait(20)
    other = threading.Thread(target=module.show_waiting, args=(later, "Comparing"), kwargs={"key": "bar"})
    other.start()
    other.join()
    assert not reruns
    for _ in range(2):
        module.show_waiting(later, "Comparing", key="bar")
    assert reruns == [{"scope": "app"}]


def test_a_result_that_takes_but_a_moment_needs_no_bar():
    """now() waits as long as it is told to, and no longer."""
    go = threading.Event()
    later = Later(lambda tell: go.wait(20), at_once=False)
    assert later.now(patience=0.01) is None
    threading.Timer(0.05, go.set).start()
    assert later.now(patience=20)


@pytest.mark.parametrize(("at_once", "asked"), [(True, [{"scope": "app"}]), (False, [])], ids=["done", "under way"])
def test_the_page_runs_again_once_the_result_is_there(monkeypatch, at_once, asked):
    """The bar looks for itself, and goes with the page's next run; not a moment earlier."""
    reruns, bars, go = [], [], threading.Event()
    monkeypatch.setattr(module.st, "rerun", lambda **how: reruns.append(how))
    monkeypatch.setattr(module.st, "progress", lambda share, text: bars.append((share, text)))
    later = Later(lambda tell: at_once or go.wait(20), at_once=at_once)
    later.share = 1.5
    module._live(later, "Comparing")
    go.set()
    assert (reruns, bars) == (asked, [(1.0, "Comparing")])
