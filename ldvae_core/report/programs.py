"""The section on programs: what each explains, follows, and which genes it is made of."""

from collections.abc import Callable

import pandas as pd

from ldvae_core.analysis.certificates import certified_words
from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.findings import factor_finding, follow_words, position_findings, structure_finding
from ldvae_core.analysis.following import following_table, strongest
from ldvae_core.analysis.numbers import explained
from ldvae_core.analysis.programs import strongest_genes, top_genes
from ldvae_core.model.describe import BASELINE_WORDS, SLOPES
from ldvae_core.plots.ranked import plot_ranked_loadings
from ldvae_core.report.page import Section, figure, paragraph, table, text
from ldvae_core.runs.groups import samples_of
from ldvae_core.runs.opened import OpenRun

SHOWN, LISTED = 8, 30  # genes of each end: drawn, and listed
NUMBERS = ("Explained deviance", "With another seed", "In other cells")
MOST_DRAWN = 30  # factors, the strongest; the others are in the table alone


def followed(opened: OpenRun, factors: Factors, report: Callable[[float], object]) -> pd.DataFrame | None:
    """What each factor follows, of annotations that were not made on these very factors; None without any."""
    told = {name: samples_of(opened, name) for name in opened.label_columns if name not in opened.added}
    if not told or not factors.n_factors:
        return None
    return following_table(factors, told, on_factor=lambda done: report(done / factors.n_factors))


def programs_section(opened: OpenRun, factors: Factors, following: pd.DataFrame | None) -> Section:
    """A table of all, then every active one with its genes and 90% intervals."""
    rows: list[list[object]] = []
    for factor in range(factors.n_factors):
        told = strongest(following, factor) if following is not None and factors.active[factor] else []
        rows.append([
            factor + 1, factors.name_of(factor), explained(float(factors.explained_deviance[factor])),
            "" if factors.active[factor] else "inactive", *_comes_back(opened, factors, factor),
            follow_words(told[0]) if told else "",
            ", ".join(strongest_genes(factors, factor, 5, end="positive")),
            ", ".join(strongest_genes(factors, factor, 5, end="negative")),
        ])  # fmt: skip
    columns = [
        "Factor",
        "Name",
        "Explained deviance",
        "",
        "With another seed",
        "In other cells",
        "Certified",
        "Follows",
        "High end",
        "Low end",
    ]
    body = _warned(opened) + table(*_filled(columns, rows), numbers=NUMBERS) + _of_certificates(opened, factors)
    drawn = [factor for factor in range(factors.n_factors) if factors.active[factor]][:MOST_DRAWN]
    body += "".join(_program(opened, factors, factor, following) for factor in drawn)
    left_out = int(sum(factors.active)) - len(drawn)
    return Section("Programs", body + (paragraph(f"{left_out} more active factors are in the table.") * (left_out > 0)))


def _comes_back(opened: OpenRun, factors: Factors, factor: int) -> tuple[str, str, str]:
    """The match with another seed and in other cells, and whether it is certified; "" where that is not known."""
    programs = opened.certified(factors)
    if not programs:
        return "", "", ""
    found = programs[factor]
    return f"{found.seed_match:.2f}", f"{found.half_match:.2f}", "yes" if found.certified else "no"


def _of_certificates(opened: OpenRun, factors: Factors) -> str:
    """What the columns on coming back mean."""
    found = opened.certificates
    if found is None or not opened.certified(factors):
        return ""
    return paragraph(
        f"With another seed, in other {found.unit}: how alike the program is that such a training finds (1: the same "
        "genes in the same proportions, weighed by how well counts tell them); in other "
        f"{found.unit}, the smaller of two disjoint halves. A factor is certified when {certified_words(found)}.",
        quiet=True,
    )


def _filled(columns: list[str], rows: list[list[object]]) -> tuple[list[str], list[list[object]]]:
    """Without the columns that say nothing of any factor, such as names when nobody has given one."""
    kept = [place for place in range(len(columns)) if any(str(row[place]) for row in rows)]
    return [columns[place] for place in kept], [[row[place] for place in kept] for row in rows]


def _warned(opened: OpenRun) -> str:
    """What keeps factors from being read as programs, in the words of the pages."""
    model, metrics = opened.settings.model, opened.metrics
    slopes = SLOPES if model.method == "ldvae" and model.decoder == "neural" else ""
    said = [structure_finding(metrics), *position_findings(metrics), BASELINE_WORDS.get(model.method, ""), slopes]
    return "".join(paragraph(words) for words in said)


def _program(opened: OpenRun, factors: Factors, factor: int, following: pd.DataFrame | None) -> str:
    notes = opened.kept.factor_notes(factors.axes) if opened.kept is not None else {}
    note = notes.get(factor)
    written = ""
    if note is not None and note.notes:
        signed = ", ".join(part for part in (note.who, note.when[:10]) if part)
        written = paragraph(f"Note: {note.notes}" + (f" ({signed})" if signed else ""))
    ends = "".join(
        f"<p><span class=quiet>{words}:</span> <span class=genes>{text(', '.join(names))}</span></p>"
        for end, words in (("positive", "High end"), ("negative", "Low end"))
        if (names := strongest_genes(factors, factor, LISTED, end=end))  # type: ignore[arg-type]  # of those two
    )
    drawn = figure(
        plot_ranked_loadings(top_genes(factors, factor, SHOWN), x_title="Log fold change per SD"),
        f"The first {SHOWN} genes of each end with 90% intervals.", key=f"program{factor}", width=480,
    )  # fmt: skip
    said = paragraph(factor_finding(factors, factor, following))
    words = f"<div>{said}{written}{ends}</div>"
    return f'<h3>{text(factors.label(factor))}</h3><div class="program">{words}{drawn}</div>'
