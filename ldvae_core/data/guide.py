"""Gene sets that inform factors, one factor a set: as they were given, and as they lie among the modelled genes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from ldvae_core.data.genesets import places_of
from ldvae_core.data.gmt import GeneSets
from ldvae_core.data.names import listing
from ldvae_core.errors import SettingsError

FEWEST_MODELLED = 3  # genes of a set; fewer say nothing of a direction
LARGEST_SHARE = 0.5  # of the modelled genes; a set of more of them is none
MOST_GUIDED = 100  # sets of one run
MOST_NAMED = 5


@dataclass(frozen=True)
class Guide:
    """The sets of one run, names and genes as in their file. Raises SettingsError when there are too many."""

    title: str = ""  # of the file or collection
    sets: tuple[tuple[str, tuple[str, ...]], ...] = ()  # name, genes

    def __post_init__(self) -> None:
        if len(self.sets) > MOST_GUIDED:
            raise SettingsError(
                f"{self.title} holds {len(self.sets):,} gene sets; at most {MOST_GUIDED} can guide a run.",
                "Keep those that you expect in these cells.",
            )
        if len(dict(self.sets)) < len(self.sets) or not all(name and genes for name, genes in self.sets):
            raise SettingsError("Every gene set that guides a factor has a name of its own, and genes.")

    def __bool__(self) -> bool:
        return bool(self.sets)

    @classmethod
    def of(cls, found: GeneSets, chosen: tuple[str, ...] | None = None) -> Self:
        """All sets of a file or collection, or those chosen by name. Raises SettingsError."""
        names = tuple(found.sets) if chosen is None else chosen
        return cls(found.title, tuple((name, found.sets[name]) for name in names))

    @property
    def names(self) -> tuple[str, ...]:
        """What the sets are called."""
        return tuple(name for name, _ in self.sets)

    @property
    def digest(self) -> str:
        """16 hex digits that change with any name or gene; "" without sets."""
        return GeneSets(self.title, dict(self.sets)).digest if self else ""

    def as_gmt(self) -> bytes:
        """The text of a GMT file that holds these sets."""
        return "".join("\t".join((name, "", *genes)) + "\n" for name, genes in self.sets).encode()

    def to_dict(self) -> dict[str, Any]:
        """Plain values; from_dict reads them back."""
        return {"title": self.title, "digest": self.digest, "sets": {name: list(genes) for name, genes in self.sets}}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what to_dict wrote; {} is no guide. Raises SettingsError when it is damaged."""
        try:
            sets = {str(name): tuple(map(str, genes)) for name, genes in dict(values.get("sets", {})).items()}
            found = cls(str(values.get("title", "")), tuple(sets.items()))
        except (TypeError, AttributeError):
            raise SettingsError("The gene sets that guide this run cannot be understood.") from None
        if values.get("digest", found.digest) != found.digest:
            raise SettingsError("The gene sets that guide this run are not those it was made with.")
        return found


class Matched(NamedTuple):
    """The sets among the modelled genes."""

    names: tuple[str, ...]
    member: np.ndarray  # (n_genes, n_sets) bool
    missing: tuple[tuple[str, ...], ...]  # of each set, the genes that are not modelled, as written


def match_guide(guide: Guide, gene_names: np.ndarray) -> Matched:
    """Find the sets' genes among those modelled: in any case, Ensembl ids by their symbols where these are known.

    Raises SettingsError for sets with fewer than FEWEST_MODELLED of them, or with more than half of all.
    """
    place = places_of(gene_names)
    member, missing = np.zeros((len(gene_names), len(guide.sets)), bool), []
    for column, (_, genes) in enumerate(guide.sets):
        found = {gene: place[key] for gene in genes if (key := gene.casefold()) in place}
        member[list(found.values()), column] = True
        missing.append(tuple(gene for gene in genes if gene not in found))
    sizes = member.sum(axis=0)
    small = [f"{name} ({size})" for name, size in zip(guide.names, sizes, strict=True) if size < FEWEST_MODELLED]
    large = [f"{name} ({size:,})" for name, size in zip(guide.names, sizes, strict=True)
             if size > LARGEST_SHARE * len(gene_names)]  # fmt: skip
    problems = []
    if small:
        problems.append(f"Fewer than {FEWEST_MODELLED} genes of a set are modelled: {listing(small, MOST_NAMED)}.")
    if large:
        problems.append(f"More than half of the modelled genes are in one set: {listing(large, MOST_NAMED)}.")
    if problems:
        raise SettingsError(problems, "Leave these sets out, model more genes, or name genes to be kept.")
    return Matched(guide.names, member, tuple(missing))
