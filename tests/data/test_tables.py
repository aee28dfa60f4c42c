"""Tables as people have them: encodings, lines before the header, columns and rows that hold no counts."""

import gzip

import numpy as np
import pandas as pd
import pytest

from ldvae_core.data.reading_options import ReadingOptions
from ldvae_core.errors import CountsError, SettingsError

from .conftest import CELLS, GENES


@pytest.fixture
def by_gene(molecules):
    """Genes x cells, as most pipelines write."""
    return pd.DataFrame(molecules.T.astype(int), index=list(GENES), columns=list(CELLS))


@pytest.fixture
def by_cell(by_gene):
    """Cells x genes."""
    return by_gene.T


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_every_encoding_is_read(by_gene, tmp_path, read_here, molecules, encoding):
    """As spreadsheets and older programs write; a letter beyond ASCII comes back."""
    path = tmp_path / "table.tsv"
    by_gene.rename(columns={CELLS[0]: "été"}).to_csv(path, sep="\t", index_label="gene", encoding=encoding)
    counts = read_here(path)
    assert counts.cell_ids[0] == "été"
    assert (counts.counts.toarray() == molecules).all()


def test_lines_before_the_header_are_passed_over(by_gene, tmp_path, read_here, molecules):
    """Comments of a pipeline, and what Excel wants to know."""
    path = tmp_path / "table.csv"
    path.write_text("## made by a pipeline\n# twice\nsep=;\n" + by_gene.to_csv(sep=";", index_label="gene"))
    assert (read_here(path).counts.toarray() == molecules).all()


def test_a_separator_at_the_end_of_rows_shifts_nothing(by_gene, tmp_path, read_here, molecules):
    """The header has one name fewer than rows have commas; R's way of leaving out the corner looks alike."""
    head, *rows = by_gene.to_csv(index_label="gene").splitlines()
    path = tmp_path / "table.csv"
    path.write_text("\n".join([head, *(f"{row}," for row in rows)]) + "\n")
    counts = read_here(path)
    assert counts.cell_ids.tolist() == list(CELLS)
    assert (counts.counts.toarray() == molecules).all()


def test_a_count_with_a_comma_is_refused_by_row_and_column(by_cell, tmp_path, read_here):
    """It had made an annotation of the gene, silently."""
    by_cell[GENES[3]] = ["1,234", *["0"] * (len(CELLS) - 1)]
    by_cell.to_csv(tmp_path / "table.csv", index_label="cell")
    with pytest.raises(CountsError, match=rf"'1,234' in row '{CELLS[0]}', column '{GENES[3]}'"):
        read_here(tmp_path / "table.csv")


def test_columns_about_cells_are_annotations(by_cell, tmp_path, read_here, molecules):
    """True and false, and numbers under a name that genes do not have; the notice names them."""
    by_cell.assign(doublet=True, leiden=1).to_csv(tmp_path / "table.csv", index_label="cell")
    counts = read_here(tmp_path / "table.csv")
    assert list(counts.annotations.columns) == ["doublet", "leiden"]
    assert counts.gene_names.tolist() == list(GENES)
    assert any("taken as annotations of the cells: doublet, leiden" in notice for notice in counts.notices)


def test_columns_about_genes_are_no_cells(by_gene, tmp_path, read_here):
    """featureCounts puts the place and the length of every gene before its counts."""
    by_gene.insert(0, "Length", np.arange(len(GENES)) + 900)
    by_gene.insert(0, "Chr", "chr1")
    path = tmp_path / "counts.txt"
    path.write_text("# Program:featureCounts\n" + by_gene.to_csv(sep="\t", index_label="Geneid"))
    counts = read_here(path)
    assert counts.cell_ids.tolist() == list(CELLS)
    assert any("left out: Chr, Length" in notice for notice in counts.notices)


