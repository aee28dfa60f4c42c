"""`design`: the run's programs against a design, held to statsmodels on means that pandas takes."""

import anndata
import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats

from ldvae_core.__main__ import main
from ldvae_core.runs.opened import open_run_folder
from tests.commands.conftest import SHORT, as_anndata

CONTRACT = ["factor", "level", "term", "effect", "low", "high", "df", "p", "q", "n_samples"]


@pytest.fixture(scope="module")
def run(planted, tmp_path_factory):
    """Eight samples of four donors, before and after treatment; 50 cells each, of two kinds."""
    folder = tmp_path_factory.mktemp("design")
    cells, data = np.arange(400), as_anndata(planted)
    donor, arm = cells % 4, cells // 4 % 2
    data.obs = data.obs.assign(
        patient=[f"p{k}" for k in donor], arm=np.where(arm, "treated", "control"), age=30.5 + 7 * donor,
        sample=[f"s{k}" for k in donor * 2 + arm], kind=np.where(cells % 3, "T", "B"), twin=np.where(arm, "x", "y"),
        lone=[f"l{k}" if k < 7 else "l6" for k in donor * 2 + arm], nothing=np.nan,
    )  # fmt: skip
    data.write_h5ad(folder / "cells.h5ad")
    assert main(["train", str(folder / "cells.h5ad"), "--out", str(folder / "run"), *SHORT]) == 0
    return folder / "run"


@pytest.fixture
def design(answer, run, tmp_path):
    """design(*options): the answer, the table, and what was said on stderr."""

    def ask(*options):
        to = tmp_path / "design.csv"
        given, said = answer("design", run, *options, "--to", to)
        return given, pd.read_csv(to), said

    return ask


@pytest.fixture(scope="module")
def cells(run, tmp_path_factory):
    """Every cell's annotations and positions, as an exported file has them."""
    file = tmp_path_factory.mktemp("export") / "run.h5ad"
    assert main(["export", str(run), "--to", str(file)]) == 0
    data = anndata.read_h5ad(file)
    z = np.asarray(data.obsm["X_ldvae"], np.float64)
    return pd.concat([data.obs.astype({"patient": str, "arm": str}), pd.DataFrame(z, data.obs_names)], axis=1)


PLAIN = ("--sample", "sample", "--condition", "arm", "--no-moderation")


@pytest.mark.parametrize("covariate", [None, "patient", "age"])
def test_it_is_statsmodels_on_the_means_of_samples(design, cells, covariate):
    """To 1e-8, over all cells and within each kind, with pairs or a number as a covariate."""
    asked = [*PLAIN, "--by", "kind", *(["--covariate", covariate] if covariate else [])]
    given, table, _ = design(*asked)
    assert table.columns.tolist() == CONTRACT
    assert given["n_tested"] == len(table) == 3 * 2
    for row in table.to_dict("records"):
        own = cells[cells["kind"] == row["level"]]
        means = own.groupby("sample", observed=True).agg({row["factor"] - 1: "mean", "arm": "first", "patient": "first",
                                                          "age": "first"})  # fmt: skip
        means = means.rename(columns={row["factor"] - 1: "y"})
        fit = smf.ols(f"y ~ arm{f' + {covariate}' if covariate else ''}", means).fit()
        theirs = [fit.params["arm[T.treated]"], *fit.conf_int(0.1).loc["arm[T.treated]"], fit.df_resid,
                  fit.pvalues["arm[T.treated]"], fit.nobs]  # fmt: skip
        ours = [row[name] for name in ("effect", "low", "high", "df", "p", "n_samples")]
        np.testing.assert_allclose(ours, theirs, rtol=1e-8)
        assert row["term"] == "treated vs control"
    np.testing.assert_allclose(table["q"], stats.false_discovery_control(table["p"]))


def test_the_line_says_what_was_tested(design, run):
    """Samples, covariates, moderation; a level named `all` without --by; how numbers were read on stderr."""
    given, table, said = design("--sample", "sample", "--condition", "arm", "--covariate", "age")
    assert table["level"].unique().tolist() == given["levels"] == ["all"]
    assert given["n_samples"] == 8
    assert given["n_found"] == (table["q"] < 0.05).sum()
    assert (
        "8 samples with at least 10 cells, adjusted for age; t test of their means, variances moderated"
        in (given["sentence"])
    )
    assert "age is taken as a number, from 30.5 to 51.5" in said
    assert "What the others are compared with is control" in said
    assert sorted(table["factor"]) == [1, 2, 3]
    assert len(open_run_folder(run).factors["readable"].active) == 3


def test_samples_may_stand_in_two_columns(design):
    """Donor and treatment together are the samples that a third column names."""
    _, one, _ = design("--sample", "sample", "--condition", "arm", "--covariate", "patient")
    _, two, _ = design("--sample", "patient", "--sample", "arm", "--condition", "arm", "--covariate", "patient")
    pd.testing.assert_frame_equal(one, two)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--sample", "patient", "--condition", "arm"), "arm differs within the sample 'p0'"),
        (("--sample", "sample", "--condition", "arm", "--covariate", "twin"), "arm and the covariate twin are"),
        (("--sample", "sample", "--condition", "arm", "--covariate", "arm"), "condition arm is a covariate too"),
        (("--sample", "sample", "--condition", "lone"), "l0 has 1 sample (s0)"),
        (("--sample", "sample", "--condition", "sample"), "both the sample and the condition"),
        (("--sample", "sample", "--condition", "arm", "--by", "arm"), "both the condition and the groups"),
        (("--sample", "sample", "--condition", "sex"), "no annotation 'sex'"),
        (("--sample", "who", "--condition", "arm"), "no annotation 'who'"),
        (("--sample", "sample", "--condition", "arm", "--covariate", "sample"), "Every sample has a sample of its own"),
        (("--sample", "sample", "--condition", "arm", "--by", "lone"), "No level can be tested; in l0"),
        (("--sample", "sample", "--condition", "arm", "--by", "nothing"), "No cell has a value of nothing"),
    ],
)  # fmt: skip
def test_what_no_design_can_tell_is_refused(refusal, run, tmp_path, options, said):
    """Status 2, one line with the reason, and no file."""
    assert said in refusal("design", run, *options, "--to", tmp_path / "x.csv")
    assert not (tmp_path / "x.csv").exists()


def test_a_run_that_corrects_for_the_condition_cannot_find_it(refusal, run, tmp_path):
    """Nor what follows from it."""
    corrected = tmp_path / "corrected"
    assert main(["train", str(run.parent / "cells.h5ad"), "--out", str(corrected), *SHORT, "--batch", "twin"]) == 0
    said = refusal("design", corrected, "--sample", "sample", "--condition", "arm", "--to", tmp_path / "x.csv")
    assert "corrects its programs for twin, and with it arm" in said


def test_a_run_without_programs_is_refused(refusal, run, tmp_path):
    """Its only numbers are the mean shares of genes."""
    mean = tmp_path / "mean"
    assert main(["train", str(run.parent / "cells.h5ad"), "--out", str(mean), *SHORT, "--method", "gene_mean"]) == 0
    said = refusal("design", mean, "--sample", "sample", "--condition", "arm", "--to", tmp_path / "x.csv")
    assert "This run has no programs" in said
