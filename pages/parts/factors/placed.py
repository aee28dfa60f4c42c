"""New cells on the programs of a run: drawn over its own cells, which of them are strange, and what they are near."""

from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st
from plotly.graph_objects import Figure

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.findings import pair_finding
from ldvae_core.analysis.programs import Use
from ldvae_core.analysis.raster import density_raster
from ldvae_core.analysis.strange import UNLIKELY, strange_table
from ldvae_core.data.annotations import guess_roles
from ldvae_core.data.names import listing
from ldvae_core.errors import LdvaeError
from ldvae_core.export import write_projection
from ldvae_core.plots.distribution import binned_densities, plot_distribution
from ldvae_core.plots.frame import PAIR_HEIGHT
from ldvae_core.plots.theme import Mode, palette
from ldvae_core.runs.placed import NEAREST, Placed, PlacedCard, as_run, placed_cards, read_placed
from ldvae_core.runs.placing_jobs import delete_placed, restore_placed
from ldvae_core.runs.store import OpenRun
from ldvae_core.workspace.scratch import scratch_folder
from pages.parts.colour.choice import Colour, colour_picker, say_missing_colour
from pages.parts.colour.draw import draw_cells
from pages.parts.colour.legend import hidden_types, show_legend
from pages.parts.factor_table import following
from pages.parts.factors.placed_gallery import show_placed_gallery
from pages.parts.factors.placed_window import window_with_run
from pages.parts.factors.placing import offer_placing, show_progress
from pages.parts.figures import Panel, download_table, show_figure
from pages.parts.pair import Pair, genes_panel
from pages.parts.per_run import per_run
from pages.parts.pickers import factor_select, segments, two_factors
from pages.parts.runs import colours_of, store
from pages.parts.saving import save_button
from pages.parts.selection.region import plane_of_pair
from pages.parts.style import mode
from pages.parts.text import as_html, count, percent, plain, sentence, show
from pages.parts.undo import offer_undo, say_refused

WAYS = {"pair": "One pair", "gallery": "Gallery", "factor": "One factor"}
PLACED = "placed"  # in the address
REFERENCE = "cells of the run"
ALL_STRANGE = 0.5  # of the cells: then it is the data as a whole that differs
MOST_RIDGES = 30
HOW = (
    "Every new cell stands where the run would have placed it, over the run's own cells in **grey**; nothing was "
    "trained anew. **Strange** cells lie further from the nearest type of the run than all but 1% of the run's own "
    "cells that it had not been trained on, together with the cells around them. A kind of cells that the run has "
    "never seen is mostly found so when it lies outside the known types, and not when it lies between them; among "
    "strange cells, ordinary ones can be taken for strange, too. The nearest type is the nearest that the run "
    "knows: it is not a claim that a cell is of that type."
)


def show_placed(opened: OpenRun, factors: Factors, *, use: Use) -> None:
    """Choose what was placed, or place more; the view of it."""
    kept = store().additions(opened.run_id)
    cards = {card.placed_id: card for card in placed_cards(kept)}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="placed_controls"):
        card = _pick(cards)
        offer_placing(opened, has_any=bool(cards))
        if card is not None:
            way = segments("Show", WAYS, key="placed_view") if factors.n_factors > 1 else "factor"
            run = _opened(opened, card.placed_id, _version(opened, card))
            drawn = _on_axes(run, factors)
            words = "Across" if way == "pair" else "Factor"
            first = 0 if way == "gallery" else factor_select(words, factors, key="placed_x", default=0)
            second = factor_select("Up", factors, key="placed_y", default=1) if way == "pair" else 0
            colour = colour_picker(run, drawn, "Colour cells by", key="placed_colour", default=NEAREST, width=190)
    show_progress(opened)
    if card is None:
        return
    say_missing_colour(run, "placed_colour")
    placed = _read(opened, card.placed_id, _version(opened, card))
    if way == "pair":
        pair = two_factors(first, second, factors.n_factors)
        _show_pair(opened, factors, run, drawn, pair, colour=colour, use=use)
    elif way == "gallery":
        show_placed_gallery(opened, factors, run, drawn, colour=colour, use=use)
    else:
        _show_factor(opened, factors, run, drawn, first, colour.column or NEAREST)
    _show_strange(run, placed, colour.column if colour.column != NEAREST else None)
    _show_foot(opened, placed, card)


