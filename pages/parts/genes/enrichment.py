"""What programs mean: gene sets at both ends of the factors, as bars, table and file."""

from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
import streamlit as st

from ldvae_core.analysis.enrichment import (
    FEWEST_IN_SET,
    MOST_IN_SET,
    Background,
    enrichment_finding,
    enrichment_id,
    genes_at_end,
)
from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.genes import strongest_factors
from ldvae_core.data.genes import guess_species
from ldvae_core.data.genesets import Species, collections, collections_for, load_collection
from ldvae_core.data.gmt import LARGEST_FILE, GeneSets
from ldvae_core.errors import SettingsError
from ldvae_core.plots.enrichment import MOST_BARS, plot_enrichment
from ldvae_core.runs.enrichment_jobs import OWN, end_enrichment, enrichment_status, start_enrichment, stop_enrichment
from ldvae_core.runs.store import OpenRun
from pages.parts.figures import Panel, clicked, download_table, show_figure
from pages.parts.gene_links import open_gene_rows
from pages.parts.genes.enrichment_results import background_of, compute_now, kept_result, results_of
from pages.parts.job_bar import Actions, do_or_tell, show_end, show_job
from pages.parts.menus import close_menu, menu
from pages.parts.per_run import per_run
from pages.parts.pickers import factor_select, replace_absent, segments
from pages.parts.problems import refusals
from pages.parts.runs import go, store
from pages.parts.style import mode
from pages.parts.text import as_html, literal, plain, show
from pages.parts.undo import offer_undo

METHODS = {"over_representation": "Over-representation", "pre_ranked": "Pre-ranked"}
ENDS = {"both": "Both ends", "positive": "High end", "negative": "Low end"}
SPECIES = {"mouse": "Mouse", "human": "Human"}
OWN_SEEN, OWN_CHOSEN = (
    "own_sets_seen",
    "own_sets_chosen",
)  # run and file taken in last; sets to show next
SECONDS_A_TEST = 0.005  # measured for one thread and a set of ordinary size
MOST_ROWS = 100  # on screen; the file has all tests
HOW = (
    "Each bar is a gene set that stands at one end of the factor more than chance has it: orange at the high end, blue "
    "at the low end; to the right of the dotted line q is below 0.05. **Over-representation** asks whether the "
    "first genes of an end (by their share of the factor's explained deviance) hold more genes of a set than as many "
    "genes drawn blindly from the modelled genes (hypergeometric test). **Pre-ranked** asks whether the genes of a set "
    "stand together at one end of the whole ranking (GSEA). The background is always the modelled genes, never the "
    "genome; q is Benjamini-Hochberg over all factors and sets at once. Click a bar to open its genes."
)


def show_enrichment(opened: OpenRun, factors: Factors, genes: np.ndarray) -> None:
    """Pickers, and the result: at once for over-representation, on request for the longer pre-ranked one."""
    with st.container(horizontal=True, vertical_alignment="top", gap="small", key="enrichment_controls"):
        species = _species_picker(opened)
        key = _collection_picker(opened, species)
        method = segments("Method", METHODS, key="enrich_by")
        factor = _factor_picker(factors, genes)
        end = segments("End", ENDS, key="enrich_end")
        _own_sets(opened)
    found = _sets(key, species, opened)
    try:
        known = background_of(opened.stamp, found.digest, opened, found)
    except SettingsError as nothing:  # other names or few genes: no fault of anybody's
        st.info(" ".join(literal(part, longest=300) for part in (*nothing.problems, nothing.remedy)))
        return
    _say_what_is_tested(found, known, method)
    name = enrichment_id(factors, found, method)  # type: ignore[arg-type]
    table = kept_result(opened, name)
    if table is None and method == "over_representation":
        table = _computed(opened.stamp, name, opened, factors, found, known)
    if table is None:
        _offer(opened, _Asked(factors, known, name, key, species))
        return
    _show_result(table, factors, factor, end, known)


def _show_result(table: pd.DataFrame, factors: Factors, factor: int, end: str, known: Background) -> None:
    own = table[table["factor"] == factor]
    own = (own if end == "both" else own[own["end"] == end]).reset_index(drop=True)
    finding = enrichment_finding(table, factors, factor, known.n_sets)
    panel = Panel(plot_enrichment(own, mode=mode()), f"enrichment_{factor + 1}",
                  f"The {min(MOST_BARS, len(own))} most significant sets of {factors.label(factor)}.", own,
                  "Bars", on_click=lambda key: _open_bar(key, own))  # fmt: skip
    with st.container(key="split_enrichment"):
        left, right = st.columns([0.5, 0.5], gap="medium")
    with left:
        show_figure(panel, key="enrichment", finding=finding, how_to_read=HOW)
    with right:
        _table(own)
        with st.container(horizontal=True, vertical_alignment="center"):
            said = f"The first {MOST_ROWS} of {len(own):,} tests. " if len(own) > MOST_ROWS else ""
            st.caption(f"{said}Choose a row to open its genes on this page.")
            download_table(lambda: table.assign(factor=table["factor"] + 1), "enrichment", key="enrichment_all",
                           label="All factors")  # fmt: skip


