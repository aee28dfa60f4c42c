"""Factors of one run against each other (Fig. S3, corrected), and against those of another run."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import streamlit as st

from ldvae_core.analysis.certificates import Program
from ldvae_core.analysis.comparison import CovarianceView, covariance_view, matching_table, principal_angles
from ldvae_core.analysis.factors import Axes, Factors
from ldvae_core.analysis.findings import join, matching_finding, spectrum_finding
from ldvae_core.analysis.matching import REPLICATES, paired, program_cosines
from ldvae_core.analysis.shared_genes import n_shared_genes, on_shared_genes
from ldvae_core.plots.heatmap import plot_correlation, plot_spectrum
from ldvae_core.plots.matching import plot_matching
from ldvae_core.runs.cards import RunCard
from ldvae_core.runs.store import OpenRun
from pages.parts.compare.runs import names_of, opened_runs
from pages.parts.figures import Panel, download_table, draw, show_figure
from pages.parts.per_run import per_run
from pages.parts.pickers import AXES, AXES_HELP, segments
from pages.parts.runs import factors_of
from pages.parts.structure import say_slopes
from pages.parts.style import mode
from pages.parts.text import as_html, plain, sentence, show

HOW_MATCHING = (
    "Loadings of every factor of one run beside those of the other, blind to sign and order: 1 is the same program, 0 "
    "nothing in common. A gene counts by its molecules (information metric): loadings of rare genes are mostly "
    "noise. **Raw** counts all genes alike. Framed squares are the pairing with the largest sum. **Principal angles** "
    "compare what all factors span together: small angles with a poor match mean that the axes are turned, not that "
    "programs are lost. "
    "A program **replicates** where its median match over all other chosen runs on the same genes is at least "
    f"{REPLICATES:g}: train the same model with other seeds and tick the runs to see it."
)
HOW_COVARIANCE = (
    "**Left:** correlation of the factors over cells. **Right:** eigenvalues of that correlation matrix, as shares. A "
    "bar belongs to a **component**, a mixture of factors, and never to one factor: after scaling, every factor has "
    "variance 1. The paper's Fig. S3 labels them with factors; how much a factor explains is on the Factors page. A "
    "long flat row of bars means that the factors say different things; a few high bars mean that they repeat each "
    "other."
)


class Matched(NamedTuple):
    """Two runs' factors matched: everything the section shows."""

    table: pd.DataFrame
    cosine: np.ndarray
    pairs: np.ndarray
    angles: np.ndarray  # radians