def test_rows_that_sum_up_reads_are_no_genes(by_gene, tmp_path, read_here):
    """htseq-count and STAR add them below the genes."""
    by_gene.loc["__no_feature"] = 7
    by_gene.loc["N_unmapped"] = 9
    by_gene.to_csv(tmp_path / "table.csv", index_label="gene")
    counts = read_here(tmp_path / "table.csv")
    assert counts.gene_names.tolist() == list(GENES)
    assert any("left out: __no_feature, N_unmapped" in notice for notice in counts.notices)


def test_cells_numbered_within_a_field_of_view_keep_both_numbers(by_cell, tmp_path, read_here):
    """The same number is another cell in another field of view."""
    numbered = by_cell.reset_index(drop=True).assign(fov=[1, 2] * (len(CELLS) // 2), cell_ID=np.arange(len(CELLS)) // 2)
    numbered[["fov", "cell_ID", *GENES]].to_csv(tmp_path / "table.csv", index=False)
    counts = read_here(tmp_path / "table.csv")
    assert counts.cell_ids[:3].tolist() == ["1_0", "2_0", "1_1"]
    assert counts.gene_names.tolist() == list(GENES)


def test_a_header_that_begins_with_a_hash_is_the_header(by_gene, tmp_path, read_here):
    """It has as many fields as the rows below it; comments above it have not."""
    path = tmp_path / "table.csv"
    path.write_text("# made by a pipeline\n" + by_gene.to_csv(index_label="#gene"))
    counts = read_here(path)
    assert counts.cell_ids.tolist() == list(CELLS)
    assert counts.gene_names.tolist() == list(GENES)


def test_separators_at_the_end_of_every_line_are_no_column(by_gene, tmp_path, read_here, molecules):
    """As spreadsheets write a sheet that was wider once."""
    path = tmp_path / "table.csv"
    path.write_text("\n".join(f"{row},," for row in by_gene.to_csv(index_label="gene").splitlines()) + "\n")
    assert (read_here(path).counts.toarray() == molecules).all()


def test_a_letter_cut_where_the_encoding_is_looked_for_is_no_other_encoding(tmp_path, read_here, molecules):
    """A header longer than what is looked at, of letters of two bytes."""
    long = [f"{'é' * 100}{n}" for n in range(len(CELLS) * 10)]
    table = pd.DataFrame(np.tile(molecules.T.astype(int), 10), index=list(GENES), columns=long)
    table.to_csv(tmp_path / "table.csv", index_label="gene", encoding="utf-8")
    assert read_here(tmp_path / "table.csv").cell_ids.tolist() == long


@pytest.mark.parametrize(("separator", "name"), [(";", "table.csv"), ("\t", "table.tsv"), (",", "table.csv")])
def test_a_comma_can_be_the_decimal_mark(by_gene, tmp_path, read_here, molecules, separator, name):
    """As spreadsheets of half of Europe write; in quotes where it parts the fields, too."""
    (by_gene * 1.0).to_csv(tmp_path / name, sep=separator, decimal=",", index_label="gene")
    assert (read_here(tmp_path / name).counts.toarray() == molecules).all()


@pytest.mark.parametrize("separator", ["|", " ", "\t", ";"])
def test_every_separator_is_read(by_gene, tmp_path, read_here, molecules, separator):
    """Also where names hold a comma."""
    table = by_gene.rename(index={GENES[3]: "a,b"}, columns={CELLS[2]: "c,d"})
    table.to_csv(tmp_path / "table.txt", sep=separator, index_label="gene")
    counts = read_here(tmp_path / "table.txt")
    assert (counts.counts.toarray() == molecules).all()
    assert (counts.gene_names[3], counts.cell_ids[2]) == ("a,b", "c,d")


@pytest.mark.parametrize("title", ["My counts of May\n\n", "My counts of May" + "," * 80 + "\n" + "," * 80 + "\n"])
def test_a_title_is_no_header(by_gene, tmp_path, read_here, molecules, title):
    """With and without the commas that a spreadsheet fills its line with."""
    (tmp_path / "table.csv").write_text(title + by_gene.to_csv(index_label="gene"))
    assert (read_here(tmp_path / "table.csv").counts.toarray() == molecules).all()


def test_the_lines_above_a_gct_are_no_header(by_gene, tmp_path, read_here, molecules):
    """Its version, its size; its descriptions are no counts."""
    by_gene.insert(0, "Description", "na")
    (tmp_path / "table.txt").write_text("#1.2\n40\t80\n" + by_gene.to_csv(sep="\t", index_label="NAME"))
    assert (read_here(tmp_path / "table.txt").counts.toarray() == molecules).all()


def test_empty_rows_at_the_end_are_no_cells(by_gene, tmp_path, read_here, molecules):
    """As spreadsheets write a sheet that was longer once."""
    (tmp_path / "table.csv").write_text(by_gene.to_csv(index_label="gene") + ("," * len(CELLS) + "\n") * 2)
    assert (read_here(tmp_path / "table.csv").counts.toarray() == molecules).all()


def test_few_columns_of_measurements_are_annotations(by_cell, tmp_path, read_here, molecules):
    """Whatever they are called: fractions and numbers below zero are no counts where all other columns are."""
    about = {"anything": np.linspace(0.1, 5, 80), "UMAP_1": np.linspace(-1, 1, 80), "x": 3, "y": 4, "n_UMI": 7}
    by_cell.assign(**about, empty=np.nan).to_csv(tmp_path / "table.csv", index_label="cell")
    counts = read_here(tmp_path / "table.csv")
    assert (counts.counts.toarray() == molecules).all()
    assert set(counts.annotations.columns) == {*about, "empty"}


def test_rows_of_text_are_named(by_gene, tmp_path, read_here):
    """One row of cell types above the counts had made every column text."""
    kinds = pd.DataFrame([["T", "B"] * 40], index=["cell_type"], columns=list(CELLS))
    pd.concat([kinds, by_gene.astype(object)]).to_csv(tmp_path / "table.csv", index_label="gene")
    with pytest.raises(CountsError, match=r"Rows of the table hold text among the counts: cell_type\."):
        read_here(tmp_path / "table.csv")


def test_text_among_the_counts_is_named_by_row_and_column(by_gene, tmp_path, read_here):
    """A person can find it."""
    by_gene = by_gene.astype(object)
    by_gene.iloc[4, 7] = "about 5"
    by_gene.to_csv(tmp_path / "table.csv", index_label="gene")
    with pytest.raises(CountsError, match=rf"{CELLS[7]} \('about 5' in row '{GENES[4]}'\)"):
        read_here(tmp_path / "table.csv")


@pytest.mark.parametrize(("count", "mark"), [("1.234.567", "a dot"), ("1'234", "an apostrophe")])
def test_other_marks_for_thousands_are_refused_by_row_and_column(by_gene, tmp_path, read_here, count, mark):
    """As Germany and Switzerland write them."""
    by_gene[CELLS[5]] = [count, *["0"] * (len(GENES) - 1)]
    by_gene.to_csv(tmp_path / "table.csv", sep=";", index_label="gene")
    with pytest.raises(CountsError, match=f"{count}.* in row .*{GENES[0]}.* has {mark} for thousands"):
        read_here(tmp_path / "table.csv")


def test_a_list_of_counts_is_told_from_a_table(by_gene, tmp_path, read_here):
    """Gene, cell, count: the remedy is a pivot."""
    by_gene.stack().reset_index().to_csv(tmp_path / "table.csv", index=False)
    with pytest.raises(CountsError, match="is a list with a row for each count"):
        read_here(tmp_path / "table.csv")


@pytest.mark.parametrize("logarithm", [np.log1p, lambda x: np.log2(1 + x), lambda x: np.log10(1 + x)])
def test_a_logarithm_is_known_whichever_side_holds_the_cells(by_cell, tmp_path, read_here, logarithm):
    """Cells are looked at whole, along rows or columns; of e, 2 and 10."""
    share = by_cell.div(by_cell.sum(axis=1), axis=0) * 1e4
    for number, table in enumerate((logarithm(share), logarithm(share).T, logarithm(by_cell))):
        table.to_csv(tmp_path / f"{number}.csv", index_label="")
        with pytest.raises(CountsError, match=r"look log-normalised|look like log") as refusal:
            read_here(tmp_path / f"{number}.csv")
        assert not refusal.value.offers


@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz"])
def test_whether_a_table_is_packed_its_bytes_tell(by_gene, tmp_path, read_here, molecules, name):
    """Browsers unpack a file and keep the .gz, or the reverse."""
    content = by_gene.to_csv(index_label="gene").encode()
    (tmp_path / name).write_bytes(content if name.endswith(".gz") else gzip.compress(content))
    assert (read_here(tmp_path / name).counts.toarray() == molecules).all()


def test_words_after_the_counts_are_no_cells(by_gene, tmp_path, read_here, molecules):
    """The biotype of every gene; a total is no cell either."""
    by_gene.assign(Total=by_gene.sum(axis=1), biotype="protein_coding").to_csv(tmp_path / "x.csv", index_label="gene")
    counts = read_here(tmp_path / "x.csv")
    assert (counts.counts.toarray() == molecules).all()
    assert any("left out: Total, biotype" in notice for notice in counts.notices)


def test_spaces_and_single_quotes_are_no_part_of_names(by_gene, tmp_path, read_here):
    """As hand-written programs put around every name."""
    quoted = by_gene.rename(index="'{}'".format, columns=" '{}'".format)
    quoted.to_csv(tmp_path / "table.csv", index_label="gene")
    counts = read_here(tmp_path / "table.csv")
    assert (counts.gene_names.tolist(), counts.cell_ids.tolist()) == (list(GENES), list(CELLS))


def test_a_header_of_thousands_of_names_is_read(tmp_path, read_here, molecules):
    """Longer than the longest field of the csv library."""
    genes = [f"a-gene-with-a-name-of-its-own-{number}" for number in range(6_000)]
    pd.DataFrame(np.tile(molecules, 150).astype(int), list(CELLS), genes).to_csv(tmp_path / "table.csv")
    assert read_here(tmp_path / "table.csv").n_genes == 6_000


@pytest.fixture
def labelled(tmp_path):
    """A table of cells with names in its second column, a measurement that looks like a gene, and a gene called Age."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"number": range(1, 61), "well": [f"well {n}" for n in range(60)], "Dose": [1, 2] * 30,
                          "Age": rng.poisson(2, 60)})  # fmt: skip
    genes = pd.DataFrame(rng.poisson(3, (60, 30)), columns=[f"Abc{n}" for n in range(30)])
    pd.concat([table, genes], axis=1).to_csv(tmp_path / "cells.csv", index=False)
    return tmp_path / "cells.csv"


def test_columns_are_what_people_say(labelled, read_here):
    """Names, annotation or counts; all else is told as before."""
    seemed = read_here(labelled)
    assert seemed.reading.apart == ("well", "Age")
    assert "Dose" in seemed.gene_names
    said = read_here(labelled, columns=("well=names", "Dose=annotation", "Age=counts", "number=annotation"))
    table = pd.read_csv(labelled)
    assert said.cell_ids.tolist() == table["well"].tolist()
    assert said.reading.cells_named_by == "well"
    assert said.annotations.columns.tolist() == ["number", "Dose"]
    assert said.gene_names.tolist() == ["Age", *(f"Abc{n}" for n in range(30))]
    assert np.array_equal(said.counts.toarray(), table.iloc[:, 3:].to_numpy())


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (("nowhere=names",), "no column nowhere"),
        (("well=counts",), "text among the counts"),
    ],
)
def test_columns_that_cannot_be_so_are_refused(labelled, read_here, columns, words):
    """In words."""
    with pytest.raises(CountsError, match=words):
        read_here(labelled, columns=columns)


def test_only_kinds_that_there_are_can_be_said(saved, read_here):
    """And only of a text table."""
    for columns in (("well",), ("well=gene",), ("a=names", "b=names")):
        with pytest.raises(SettingsError):
            ReadingOptions(columns=columns)
    with pytest.raises(CountsError, match="Only in a text table"):
        read_here(saved(), columns=("a=names",))
