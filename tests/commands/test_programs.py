"""`programs`: the genes of every program, as the contract has them, and numbers that scipy finds too."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from scipy.stats import nbinom

from ldvae_core.analysis.programs import top_genes
from ldvae_core.commands.sources import opened_run

CONTRACT = ["factor", "end", "rank", "gene", "effect", "low", "high", "deviance_share"]
ENDS = {"high": "positive", "low": "negative"}


@pytest.fixture
def programs(answer, tmp_path):
    """programs(run, *options): the answer and the table."""

    def ask(run, *options):
        given, _ = answer("programs", run, *options, "--to", tmp_path / "programs.csv")
        return given, pd.read_csv(tmp_path / "programs.csv")

    return ask


def test_the_command_lists_what_the_pages_list(programs, trained):
    """Columns and order as promised; every row as top_genes has it, from which pages take their lists."""
    given, table = programs(trained(), "--genes", "7")
    opened = opened_run(str(trained()))
    factors = opened.factors[opened.axes]
    assert table.columns.tolist() == CONTRACT
    assert (given["n_factors"], given["n_rows"], given["order"]) == (3, 42, "deviance_share")
    for (factor, end), own in table.groupby(["factor", "end"]):
        shown = top_genes(factors, factor - 1, 7, end=ENDS[end])
        assert own["gene"].tolist() == shown["gene"].tolist()
        assert own["rank"].tolist() == list(range(1, 8))
        np.testing.assert_allclose(own["effect"], shown["loading"])
        assert np.all(np.diff(own["deviance_share"] * (1 if end == "high" else -1)) <= 0)


def test_shares_are_the_deviance_that_a_gene_loses_with_its_factor(programs, trained):
    """From raw counts by scipy: silencing a factor on the test cells; all genes together carry all of it."""
    _, table = programs(trained(), "--genes", "80")
    opened = opened_run(str(trained()))
    factors, cells = opened.factors[opened.axes], np.flatnonzero(np.asarray(opened.split) == 2)
    counts, theta = opened.counts.counts[cells].toarray(), np.asarray(factors.inverse_dispersion, float)

    def log_likelihood(z):
        logits = z @ np.asarray(factors.loadings, float).T + factors.intercept
        mean = counts.sum(axis=1, keepdims=True) * softmax(logits, axis=1)
        return nbinom.logpmf(counts, theta, theta / (theta + mean)).sum(axis=0)

    z = np.asarray(factors.representation, float)
    for factor in range(factors.n_factors):
        silenced = z[cells].copy()
        silenced[:, factor] = z[:, factor].mean()
        lost = log_likelihood(z[cells]) - log_likelihood(silenced)
        own = table[table["factor"] == factor + 1].set_index("gene")["deviance_share"]
        effect = table[table["factor"] == factor + 1].set_index("gene")["effect"]
        expected = pd.Series(lost / lost.sum(), factors.gene_names)
        np.testing.assert_allclose(own * np.sign(effect), expected[own.index], atol=2e-5)
        assert (own * np.sign(effect)).sum() == pytest.approx(1, abs=1e-4)


def test_a_run_made_before_shares_were_saved_gets_them(programs, trained, tmp_path):
    """Nothing saved: the same numbers, computed on opening; the files stay as they are."""
    import shutil

    older = tmp_path / "older"
    shutil.copytree(trained(), older)
    for file in older.glob("factors/*/gene_deviance.npy"):
        file.unlink()
    pd.testing.assert_frame_equal(programs(older)[1], programs(trained())[1], rtol=1e-4, atol=1e-6)
    assert not list(older.glob("factors/*/gene_deviance.npy"))


def test_usages_have_only_a_high_end(programs, trained):
    """A share of a cell has no low end."""
    _, table = programs(trained("--prior", "logistic_normal"))
    assert set(table["end"]) == {"high"}
    assert (table["effect"] > 0).all()


def test_the_demo_run_goes_by_its_name(programs):
    """The shipped run, and its strongest program: visceral endoderm."""
    given, table = programs("demo", "--genes", "5")
    first = table[(table["factor"] == 1) & (table["end"] == "high")]
    assert {"Rbp4", "Ttr", "Apoa1"} <= set(first["gene"])
    assert given["n_rows"] == len(table) == 12 * 2 * 5


def test_a_run_or_a_number_that_cannot_be_is_refused(refusal, trained, tmp_path):
    """One line, with the remedy."""
    assert "There is no run 'nowhere'" in refusal("programs", "nowhere", "--to", tmp_path / "a.csv")
    assert "Ask for 1 or more" in refusal("programs", trained(), "--genes", "0", "--to", tmp_path / "a.csv")
