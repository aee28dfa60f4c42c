"""Programs against a design: statsmodels as the referee, planted shifts, and what no design can tell."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats

from ldvae_core.analysis import design_words as words
from ldvae_core.analysis.design import ALL, COLUMNS, Means, design_effects, sample_means
from ldvae_core.analysis.variables import read_variable
from ldvae_core.errors import SettingsError


def samples_of(n=12, n_factors=3, seed=0):
    """Means of n samples with a condition of three levels, a batch, an age and pairs."""
    rng = np.random.default_rng(seed)
    notes = pd.DataFrame(
        {
            "condition": np.array(["ctrl", "low", "high"])[np.arange(n) % 3],
            "batch": np.array(["x", "y"])[rng.permutation(n) % 2],
            "age": rng.uniform(20, 80, n).round(1),
            "pair": [f"p{k}" for k in np.arange(n) // 3],
        }
    )
    return notes, rng.normal(size=(n, n_factors))


def variable(notes, name, *, is_condition=False):
    """One row of notes a sample."""
    return read_variable(notes[name], np.arange(len(notes)), [f"s{k}" for k in notes.index], is_condition=is_condition)


def effects(notes, values, condition, covariates=(), **options):
    """Of one level in which every sample has 50 cells."""
    n, n_factors = values.shape
    given = {"levels": [ALL], "scale": np.ones(n_factors), "tested": np.ones(n_factors, bool), **options}
    return design_effects(
        Means(values[None], np.full((1, n), 50)), variable(notes, condition, is_condition=True),
        [variable(notes, name) for name in covariates], samples=[f"s{k}" for k in range(n)], **given,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "covariates"),
    [("condition", ()), ("condition", ("batch", "age")), ("condition", ("pair",)), ("age", ("batch",)),
     ("batch", ("age", "condition"))],
)  # fmt: skip
def test_without_moderation_it_is_statsmodels(condition, covariates):
    """Effects, their 90% intervals, degrees of freedom and p of every term, to 1e-8."""
    notes, values = samples_of()
    found = effects(notes, values, condition, covariates, moderated=False)
    assert tuple(found.table.columns) == COLUMNS
    coded = [f"C({name}, Treatment('ctrl'))" if name == "condition" else name for name in (condition, *covariates)]
    for factor, rows in found.table.groupby("factor"):
        fit = smf.ols(f"y ~ {' + '.join(coded)}", notes.assign(y=values[:, factor])).fit()
        for row in rows.to_dict("records"):
            level = row["term"].split(" vs ")[0]
            name = next(name for name in fit.params.index if name.startswith(coded[0])
                        and (name == condition or name.endswith(f"[T.{level}]")))  # fmt: skip
            theirs = [fit.params[name], *fit.conf_int(0.1).loc[name], fit.df_resid, fit.pvalues[name], fit.nobs]
            ours = [row[key] for key in ("effect", "low", "high", "df", "p", "n_samples")]
            np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-10)


def test_q_is_taken_over_all_rows():
    """Of every program, level and term that was tested; an inactive program has none."""
    notes, values = samples_of()
    means = Means(np.stack([values, values[:, ::-1] + 0.3]), np.full((2, 12), 20))
    found = design_effects(
        means, variable(notes, "condition", is_condition=True), [], samples=list("abcdefghijkl"),
        levels=["B", "T"], scale=np.ones(3), tested=np.array([True, True, False]),
    )  # fmt: skip
    tested = found.table[found.table["p"].notna()]
    assert len(found.table) == 2 * 3 * 2
    assert set(tested["factor"]) == {0, 1}
    np.testing.assert_allclose(tested["q"], stats.false_discovery_control(tested["p"]))


def test_moderation_does_not_depend_on_the_unit_of_a_program():
    """A program measured in another unit has its effect in that unit, and the same p."""
    notes, values = samples_of(n_factors=6)
    unit = np.array([1.0, 10.0, 0.1, 3.0, 1.0, 1.0])
    one, other = effects(notes, values, "batch"), effects(notes, values * unit, "batch", scale=unit)
    np.testing.assert_allclose(one.table["p"], other.table["p"])
    np.testing.assert_allclose(one.table["effect"] * unit, other.table["effect"])


def test_one_program_is_not_moderated():
    """There is nothing that it could be moderated towards."""
    notes, values = samples_of(n_factors=1)
    one, plain = effects(notes, values, "batch"), effects(notes, values, "batch", moderated=False)
    pd.testing.assert_frame_equal(one.table, plain.table)


def test_means_are_of_the_cells_of_a_sample_in_a_level():
    """Cells without a sample or a level count for none."""
    rng = np.random.default_rng(0)
    z, samples, levels = rng.normal(size=(200, 2)), rng.integers(-1, 4, 200), rng.integers(-1, 3, 200)
    found = sample_means(z, samples, levels, n_samples=4, n_levels=3)
    for level in range(3):
        for sample in range(4):
            own = (samples == sample) & (levels == level)
            assert found.n_cells[level, sample] == own.sum()
            np.testing.assert_allclose(found.values[level, sample], z[own].mean(axis=0))


def test_the_half_of_a_pair_counts_for_nothing():
    """It changes neither effects nor their number of samples."""
    notes = pd.DataFrame({"arm": ["a", "b"] * 4 + ["a"], "pair": [*np.repeat(list("wxyz"), 2), "alone"]})
    values = np.random.default_rng(0).normal(size=(9, 2))
    whole, cut = effects(notes, values, "arm", ["pair"]), effects(notes[:8], values[:8], "arm", ["pair"])
    pd.testing.assert_frame_equal(whole.table, cut.table)
    assert set(whole.table["n_samples"]) == {8}


def test_paired_samples_are_a_paired_t_test():
    """The pair as a covariate, scipy as the referee."""
    notes = pd.DataFrame({"arm": ["treated", "control"] * 5, "pair": np.repeat(list("vwxyz"), 2)})
    values = np.random.default_rng(1).normal(size=(10, 1))
    row = effects(notes, values, "arm", ["pair"], moderated=False).table.iloc[0]
    assert row["term"] == "treated vs control"
    assert row["p"] == pytest.approx(stats.ttest_rel(values[::2, 0], values[1::2, 0]).pvalue)


def test_a_level_that_cannot_be_tested_is_left_out_with_its_reason():
    """A cell type in which one arm has a single sample with enough cells."""
    notes, values = samples_of()
    n_cells = np.full((2, 12), 30)
    n_cells[1, notes.index[notes["batch"] == "x"][1:]] = 9
    found = design_effects(
        Means(np.stack([values, values]), n_cells), variable(notes, "batch", is_condition=True), [],
        samples=[f"s{k}" for k in range(12)], levels=["B", "T"], scale=np.ones(3), tested=np.ones(3, bool),
    )  # fmt: skip
    assert set(found.table["level"]) == {"B"}
    assert "x has 1 sample (s" in found.left_out["T"]


def refused(notes, condition, covariates=()):
    """What the refusal says."""
    with pytest.raises(SettingsError) as caught:
        effects(notes, np.random.default_rng(0).normal(size=(len(notes), 2)), condition, covariates)
    return str(caught.value)


def test_one_sample_an_arm_is_refused():
    """The samples of each arm are named."""
    said = refused(pd.DataFrame({"arm": ["a", "b", "b"]}), "arm")
    assert "a has 1 sample (s0) and b has 2 samples (s1, s2) with enough cells" in said


def test_a_covariate_that_is_the_condition_is_refused():
    """By name, whatever its levels are called; a covariate that tells the condition too."""
    notes = pd.DataFrame({"arm": list("aabb"), "run": list("uuvv"), "lane": list("1122")})
    assert "arm and the covariate run are the same grouping" in refused(notes, "arm", ["run"])
    nested = pd.DataFrame({"arm": list("aaaabbbb"), "plate": list("iijjkkll")})
    assert "cannot be told from the covariate plate" in refused(nested, "arm", ["plate"])
    ages = pd.DataFrame({"arm": list("aabb"), "age": [20.5, 20.5, 60.5, 60.5], "time": [1.5, 1.5, 7.0, 7.0]})
    assert "arm and the covariate age are the same grouping" in refused(ages, "arm", ["age"])


def test_covariates_that_tell_the_condition_only_together_are_refused():
    """Neither does alone."""
    notes = pd.DataFrame({"arm": list("abba") * 2, "c": list("xxyy") * 2, "d": [0.0, 1, 0.5, -0.5] * 2})
    assert "cannot be told from c, d together" in refused(notes, "arm", ["c", "d"])


def test_a_design_that_leaves_no_degree_of_freedom_is_refused():
    """As many numbers to fit as samples."""
    notes = pd.DataFrame({"arm": list("aabb"), "sex": list("fmfm"), "age": [20.0, 35, 41, 70]})
    assert "4 samples are no more than the 4 numbers" in refused(notes, "arm", ["sex", "age"])
    alone = pd.DataFrame({"arm": list("aabb"), "who": list("wxyz")})
    assert "Every sample has a who of its own" in refused(alone, "arm", ["who"])


def test_a_condition_that_differs_within_a_sample_is_refused():
    """With the sample's name and its values."""
    column = pd.Series(["a", "a", "b", "b"], name="arm")
    with pytest.raises(SettingsError, match="arm differs within the sample 'two': its cells have a, b"):
        read_variable(column, np.array([0, 1, 1, 2]), ["one", "two", "three"], is_condition=True)


