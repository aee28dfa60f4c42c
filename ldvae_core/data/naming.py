"""What genes are called: told by what the columns of their table hold, with the words of the column as a hint only."""

import re
from typing import NamedTuple

import numpy as np
import pandas as pd

from ldvae_core.data.names import listing
from ldvae_core.data.orient import SAMPLED, share
from ldvae_core.errors import CountsError

LONGEST_SYMBOL = 40  # characters; descriptions are longer
SYMBOLS_DIFFER = 0.9  # share of distinct names in a column of symbols; kinds, genomes and chromosomes repeat
EXPRESSIONS = ("gene expression", "gex", "rna", "mrna", "gene", "genes", "expression", "transcriptome")  # modelled
OTHER_KINDS = re.compile(  # what is counted beside it
    "antibod|adt|protein|prot$|crispr|guide|grna|hto|hashtag|peak|atac|custom|multiplex|vdj|antigen|cmo|abseq|surface"
    "|control|codeword|blank|lipid|metabolite"
)
MOST_KINDS = 12
SUMMARY = re.compile(  # rows that counting programs add below the genes
    "__(no_feature|ambiguous|too_low_aqual|not_aligned|alignment_not_unique)|"
    "N_(unmapped|multimapping|noFeature|ambiguous)|unmapped|(grand )?totals?",
    re.IGNORECASE,
)
CONTROL = re.compile(  # probes that no gene has, of CosMx, Xenium and MERFISH, and antibodies of BD Rhapsody
    r"blank[-_]?\w*\d+|(neg(ative)?[-_ ]?(prb|probe|control)|falsecode|systemcontrol|antisense_"
    r"|(unassigned|deprecated)[-_ ]?codeword).*|.+\|pabo",
    re.IGNORECASE,
)
_HINTS = (
    *("genesymbols", "genesymbol", "featurename", "genename", "genenames", "geneshortname", "symbol", "symbols"),
    *("features", "hgncsymbol", "mgisymbol", "externalgenename"),
)
ID_COLUMNS = ("gene_ids", "gene_id", "feature_id", "ensembl_id", "ensembl", "Accession")
_GENE_ID = re.compile(r"(ENS[A-Z]{0,4}G\d{6,}(\.\d+)?|FBgn\d{7}|WBGene\d{8})", re.IGNORECASE)
_JOINED = re.compile(
    rf"(?P<id>{_GENE_ID.pattern})[_|:; -]+(?P<symbol>.+)|(?P<symbol_first>.+)[_|:; -](?P<id_last>{_GENE_ID.pattern})",
    re.IGNORECASE,
)
_NO_SYMBOL = re.compile(r"ENS[A-Z]{0,4}[GT]\d{6,}|FBgn\d+|WBGene\d+|\d+(\.\d+)?$", re.IGNORECASE)
_GENOME = re.compile(
    r"(GRC[hmz]\w*?|hg\d+|mm\d+|rn\d+|dm\d+|T2T\w*?|GENCODE\w*?|refdata\w*?)[_-]+(?=[^_-])", re.IGNORECASE
)
_DATE = re.compile(
    r"\d{1,2}-(Mar|Sep|Sept|Dec|Apr|Oct|Feb|Nov)|(Mar|Sep|Sept|Dec)-\d{1,2}"
    r"|(19|20)\d\d-[01]\d-[0-3]\d([ T]00:00:00)?|\d{1,2}[./]\d{1,2}[./](19|20)\d\d",
    re.IGNORECASE,
)
_MISSING = ("na", "nan", "none", "n/a", "<na>", "-")  # as programs write a name that is not there
_ANTIBODY = re.compile(r".+[_-]TotalSeq[A-D]?", re.IGNORECASE)


class GeneNames(NamedTuple):
    """names, ids: (n_genes,) object, ids None where there are none. named_by: "index" or a column, one of columns."""

    names: np.ndarray
    ids: np.ndarray | None
    named_by: str
    columns: tuple[str, ...]
    notices: tuple[str, ...]


def gene_names(table: pd.DataFrame, *, asked: str | None = None) -> GeneNames:
    """Symbols on screen, ids beside them, from a table of genes whose index is what the file calls them by.

    Where the index holds ids or numbers and a column holds symbols, these become the names; a gene without one keeps
    its id. asked: the column to take, or "index". Raises CountsError when there is no such column.
    """
    index = table.index.astype(str).to_numpy(dtype=object)
    columns = ("index", *(str(name) for name in table.columns if _can_name(table[name])))
    if asked is not None and asked not in columns:
        raise CountsError(
            f"Genes cannot be named by '{asked}'.", f"Choose one of: {listing(columns, 20)}.",
            offers={"genes_named_by": columns},
        )  # fmt: skip
    coded = share(_NO_SYMBOL, index.tolist(), whole=True) > 0.5
    named_by = asked or (_symbol_column(table) if coded else None) or "index"
    ids: np.ndarray | None
    joined = [_JOINED.fullmatch(name) for name in index] if named_by == "index" and asked is None else [None]
    if all(joined) and len(index):
        names = np.asarray([match["symbol"] or match["symbol_first"] for match in joined if match], dtype=object)
        ids = np.asarray([match["id"] or match["id_last"] for match in joined if match], dtype=object)
        notices = ["Genes were called by id and symbol in one: named by the symbol, ids kept beside."]
    elif named_by == "index":
        names = index
        ids = _given_ids(table)
        notices = []
    else:
        known = _texts(table[named_by])
        names = np.asarray([name or key for name, key in zip(known, index, strict=True)], dtype=object)
        numbered = all(key.replace(".", "").isdigit() for key in index[:SAMPLED])
        ids = _given_ids(table) if numbered else index
        kept = "" if numbered else "; their ids are kept beside"
        notices = [f"Genes are named by the column '{named_by}'{kept}."]
    names, more = _without_genome(names)
    return GeneNames(names, ids, named_by, columns, (*notices, *more, *_oddities(names)))