def _pick(cards: dict[str, PlacedCard]) -> PlacedCard | None:
    if not cards:
        return None
    names = [card.name for card in cards.values()]
    words = {
        key: plain(f"{card.name}{f' ({key[-4:]})' if names.count(card.name) > 1 else ''} · {card.n_cells:,} cells")
        for key, card in cards.items()
    }
    if st.session_state.get(PLACED) not in (*cards, None):  # deleted meanwhile, or of another run
        del st.session_state[PLACED]
    chosen = st.selectbox("New cells", list(cards), format_func=lambda key: words.get(key, str(key)), key=PLACED,
                          bind="query-params", width=230)  # fmt: skip
    return cards[chosen]


def _version(opened: OpenRun, card: PlacedCard) -> str:
    """Changes when the same data set is placed again."""
    folder = store().additions(opened.run_id).folder / "placed" / card.placed_id
    return f"{(folder / 'about.json').stat().st_mtime_ns}"


@per_run(max_entries=4)
def _read(opened: OpenRun, placed_id: str, version: str) -> Placed:
    return read_placed(store().additions(opened.run_id), placed_id)


@per_run(max_entries=4)
def _opened(opened: OpenRun, placed_id: str, version: str) -> OpenRun:
    """The new cells, to be drawn as those of a run are. Positions are turned as axes are: see _on_axes."""
    return as_run(opened, _read(opened, placed_id, version))


def _on_axes(run: OpenRun, factors: Factors) -> Factors:
    """The new cells on the axes shown, under the names that the factors have there."""
    return replace(factors, representation=_positions(run, factors))


@per_run(max_entries=6)
def _positions(run: OpenRun, factors: Factors) -> np.ndarray:
    shown = next(iter(run.factors.values()))
    trained = np.asarray(shown.representation, np.float64) @ shown.rotation.T
    return np.asarray(trained @ factors.rotation, np.float32)


def _show_pair(
    opened: OpenRun, factors: Factors, run: OpenRun, drawn: Factors, pair: Pair, *, colour: Colour, use: Use
) -> None:
    titles = (factors.label(pair[0]), factors.label(pair[1]))
    figure = _draw(opened, factors, run, drawn, pair, titles, colour, hidden_types(colour, "placed_legend"), mode())
    alt = (
        f"{drawn.n_cells:,} new cells over {titles[0]} (across) and {titles[1]} (up), coloured by {colour.said}, with "
        f"the {factors.n_cells:,} cells of the run in grey behind."
    )
    name = f"new_cells_{pair[0] + 1}_{pair[1] + 1}"
    panels = [
        Panel(figure, name, alt, lambda: _table(run, drawn, pair), "New cells"),
        genes_panel(opened, factors, pair, use=use),
    ]
    show_figure(panels, key="placed_pair", finding=pair_finding(factors, pair, following(opened, factors)),
                how_to_read=HOW, legends=[lambda: show_legend(run, colour, key="placed_legend")])  # fmt: skip


@per_run(max_entries=16)
def _draw(
    opened: OpenRun, factors: Factors, run: OpenRun, drawn: Factors, pair: Pair, titles: tuple[str, str],
    colour: Colour, hidden: tuple[str, ...], look: Mode,
) -> Figure:  # fmt: skip
    plane = plane_of_pair(drawn, pair)
    window = window_with_run(opened, factors, drawn, pair)
    x, y = (factors.representation[:, k] for k in pair)
    figure = draw_cells(run, drawn, plane._replace(window=window, version="placed"), titles, colour, hidden=hidden,
                        behind=density_raster(x, y, extent=window), height=PAIR_HEIGHT, look=look)  # fmt: skip
    return figure.update_layout(dragmode="zoom")


def _show_factor(opened: OpenRun, factors: Factors, run: OpenRun, drawn: Factors, factor: int, column: str) -> None:
    labels = run.labels(column)
    names = [str(name) for name in labels.cat.categories][:MOST_RIDGES]
    values = np.concatenate([factors.representation[:, factor], drawn.representation[:, factor]])
    texts = np.concatenate([np.full(factors.n_cells, REFERENCE, object), labels.astype(str).to_numpy(object)])
    table = binned_densities(values, pd.Series(texts), [REFERENCE, *names])
    colours = {REFERENCE: palette(mode()).quiet} | colours_of(run, column)
    name = factors.label(factor)
    figure = plot_distribution(table, x_title=name, colours=colours, mode=mode())
    alt = f"Distribution of {name} in the new cells, by {plain(column)}, and in the cells of the run, in grey."
    show_figure(Panel(figure, f"new_cells_factor_{factor + 1}", alt, table, "New cells"), key="placed_factor",
                how_to_read=HOW)  # fmt: skip