def test_a_condition_that_does_not_differ_is_refused():
    """Or has no value at all."""
    with pytest.raises(SettingsError, match="does not differ between samples: it is a in all"):
        read_variable(pd.Series(["a", "a"], name="arm"), np.array([0, 1]), ["one", "two"], is_condition=True)
    with pytest.raises(SettingsError, match="no sample has a value"):
        read_variable(pd.Series([None, None], name="arm"), np.array([0, 1]), ["one", "two"], is_condition=True)


@pytest.mark.parametrize(
    ("name", "values", "levels"),
    [
        ("treated", [0, 1, 1, 0, 1], ("0", "1")),
        ("age", [31.5, 40, 22, 67, 40], ()),
        ("donor_id", [101, 107, 101, 1015, 107], ("101", "107", "1015")),
        ("group", [1, 2, 3, 1, 2], ("1", "2", "3")),
        ("week", [1, 2, 3, 4, 5], ()),
        ("day", [0, 3, 7, 0, 3], ()),
        ("arm", ["b", "wild type", "a", "b", "a"], ("wild type", "a", "b")),
        ("sick", [True, False, True, False, True], ("False", "True")),
    ],
)
def test_numbers_are_levels_where_they_only_name_things(name, values, levels):
    """And what is a control by its name comes first; how numbers were read is said."""
    read = variable(pd.DataFrame({name: values}), name, is_condition=True)
    assert read.levels == levels
    assert bool(read.said) == (type(values[0]) in (int, float))
    written = [read.text(sample) for sample in range(5)]
    assert written == [f"{value:g}" if read.is_number else str(value) for value in values]


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([20230101.0, 20230102.0], ("20230101", "20230102")),
        ([0.1234561, 0.1234562], ("0.1234561", "0.1234562")),
        (np.array([0.1, 2], np.float32), ("0.1", "2")),
    ],
)
def test_different_numbers_are_different_levels(values, texts):
    """However many digits tell them apart; and a number with a slope is written as it is."""
    column = pd.Series(np.repeat(values, 2), name="date")
    assert variable(pd.DataFrame({"date": column}), "date").levels == texts
    dates = variable(pd.DataFrame({"date": [20230101.0, 20230102.0, 20230105.0]}), "date")
    assert dates.said == "date is taken as a number, from 20230101 to 20230105."
    assert dates.text(1) == "20230102"


