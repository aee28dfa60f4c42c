"""The comparison in words, before any figure: who predicts best, how many programs are enough, which come back."""

import math

from ldvae_core.analysis.standing import standing_of
from ldvae_core.analysis.standing_words import come_back_sentence, nats, standing_sentence
from ldvae_core.runs.cards import RunCard
from ldvae_core.runs.comparable import Basis
from ldvae_core.runs.standings import best_figure, by_model, learned_from, losses_of, programs_enough
from ldvae_core.runs.table import method_of
from pages.parts.compare.factors import matched
from pages.parts.compare.runs import bases_of, by_cell_of, names_of, opened_runs
from pages.parts.runs import factors_of
from pages.parts.text import as_html, explained, show


def show_answers(drawn: list[RunCard], same_genes: list[RunCard]) -> None:
    """One sentence a question, each only where the runs can answer it. same_genes: drawn and further runs."""
    answers = {
        "How many programs": programs_enough(drawn, by_cell_of(drawn)),
        "Do they come back": _come_back(same_genes),
        "Which model": _best(drawn),
    }
    rows = [f"<dt>{as_html(question)}</dt><dd>{explained(answer)}</dd>"
            for question, answer in answers.items() if answer]  # fmt: skip
    if rows:
        show(f"<dl>{''.join(rows)}</dl>", kind="answers")


def _best(drawn: list[RunCard]) -> str:
    """By the fairest figure that the runs have; runs that differ in their seed only are one model."""
    metric, names = best_figure(drawn), names_of(drawn)
    models, spread = by_model(drawn, losses_of(drawn, metric, by_cell_of(drawn)))
    standing = standing_of({names[run_id]: loss for run_id, loss in models.items()})
    if standing is None:
        return ""
    said = standing_sentence(standing)
    if metric.column != "iwll":
        said = f"{said} By their error, which favours models of more factors."
    if math.isfinite(spread):
        return f"{said} Seeds of one model differ by up to {nats(spread)}."
    return f"{said} How much seeds of one model differ is not known here: train one again with another seed."


def _come_back(same_genes: list[RunCard]) -> str:
    """Of the first LDVAE's programs, in all other chosen LDVAE on the same genes."""
    models = [card for card in same_genes if method_of(card) == "ldvae"]
    opened, names = opened_runs(models, least=1), names_of(same_genes)
    if len(opened) < 2:
        return ""
    first, *others = opened
    runs = tuple(opened.values())
    table = matched(runs, tuple(factors_of(run) for run in runs)).table
    bases: dict[str, Basis] = {run_id: basis for run_id, basis in bases_of(models).items() if basis is not None}
    where = learned_from(bases[first], [bases[run_id] for run_id in others])
    return come_back_sentence(int(table["active"].sum()), int(table["replicates"].sum()), name=names[first],
                              n_others=len(others), where=where)  # fmt: skip