def show_matching(chosen: list[RunCard], kin: Sequence[RunCard] = ()) -> None:
    """Which programs of one run are found in another, and in all chosen ones.

    chosen: on the same genes; kin: on others, but sharing enough of them.
    """
    everyone = [*chosen, *kin]
    opened, names = opened_runs(everyone, least=1), names_of(everyone)
    if len(opened) < 2:
        show("Tick two finished runs with factors on the same genes to match their programs; their split may differ. "
             "Train the same model with other seeds to see which programs to trust.", kind="quiet")  # fmt: skip
        return
    with st.container(horizontal=True, vertical_alignment="top", gap="small", key="match_controls"):
        first = run_select("Programs of", opened, names, key="a", default=0)
        rest = {run_id: run for run_id, run in opened.items() if run_id != first}
        second = run_select("in", rest, names, key="b", default=0)
        axes = _axes_choice(opened)
    genes = {run_id: run.counts.gene_names.tolist() for run_id, run in opened.items()}
    others = tuple(run_id for run_id in opened if run_id not in (first, second) and genes[run_id] == genes[first])
    if genes[first] != genes[second]:
        others = ()
        _say_shared(opened[first], opened[second], (names[first], names[second]))
    runs = tuple(opened[run_id] for run_id in (first, second, *others))
    say_slopes(*runs)
    found = matched(runs, on_shared_genes([factors_of(run, axes) for run in runs]))
    pair = (names[first], names[second])
    finding = matching_finding(found.table, found.angles, pair)
    with st.container(key="split_matching"):
        left, right = st.columns([0.38, 0.62], gap="medium")
    figure = plot_matching(found.cosine, found.pairs, names=pair, mode=mode())
    alt = f"Match of every factor of {plain(pair[0])} with every factor of {plain(pair[1])}."
    table = found.table.assign(factor=found.table["factor"] + 1, partner=found.table["partner"] + 1)
    with left:
        draw(Panel(figure, "matched_factors", alt, table), "matching_0", finding)
    with right:
        _matching_rows(found.table, others, opened[first].certified(factors_of(opened[first], axes)))
    sentence(finding)
    if words := replication_words(found.table, n_others=len(others) + 1):
        sentence(words, kind="line")
    angles = pd.DataFrame({"angle": np.arange(1, len(found.angles) + 1), "degrees": np.degrees(found.angles)})
    with st.container(horizontal=True, vertical_alignment="center", gap="medium", key="matching_foot"):
        with st.popover("How to read this", icon=":material/help:", type="tertiary", width="content"):
            st.markdown(HOW_MATCHING)
        download_table(table, "matched_factors", key="matching_csv", label="Matches")
        download_table(angles, "principal_angles", key="angles_csv", label="Angles")
        said = ", ".join(f"{angle:.0f}°" for angle in angles["degrees"])
        show(f"Principal angles: {said}", kind="quiet")


def show_covariance(chosen: list[RunCard]) -> None:
    """Correlation heat map and eigenvalue spectrum of one run's representation."""
    opened, names = opened_runs(chosen, least=2), names_of(chosen)
    if not opened:
        show("None of the chosen runs has two factors or more, so there is nothing to correlate.", kind="quiet")
        return
    with st.container(horizontal=True, vertical_alignment="top", gap="small", key="covariance_controls"):
        run_id = run_select("Run", opened, names, key="of", default=0)
        run = opened[run_id]
        factors = factors_of(run, _axes_choice({run_id: run}, key="covariance_axes"))
    view = _covariance(run, factors)
    labels = [factors.label(k) for k in range(factors.n_factors)]
    correlation = pd.DataFrame(view.correlation, columns=labels).assign(factor=labels)
    spectrum = pd.DataFrame({"component": np.arange(1, factors.n_factors + 1), "share": view.eigenvalue_share})
    panels = [
        Panel(plot_correlation(view.correlation, mode=mode()), "factor_correlation",
              f"Correlation of the {factors.n_factors} factors of {plain(names[run_id])}.",
              correlation[["factor", *labels]], "Correlation"),
        Panel(plot_spectrum(view.eigenvalue_share, mode=mode()), "eigenvalue_spectrum",
              "Eigenvalue shares of components, which mix the factors.", spectrum, "Spectrum"),
    ]  # fmt: skip
    finding = spectrum_finding(view, usage=factors.are_usages)
    show_figure(panels, key="covariance", finding=finding, how_to_read=HOW_COVARIANCE)


def run_select(label: str, opened: dict[str, OpenRun], names: dict[str, str], *, key: str, default: int) -> str:
    """One of the runs; the address keeps its id, never its name."""
    ids = list(opened)
    widget = f"compare_{key}"
    if st.session_state.get(widget) not in (*ids, None):
        del st.session_state[widget]
    asked = st.query_params.get(key)
    first = ids.index(asked) if asked in ids else min(default, len(ids) - 1)
    unset: dict[str, Any] = {} if widget in st.session_state else {"index": first}
    chosen = st.selectbox(label, ids, format_func=lambda run_id: names.get(run_id, str(run_id)), key=widget, width=300,
                          **unset)  # fmt: skip
    st.query_params[key] = chosen
    return chosen


