"""`separate` prints what the Cell types page shows."""

import html
import json
import re

import numpy as np
import pytest

from ldvae_core.__main__ import main
from ldvae_core.runs.store import RunStore
from ldvae_core.workspace.folders import Workspace


@pytest.fixture
def answer(capsys):
    """Runs the command; its last line, parsed, or the refusal."""

    def run(*arguments):
        status = main(["separate", *arguments])
        out, err = capsys.readouterr()
        return (json.loads(out.splitlines()[-1]), status) if status == 0 else (err, status)

    return run


@pytest.mark.parametrize("types", [["program 1", "program 2"], ["program 4", "program 3", "mixed"]])
def test_the_page_and_the_command_say_the_same(open_page, finished_run, answer, words, types):
    """One sentence, one pair of factors, the same shares, and the genes of the page's arrows."""
    at = open_page("cell_types.py", types=types)
    said, _ = answer(finished_run, "--column", "cell_type", *[part for name in types for part in ("--type", name)])
    text = html.unescape(re.sub(r"<[^>]+>", " ", words(at)))
    assert said["sentence"] in text
    assert f"Best pair of factors  {said['factors'][0]} and {said['factors'][1]}" in text
    assert said["balanced_accuracy"] == pytest.approx(np.mean(list(said["accuracy"].values())))
    assert list(said["accuracy"]) == list(said["genes"]) == types


def test_a_folder_and_an_id_are_the_same_run(finished_run, answer):
    """And types may be given at once, with commas between them."""
    folder = str(Workspace.default().runs / finished_run)
    at_once = answer(folder, "--column", "cell_type", "--types", "program 1,program 2")
    assert at_once == answer(finished_run, "--column", "cell_type", "--type", "program 1", "--type", "program 2")


def test_a_named_gene_is_higher_in_the_counts(finished_run, answer):
    """Summed counts over summed libraries, against each other chosen type."""
    types = ["program 1", "program 2", "program 3"]
    said, _ = answer(finished_run, "--column", "cell_type", "--types", ",".join(types))
    opened = RunStore(Workspace.default()).open(finished_run)
    counts, labels, library = opened.counts.counts.toarray(), opened.labels(), opened.counts.library_size
    means = {kind: counts[labels == kind].sum(axis=0) / library[labels == kind].sum() for kind in types}
    place = {name: number for number, name in enumerate(opened.counts.gene_names.tolist())}
    assert all(said["genes"].values())
    for kind, genes in said["genes"].items():
        for gene in genes:
            assert all(means[kind][place[gene]] > means[other][place[gene]] for other in types if other != kind)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--column", "cell_type", "--types", "program 1"], "Choose 2 to 4 cell types"),
        (["--column", "cell_type", "--types", "program 1,Blood"], "no cell type 'Blood'; known are: "),
        (["--column", "colour", "--types", "a,b"], "no annotation 'colour'"),
    ],
    ids=["one type", "unknown type", "unknown annotation"],
)
def test_what_cannot_be_separated_is_refused(finished_run, answer, arguments, message):
    """Status 2 and one line, with what there is to choose from."""
    said, status = answer(finished_run, *arguments)
    assert (status, said.count("\n")) == (2, 1)
    assert said.startswith("error: ")
    assert message in said


def test_a_name_with_a_comma_is_one_name(make_run, planted, answer):
    """'T cells, CD4' is a type of its own, not two."""
    kinds = planted.counts.annotations["cell_type"].astype(str).replace({"program 1": "T cells, CD4"})
    run = make_run(annotations=planted.counts.annotations.assign(cell_type=kinds))
    said, _ = answer(run, "--column", "cell_type", "--types", "program 2,T cells, CD4")
    assert list(said["genes"]) == ["program 2", "T cells, CD4"]