def _table(own: pd.DataFrame) -> None:
    top = own.head(MOST_ROWS)
    ranked = len(top) and top["method"].iloc[0] == "pre_ranked"
    statistic = "NES" if ranked else "Odds ratio"
    shown = pd.DataFrame(
        {
            "Set": [plain(name) for name in top["set"]],
            "End": ["high" if end == "positive" else "low" for end in top["end"]],
            "q": [f"{value:.1e}" for value in top["q"]],
            "Genes": [f"{overlap} of {size}" for overlap, size in zip(top["overlap"], top["size"], strict=True)],
            statistic: top["statistic"],
            "Which": [plain(names.replace(";", ", "), longest=300) for names in top["genes"]],
        }
    )
    held = "leading edge" if ranked else "overlap"
    st.dataframe(
        shown,
        hide_index=True,
        height=470,
        key="enrichment_rows",
        on_select=open_gene_rows("enrichment_rows", [names.split(";") for names in top["genes"]]),
        selection_mode="single-row",
        column_config={
            "Set": st.column_config.TextColumn(width=250),
            "End": st.column_config.TextColumn(width=44),
            "q": st.column_config.TextColumn(width=66, help="False discovery rate over all factors and sets."),
            "Genes": st.column_config.TextColumn(width=72, help=f"Genes in the {held}, of the set's modelled genes."),
            statistic: st.column_config.NumberColumn(format="%.2f", width=74),
            "Which": st.column_config.TextColumn(width=260, help=f"Genes in the {held}, first those that lead."),
        },
    )


def _species_picker(opened: OpenRun) -> str | None:
    guess = _species_of(opened)
    words = list(SPECIES.values())
    place = words.index(SPECIES[guess]) if guess else 1
    replace_absent("species", words, words[place])
    chosen = st.selectbox("Species", words, index=place, key="species",
                          bind="query-params", width=100, help=_guessed(guess))  # fmt: skip
    return next(species for species, word in SPECIES.items() if word == chosen)


@per_run(max_entries=8)
def _species_of(opened: OpenRun) -> Species | None:
    return guess_species(opened.counts.gene_names, opened.counts.gene_ids)


def _guessed(guess: str | None) -> str:
    if guess is None:
        return "The names of the genes do not tell the species: choose it."
    return f"Guessed from how the genes are written: {SPECIES[guess].lower()}."


def _collection_picker(opened: OpenRun, species: str | None) -> str:
    there = collections_for(species)  # type: ignore[arg-type]
    titles = {found.key: found.title.removesuffix(f" ({species})") for found in there}  # it is said beside
    titles |= {f"{OWN}{digest}": title for digest, title in results_of(opened).own_sets().items()}
    if (new := st.session_state.pop(OWN_CHOSEN, None)) in titles:
        st.session_state["sets"] = new
    replace_absent("sets", list(titles), next(iter(titles)))
    return st.selectbox("Gene sets", list(titles), format_func=lambda key: plain(titles[key], longest=60), key="sets",
                        width=200)  # fmt: skip


def _factor_picker(factors: Factors, genes: np.ndarray) -> int:
    """The factor the first gene loads on most, until another is chosen."""
    best = int(strongest_factors(factors, int(genes[0]))[0]) if len(genes) else 0
    asked = (factors.axes, int(genes[0]) if len(genes) else None)
    before = st.session_state.get("enrich_for")
    if before != asked and (before is not None or "enrich" not in st.query_params):
        st.session_state["enrich"] = best
    st.session_state["enrich_for"] = asked
    return factor_select("Factor", factors, key="enrich", default=best)


