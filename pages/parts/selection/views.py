"""What is said of selected cells: how many, of which types, what sets them apart; and how they are kept."""

import functools
from collections.abc import Callable

import pandas as pd
import streamlit as st

from ldvae_core.analysis.difference import REST, Difference
from ldvae_core.analysis.difference_words import factors_sentence, genes_sentence, unit_sentence
from ldvae_core.analysis.factors import Factors
from ldvae_core.errors import LdvaeError, SettingsError
from ldvae_core.plots.theme import palette
from ldvae_core.plots.volcano import plot_volcano
from ldvae_core.runs.additions import Selection
from ldvae_core.runs.groups import basis_sentence, compare_in_run, factors_of_plane
from ldvae_core.runs.store import OpenRun
from pages.parts.comparing import HOW_GENES, everything, is_quick, noted, progress_words
from pages.parts.figures import Panel, download_table, show_figure
from pages.parts.later import Later, show_waiting
from pages.parts.menus import close_menu, menu
from pages.parts.pair import open_clicked_gene
from pages.parts.per_run import per_run
from pages.parts.pickers import segments
from pages.parts.problems import problem_box, refusals
from pages.parts.runs import store
from pages.parts.sample_columns import default_samples
from pages.parts.selection.region import (
    FAULT,
    WHO,
    Chosen,
    chosen_cells,
    clear_selection,
    composition,
    name_of_person,
    save_as_annotation,
)
from pages.parts.selection.tables import show_factor_table, show_gene_table
from pages.parts.selection.zoom import offer_zoom
from pages.parts.style import mode
from pages.parts.tables import with_labels
from pages.parts.text import as_html, count, percent, plain, sentence, show
from pages.parts.undo import offer_undo

RESULTS = "what-sets-them-apart"  # the anchor
WHAT = {"genes": "Genes", "factors": "Factors", "types": "Types"}
THESE = "selected cells"
HINT = "Draw around cells (with the lasso, or the box among the tools above the figure) to see what sets them apart."
MOST_NAMED = 4  # types in the line above


def show_selection(opened: OpenRun, factors: Factors, *, hint: str = "", key: str = "selection") -> None:
    """Everything about the cells that are selected in this run; a hint how to select some where none are."""
    with refusals(end_page=False):
        chosen = chosen_cells(opened)
        if chosen is None:
            if hint:
                show(as_html(hint, longest=300), kind="quiet")
            return
        with st.container(border=True, gap="small", key=key):
            st.html(f'<span id="{RESULTS}"></span>')
            _head(opened, chosen)
            if 0 < chosen.n_cells < opened.counts.n_cells:
                _compare_with_rest(opened, factors, chosen, key)


def point_to_selection(opened: OpenRun) -> None:
    """Beside the figure: how many cells are selected, and the way down to what sets them apart; nothing for none."""
    try:
        chosen = chosen_cells(opened)
    except LdvaeError as fault:
        st.session_state[FAULT] = fault  # for show_selection to say
        return
    if chosen is not None and chosen.n_cells:
        show(f'<b>{count(chosen.n_cells, "cell")} selected</b> · <a href="#{RESULTS}">What sets them apart ↓</a>')


def show_saved(opened: OpenRun) -> None:
    """The selections that were kept with the run, each with who, when and where; nothing where there are none."""
    kept = store().additions(opened.run_id)
    selections = kept.selections()
    if not selections:
        return
    with st.expander(f"Saved selections ({len(selections)})", icon=":material/bookmarks:", key="saved_selections"):
        for saved in selections:
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                signed = f" by {as_html(saved.who)}" if saved.who else ""
                show(
                    f"<b>{as_html(saved.name)}</b> {count(saved.n_cells, 'cell')}, {as_html(saved.when[:10])}{signed}, "
                    f"on {as_html(saved.view.partition(':')[0])}"
                )
                if saved.name in opened.counts.annotations:
                    cells = (opened.labels(saved.name) == saved.name).to_numpy(bool)
                    offer_zoom(opened, cells, f"selected as {saved.name}", key=f"zoom_{saved.selection_id}")
                st.button("Delete", key=f"delete_{saved.selection_id}", type="tertiary", icon=":material/delete:",
                          on_click=_delete, args=(opened, saved))  # fmt: skip


def _head(opened: OpenRun, chosen: Chosen) -> None:
    """Their number and types, and what can be done with them."""
    total, n = opened.counts.n_cells, chosen.n_cells
    show(f"<b>{n:,} of {count(total, 'cell')}</b> selected on {as_html(chosen.plane.words)} ({percent(n / total)})"
         + _types_in_words(opened, chosen))  # fmt: skip
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        if 0 < n < total:
            with menu("Save as annotation", icon=":material/bookmark_add:", key="selection_save"):
                _save_form(opened, chosen)
            offer_zoom(opened, chosen.cells, f"drawn on {chosen.plane.words}", key="selection_zoom")
            download_table(lambda: _cell_table(opened, chosen), "selected_cells", key="selected_cells", label="Cells")
        st.button("Clear", key="selection_clear", type="tertiary", icon=":material/close:", on_click=clear_selection)


