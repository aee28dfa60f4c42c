"""A program that comes back in other cells is certified; noise, and what one gene makes alone, is not."""

from dataclasses import replace

import numpy as np
import pytest

from ldvae_core.analysis.certificates import (
    BAR,
    Certificates,
    Program,
    Shuffled,
    Siblings,
    certified_words,
    certify,
    found_again,
    number_reason,
)


@pytest.fixture
def noise(factors):
    """Loadings of another model of noise, with as many factors."""
    return np.random.default_rng(0).standard_normal(factors.loadings.shape)


@pytest.fixture
def found():
    """Two programs of weight, one of little, one that does not come back."""
    return Certificates(tuple(Program(0.9, half, half > BAR, share)
                              for half, share in ((0.99, 0.05), (0.8, 0.01), (0.7, 0.002), (0.2, 0.001))),
                        bar=BAR, unit="cells", shuffled=(Program(0.1, 0.3, False, 0.001),))  # fmt: skip


def test_a_program_of_both_halves_is_certified(factors):
    """In any order, with any sign, beside any number of further factors."""
    own = np.asarray(factors.loadings_shrunken)
    other = np.hstack([np.random.default_rng(1).standard_normal(own.shape), -own[:, ::-1]])
    told = certify(factors, Siblings([other], [(own, other)]), unit="cells")
    assert [program.certified for program in told.programs] == [True] * factors.n_factors
    assert told.n_programs == told.n_certified == factors.n_factors


def test_a_program_of_one_half_alone_is_not_certified(factors, noise):
    """The smaller match of both counts; its match with another seed is a figure of its own."""
    own = np.asarray(factors.loadings_shrunken)
    told = certify(factors, Siblings([own], [(own, noise)]), unit="cells")
    assert told.n_certified == 0
    assert min(program.seed_match for program in told.programs) > 0.99
    assert max(program.half_match for program in told.programs) < BAR


def test_a_factor_of_one_gene_does_not_come_back(factors, noise):
    """It matches by that gene, and by nothing else."""
    loadings = 0.02 * noise
    loadings[7, 0] = 5.0
    alone = replace(factors, loadings_shrunken=loadings)
    other = 0.02 * np.random.default_rng(5).standard_normal(loadings.shape)
    other[7, 2] = -5.0
    assert found_again(alone, other)[0] < BAR


@pytest.mark.parametrize(("weight", "certified"), [(1.0, False), (0.6, False), (0.4, True)])
def test_what_shuffled_counts_give_too_proves_nothing(factors, weight, certified):
    """The same factor, not much lighter, however well it comes back; a much lighter one does no harm."""
    own = np.asarray(factors.loadings_shrunken)
    noise = Program(np.nan, 0.9, False, weight * float(factors.explained_deviance[0]))
    told = certify(factors, Siblings([], [(own, own)]), unit="cells", shuffled=Shuffled(-own[:, [0]], (noise,)))
    assert [program.certified for program in told.programs] == [certified, True, True, True]


def test_other_factors_of_shuffled_counts_do_no_harm(factors, noise):
    """Heavy ones that come back, too: they are other genes'."""
    own = np.asarray(factors.loadings_shrunken)
    others = Shuffled(noise, (Program(np.nan, 0.9, False, 1.0),) * noise.shape[1])
    assert certify(factors, Siblings([], [(own, own)]), unit="cells", shuffled=others).n_certified == 4


def test_a_dead_factor_is_not_certified(factors):
    """Though its loadings may match."""
    own = np.asarray(factors.loadings_shrunken)
    dead = replace(factors, active=np.array([True, True, True, False]))
    assert not certify(dead, Siblings([], [(own, own)]), unit="cells").programs[3].certified


def test_programs_of_hardly_any_weight_are_not_counted_beside_others(found):
    """They are certified all the same; where there are no others, they count."""
    assert (found.n_certified, found.n_programs) == (3, 2)
    weak = replace(found, programs=found.programs[2:])
    assert (weak.n_certified, weak.n_programs) == (1, 1)


def test_the_reason_says_how_many_of_how_many_and_what_noise_reaches(found):
    """And what to do where all come back, and that nothing was found where none does."""
    said = number_reason(found)
    assert said.startswith("3 of 4 factors come back in disjoint halves of the cells (match at least 0.60")
    assert "shuffled counts reach 0.30" in said
    assert "Of these 1 explains less than 0.45% of the deviance and is not counted." in said
    assert "There may be more" in number_reason(replace(found, programs=found.programs[:2]))
    none = number_reason(replace(found, programs=found.programs[3:]))
    assert none.startswith("None of 1 factors comes back")
    assert "no structure is found" in none


def test_the_reason_does_not_give_the_match_where_shuffled_counts_give_the_same(found):
    """A factor that matches above the bar is not one that matches too little: alone, and beside certified ones."""
    first, *rest = (replace(program, certified=False) for program in found.programs)
    none = number_reason(replace(found, programs=(first, *rest)))
    assert none.startswith("None of 4 factors is certified: 3 come back in disjoint halves of the cells (match")
    assert "shuffled counts give the same, explaining at least 50% as much, or each is inactive" in none
    assert "no structure is found" in none
    assert " 1 more comes back, but shuffled counts" in number_reason(
        replace(found, programs=(first, *found.programs[1:]))
    )
    assert "more come" not in number_reason(found)


def test_the_reason_says_what_came_of_the_training(found):
    """Gene sets that take more factors than were found, and factors of the final model that are not certified."""
    assert number_reason(found, n_sets=2, final=replace(found, programs=found.programs[:2])) == number_reason(found)
    assert number_reason(found, n_sets=3).endswith("Trained with 3 factors, one for each gene set that guides.")
    assert number_reason(found, final=found).endswith("Of the 4 factors of the final model only 3 are certified.")
    none = replace(found, programs=found.programs[3:] * 2)
    assert "none of the 2 factors of the final model is certified" in number_reason(found, final=none)


def test_the_rule_in_words_names_everything_that_is_asked(found):
    """Shuffled counts only where there were some."""
    said = certified_words(found)
    for asked in (
        "is active",
        "at least 0.60",
        "without the gene that counts most",
        "at least 50% of what it explains",
    ):
        assert asked in said
    assert "shuffled" not in certified_words(replace(found, shuffled=()))


def test_certificates_are_read_as_they_were_written(found):
    """Anything else is as if there were none."""
    assert Certificates.from_dict(found.to_dict()) == found
    unknown = {**found.to_dict()["programs"][0], "seed_match": None}  # as JSON has it
    assert np.isnan(Certificates.from_dict({**found.to_dict(), "shuffled": [unknown]}).shuffled[0].seed_match)
    for damaged in (None, [], {}, {**found.to_dict(), "programs": 3}, {**found.to_dict(), "bar": "high"}):
        assert Certificates.from_dict(damaged) is None
