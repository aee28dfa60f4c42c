"""`enrich`: gene sets at the ends of a run's programs, as on the Genes page."""

import contextlib
import sys
from pathlib import Path
from typing import Any

from ldvae_core.analysis.enrichment import (
    SIGNIFICANT,
    Method,
    background,
    enrichment_id,
    over_representation,
    pre_ranked,
)
from ldvae_core.commands.programs import ENDS
from ldvae_core.commands.sources import opened_run, own_sets_of
from ldvae_core.data.genes import guess_species
from ldvae_core.data.genesets import collections, load_collection
from ldvae_core.data.gmt import GeneSets, read_own_gmt
from ldvae_core.durable import write_bytes
from ldvae_core.errors import RunError, SettingsError
from ldvae_core.runs.gene_set_results import GeneSetResults
from ldvae_core.runs.opened import OpenRun, ordered

COLUMNS = ["factor", "end", "set", "size", "overlap", "p", "q", "genes"]
FILE_ENDINGS = (".gmt", ".gz", ".txt")


def enrich_run(run: str, *, sets: str, method: Method, target: Path) -> dict[str, Any]:
    """Test the sets on every factor of RUN, write a row for every test with an overlap as CSV; the last line.

    The result is kept with the run, where exports and the Genes page find it. sets: a file, else the name of a shipped
    collection or of sets that people added to the run. Raises LdvaeError: no such run or sets, or none of 5 to 500
    modelled genes.
    """
    opened = ordered(opened_run(run), most=None)
    factors = opened.factors[opened.axes]
    kept = own_sets_of(run)
    found = _sets(sets, opened, kept)
    known = background(factors.gene_names, found)
    ranked = method == "pre_ranked"
    table = pre_ranked(factors, known, report=_told) if ranked else over_representation(factors, known)
    with contextlib.suppress(OSError, RunError):  # a run that may only be read costs the keeping, not the table
        kept.keep(enrichment_id(factors, found, method), table, found, known, method, factors)
    shown = table.assign(factor=table["factor"] + 1, end=table["end"].map(ENDS))[COLUMNS]
    sys.stderr.write("".join(f"{notice}\n" for notice in found.notices))
    write_bytes(target, shown.to_csv(index=False, lineterminator="\n").encode())
    return {
        "file": str(target),
        "sets": found.title,
        "by_orthologues": found.translated,
        "n_sets": known.n_sets,
        "method": method,
        "n_rows": len(shown),
        "n_found": int((shown["q"] <= SIGNIFICANT).sum()),
    }


def _sets(name: str, opened: OpenRun, own: GeneSetResults) -> GeneSets:
    path = Path(name).expanduser()
    if path.is_file():
        return read_own_gmt(path, path.name)
    shipped = {word.casefold(): one.key for one in collections() for word in (one.key, one.title)}
    added = {title.casefold(): digest for digest, title in own.own_sets().items()}
    if (wanted := name.strip().casefold()) in shipped:
        return load_collection(shipped[wanted], guess_species(opened.counts.gene_names, opened.counts.gene_ids))
    if wanted in added:
        return own.read_own(added[wanted])
    known = ", ".join([*(one.key for one in collections()), *own.own_sets().values()])
    what = "file" if name.lower().endswith(FILE_ENDINGS) else "collection of gene sets"
    raise SettingsError(f"There is no {what} {name!r}.", f"Known collections: {known}; or give a GMT file.")


def _told(done: int, total: int) -> bool:
    sys.stderr.write(f"{done} of {total} factors\n")
    return True
