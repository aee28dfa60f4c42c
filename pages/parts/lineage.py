"""Which data set the cells of another were taken from, on every page that names data."""

from ldvae_core.workspace.datasets import Datasets, Parent
from ldvae_core.workspace.folders import Workspace
from pages.parts.text import as_html


def parents() -> dict[str, tuple[Parent, ...]]:
    """By data set that has one: its parent, the parent of that and so on, nearest first."""
    datasets = Datasets(Workspace.default())
    chains = {card.dataset_id: tuple(one for one, _ in datasets.chain(card)) for card in datasets.list() if card.parent}
    return {dataset_id: chain for dataset_id, chain in chains.items() if chain}


def chain_html(chain: tuple[Parent, ...]) -> str:
    """From the first data set to these cells: "Kang › cell_type is monocyte › drawn around"; "" without a parent."""
    if not chain:
        return ""
    steps = [chain[-1].name, *(one.cells for one in reversed(chain))]
    return " › ".join(as_html(step, longest=80) for step in steps)
