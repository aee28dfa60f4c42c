"""Gene sets: the collections that come with the program, and their translation between species."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from ldvae_core import durable
from ldvae_core.data.gene_lookup import bare_id
from ldvae_core.data.gmt import GeneSets, read_gmt
from ldvae_core.errors import SettingsError

Species = Literal["mouse", "human"]

FOLDER = Path(__file__).resolve().parent.parent / "genesets"


@dataclass(frozen=True)
class Collection:
    """What is known of a shipped collection without reading it."""

    key: str
    title: str
    file: str
    species: Species
    source: str
    licence: str


def collections() -> tuple[Collection, ...]:
    """The shipped collections with their sources and licences."""
    return tuple(Collection(**row) for row in durable.read_json(FOLDER / "about.json")["collections"])


def collections_for(species: Species | None) -> tuple[Collection, ...]:
    """Those of use for a species: its own GO first; collections of human genes serve mouse by orthologues."""
    own = [found for found in collections() if species is None or found.species == species]
    more = [found for found in collections() if species == "mouse" and found.key in ("hallmark", "pathways")]
    return (*own, *more)


def load_collection(key: str, species: Species | None = None) -> GeneSets:
    """One shipped collection; human sets are translated when species is "mouse". Raises SettingsError when unknown."""
    chosen = next((found for found in collections() if found.key == key), None)
    if chosen is None:
        known = ", ".join(found.key for found in collections())
        raise SettingsError(f"There is no collection of gene sets {key!r}.", f"There are: {known}.")
    found = read_gmt((FOLDER / chosen.file).read_bytes(), chosen.title)
    return as_mouse(found) if species == "mouse" and chosen.species == "human" else found


def as_mouse(found: GeneSets) -> GeneSets:
    """Human symbols as those of their one-to-one orthologues in mouse; genes without one are left out."""
    table = orthologues()
    mouse = dict(zip(table["human"].str.upper(), table["mouse"], strict=True))
    sets = {name: tuple(mouse[gene.upper()] for gene in genes if gene.upper() in mouse)
            for name, genes in found.sets.items()}  # fmt: skip
    sets = {name: genes for name, genes in sets.items() if genes}
    return GeneSets(found.title, sets, found.notices, translated=True)


@lru_cache(maxsize=1)
def orthologues() -> pd.DataFrame:
    """One-to-one orthologues: columns mouse_id, mouse, human_id, human; 17,000 rows."""
    return pd.read_csv(FOLDER / "mouse_human_orthologues.csv.gz", dtype=str, keep_default_na=False)


def symbols_of(gene_names: np.ndarray) -> list[str]:
    """Gene names with Ensembl ids of mouse and human replaced by symbols, where these are known."""
    names: list[str] = gene_names.tolist()
    if not any(name.startswith(("ENSG", "ENSMUSG")) for name in names):
        return names
    table = orthologues()
    known = dict(zip([*table["mouse_id"], *table["human_id"]], [*table["mouse"], *table["human"]], strict=True))
    return [known.get(bare_id(name), name) for name in names]


def places_of(gene_names: np.ndarray) -> dict[str, int]:
    """Where each gene stands, by its name and its symbol, case folded; the first of several."""
    places: dict[str, int] = {}
    for names in (gene_names.tolist(), symbols_of(gene_names)):
        for position, name in enumerate(names):
            places.setdefault(name.casefold(), position)
    return places
