"""Which columns of a text table hold no counts; people can say otherwise."""

from dataclasses import replace

import streamlit as st

from ldvae_core.data.reading_options import ReadingOptions
from pages.parts.data.opened import OpenData
from pages.parts.text import plain

MOST_OFFERED = 5_000  # columns of counts that can be called something else


def columns_asked(data: OpenData, options: ReadingOptions) -> ReadingOptions:
    """The options with what the control says; it starts from how the table was read.

    What names cells and genes is changed in place (renaming.py): columns of text are kept beside the counts.
    """
    reading, counts = data.counts.reading, data.counts
    assert reading is not None  # the caller looked
    by_cell, names = reading.genes_in == "columns", (reading.cells_named_by, reading.genes_named_by)
    across = (counts.gene_names if by_cell else counts.cell_ids)[:MOST_OFFERED].tolist()
    apart = [name for name in reading.apart if name not in names]
    wanted = st.multiselect(
        "Columns without counts", list(dict.fromkeys([*apart, *across])), default=apart, format_func=plain,
        key=f"apart {data.card.dataset_id}", width=320, select_all=False,
        help="They annotate the cells" + ("." if by_cell else ", and are left out where rows are genes."),
    )  # fmt: skip
    kinds = reading.options.kinds()
    kinds |= {name: "annotation" for name in wanted if name not in apart}
    kinds |= {name: "counts" for name in apart if name not in wanted}
    return replace(options, columns=tuple(f"{name}={kind}" for name, kind in kinds.items()))
