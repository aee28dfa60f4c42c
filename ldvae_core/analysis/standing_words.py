"""What a comparison of runs says in words: who is best, how many programs are enough, which of them come back."""

import math
from collections.abc import Mapping, Sequence

from ldvae_core.analysis.findings import join
from ldvae_core.analysis.matching import REPLICATES
from ldvae_core.analysis.standing import Lead, Loss, Standing, certainty, lead_over, standing_of

NEGLIGIBLE = 0.02  # of what the best model predicts beyond the genes' means: less is not worth another program
MOST_NAMED = 4  # runs in a sentence
CELLS = "cell by cell on the same test cells"


def standing_sentence(standing: Standing, *, what: str = "predicts unseen cells best") -> str:
    """Which run is best, or which cannot be told from the best; never a winner by less than the error."""
    verdicts = standing.verdicts
    level = [name for name, verdict in verdicts.items() if verdict == "level"]
    unknown = [name for name, verdict in verdicts.items() if verdict == "unknown"]
    worse = [name for name, verdict in verdicts.items() if verdict == "worse"]
    said = []
    if level:
        said.append(f"{_named([standing.best, *level])} do not differ beyond error: "
                    f"{_behind(standing, level[0])}.")  # fmt: skip
    elif not unknown:
        return f"{standing.best} {what}: {_behind(standing, worse[0])}."
    if unknown:
        far = ", ".join(f"{name} by {nats(standing.leads[name].mean)}" for name in unknown[:MOST_NAMED])
        said.append(
            f"{standing.best} is ahead of {far} nats per cell, and whether that is beyond error is not known: figures "
            "of single cells were not kept with these runs; train them again to have them."
        )
    if worse:
        said.append(f"{_behind(standing, worse[0])}.")
    return " ".join(said)


def enough_sentence(losses: Mapping[int, Loss], *, gain: float) -> str:
    """How many programs are enough, among models that differ in nothing else; "" for one number, or without a gain.

    Enough is the smallest number that is sure (95%, over all numbers tried) to lose less than NEGLIGIBLE of what the
    best model predicts beyond the genes' means: few test cells never make few programs enough.
    losses: by number of factors, -log p of unseen cells; gain: of the best model over the genes' means, nats per cell.
    """
    standing = standing_of({str(number): loss for number, loss in losses.items()})
    if standing is None or not gain > 0:
        return ""
    numbers, best = sorted(losses), int(standing.best)
    enough = next(n for n in numbers if n == best or _loses_little(standing.leads[str(n)], len(numbers) - 1, gain))
    below = max((number for number in numbers if number < enough), default=None)
    if below is None:
        return f"{_programs(enough)} enough: {_largest(losses, enough, gain)}; fewer were not tried."
    lead = lead_over(losses[below], losses[enough])
    behind, sure = f"{nats(lead.mean)}{_error(lead)} nats per cell", lead.verdict(len(numbers) - 1) == "worse"
    if enough < numbers[-1]:
        rest = f"with {below} they are worse, by {behind}" if sure else f"whether {below} are too cannot be told"
        return f"{_programs(enough)} enough: {_largest(losses, enough, gain)}; {rest}."
    if sure:
        return (f"More programs predict unseen cells better: {enough} than {below}, by {behind}. More than {enough} "
                "were not tried.")  # fmt: skip
    return f"Whether {below} programs are enough cannot be told: {enough} predict unseen cells better by {behind}."


def come_back_sentence(n_active: int, n_back: int, *, name: str, n_others: int, where: str) -> str:
    """How many programs of a run are found again; where: what the other runs learned from, "" to leave it open."""
    others = "the other run" if n_others == 1 else f"the {n_others} other runs"
    learned = f", which learned from {where}" if where else ""
    if n_active == 0:
        return f"{name} has no active programs."
    many = f"{n_back} of the {n_active} active programs" if n_active > 1 else "The one active program"
    verb = "does not come back" if n_active == 1 and not n_back else "comes back" if n_back == 1 else "come back"
    if n_active > 1 and n_back == n_active:
        many = f"All {n_active} active programs"
    if n_active > 1 and not n_back:
        many = f"None of the {n_active} active programs"
    return f"{many} of {name} {verb} in {others}{learned} (median match at least {REPLICATES:g})."


def nats(value: float) -> str:
    """A difference in nats per cell: '0.04', '7.3', '1,204'."""
    size = abs(value)
    return f"{size:,.0f}" if size >= 100 else f"{size:.1f}" if size >= 0.95 else f"{size:.2f}"


def _largest(losses: Mapping[int, Loss], enough: int, gain: float) -> str:
    """How predictions of the largest number tried fare against those of the one that is enough."""
    largest, n_compared = max(losses), len(losses) - 1
    lead, back = lead_over(losses[enough], losses[largest]), lead_over(losses[largest], losses[enough])
    said = f"with {largest}, predictions of unseen cells are"
    if back.verdict(n_compared) == "worse":
        return f"{said} worse by {nats(back.mean)}{_error(back)} nats per cell"
    if lead.verdict(n_compared) == "worse":
        share = f"under {NEGLIGIBLE:.0%} of what they gain over the genes' means ({nats(gain)})"
        return f"{said} better by only {nats(lead.mean)}{_error(lead)} nats per cell, {share}"
    return f"{said} no better beyond error ({nats(lead.mean)}{_error(lead)} nats per cell)"


def _loses_little(lead: Lead, n_compared: int, gain: float) -> bool:
    return lead.mean + certainty(n_compared) * lead.error < NEGLIGIBLE * gain


def _behind(standing: Standing, name: str) -> str:
    lead = standing.leads[name]
    how = f", {CELLS}" if lead.is_paired else ""
    return f"{name} is {nats(lead.mean)}{_error(lead)} nats per cell behind {standing.best}{how}"


def _error(lead: Lead) -> str:
    if not math.isfinite(lead.error):
        return ""
    return f" ± {nats(lead.error)}" if lead.is_paired else f" (error at most {nats(lead.error)})"


def _programs(number: int) -> str:
    return "1 program is" if number == 1 else f"{number} programs are"


def _named(names: Sequence[str]) -> str:
    if len(names) <= MOST_NAMED:
        return join(names)
    return f"{', '.join(names[: MOST_NAMED - 1])} and {len(names) - MOST_NAMED + 1} others"