def _own_sets(opened: OpenRun) -> None:
    with menu("Own gene sets", icon=":material/upload_file:", type="tertiary", key="own_sets"):
        st.markdown("A GMT file, one set a line: name, description, genes, separated by tabs; gzipped or not. It is "
                    "kept with this run.")  # fmt: skip
        given = st.file_uploader("GMT file", type=["gmt", "txt", "gz"], key="own_gmt",
                                 max_upload_size=LARGEST_FILE >> 20)  # fmt: skip
        if given is not None and st.session_state.get(OWN_SEEN) != (opened.run_id, given.file_id):
            with refusals(end_page=False):
                results, before = results_of(opened), results_of(opened).own_sets()
                found = results.keep_own(given.getvalue(), plain(given.name))
                st.session_state[OWN_SEEN] = (opened.run_id, given.file_id)
                st.session_state[OWN_CHOSEN] = f"{OWN}{found.digest}"  # the picker was drawn without it: once more
                said = f"{plain(found.title)}: {len(found.sets):,} sets, now chosen."
                if found.digest not in before:  # else they stay what they were, under a new title at most
                    offer_undo(said, partial(results.forget_own, found.digest))
                for notice in (*found.notices, *([said] if found.digest in before else [])):
                    st.toast(literal(notice, longest=300), icon=":material/check:", duration="long")
                close_menu("own_sets")
                st.rerun()


def _sets(key: str, species: str | None, opened: OpenRun) -> GeneSets:
    if key.startswith(OWN):
        return _own(key, opened.run_id, opened)
    return _shipped(key, species)


@st.cache_resource(max_entries=8, show_spinner="Reading gene sets")
def _shipped(key: str, species: str | None) -> GeneSets:
    return load_collection(key, species)  # type: ignore[arg-type]


@st.cache_resource(max_entries=8, show_spinner="Reading gene sets")
def _own(key: str, run_id: str, _opened: OpenRun) -> GeneSets:
    return results_of(_opened).read_own(key.removeprefix(OWN))


@st.cache_resource(max_entries=8, show_spinner="Testing all sets at both ends of all factors")
def _computed(
    stamp: str, name: str, _opened: OpenRun, _factors: Factors, _found: GeneSets, _known: Background
) -> pd.DataFrame:
    return compute_now(_opened, _factors, _found, _known, name)


def _say_what_is_tested(found: GeneSets, known: Background, method: str) -> None:
    """Sizes, background, orthologues and where the sets come from, in one quiet line."""
    said = (
        f"{known.n_sets:,} of {len(found.sets):,} sets have {FEWEST_IN_SET} to {MOST_IN_SET} of the "
        f"{known.n_genes:,} modelled genes, which are the background."
    )
    if method == "over_representation":
        said += f" An end is its {genes_at_end(known.n_genes)} first genes."
    if found.translated:
        said += " Human genes were matched through their one-to-one orthologues in mouse (Ensembl)."
    source = next((f" {one.source}; {one.licence}." for one in collections() if one.title == found.title), "")
    show(as_html(said + source, longest=700), kind="quiet")


class _Asked(NamedTuple):
    """A pre-ranked enrichment that is not there yet."""

    factors: Factors
    known: Background
    name: str
    sets: str
    species: str | None


def _offer(opened: OpenRun, asked: _Asked) -> None:
    """A button, or how far it is; looks again every second while it runs."""
    busy = enrichment_status(store().workspace, opened.run_id, asked.name).under_way
    st.fragment(_waiting, run_every=1.0 if busy else None, key="enrichment_job")(opened, asked, busy)


def _waiting(opened: OpenRun, asked: _Asked, was_busy: bool) -> None:
    workspace, known = store().workspace, asked.known
    status = enrichment_status(workspace, opened.run_id, asked.name)
    if status.under_way != was_busy or (not status.under_way and kept_result(opened, asked.name) is not None):
        st.rerun(scope="app")
    if status.under_way:
        progress = status.progress
        words = "Pre-ranked enrichment" + (f", {progress.done:.0f} of {progress.total:.0f} factors done"
                                           if progress.total else "")  # fmt: skip
        stop, end = (partial(act, workspace, opened.run_id, asked.name) for act in (stop_enrichment, end_enrichment))
        show_job(status, words, Actions(stop, end), key="enrich")
        return
    show_end(status, "The enrichment was")
    n = int(asked.factors.active.sum())
    minutes = max(1, round(n * known.n_sets * SECONDS_A_TEST / 60))
    show(
        f"Ranks {known.n_genes:,} genes on {n} factors and tests {known.n_sets:,} sets on each: about {minutes} min. "
        "Done once, then kept with the run."
    )
    start = partial(start_enrichment, workspace, opened.run_id, asked.name, axes=asked.factors.axes, sets=asked.sets,
                    species=asked.species)  # fmt: skip
    if st.button("Compute", key="enrich_start", type="primary", icon=":material/play_arrow:", on_click=do_or_tell,
                 args=(start,)):  # fmt: skip
        st.rerun(scope="app")


def _open_bar(key: str, own: pd.DataFrame) -> None:
    data = clicked(key)
    if data and int(data[0]) < len(own):
        go("genes.py", genes=own["genes"].iloc[int(data[0])].split(";"))