def _show_strange(run: OpenRun, placed: Placed, column: str | None) -> None:
    """How many are strange; of which of the new data's own types, and what these are near."""
    found, types = placed.strangeness, placed.programs.reference.names
    strange, n_cells = np.asarray(found.is_strange), placed.cells.n_cells
    n, own = int(strange.sum()), column or _own_column(placed)
    kind = "type" if placed.programs.reference.column else "group of cells"
    words = f"{n:,} of {count(n_cells, 'new cell')} ({percent(n / n_cells)}) are unlike all that the run has seen."
    if n:
        near = np.bincount(np.asarray(found.nearest)[strange], minlength=len(types))
        name = plain(types[int(near.argmax())], longest=60)
        words += f" The {kind} of the run that most often lies nearest is {name} ({percent(near.max() / n)} of them)."
    sentence(words)
    if n > ALL_STRANGE * n_cells:
        show(
            "Where most cells are strange, the data differ as a whole (another tissue, technology or species, or other "
            "conditions), and this says little about single types.", kind="quiet",
        )  # fmt: skip
    elif n <= 2 * UNLIKELY * n_cells:
        show("About 1% would be called so among cells of the kinds that the run knows.", kind="quiet")
    table = strange_table(found, types, run.labels(own or NEAREST))
    shown = table.assign(level=[plain(name) for name in table["level"]],
                         nearest=[plain(name) for name in table["nearest"]])  # fmt: skip
    share = st.column_config.ProgressColumn
    st.dataframe(
        shown, hide_index=True, key="placed_strange", height=min(38 + 35 * len(shown), 400),
        column_config={
            "level": st.column_config.TextColumn(plain(own or NEAREST, longest=40)),
            "n_cells": st.column_config.NumberColumn("New cells", format="localized"),
            "n_strange": st.column_config.NumberColumn("Strange", format="localized"),
            "share": share("Share strange", format="percent", min_value=0, max_value=1),
            "nearest": st.column_config.TextColumn("Nearest in the run"),
            "nearest_share": share("Share nearest to it", format="percent", min_value=0, max_value=1),
        },
    )  # fmt: skip
    download_table(table, "strange_cells", key="placed_strange_csv")


def _own_column(placed: Placed) -> str | None:
    """The annotation of the new data that looks like cell types."""
    return guess_roles(placed.cells.annotations)["cell_type"]


def _show_foot(opened: OpenRun, placed: Placed, card: PlacedCard) -> None:
    """Missing genes, left-out cells, the file, and the way to be rid of it."""
    if n := len(placed.missing):
        show(
            f"{n:,} of {placed.programs.n_genes:,} modelled genes are not in the new data and count as 0: "
            f"{as_html(listing(placed.missing, 12), longest=400)}.", kind="quiet",
        )  # fmt: skip
    for notice in placed.cells.notices:
        show(as_html(notice, longest=300), kind="quiet")
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="placed_foot"):
        name = f"{card.placed_id}_on_{opened.run_id}.h5ad"
        save_button(f"Save {plain(name)}", lambda report: _h5ad(placed), file_name=name, mime="application/x-hdf5",
                    key="placed_h5ad")  # fmt: skip
        st.button("Delete", key="placed_delete", type="tertiary", icon=":material/delete:", on_click=_delete,
                  args=(opened.run_id, card))  # fmt: skip


def _h5ad(placed: Placed) -> bytes:
    with scratch_folder() as folder:
        write_projection(placed, folder / "placed.h5ad")
        return (folder / "placed.h5ad").read_bytes()


def _delete(run_id: str, card: PlacedCard) -> None:
    workspace = store().workspace
    try:
        delete_placed(workspace, run_id, card.placed_id)
    except LdvaeError as fault:
        say_refused(fault)
        return
    offer_undo(f"The placed cells of {plain(card.name)} are deleted.",
               lambda: restore_placed(workspace, run_id, card.placed_id), lasting=True)  # fmt: skip


def _table(run: OpenRun, drawn: Factors, pair: Pair) -> pd.DataFrame:
    columns = {drawn.label(factor): drawn.representation[:, factor] for factor in pair}
    own = run.counts.annotations[[NEAREST]].astype(str)
    return pd.DataFrame({"cell": run.counts.cell_ids, **columns, NEAREST: own[NEAREST].to_numpy()})
