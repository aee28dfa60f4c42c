"""What the two ends of the factors mean: gene sets that stand at them more often than chance has it."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import sparse

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.programs import SIGNS, gene_ranking, genes_at
from ldvae_core.data.genesets import places_of
from ldvae_core.data.gmt import GeneSets
from ldvae_core.errors import SettingsError

Method = Literal["over_representation", "pre_ranked"]

FEWEST_IN_SET, MOST_IN_SET = 5, 500  # modelled genes of a set that is tested
END_SHARE, FEWEST_AT_END, MOST_AT_END = 0.05, 10, 100  # modelled genes that stand for an end
SIGNIFICANT = 0.05  # q
SEED = 0
COLUMNS = ("factor", "end", "set", "size", "overlap", "genes", "statistic", "p", "q", "method")


@dataclass(frozen=True, eq=False)
class Background:
    """The sets as positions among the modelled genes: what every test is made against."""

    n_genes: int
    members: dict[str, np.ndarray]  # set -> ascending positions, FEWEST_IN_SET to MOST_IN_SET of them

    @property
    def n_sets(self) -> int:
        """Sets that are tested."""
        return len(self.members)


def background(gene_names: np.ndarray, found: GeneSets) -> Background:
    """Match a collection with the modelled genes, case-blind, Ensembl ids by their symbols where these are known.

    Raises SettingsError when no set has FEWEST_IN_SET modelled genes.
    """
    place = places_of(gene_names)
    members = {}
    for name, genes in found.sets.items():
        positions = np.unique([place[key] for gene in genes if (key := gene.casefold()) in place])
        if FEWEST_IN_SET <= len(positions) <= MOST_IN_SET:
            members[name] = positions.astype(np.int64)
    if not members:
        raise SettingsError(
            f"No set of {found.title} has {FEWEST_IN_SET} to {MOST_IN_SET} of the {len(gene_names):,} modelled genes.",
            "Choose the collection of the right species, or load gene sets of your own.",
        )
    return Background(len(gene_names), members)


def genes_at_end(n_genes: int) -> int:
    """How many of the modelled genes stand for one end of a factor: 5%, at least 10 and at most 100."""
    return min(n_genes, int(np.clip(round(END_SHARE * n_genes), FEWEST_AT_END, MOST_AT_END)))


def over_representation(factors: Factors, known: Background, *, n_top: int | None = None) -> pd.DataFrame:
    """Hypergeometric test of every set at both ends of every factor; the background is the modelled genes.

    An end is its n_top genes in the default order (genes_at), fewer where fewer point that way. p: chance of at least
    that overlap when as many genes are drawn blindly. q: Benjamini-Hochberg over all factors, ends and sets. statistic:
    odds ratio of the 2 x 2 table, with 0.5 added to each cell (Haldane-Anscombe). Rows: tests with an overlap, by q.
    """
    tops, labels = _ends(factors, n_top or genes_at_end(factors.n_genes))
    member = _member_matrix(known)
    at_end = sparse.csc_matrix(
        (np.ones(sum(map(len, tops))), np.concatenate([*tops, np.empty(0, int)]).astype(int),
         np.concatenate([[0], np.cumsum([len(top) for top in tops])])),
        shape=(known.n_genes, len(tops)),
    )  # fmt: skip
    overlap = np.asarray((member @ at_end).todense()).astype(int)  # (sets, ends)
    size = np.diff(member.indptr)[:, None]
    drawn = np.array([len(top) for top in tops])[None, :]
    from scipy.stats import hypergeom  # a second to load, also for commands that test nothing

    p = np.asarray(hypergeom.sf(overlap - 1, known.n_genes, size, drawn))
    odds = ((overlap + 0.5) * (known.n_genes - size - drawn + overlap + 0.5)
            / ((size - overlap + 0.5) * (drawn - overlap + 0.5)))  # fmt: skip
    q = q_values(p.ravel()).reshape(p.shape)
    names, genes = list(known.members), factors.gene_names
    rows = [
        (*labels[end], names[row], int(size[row, 0]), int(overlap[row, end]),
         _joined(genes[[gene for gene in tops[end] if gene in inside]]), odds[row, end], p[row, end], q[row, end],
         "over_representation")
        for row, inside in enumerate(map(set, known.members.values()))
        for end in np.flatnonzero(overlap[row])
    ]  # fmt: skip
    return _sorted(rows)


def pre_ranked(
    factors: Factors, known: Background, *, report: Callable[[int, int], bool] | None = None, threads: int = 1
) -> pd.DataFrame:
    """Gene set enrichment of each factor's whole ranking (gene_ranking; Subramanian et al. 2005), by gseapy.

    p values come from gseapy's adaptive multilevel sampling (Korotkevich et al. 2021), so that they stay above 0 and
    can be adjusted; q: Benjamini-Hochberg over all factors and sets. A set has one test per factor; end: the side on
    which it lies. statistic: normalised enrichment score; overlap and genes: the leading edge. report(done, of): called
    after every factor; the work ends early, with RuntimeError, when it returns False. Inactive factors have no ranking
    worth reading and are left out. Nothing is downloaded.
    """
    import gseapy  # matplotlib and more: loaded only when asked for

    loading, rows = gene_ranking(factors), []
    sets = {str(place): [str(gene) for gene in genes] for place, genes in enumerate(known.members.values())}
    names, size = list(known.members), [len(genes) for genes in known.members.values()]
    ranked = [k for k in range(factors.n_factors) if factors.active[k] and np.ptp(loading[:, k]) > 0]
    for done, factor in enumerate(ranked, start=1):
        ranking = pd.Series(_without_ties(loading[:, factor]), index=[str(gene) for gene in range(known.n_genes)])
        result = gseapy.prerank(
            rnk=ranking.sort_values(ascending=False), gene_sets=sets, outdir=None, min_size=1, max_size=MOST_IN_SET,
            method="multilevel", threads=threads, seed=SEED, no_plot=True, verbose=False,
        ).res2d  # fmt: skip
        for row in result[["Term", "NES", "NOM p-val", "Lead_genes"]].itertuples(index=False):
            edge = [int(gene) for gene in str(row[3]).split(";") if gene]
            place, score = int(row[0]), float(row[1])
            rows.append((factor, "positive" if score >= 0 else "negative", names[place], size[place], len(edge),
                         _joined(factors.gene_names[edge]), score, float(row[2]), np.nan, "pre_ranked"))  # fmt: skip
        if report is not None and not report(done, len(ranked)):
            raise RuntimeError("the enrichment was stopped")
    table = _sorted(rows)
    return table.assign(q=q_values(table["p"].to_numpy())).sort_values(["q", "p"], kind="stable", ignore_index=True)


def q_values(p: np.ndarray) -> np.ndarray:
    """Benjamini-Hochberg (n_tests,): the smallest false discovery rate at which each is found; NaN counts as p = 1."""
    from scipy.stats import false_discovery_control  # as above

    return false_discovery_control(np.nan_to_num(p, nan=1.0)) if len(p) else p


def enrichment_id(factors: Factors, found: GeneSets, method: Method) -> str:
    """Names a result by all that it follows from: ranking, genes, sets, method and its settings."""
    asked = f"1 {method} {FEWEST_IN_SET} {MOST_IN_SET} {found.digest} {ranking_digest(factors)}"
    return f"{method}-{hashlib.sha256(asked.encode()).hexdigest()[:16]}"


def ranking_digest(factors: Factors) -> str:
    """16 hex digits that change with the genes, their ranking on any factor, and which factors are active."""
    digest = hashlib.sha256("\n".join(factors.gene_names.tolist()).encode())
    digest.update(np.ascontiguousarray(gene_ranking(factors), np.float32).data)
    digest.update(np.asarray(factors.active, np.uint8).data)
    return digest.hexdigest()[:16]


def enrichment_finding(table: pd.DataFrame, factors: Factors, factor: int, known_sets: int) -> str:
    """One sentence on one factor: the best set at each end, or that there is none."""
    name, own = factors.label(factor), table[(table["factor"] == factor) & (table["q"] <= SIGNIFICANT)]
    tested = f"of {known_sets:,} sets"
    if own.empty:
        return f"{name}: none {tested} stands out at either end (q at most {SIGNIFICANT})."
    parts = []
    for end, side in (("positive", "high"), ("negative", "low")):
        best = own[own["end"] == end]
        if len(best):
            parts.append(f"{best['set'].iloc[0]} leads at its {side} end (q {best['q'].iloc[0]:.1g})")
    n = own["set"].nunique()  # one may stand out at both ends
    return f"{name}: {' and '.join(parts)}; {n:,} {tested} {'stand' if n != 1 else 'stands'} out at q 0.05."


def _ends(factors: Factors, n_top: int) -> tuple[list[np.ndarray], list[tuple[int, str]]]:
    """Positions of the first genes of every end, and which end each is."""
    labels = [(factor, end) for factor in range(factors.n_factors) for end in SIGNS]
    tops = [genes_at(factors, factor, end)[:n_top] for factor, end in labels]
    return tops, [(factor, str(end)) for factor, end in labels]


def _member_matrix(known: Background) -> sparse.csr_matrix:
    sizes = [len(genes) for genes in known.members.values()]
    places = np.concatenate(list(known.members.values()))
    edges = np.concatenate([[0], np.cumsum(sizes)])
    return sparse.csr_matrix((np.ones(len(places)), places, edges), shape=(len(sizes), known.n_genes))


def _without_ties(values: np.ndarray) -> np.ndarray:
    """Equal numbers set apart by far less than any difference, in the order of the genes."""
    step = 1e-12 * (np.abs(values).max() or 1.0)
    return values - step * np.arange(len(values))


def _joined(genes: Sequence[str] | np.ndarray) -> str:
    return ";".join(map(str, genes))


def _sorted(rows: Sequence[tuple[Any, ...]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table["factor"], table["p"], table["q"] = (
        table["factor"].astype(int),
        table["p"].astype(float),
        table["q"].astype(float),
    )
    return table.sort_values(["q", "p", "factor"], kind="stable", ignore_index=True)
