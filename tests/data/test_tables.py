"""Tables as people have them: encodings, lines before the header, columns and rows that hold no counts."""

import numpy as np
import pandas as pd
import pytest

from ldvae_core.errors import CountsError

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
