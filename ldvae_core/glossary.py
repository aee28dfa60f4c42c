"""What the field's terms mean, in a biologist's words: the one place that screens, hover texts and documents take from.

`python -m ldvae_core.glossary > docs/glossary.md` makes the document.
"""

import re
import sys
from typing import NamedTuple


class Term(NamedTuple):
    """A term, the ways it is written on screen, and what it means in one or two sentences."""

    name: str
    meaning: str
    written: tuple[str, ...] = ()  # other spellings; plurals in -s are found without being listed


TERMS = (
    Term("gene program", "A set of genes that rise and fall together from cell to cell. Each factor, with the genes "
         "that load on it, is read as one.", ("program",)),
    Term("factor", "A number that the model gives to every cell: where the cell lies between little and much of a "
         "gene program. Runs have some ten of them."),
    Term("guided", "A factor that a gene set informed: the set's genes were expected to load on it, and the data could "
         "add and drop genes."),
    Term("loading", "How strongly a gene belongs to a factor: by how much its expected share of a cell's molecules "
         "changes (natural log) when the cell's factor rises by 1."),
    Term("axes", "The directions that factors are measured along. Turning them all together changes no prediction, "
         "only which genes stand on which axis.", ("axis",)),
    Term("readable", "Axes turned so that most cells lie near 0 on each (varimax), which makes cell types fall on "
         "them. Predictions are the same as on the axes that training ended with.", ("cell-sparse",)),
    Term("gene-sparse", "Axes turned so that few genes load strongly on each."),
    Term("as trained", "The axes that training ended with, not turned."),
    Term("varimax", "A rule for turning axes so that values on each are either large or near 0."),
    Term("shrunken", "Pulled towards 0 as far as the counts leave a value uncertain, so that rare, noisy genes do not "
         "lead a list."),
    Term("raw", "As fitted, without being pulled towards 0."),
    Term("active", "A factor that varies between cells. An inactive one has learned nothing and can be ignored.",
         ("inactive",)),
    Term("explained deviance", "How much worse held-out counts are predicted without the factor, as a share of all "
         "that could be explained. Like explained variance, but for counts.", ("deviance",)),
    Term("usage", "Under a logistic-normal prior: the share of a factor in a cell. The usages of a cell sum to 1."),
    Term("position", "Where a cell lies on the factors: the numbers that the model gives to it."),
    Term("refined", "Positions of cells computed one by one until they fit best, in place of the encoder's quick "
         "guess."),
    Term("LDVAE", "Linearly decoded variational autoencoder: a network places cells on factors, and a linear model "
         "predicts their counts from these, so that loadings can be read.",
         ("linearly decoded variational autoencoder", "linear decoder")),
    Term("VAE", "Variational autoencoder with a neural network as decoder: it predicts well, but has no loadings to "
         "read.", ("variational autoencoder", "autoencoder", "variational")),
    Term("encoder", "The part of the model that reads a cell's counts and gives its position on the factors."),
    Term("decoder", "The part of the model that predicts a cell's counts from its factors."),
    Term("baseline", "A simpler model to compare with: PCA, NMF, or each gene's mean."),
    Term("PCA", "Principal component analysis: factors that take up as much variance as possible."),
    Term("NMF", "Non-negative matrix factorisation: factors and loadings that are never negative."),
    Term("gene mean", "The model without factors: every cell gets each gene's mean share of molecules."),
    Term("latent", "Not seen in the data but learned by the model, such as the factors of a cell."),
    Term("softmax", "Turns any numbers into shares that sum to 1."),
    Term("prior", "What the model expects of factors before it has seen a cell: normal (around 0, in both directions) "
         "or logistic-normal (shares that sum to 1)."),
    Term("posterior", "What is known of a cell's factors after its counts were seen: a place, and how sure it is."),
    Term("logistic-normal", "A prior under which the factors of a cell are shares that sum to 1."),
    Term("likelihood", "How probable the observed counts are under the model; higher is better."),
    Term("negative binomial", "The distribution of counts that vary more than chance alone would make them.", ("NB",)),
    Term("Poisson", "The distribution of counts that vary by chance alone."),
    Term("zero-inflated", "A distribution of counts with more zeros than its mean explains.", ("ZINB",)),
    Term("dispersion", "How much a gene varies beyond chance. The inverse dispersion is large for genes that hardly "
         "do.", ("inverse dispersion",)),
    Term("intercept", "The level of a gene in a cell that lies at 0 on every factor."),
    Term("batch norm", "Batch normalisation: values are centred and scaled by each minibatch in training. It is "
         "folded into the loadings afterwards.", ("batch normalisation",)),
    Term("library size", "All molecules that were counted in a cell, over the modelled genes.", ("library sizes",)),
    Term("covariate", "An annotation, such as donor or batch, whose effect the model takes out of the programs."),
    Term("epoch", "One pass of the training through all training cells."),
    Term("minibatch", "The cells that one step of training looks at."),
    Term("learning rate", "How large the steps of training are."),
    Term("weight decay", "A pull of all weights of the network towards 0."),
    Term("warm-up", "The first part of training, in which the cost of using factors is turned up slowly."),
    Term("dropout", "Parts of the network left out at random in each step, against learning single cells by heart."),
    Term("seed", "The number that random choices start from: the same seed, the same result. A program that comes "
         "back with other seeds can be trusted more."),
    Term("split", "Which cells train the model, which tell when to stop (validation), and which only judge it (test).",
         ("split seed",)),
    Term("held-out", "Cells that the model did not learn from.", ("unseen cells", "validation cells", "test cells")),
    Term("nats", "The unit of fit: a difference of 1 nat a cell means that the better model finds a cell's counts 2.7 "
         "times as probable.", ("nat",)),
    Term("fit to unseen cells", "How badly the counts of cells that were not learned from are predicted from their "
         "factors, in nats per cell; lower is better. It favours models of more factors.",
         ("reconstruction error", "test error", "held-out error")),
    Term("ELBO", "Evidence lower bound: how well unseen cells are predicted, with the cost of the factors counted in, "
         "in nats per cell; higher is better."),
    Term("IWLL", "Importance-weighted log-likelihood: a closer bound than the ELBO of how probable unseen cells are, "
         "in nats per cell; higher is better. The fairest figure between models."),
    Term("KL", "Kullback-Leibler divergence: how much the factors say about each cell, in nats; the cost side of the "
         "ELBO.", ("KL divergence", "KL weight")),
    Term("gain", "By how many nats per cell unseen cells are predicted better than by each gene's mean; higher is "
         "better."),
    Term("standard error", "How far a mean may be off by chance: twice of it either way is nearly always enough."),
    Term("beyond error", "Larger than chance over the cells would make it; the error is taken cell by cell."),
    Term("match", "How alike two programs are by their loadings: 1 is the same program, 0 nothing in common. A gene "
         "counts by its molecules, because counts of rare genes say little.", ("median match", "information metric")),
    Term("cosine", "How alike two factors are when every gene counts the same, rare ones too.", ("|cosine|",)),
    Term("replicates", "Comes back in the other runs: its median match over them is at least 0.8.", ("replicate",)),
    Term("certified", "A program that comes back in other cells: found again in both of two disjoint halves of the "
         "cells, or of the samples, with a match of at least 0.6, and not given by shuffled counts too.",
         ("not certified",)),
    Term("principal angles", "What the factors of two runs span together, compared: small angles mean that only the "
         "axes are turned.", ("principal angle",)),
    Term("eigenvalue", "How much of the variation a component, which mixes factors, takes up.", ("eigenvalues",)),
    Term("correlation", "How closely two numbers go together: 1 or −1 always, 0 not at all."),
    Term("AUC", "How well a number tells two groups apart: the chance that a cell of the one lies above a cell of the "
         "other. 0.5 is none, 1 is perfect."),
    Term("balanced accuracy", "The share of cells that are told right, every group counting the same."),
    Term("fold change", "How many times as large one mean is as another; log2 of it counts doublings.",
         ("log2", "log fold change")),
    Term("interval", "The range in which the true value lies with the given probability."),
    Term("q", "False discovery rate: of all findings with this q or a smaller one, the share that may be chance.",
         ("FDR", "false discovery rate")),
    Term("p value", "How often chance alone would give as large a difference."),
    Term("pseudobulk", "All cells of a sample added up, so that samples, not cells, are compared."),
    Term("GO", "Gene Ontology: a public collection of gene sets, by what genes do."),
    Term("enrichment", "Whether genes of a known set stand unusually high in a program.", ("enriched",)),
    Term("GMT", "A file of gene sets: one line each, with its name and genes."),
    Term("UMAP", "A map that puts cells with similar factors side by side. Distances between far groups mean nothing.",
         ("the map",)),
    Term("Leiden", "A way to group cells that lie close together on the factors into clusters."),
    Term("SD", "Standard deviation: how widely values spread around their mean.", ("standard deviation",)),
    Term("h5ad", "The file of AnnData: counts, annotations and results of cells in one, for scanpy and others.",
         ("AnnData",)),
    Term("loom", "An older file format for counts of cells."),
    Term("GPU", "A graphics processor, which trains large models faster."),
    Term("CPU", "The computer's own processor."),
)  # fmt: skip
MARKED = (  # what a sentence explains where it stands: no gene, and no everyday word, is written so
    "nats", "ELBO", "IWLL", "KL divergence", "KL weight", "AUC", "balanced accuracy", "explained deviance",
    "median match", "information metric", "logistic-normal", "principal angle", "eigenvalue", "pseudobulk",
    "fold change", "varimax", "gene-sparse", "shrunken", "fit to unseen cells", "reconstruction error",
    "held-out error", "inverse dispersion", "negative binomial", "library size", "false discovery rate",
    "beyond error", "batch norm", "minibatch", "UMAP", "Leiden",
)  # fmt: skip
BY_SPELLING = {spelling.casefold(): term for term in TERMS for spelling in (term.name, *term.written)}