def expression_mask(table: pd.DataFrame) -> np.ndarray | None:
    """Which features are genes, where the table mixes them with antibodies and the like: bool; None when all are.

    Raises CountsError when the table says that none is.
    """
    for name in table.columns:
        kinds = {str(kind).strip().lower() for kind in table[name].dropna().unique()[: MOST_KINDS + 1]}
        named = str(name).lower().replace(" ", "_") in ("feature_types", "feature_type")
        known = kinds & set(EXPRESSIONS) and any(map(OTHER_KINDS.search, kinds))
        if named and kinds and len(kinds) <= MOST_KINDS and all(map(OTHER_KINDS.search, kinds)):
            raise CountsError(
                f"None of the {len(table):,} features is gene expression: they are {listing(sorted(kinds))}.",
                "Load the file of the same run that holds the genes.",
            )
        if len(kinds) <= MOST_KINDS and len(kinds) > 1 and (named or known):
            genes = np.asarray([str(kind).strip().lower() in EXPRESSIONS for kind in table[name]], dtype=bool)
            return genes if genes.any() and not genes.all() else None
    return None


def _without_genome(names: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Without the name of the one genome that stands before every gene; where there are two, that is said."""
    genomes = {match[0] for name in names if (match := _GENOME.match(name))}
    if len(genomes) == 1:
        (genome,) = genomes
        if all(name.startswith(genome) and len(name) > len(genome) for name in names):
            short = np.asarray([name[len(genome) :] for name in names], dtype=object)
            return short, [f"All genes began with '{genome}': taken off."]
    if len(genomes) > 1:
        return names, [f"Genes of {len(genomes)} genomes are in this file: {listing(sorted(genomes))}."]
    return names, []


def _oddities(names: np.ndarray) -> list[str]:
    said = []
    if dates := [name for name in names if _DATE.fullmatch(name)]:
        said.append(
            f"{len(dates):,} gene names look like dates, as spreadsheets make of MARCHF1 or SEPTIN2: {listing(dates)}."
        )
    if antibodies := [name for name in names if _ANTIBODY.fullmatch(name)]:
        said.append(f"{len(antibodies):,} names look like antibodies, not genes: {listing(antibodies)}.")
    if sum(name.startswith("ENSG0") for name in names) and sum(name.startswith("ENSMUSG") for name in names):
        said.append("Genes of two species, human and mouse, are in this file.")
    return said


def _given_ids(table: pd.DataFrame) -> np.ndarray | None:
    """Ids of a column usually called so, else of the first that holds ids of genes."""
    known = [name for name in ID_COLUMNS if name in table.columns]
    holding = (name for name in table.columns if share(_GENE_ID, _texts(table[name])[:SAMPLED], whole=True) > 0.5)
    ids = next(iter(known), None) or next(holding, None)
    return None if ids is None else table[ids].astype(str).to_numpy(dtype=object)


def _can_name(column: pd.Series) -> bool:
    texts = [text for text in _texts(column) if text]
    return len(texts) > 0.5 * len(column) and len(set(texts)) > 0.5 * len(texts)


def _symbol_column(table: pd.DataFrame) -> str | None:
    """The column that holds symbols; between several, one that is called so, else the first."""
    found = [str(name) for name in table.columns if _holds_symbols(_texts(table[name]))]
    hinted = [name for name in found if re.sub("[^a-z]", "", name.lower()) in _HINTS]
    return next(iter(hinted or found), None)


def _holds_symbols(texts: list[str]) -> bool:
    present = [text for text in texts if text]
    if len(present) < 0.5 * len(texts) or len(set(present)) < SYMBOLS_DIFFER * len(present):
        return False
    worded = sum(any(map(str.isalpha, text)) and len(text) <= LONGEST_SYMBOL for text in present)
    return worded > 0.9 * len(present) and share(_NO_SYMBOL, present, whole=True) < 0.5


def _texts(column: pd.Series) -> list[str]:
    """Text of every gene, "" where there is none."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return [""] * len(column)
    texts = (str(value).strip() for value in column.astype(object).where(column.notna(), ""))
    return ["" if text.lower() in _MISSING else text for text in texts]
