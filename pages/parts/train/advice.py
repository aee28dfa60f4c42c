"""How many programs were found, why, and the picture that shows it."""

import pandas as pd
import streamlit as st

from ldvae_core.analysis.certificates import Certificates, number_reason
from ldvae_core.plots.certificates import plot_certificates
from ldvae_core.runs.cards import RunCard
from ldvae_core.runs.search import ADVICE_FILE, CERTIFICATES_FILE, read_certificates
from pages.parts.figures import Panel, show_figure
from pages.parts.runs import store
from pages.parts.style import mode
from pages.parts.text import show

HOW_TO_READ = (
    "Ten quick trainings with many factors: on all cells, with other seeds, on disjoint halves of the cells (or of the "
    "samples), and on counts that were shuffled within every gene. **Above:** how well each factor is found again; 1 "
    "is the same program. Filled ones come back in both halves with a match above the dotted bar, even without their "
    "strongest gene, and are no factors of shuffled counts: they are **certified**. **Below:** how much of the "
    "deviance each explains. **Grey:** the same of "
    "shuffled counts, which hold no program. The dotted upright line is the number of programs found."
)


def show_advice(card: RunCard) -> None:
    """The recommendation of a run whose number is found; nothing for others, and before it is known."""
    if card.settings is None or not card.settings.search.auto:
        return
    folder = store().workspace.runs / card.run_id
    found, final = (read_certificates(folder / name) for name in (ADVICE_FILE, CERTIFICATES_FILE))
    if found is None:
        return
    n_sets = len(card.settings.guide.sets)
    if not found.n_programs:
        show("<b>No structure found.</b>")
    else:
        number = f"{found.n_programs} program{'s' * (found.n_programs != 1)}"
        show(f"<b>{number}</b>: trained with {'this number' if n_sets <= found.n_programs else f'{n_sets} factors'}.")
    panel = Panel(
        plot_certificates(found, mode=mode()),
        "number_of_programs",
        f"Match and explained deviance of {len(found.programs)} factors, beside those of shuffled counts.",
        certificates_table(found),
    )
    with st.container(key="train_advice"):
        reason = number_reason(found, n_sets=n_sets, final=final)
        show_figure(panel, key="train_advice_figure", finding=reason, how_to_read=HOW_TO_READ)


def certificates_table(found: Certificates) -> pd.DataFrame:
    """One row a factor of the generous model, then those of shuffled counts. Columns: counts, factor (from 1), ..."""
    parts = [pd.DataFrame([vars(program) for program in each]).assign(counts=name, factor=range(1, len(each) + 1))
             for name, each in (("given", found.programs), ("shuffled", found.shuffled)) if each]  # fmt: skip
    columns = ["counts", "factor", "explained_deviance", "seed_match", "half_match", "certified"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