def _types_in_words(opened: OpenRun, chosen: Chosen) -> str:
    column = opened.label_column
    if column is None or not chosen.n_cells:
        return ""
    table = composition(opened.labels(column), chosen.cells)
    commonest = table.head(MOST_NAMED)
    named = [f"{percent(share)} {as_html(kind, longest=40)}"
             for share, kind in zip(commonest.share_of_selected, commonest.cell_type, strict=True)]  # fmt: skip
    more = f" and {count(len(table) - MOST_NAMED, 'other type')}" if len(table) > MOST_NAMED else ""
    return f": {', '.join(named)}{more}."


def _save_form(opened: OpenRun, chosen: Chosen) -> None:
    with st.form("selection_form", border=False, enter_to_submit=True):
        name = st.text_input("Name of the annotation", key="selection_name",
                             placeholder="For example: late erythroid")  # fmt: skip
        signed = st.text_input("Your name", value=name_of_person(), key="selection_who")
        if st.form_submit_button("Save", type="primary"):
            try:
                made = save_as_annotation(opened, chosen, name, signed)
            except LdvaeError as fault:
                problem_box(fault)
            else:
                st.session_state[WHO] = signed
                close_menu("selection_save")
                kept = store().additions(opened.run_id)
                offer_undo("The annotation is saved: cells can be coloured by it.",
                           functools.partial(kept.delete_selection, made.selection_id))  # fmt: skip
                st.rerun()


def _delete(opened: OpenRun, saved: Selection) -> None:
    kept = store().additions(opened.run_id)
    try:
        cells = kept.cells_of(saved, opened.counts.n_cells)
    except LdvaeError:  # its cells are lost already: there is nothing to have back
        kept.delete_selection(saved.selection_id)
        return
    kept.delete_selection(saved.selection_id)
    offer_undo(f"The selection {plain(saved.name)} is deleted.",
               functools.partial(kept.restore_selection, saved, cells), lasting=True)  # fmt: skip


def _compare_with_rest(opened: OpenRun, factors: Factors, chosen: Chosen, key: str) -> None:
    later = _difference(opened, factors, chosen)
    if (found := later.now()) is None:
        show_waiting(later, progress_words(opened), key=f"{key}_progress")
        return
    words = factors_sentence(found, factors)
    sentence(words[:1].upper() + words[1:])
    what = segments("What sets them apart", WHAT, key="selection_what", hide_label=True)
    if what == "genes":
        _show_genes(found, key)
    elif what == "factors":
        show_factor_table(found, factors)
    else:
        _show_types(opened, chosen)
    basis = basis_sentence(opened, everything(opened))
    show(as_html(f"{unit_sentence(found)} {basis}", longest=800), kind="quiet")


def _show_genes(found: Difference, key: str) -> None:
    with st.container(key=f"split_{key}"):
        left, right = st.columns([0.46, 0.54], gap="medium")
    with right:
        show_gene_table(found.genes, found.names)
    with left:
        colours = (palette(mode()).accent, palette(mode()).quiet)
        tested = found.genes[found.genes["q"].notna()]
        figure = plot_volcano(tested, names=found.names, colours=colours, mode=mode())
        alt = f"Fold change of {len(tested):,} genes in the selected cells against how sure it is."
        panel = Panel(figure, "selection_genes", alt, found.gene_table, "Genes", on_click=open_clicked_gene)
        show_figure(panel, key=f"{key}_volcano", finding=genes_sentence(found), how_to_read=HOW_GENES)


def _show_types(opened: OpenRun, chosen: Chosen) -> None:
    if opened.label_column is None:
        st.caption("These cells carry no annotation of types.")
        return
    table = composition(opened.labels(), chosen.cells)
    shown = table.assign(cell_type=[plain(name) for name in table.cell_type])
    share = st.column_config.ProgressColumn
    st.dataframe(
        shown,
        hide_index=True,
        key="selection_types",
        height=min(38 + 35 * len(shown), 400),
        column_config={
            "cell_type": st.column_config.TextColumn("Type"),
            "n_selected": st.column_config.NumberColumn("Selected cells", format="localized"),
            "share_of_selected": share("Share of the selected", format="percent", min_value=0, max_value=1),
            "share_of_type": share("Share of the type", format="percent", min_value=0, max_value=1),
        },
    )
    download_table(table, "selected_types", key="selection_types_csv")


@per_run(max_entries=12)
def _difference(opened: OpenRun, factors: Factors, chosen: Chosen) -> Later[Difference]:
    def work(report: Callable[[float], None]) -> Difference:
        everything_there = everything(opened)
        chosen_on = () if chosen.plane.of_tissue else factors_of_plane(factors, chosen.plane.name)

        def compare(samples: str | None) -> Difference:
            return compare_in_run(
                opened,
                factors,
                chosen.cells,
                everything=everything_there,
                sample_column=samples,
                names=(THESE, REST),
                chosen_on=chosen_on,
                report=report,
            )

        try:
            return noted(opened, compare(default_samples(opened)))
        except SettingsError:  # too few samples have cells on both sides: cells are then the unit, and it is said
            return noted(opened, compare(None))

    return Later(work, at_once=is_quick(opened))


def _cell_table(opened: OpenRun, chosen: Chosen) -> pd.DataFrame:
    table = pd.DataFrame({"cell": opened.counts.cell_ids[chosen.cells]})
    return with_labels(table, opened, chosen.cells)
