"""Names that tell runs apart: as people gave them, and with what differs first where they are alike."""

from collections.abc import Mapping, Sequence
from typing import Any

from ldvae_core.runs.cards import RunCard

MOST_TOLD = 2  # settings before a name
UNTOLD = ("name", "label_column", "training.device", "training.threads")  # they make no other model
WORDS = {"n_factors": "factors", "n_epochs": "epochs", "n_genes": "genes", "data_source": "data"}


def distinct_names(cards: Sequence[RunCard]) -> dict[str, str]:
    """By run id, a name that no other one has: 'seed 3 · 10 factors, 60 epochs · Kang' among runs of one name.

    Runs that are alike in everything get the end of their id.
    """
    found = {card.run_id: card.name for card in cards}
    for name in {card.name for card in cards}:
        alike = [card for card in cards if card.name == name]
        if len(alike) > 1:
            found |= _told_apart(alike)
    twins = [name for name in found.values() if list(found.values()).count(name) > 1]
    return {run_id: f"{name} ({run_id[-4:]})" if name in twins else name for run_id, name in found.items()}


def short_names(cards: Sequence[RunCard]) -> dict[str, str]:
    """The same without what all names end on: what stands before " · " where that tells them apart."""
    whole = distinct_names(cards)
    short = {run_id: name.split(" · ")[0] for run_id, name in whole.items()}
    return short if len(set(short.values())) == len(short) else whole


def _told_apart(cards: Sequence[RunCard]) -> dict[str, str]:
    """Each name behind the settings in which these runs, of one name, differ."""
    settings = {card.run_id: _flat(card.settings.to_dict()) if card.settings else {} for card in cards}
    keys = {key: None for values in settings.values() for key in values if key not in UNTOLD}
    differ = [key for key in keys if len({repr(values.get(key)) for values in settings.values()}) > 1]
    return {card.run_id: " · ".join([*(_words(key, settings[card.run_id].get(key)) for key in differ[:MOST_TOLD]),
                                     card.name]) for card in cards}  # fmt: skip


def _words(key: str, value: Any) -> str:
    name = key.rpartition(".")[2]
    if isinstance(value, bool):
        return f"{'' if value else 'no '}{name.replace('_', ' ')}"
    shown = "default" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else value
    said = WORDS.get(name)
    return f"{shown} {said}" if said and isinstance(value, int) else f"{said or name.replace('_', ' ')} {shown}"


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= _flat(value, f"{before}{key}.") if isinstance(value, Mapping) else {f"{before}{key}": value}
    return found
