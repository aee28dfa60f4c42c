"""Every term of the field that a screen uses has an entry in the glossary."""

import html
import re

import pytest

from ldvae_core.glossary import TERMS, as_document, meaning, term_of
from pages.parts.text import explained
from tests.pages.conftest import PAGES, ROOT

VIEWS = [
    *((page, {}) for page in PAGES),
    *(("factors.py", {"view": view}) for view in ("Gallery", "One factor", "Map", "What if")),
    ("genes.py", {"genes": "Gene01"}),
    ("cell_types.py", {"view_types": "Distributions"}),
    ("cell_types.py", {"view_types": "Differences"}),
    ("cell_types.py", {"view_types": "Design"}),
]
TERMS_OF_THE_FIELD = re.compile(  # words that mean something else, or nothing, to who does not know the field
    r"\b(nats?|loadings?|posteriors?|priors?|deviances?|dispersions?|eigenvalues?|covariates?|epochs?|minibatch(?:es)?|"
    r"likelihoods?|varimax|shrunken|readable|refined|encoders?|decoders?|cosines?|latent|dropout|usages?|baselines?|"
    r"intercepts?|varimax|pseudobulk|enrichment|held-out|batch norm|weight decay|learning rate|warm-up|fold changes?|"
    r"principal angles?|balanced accuracy|standard errors?|explained deviance|gene programs?|factors?|zero-inflated|"
    r"logistic-normal|negative binomial|Poisson|Leiden|library sizes?|quantiles?|regulari[sz]ation|softmax|hyper\w+|"
    r"gradients?|entropy|perplexity|silhouette|bootstrap\w*|covariance|heteroscedastic\w*|autoencoders?|Bonferroni|"
    r"isotropic|manifold|embeddings?|Monte[- ]Carlo|Bayes\w*|variational|kernels?|priors?)\b",
    re.IGNORECASE,
)
ACRONYM = re.compile(r"\b[A-Z][A-Za-z]*[A-Z]{1,}\b")
KNOWN = {  # to everybody, or names: of files, species, journals, this program's data
    "SVG", "PNG", "CSV", "TSV", "JSON", "MTX", "HDF5", "MB", "GB", "DNA", "RNA", "ID", "OK", "MT", "MIT", "CC", "BY",
    "AnnData", "PBMC", "CellxGene", "CELLxGENE", "GEO", "NCBI", "MSigDB", "CXCL", "ExE", "PD", "NMP", "PACK",
}  # fmt: skip


def words_of(at):
    """Whatever a page says: texts, labels, options, placeholders and helps."""
    kinds = ("html", "markdown", "caption", "info", "error", "warning", "subheader", "button", "checkbox", "toggle",
             "radio", "selectbox", "multiselect", "slider", "number_input", "text_input", "text_area", "expander",
             "tabs", "segmented_control")  # fmt: skip
    said = []
    for kind in kinds:
        for element in at.get(kind):
            proto = element.proto
            values = [getattr(element, "value", ""), *(getattr(proto, name, "") for name in ("label", "help", "body"))]
            options = getattr(element, "options", ())
            said += [
                str(value)
                for value in (*values, *options)
                if isinstance(value, str) and not value.lstrip().startswith(("<style", "<script"))
            ]
    return re.sub(r"<[^>]*>", " ", " \n".join(said))


def unexplained(text):
    """Terms without an entry."""
    terms = {match[0] for match in TERMS_OF_THE_FIELD.finditer(text)}
    acronyms = {match[0] for match in ACRONYM.finditer(text)} - KNOWN
    return sorted(word for word in terms | acronyms if term_of(word) is None)


@pytest.mark.parametrize(
    ("file", "address"), VIEWS, ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else value
)
def test_every_term_on_screen_has_an_entry(open_page, finished_run, file, address):
    """A new term of the field, or a new abbreviation, belongs into ldvae_core/glossary.py."""
    at = open_page(file, run=finished_run, **address)
    assert not at.exception
    assert unexplained(words_of(at)) == []


def test_a_term_without_an_entry_is_found():
    """Words and abbreviations alike, in any case."""
    assert unexplained("The MCMC of the Perplexity; nats per cell") == ["MCMC", "Perplexity"]


def test_the_document_is_made_from_the_glossary():
    """`python -m ldvae_core.glossary > docs/glossary.md` makes it anew."""
    assert (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8") == as_document()


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.name)
def test_an_entry_is_short_and_stands_once(term):
    """One or two sentences; no other entry is written so."""
    assert 20 <= len(term.meaning) <= 260
    assert term.meaning.endswith(".")
    for written in (term.name, *term.written):
        assert term_of(written) is term


def test_a_sentence_explains_its_terms_where_they_stand_first():
    """As a hover text that a keyboard reaches; what comes from data stays letters."""
    said, words = explained("<b>3 nats</b> per cell, 2 nats there"), html.escape(meaning("nats"))
    assert said == f'&lt;b&gt;3 <abbr title="{words}" tabindex="0">nats</abbr>&lt;/b&gt; per cell, 2 nats there'


def test_a_gene_is_not_taken_for_a_term():
    """KL is Klotho, and AUC1 is no AUC."""
    assert "<abbr" not in explained("KL, AUC1, Gain and Sd are genes of factor 3")


def test_one_figure_has_one_name_on_every_screen():
    """Fit to unseen cells; its other names stand in the glossary and, once, where the curves are explained."""
    said = [path.name for path in (ROOT / "pages").rglob("*.py")
            if re.search(r"(test|held-out) error|\bTest (ELBO|IWLL)", path.read_text(encoding="utf-8"))]  # fmt: skip
    assert said == []
