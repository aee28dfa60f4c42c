"""Any gene of the data set that a run was made from, modelled or not: its place and counts; and lists of genes."""

from ldvae_core.analysis.genes import GeneCounts, genes_of
from ldvae_core.data.gene_lookup import GeneIndex
from ldvae_core.runs.all_genes import KnownGenes, counts_of_known, dataset_of, known_genes
from ldvae_core.runs.gene_lists import GeneLists
from ldvae_core.runs.store import OpenRun
from pages.parts.comparing import everything
from pages.parts.per_run import per_run
from pages.parts.runs import store
from pages.parts.text import plain

MOST_OFFERED = 8_000  # names that a browser is sent on every visit: some 100 kB


def known(opened: OpenRun) -> KnownGenes:
    """The modelled genes, then the others of the data set; those of a file, which takes long to read, are not known."""
    return _known(opened, _source(opened))


def index_of(opened: OpenRun) -> GeneIndex:
    """Where every known gene stands, by name and id."""
    return _index_of(opened, _source(opened))


def labels_of(opened: OpenRun) -> dict[str, str]:
    """The genes to choose from, as they are shown; of very many only the modelled ones: the others can be typed."""
    return _labels_of(opened, _source(opened))


def _source(opened: OpenRun) -> str:
    """The data set that all genes come from, "" while that is a file: what is known changes once it is loaded."""
    return dataset_of(opened, store().workspace) or ""


@per_run(max_entries=8)
def _known(opened: OpenRun, source: str) -> KnownGenes:
    return known_genes(opened, everything(opened) if source else None)


@per_run(max_entries=8)
def _index_of(opened: OpenRun, source: str) -> GeneIndex:
    return GeneIndex.of(_known(opened, source).names, _known(opened, source).ids)


@per_run(max_entries=8)
def _labels_of(opened: OpenRun, source: str) -> dict[str, str]:
    genes = _known(opened, source)
    offered = genes.names if len(genes.names) <= MOST_OFFERED else genes.names[: genes.n_modelled]
    return {name: plain(name) for name in offered.tolist()}


def gathered(opened: OpenRun, genes: tuple[int, ...]) -> dict[int, GeneCounts]:
    """The counts of known genes that are not zero, by the genes' positions."""
    return _gathered(opened, genes, _source(opened))


@per_run(max_entries=8)  # 3 MB each for a common gene in two million cells
def _gathered(opened: OpenRun, genes: tuple[int, ...], source: str) -> dict[int, GeneCounts]:
    whole = None if known(opened).columns is None else everything(opened)
    return genes_of(counts_of_known(opened, whole, known(opened), genes), genes)


def gene_lists() -> GeneLists:
    """The lists that people have kept in this server's workspace."""
    return GeneLists(store().workspace)


def where_looked(opened: OpenRun) -> str:
    """Among which genes a name was looked for."""
    genes = known(opened)
    return f"{len(genes.names):,} genes of the data set" if genes.n_others else f"{genes.n_modelled:,} modelled genes"