def meaning(name: str) -> str:
    """What a term means. Raises KeyError for one that has no entry."""
    return BY_SPELLING[name.casefold()].meaning


def term_of(written: str) -> Term | None:
    """The term that is written so, in whatever case, singular or plural; None when it has no entry."""
    word = written.casefold()
    return next((BY_SPELLING[form] for form in (word, word.removesuffix("s"), word.removesuffix("es"))
                 if form in BY_SPELLING), None)  # fmt: skip


def marked_places(text: str) -> list[tuple[int, int, Term]]:
    """Where the terms of MARKED stand in a text for the first time: start, end, term; none overlaps another."""
    found: dict[str, tuple[int, int, Term]] = {}
    for match in _MARKED.finditer(text):
        term = term_of(match[0])
        if term is not None and term.name not in found:
            found[term.name] = (match.start(), match.end(), term)
    return list(found.values())


def as_document() -> str:
    """The glossary as Markdown, by alphabet."""
    lines = [
        "# Glossary",
        "",
        "Made from `ldvae_core/glossary.py`, where the screens take their explanations from.",
        "",
    ]
    for term in in_order():
        also = f" (also: {', '.join(term.written)})" if term.written else ""
        lines.append(f"- **{term.name}**{also}: {term.meaning}")
    return "\n".join(lines) + "\n"


def in_order() -> list[Term]:
    """All terms, by alphabet."""
    return sorted(TERMS, key=lambda term: term.name.casefold())


_MARKED = re.compile(rf"(?<!\w)(?:{'|'.join(sorted(map(re.escape, MARKED), key=len, reverse=True))})s?(?!\w)")


if __name__ == "__main__":
    sys.stdout.write(as_document())
