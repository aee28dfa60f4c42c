"""The legend of types: what a click, a double click and Escape leave."""

import pytest

from pages.parts.colour.legend import after

NAMES = ("a", "b", "c")


@pytest.mark.parametrize(
    ("hidden", "name", "act", "left"),
    [
        ((), "a", "alone", ("b", "c")),
        (("b", "c"), "a", "alone", ()),
        (("b", "c"), "b", "alone", ("a", "c")),
        ((), "b", "hide", ("b",)),
        (("b",), "b", "hide", ()),
        (("a", "b"), "c", "hide", ()),
        (("a", "b"), "c", "all", ()),
    ],
)
def test_one_type_alone_and_back_hidden_and_back_and_never_none(hidden, name, act, left):
    """A click isolates, another brings all back; a double click hides; hiding the last one shows all."""
    assert after(hidden, NAMES, name, act) == left