def test_cells_without_a_value_say_nothing():
    """A sample none of whose cells has one has none."""
    column = pd.Series(["a", None, "b", None], name="arm")
    read = read_variable(column, np.array([0, 0, 1, 2]), ["one", "two", "three"], is_condition=True)
    np.testing.assert_array_equal(read.values, [0, 1, np.nan])
    assert read.text(2) == "not known"
    notes = Means(np.zeros((1, 3, 1)), np.full((1, 3), 50))
    with pytest.raises(SettingsError, match="a has 1 sample"):
        design_effects(notes, read, [], samples=list("xyz"), levels=[ALL], scale=np.ones(1), tested=np.ones(1, bool))


class Labels:
    """Of factors, as the words need them."""

    def label(self, factor):
        return f"Factor {factor + 1}"


def test_what_the_others_are_compared_with_is_what_was_tested():
    """Not a control with a single sample, which is named with its reason; nor the same in every group of cells."""
    notes = pd.DataFrame({"arm": ["control", "control", *"xxyyy"]})
    n_cells = np.full((2, 7), 50)
    n_cells[1, [0, 6]] = 3
    found = design_effects(
        Means(np.random.default_rng(0).normal(size=(2, 7, 2)), n_cells), variable(notes, "arm", is_condition=True), [],
        samples=[f"s{k}" for k in range(7)], levels=["B", "T"], scale=np.ones(2), tested=np.ones(2, bool),
    )  # fmt: skip
    assert words.reading_sentences(found) == ["What the others are compared with is control in B, and x in T."]
    assert (
        "Left out: in T, control (1 sample with enough cells: s1; 2 are needed); in T, s6 (fewer than 10 cells)."
        in (words.tested_sentence(found))
    )
    alone = effects(notes[1:].reset_index(drop=True), np.random.default_rng(0).normal(size=(6, 2)), "arm")
    assert words.reading_sentences(alone) == ["What the others are compared with is x."]
    assert "Left out: control (1 sample with enough cells: s0; 2 are needed)." in words.tested_sentence(alone)


def test_samples_without_a_pair_are_said_to_be_left_out():
    """And those of which a covariate is not known."""
    notes = pd.DataFrame({"arm": [*"ababab", "a", "a"], "pair": ["u", "u", "v", "v", "w", "w", "alone", None]})
    said = words.tested_sentence(effects(notes, np.random.default_rng(0).normal(size=(8, 2)), "arm", ["pair"]))
    assert "Left out: s6 (alone at its level of a covariate); s7 (pair not known)." in said


@pytest.mark.parametrize("names", [("ctrl", "drug vs dmso"), ("a", "b vs a"), ("x vs control", "x")])
def test_levels_may_hold_the_word_that_stands_between_them(names):
    """Each is named whole."""
    notes = pd.DataFrame({"arm": list(names) * 3})
    found = effects(notes, np.random.default_rng(0).normal(size=(6, 1)), "arm")
    reference, first = found.condition.levels
    assert f"in {first} than in {reference} (" in words.row_words(found.table.iloc[0].to_dict(), found, Labels())
