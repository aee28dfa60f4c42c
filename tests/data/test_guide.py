"""Gene sets that guide factors: kept whole, and found among the modelled genes."""

import json

import numpy as np
import pytest

from ldvae_core.data.gmt import GeneSets
from ldvae_core.data.guide import Guide, match_guide
from ldvae_core.errors import SettingsError

GENES = np.array(["Actb", "Gapdh", "Ifit1", "Ifit3", "Isg15", "Cd3e", "Cd3d", "Cd8a"])


@pytest.fixture
def guide():
    return Guide(
        "mine.gmt", (("interferon", ("IFIT1", "ifit3", "Isg15", "Mx1")), ("T cells", ("CD3E", "Cd3d", "Cd8a")))
    )


def test_a_guide_comes_back_from_json_as_it_was(guide):
    """With the digest of its sets; nothing at all is no guide."""
    assert Guide.from_dict(json.loads(json.dumps(guide.to_dict()))) == guide
    assert not Guide.from_dict({})
    assert Guide.from_dict({}).digest == ""


def test_sets_that_were_changed_in_the_file_are_refused(guide):
    """A digest that does not fit, and what is no guide at all."""
    for values in ({**guide.to_dict(), "sets": {"a": ["b"]}}, {"sets": [1]}, {"sets": {"a": []}}):
        with pytest.raises(SettingsError):
            Guide.from_dict(values)


def test_genes_are_found_in_any_case_and_missing_ones_named(guide):
    """Membership by column, in the order of the sets."""
    found = match_guide(guide, GENES)
    assert [GENES[column].tolist() for column in found.member.T] == [
        ["Ifit1", "Ifit3", "Isg15"],
        ["Cd3e", "Cd3d", "Cd8a"],
    ]
    assert found.missing == (("Mx1",), ())


@pytest.mark.parametrize(
    ("sets", "words"),
    [
        ((("interferon", ("Ifit1", "Ifit3", "Mx1")),), r"Fewer than 3 .*interferon \(2\)"),
        ((("all", tuple(GENES[:5])),), r"More than half .*all \(5\)"),
    ],
)
def test_a_set_that_says_nothing_of_a_direction_is_refused_by_name(sets, words):
    """Fewer than three modelled genes, or more than half of all."""
    with pytest.raises(SettingsError, match=words):
        match_guide(Guide("mine.gmt", sets), GENES)


def test_a_whole_collection_is_no_guide():
    """More than a hundred sets: told before anything is read."""
    with pytest.raises(SettingsError, match="at most 100"):
        Guide.of(GeneSets("GO", {f"set {n}": ("Actb",) for n in range(101)}))
