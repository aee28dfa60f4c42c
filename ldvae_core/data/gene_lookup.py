"""Genes as people write them: symbols, ids and names of proteins in any case and punctuation, and pasted lists."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ldvae_core.data.gene_aliases import ALIASES, bare

SEPARATORS = re.compile(r"[\s,;|]+")
LONGEST_TEXT = 100_000  # characters of one pasted list; 10,000 genes
MOST_ASKED = 5_000  # genes of one question
_QUOTES = "\"'`“”‘’"
_VERSIONED = re.compile(r"(ENS[A-Z]*G\d+)(?:\.\d+)?", re.IGNORECASE)


class Found(NamedTuple):
    """Genes in the order they were asked for, each once."""

    positions: np.ndarray  # (n_found,) int64, positions among the genes looked in
    missing: tuple[str, ...]  # as written
    cut: bool  # whether the list was longer than MOST_ASKED
    renamed: tuple[tuple[str, int], ...] = ()  # what was written, where a gene is called quite otherwise; its position


@dataclass(frozen=True, eq=False)
class GeneIndex:
    """Where every gene stands, by exact name or id and by the same without case and version."""

    exact: dict[str, int]
    loose: dict[str, list[int]]

    @staticmethod
    def of(gene_names: np.ndarray, gene_ids: np.ndarray | None = None) -> "GeneIndex":
        """gene_names, gene_ids: (n_genes,) str."""
        exact: dict[str, int] = {}
        loose: dict[str, list[int]] = {}
        for names in (gene_names, gene_ids):
            for position, name in enumerate([] if names is None else names.tolist()):
                exact.setdefault(name, position)
                places = loose.setdefault(_loosely(name), [])
                if position not in places:
                    places.append(position)
        return GeneIndex(exact, loose)

    def find(self, asked: str | Iterable[str]) -> Found:
        """Look up typed or pasted text, or several of them. Two genes that differ only in case are both meant."""
        texts = [asked] if isinstance(asked, str) else list(asked)
        wanted = list(dict.fromkeys(word for text in texts for word in self._words(text)))
        positions: dict[int, None] = {}
        missing, renamed = [], []
        for word in wanted[:MOST_ASKED]:
            places = [self.exact[word]] if word in self.exact else self._places(word)
            if not places:
                places = self._called_otherwise(word)
                renamed += [(word, place) for place in places]
            positions.update(dict.fromkeys(places))
            if not places:
                missing.append(word)
        found = np.fromiter(positions, np.int64, len(positions))
        return Found(found, tuple(missing), len(wanted) > MOST_ASKED, tuple(renamed))

    def begin_with(self, text: str) -> list[int]:
        """Positions of all genes whose name or id begins so, in whatever case; [] for less than two letters."""
        start = _loosely(text)
        if len(start) < 2:
            return []
        return sorted({place for name, places in self.loose.items() if name.startswith(start) for place in places})

    def _places(self, word: str) -> list[int]:
        """In any case; with a star at its end, all names and ids that begin so."""
        return self.begin_with(word[:-1]) if word.endswith("*") else self.loose.get(_loosely(word), [])

    def _called_otherwise(self, word: str) -> list[int]:
        """The one gene that is written so but for its punctuation, or the genes of a protein of that name."""
        alike = self._bare.get(bare(word), [])
        if len(alike) == 1:
            return alike
        return [place for symbol in ALIASES.get(bare(word), ()) for place in self.loose.get(_loosely(symbol), [])]

    @cached_property
    def _bare(self) -> dict[str, list[int]]:
        """Positions by letters and digits alone."""
        found: dict[str, list[int]] = {}
        for name, places in self.loose.items():
            own = found.setdefault(bare(name), [])
            own += [place for place in places if place not in own]
        return found

    def _words(self, text: str) -> list[str]:
        """A name that holds a separator is still one name where there is such a gene."""
        whole = text.strip()
        if whole in self.exact:
            return [whole]
        words = (word.strip(_QUOTES) for word in SEPARATORS.split(text[:LONGEST_TEXT]))
        return [word for word in words if word]


def bare_id(name: str) -> str:
    """An Ensembl gene id without its version; any other name as it is."""
    found = _VERSIONED.fullmatch(name)
    return found[1].upper() if found else name


def _loosely(name: str) -> str:
    return bare_id(name).casefold()