def _say_shared(first: OpenRun, second: OpenRun, names: tuple[str, str]) -> None:
    """That two runs model different genes, and on how many they are compared."""
    n_shared = n_shared_genes([first.counts.gene_names, second.counts.gene_names])
    show(f"They model different genes: programs are matched on the <b>{n_shared:,} genes that both model</b>, of "
         f"{first.counts.n_genes:,} in {as_html(names[0])} and {second.counts.n_genes:,} in {as_html(names[1])}.",
         kind="quiet")  # fmt: skip


def replication_words(table: pd.DataFrame, *, n_others: int) -> str:
    """Which active factors do not come back in the other runs; "" when all do."""
    lost = table[table["active"] & ~table["replicates"]]["factor"]
    if lost.empty:
        return ""
    named = join([str(factor + 1) for factor in lost])
    one = len(lost) == 1
    where = "the other run" if n_others == 1 else f"the {n_others} other chosen runs"
    return (
        f"Factor{'' if one else 's'} {named} {'does' if one else 'do'} not replicate in {where} (median match below "
        f"{REPLICATES:g}): read {'it' if one else 'them'} with caution."
    )


def _axes_choice(opened: dict[str, OpenRun], *, key: str = "axes") -> Axes | None:
    turned = [set(run.factors) for run in opened.values() if "readable" in run.factors]
    if not turned:
        return None
    known = set.intersection(*turned)  # gene-sparse axes of one run beside readable ones of another match nothing
    return segments("Axes", {axes: words for axes, words in AXES.items() if axes in known}, key=key, help=AXES_HELP)


def _matching_rows(table: pd.DataFrame, others: tuple[str, ...], programs: tuple[Program, ...]) -> None:
    """One row per factor of the first run, with words for what a number means. programs: () where nothing is known."""
    rows = pd.DataFrame(
        {
            "Factor": table["factor"] + 1,
            "Partner": table["partner"] + 1,
            "Match": table["match"],
            **({"Median": table["median_match"]} if others else {}),
            "Raw": table["raw_cosine"],
            **({"Certified": [program.certified for program in programs]} if programs else {}),
            "Says": [_verdict(row) for row in table.itertuples()],
            "Its genes": [plain(genes) for genes in table["genes"]],
            "Partner's genes": [plain(genes) for genes in table["partner_genes"]],
        }
    )
    number = st.column_config.NumberColumn
    st.dataframe(
        rows,
        key="matching_table",
        hide_index=True,
        placeholder="—",
        height=35 * (min(len(rows), 12) + 1) + 3,
        column_config={
            "Factor": number(width=60),
            "Partner": number(width=65),
            "Match": number(format="%.2f", width=60),
            "Raw": number(format="%.2f", width=60, help="The cosine of the loadings, all genes alike."),
            "Median": number(format="%.2f", width=70, help="Over all other chosen runs on the same genes."),
            "Certified": st.column_config.CheckboxColumn(width=75, help="Comes back in other cells."),
            "Says": st.column_config.TextColumn(width=125),
            "Its genes": st.column_config.TextColumn(width=165),
            "Partner's genes": st.column_config.TextColumn(width=165),
        },
    )


def _verdict(row: Any) -> str:
    """row: of matching_table."""
    if not row.active:
        return "inactive"
    if not row.replicates:
        return "does not replicate"
    return "found" if row.found else "found elsewhere"


@per_run(max_entries=32, spinner="Matching factors")
def matched(runs: tuple[OpenRun, ...], factors: tuple[Factors, ...]) -> Matched:
    """The first run's factors beside the second's, and found again or not in all others. factors: one for each run."""
    a, b, *others = factors
    cosine = program_cosines(a, b)
    angles = principal_angles(a.loadings, b.loadings)
    return Matched(matching_table(a, b, others), cosine, paired(cosine).pairs, angles)


@per_run(max_entries=32, spinner="Correlating factors")
def _covariance(opened: OpenRun, factors: Factors) -> CovarianceView:
    return covariance_view(factors.representation)
