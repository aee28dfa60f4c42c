"""What the Cell types page shows of a comparison is what `differ` prints."""

import json

import numpy as np
import pandas as pd
import pytest

from ldvae_core.__main__ import main
from ldvae_core.data.counts import make_count_matrix
from ldvae_core.data.folder import save_counts
from ldvae_core.durable import write_json
from ldvae_core.workspace.datasets import CARD_FILE

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


def _numbers(values):
    """Of a trace, as plotly writes them: a list, or base64 of an array."""
    if isinstance(values, dict):
        import base64

        return np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"]).tolist()
    return values
