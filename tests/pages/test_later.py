"""Long computations beside the page."""

import threading

import pytest

from ldvae_core.errors import RunError
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
