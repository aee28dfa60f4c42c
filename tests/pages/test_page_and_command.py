"""What the Cell types page shows of a comparison is what `differ` prints."""

import json

import numpy as np
import pandas as pd
import pytest

from ldvae_core.__main__ import main
from ldvae_core.analysis.enrichment import enrichment_id
from ldvae_core.data.counts import make_count_matrix
from ldvae_core.data.folder import save_counts
from ldvae_core.durable import write_json
from ldvae_core.runs.gene_set_results import GeneSetResults
from ldvae_core.runs.store import RunStore
from ldvae_core.workspace.datasets import CARD_FILE
from ldvae_core.workspace.folders import Workspace
from pages.parts.genes.enrichment_results import kept_result

SHOWN = ("higher in the first", "higher in the second", "no difference")


@pytest.fixture
def differ(capsys, tmp_path):
    """differ(run, *options): the JSON and the table."""

    def ask(run, *options):
        capsys.readouterr()
        assert main(["differ", run, *options, "--to", str(tmp_path / "genes.csv")]) == 0
        return json.loads(capsys.readouterr().out.splitlines()[-1]), pd.read_csv(tmp_path / "genes.csv")

    return ask


@pytest.fixture
def wider_data(workspace, planted):
    """The data set the run was made of, with 20 genes more than are modelled; its id."""
    counts = planted.counts
    more = np.random.default_rng(0).poisson(1.0, (counts.n_cells, 20))
    whole = make_count_matrix(
        np.hstack([more, counts.counts.toarray()]), cell_ids=counts.cell_ids, annotations=counts.annotations,
        gene_names=[*(f"Other{number}" for number in range(20)), *counts.gene_names],
    )  # fmt: skip
    save_counts(whole, workspace.datasets / "wider")
    write_json(workspace.datasets / "wider" / CARD_FILE, {})
    return "wider"


@pytest.mark.parametrize("unit", ["cells", "donor"])
def test_the_page_and_the_command_say_the_same(open_page, make_run, planted, wider_data, words, differ, unit):
    """Every gene's fold change, how many are found, and the sentence; modelled or not, cells or samples as unit."""
    notes = planted.counts.annotations.assign(donor=[f"d{number % 3}" for number in range(300)])
    run = make_run(annotations=notes, data_source=wider_data)
    at = open_page("cell_types.py", run=run, view_types="Why do these differ?", compare_by="cell_type",
                   group_a="program 2", unit=unit)  # fmt: skip
    assert not at.exception
    sample = () if unit == "cells" else ("--sample", unit)
    answer, table = differ(run, "--first", "cell_type=program 2", "--second", "rest", *sample)
    assert len(table) == 80
    volcano = json.loads(at.get("plotly_chart")[2].proto.spec)
    page = {row[0]: x for trace in volcano["data"] if trace.get("name") in SHOWN
            for row, x in zip(trace["customdata"], _numbers(trace["x"]), strict=True)}  # fmt: skip
    tested = table[table["q"].notna()].set_index("gene")["log2_fold_change"]
    assert page == pytest.approx(tested.to_dict(), abs=1e-4)
    assert f"<b>{answer['n_found']:,} of {len(tested):,}</b>" in words(at)
    said = " ".join(words(at).replace("*", "").split())
    assert answer["sentence"].split(" differ (")[0] in said
    assert answer["sentence"].split("Unit: ")[1] in said
    assert "All 80 genes of the data set" in said


def test_the_genes_of_a_program_are_those_that_the_command_lists(open_page, make_run, tmp_path):
    """Both ends of the strongest factor, in the same order."""
    run = make_run()
    at = open_page("factors.py", run=run, view="One factor", n_genes=6)
    assert not at.exception
    assert main(["programs", run, "--genes", "6", "--to", str(tmp_path / "programs.csv")]) == 0
    table = pd.read_csv(tmp_path / "programs.csv").query("factor == 1")
    high, low = (table.loc[table["end"] == end, "gene"].tolist() for end in ("high", "low"))
    drawn = [row[0] for row in json.loads(at.get("plotly_chart")[0].proto.spec)["data"][0]["customdata"]]
    assert drawn == [*high, *low[::-1]]


def test_the_gene_sets_of_a_program_are_those_that_the_command_finds(open_page, make_run, planted, tmp_path):
    """The page's table of one factor is the command's, row by row, numbers and genes."""
    run, names = make_run(), planted.counts.gene_names.tolist()
    sets = tmp_path / "mine.gmt"
    sets.write_text("".join("\t".join([f"set {k}", "", *names[k::4]]) + "\n" for k in range(4)))
    own = GeneSetResults(RunStore(Workspace.default()).additions(run)).keep_own(sets.read_bytes(), "mine.gmt")
    assert main(["enrich", run, "--sets", "mine.gmt", "--to", str(tmp_path / "found.csv")]) == 0
    table = pd.read_csv(tmp_path / "found.csv").query("factor == 1")
    kept = GeneSetResults(RunStore(Workspace.default()).additions(run))
    opened = RunStore(Workspace.default()).open(run)
    page = kept_result(opened, enrichment_id(opened.factors["readable"], own, "over_representation"))
    shown = page[page["factor"] == 0]
    assert kept.own_sets() == {own.digest: "mine.gmt"}
    assert shown[["set", "size", "overlap", "genes"]].to_numpy().tolist() == table[
        ["set", "size", "overlap", "genes"]].to_numpy().tolist()  # fmt: skip
    np.testing.assert_allclose(shown["q"], table["q"])


def _numbers(values):
    """Of a trace, as plotly writes them: a list, or base64 of an array."""
    if isinstance(values, dict):
        import base64

        return np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"]).tolist()
    return values
