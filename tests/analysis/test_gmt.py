"""Programs as gene sets: what is written is read back by the same rules as anybody's file."""

from ldvae_core.analysis.gmt import programs_as_gmt
from ldvae_core.analysis.programs import top_genes
from ldvae_core.data.genesets import read_gmt


def test_both_ends_of_every_program_are_sets(factors):
    """Under the factor's name, with its first genes in their order."""
    found = read_gmt(programs_as_gmt(factors, n_genes=10, source="My run"), "Mine")
    first = next(name for name in found.sets if name.startswith(factors.label(0)) and name.endswith("high"))
    assert list(found.sets[first]) == top_genes(factors, 0, 10, end="positive")["gene"].tolist()


def test_a_name_cannot_break_the_file(factors):
    """Tabs and line breaks in names and sources become spaces."""
    lines = programs_as_gmt(factors, n_genes=3, source="a\tb\nc").decode().splitlines()
    assert {line.split("\t")[1] for line in lines} == {"a b c"}
    assert all(3 <= len(line.split("\t")) <= 5 for line in lines)
