"""What the columns of a text table are: names of its rows, annotations, or counts; people can say otherwise."""

from dataclasses import replace

import streamlit as st

from ldvae_core.data.reading_options import ReadingOptions
from pages.parts.data.opened import OpenData
from pages.parts.text import plain

MOST_OFFERED = 5_000  # columns of counts that can be called something else


def columns_asked(data: OpenData, options: ReadingOptions) -> ReadingOptions:
    """The options with what the two controls say; they start from how the table was read."""
    reading, counts = data.counts.reading, data.counts
    assert reading is not None  # the caller looked
    of, by_cell = data.card.dataset_id, reading.genes_in == "columns"
    now = reading.cells_named_by if by_cell else reading.genes_named_by
    across = (counts.gene_names if by_cell else counts.cell_ids)[:MOST_OFFERED].tolist()
    kinds = reading.options.kinds()
    names = list(dict.fromkeys([now, *reading.apart]))
    named = st.selectbox("Rows named by", names, format_func=plain, key=f"rows_named_by {of}", width=200)
    apart = [name for name in reading.apart if name != named]
    wanted = st.multiselect(
        "Columns without counts", list(dict.fromkeys([*apart, *across])), default=apart, format_func=plain,
        key=f"apart {of} {named}", width=320, select_all=False,
        help="They annotate the cells" + ("." if by_cell else ", and are left out where rows are genes."),
    )  # fmt: skip
    if named != now:
        kinds = {name: kind for name, kind in kinds.items() if kind != "names"} | {named: "names"}
    kinds |= {name: "annotation" for name in wanted if name not in apart}
    kinds |= {name: "counts" for name in apart if name not in wanted}
    return replace(options, columns=tuple(f"{name}={kind}" for name, kind in kinds.items()))
