"""Gene sets: the collections that come with the program, and files of people's own, which are not trusted."""

import gzip
import hashlib
import io
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from ldvae_core import durable
from ldvae_core.data.gene_lookup import bare_id
from ldvae_core.data.names import listing
from ldvae_core.errors import SettingsError

Species = Literal["mouse", "human"]

FOLDER = Path(__file__).resolve().parent.parent / "genesets"
LARGEST_FILE, LARGEST_TEXT = 20 << 20, 80 << 20  # bytes, as uploaded and unpacked
MOST_SETS, MOST_GENES, LONGEST_SET_NAME = 30_000, 5_000, 200  # of a file; of a set; characters
MOST_NAMED_LINES = 5
REMEDY = "A GMT file has one set a line: name, description, gene, gene, ..., separated by tabs."


@dataclass(frozen=True)
class Collection:
    """What is known of a shipped collection without reading it."""

    key: str
    title: str
    file: str
    species: Species
    source: str
    licence: str


@dataclass(frozen=True, eq=False)
class GeneSets:
    """Named sets of gene symbols or Ensembl ids, as written in their file."""

    title: str
    sets: Mapping[str, tuple[str, ...]]
    notices: tuple[str, ...] = ()  # what was left out, a sentence each
    translated: bool = False  # from human to mouse genes

    @cached_property
    def digest(self) -> str:
        """16 hex digits that change with any name or gene."""
        text = "\n".join("\t".join((name, *genes)) for name, genes in self.sets.items())
        return hashlib.sha256(text.encode()).hexdigest()[:16]


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


def read_gmt(content: bytes, title: str) -> GeneSets:
    """Read a GMT file, gzipped or not. Lines that are no sets are left out and named in the notices.

    Raises SettingsError when it is too large, unpacks to too much, is no text, or holds no set.
    """
    sets: dict[str, tuple[str, ...]] = {}
    bad: dict[str, list[int]] = {}
    for number, line in enumerate(io.StringIO(_text_of(content, title)), start=1):
        if not line.strip():
            continue
        name, genes, fault = _set_of(line, sets)
        if fault:
            bad.setdefault(fault, []).append(number)
        else:
            sets[name] = genes
        if len(sets) > MOST_SETS:
            raise SettingsError(f"{title} holds more than {MOST_SETS:,} sets.", "Split it into several files.")
    notices = tuple(_left_out(fault, lines) for fault, lines in bad.items())
    if not sets:
        raise SettingsError([f"{title} holds no gene set.", *notices], REMEDY)
    return GeneSets(title, sets, notices)


def write_gmt(found: GeneSets) -> bytes:
    """The sets as a gzipped GMT file that read_gmt reads."""
    lines = ("\t".join((name, "", *genes)) for name, genes in found.sets.items())
    return gzip.compress("\n".join(lines).encode(), mtime=0)


def _set_of(line: str, sets: Mapping[str, object]) -> tuple[str, tuple[str, ...], str]:
    """Name, genes in their order and each once, and what is wrong with the line ("" when nothing is)."""
    name, *rest = line.rstrip("\r\n").split("\t")
    name = " ".join(name.split())
    genes = tuple(dict.fromkeys(gene.strip().partition(",")[0] for gene in rest[1:] if gene.strip()))
    if not name or len(name) > LONGEST_SET_NAME or not name.isprintable():
        return name, genes, f"no name, or one longer than {LONGEST_SET_NAME} characters"
    if not genes:
        return name, genes, "fewer than three columns"
    if len(genes) > MOST_GENES:
        return name, genes, f"more than {MOST_GENES:,} genes"
    if any(len(gene) > LONGEST_SET_NAME or not gene.isprintable() for gene in genes):
        return name, genes, "a gene name that cannot be one"
    return name, genes, "a name that stands above already" if name in sets else ""


def _left_out(fault: str, lines: list[int]) -> str:
    places = listing((f"{number:,}" for number in lines), MOST_NAMED_LINES)
    return f"{len(lines):,} line{'s were' if len(lines) > 1 else ' was'} left out ({fault}): {places}."


def _text_of(content: bytes, title: str) -> str:
    """Unpacked only as far as the limit, so that a small file cannot fill the memory."""
    if len(content) > LARGEST_FILE:
        raise SettingsError(
            f"{title} has {len(content) / 2**20:.0f} MB; at most {LARGEST_FILE >> 20} MB are read.",
            "Keep the sets you need.",
        )
    if content[:2] == b"\x1f\x8b":
        try:
            with gzip.open(io.BytesIO(content)) as packed:
                content = packed.read(LARGEST_TEXT + 1)
        except (OSError, EOFError, zlib.error):
            raise SettingsError(f"{title} is a damaged gzip file.", "Compress it again, or load it as text.") from None
    if len(content) > LARGEST_TEXT:
        raise SettingsError(f"{title} unpacks to more than {LARGEST_TEXT >> 20} MB.", "Keep the sets you need.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise SettingsError(f"{title} is not text (byte {fault.start:,} is not UTF-8).", REMEDY) from None
    if "\0" in text[:10_000]:
        raise SettingsError(f"{title} is not text.", REMEDY)
    return text
