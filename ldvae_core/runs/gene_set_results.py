"""Gene sets that people add to a run, and enrichment results: tables named by all that they follow from.

In the run's place for additions, the folder enrichment/: own.json (digest -> title), a .gmt.gz a file of gene sets,
and a .parquet with a .json beside it a result.
"""

import contextlib
from pathlib import Path

import pandas as pd

from ldvae_core import durable
from ldvae_core.analysis.enrichment import Background, Method, ranking_digest
from ldvae_core.analysis.factors import Factors
from ldvae_core.data.gmt import GeneSets, read_gmt, read_own_bytes, write_gmt
from ldvae_core.errors import RunError, SettingsError
from ldvae_core.jobs.progress import read_object
from ldvae_core.runs.additions import Additions

FOLDER, OWN_ABOUT = "enrichment", "own.json"
MOST_OWN = 20  # files of gene sets kept with one run
LONGEST_TITLE = 80  # characters


class GeneSetResults:
    """Those of one run; cheap to make."""

    def __init__(self, additions: Additions) -> None:
        self._additions, self._folder = additions, additions.folder / FOLDER

    def path(self, name: str) -> Path:
        """The file of a result, whether it is there or not."""
        return self._folder / f"{name}.parquet"

    def keep(
        self, name: str, table: pd.DataFrame, found: GeneSets, known: Background, method: Method, factors: Factors
    ) -> None:
        """Keep a result. Raises RunError when the disk refuses or the run is gone."""
        about = {
            "sets": found.title,
            "by_orthologues": found.translated,
            "n_sets": known.n_sets,
            "method": method,
            "axes": factors.axes,
            "n_modelled_genes": known.n_genes,
            "ranking": ranking_digest(factors),
        }
        with self._additions.writing():
            self._folder.mkdir(exist_ok=True)
            durable.write_json(self._folder / f"{name}.json", about)
            durable.write_table(self.path(name), table)

    def of(self, factors: Factors) -> list[tuple[str, pd.DataFrame]]:
        """Title of the gene sets and table of every result that follows from these very factors, damaged ones left out.

        Turned axes and another order of genes have results of their own.
        """
        ranking, found = ranking_digest(factors), []
        for path in sorted(self._folder.glob("*.parquet")):
            about = read_object(path.with_suffix(".json"))
            if about.get("ranking") == ranking:
                with contextlib.suppress(OSError, RunError):
                    found.append((str(about.get("sets", "")), durable.read_table(path)))
        return found

    def own_sets(self) -> dict[str, str]:
        """Files of gene sets that people added: digest -> title."""
        rows = read_object(self._folder / OWN_ABOUT).items()
        return {str(digest): str(title) for digest, title in rows if digest.isalnum() and len(digest) == 16}

    def read_own(self, digest: str) -> GeneSets:
        """A file that was added. Raises RunError when it is gone, SettingsError when damaged."""
        title = self.own_sets().get(digest)
        try:
            if title is None:  # only names that stand in the list ever name a file
                raise FileNotFoundError
            content = (self._folder / f"{digest}.gmt.gz").read_bytes()
        except OSError:
            raise RunError(f"The gene sets {title or digest!r} are gone.", "Load the file again.") from None
        return read_gmt(content, title)

    def keep_own(self, content: bytes, title: str) -> GeneSets:
        """Check a file of gene sets, in a limited child, and keep it with the run.

        Raises SettingsError as read_own_bytes or when there are 20 already; RunError when the disk refuses.
        """
        found = read_own_bytes(content, title[:LONGEST_TITLE])
        with self._additions.writing():
            own = read_object(self._folder / OWN_ABOUT)  # asked with the lock: somebody may have added one just now
            if found.digest not in own and len(own) >= MOST_OWN:
                raise SettingsError(
                    f"This run keeps {MOST_OWN} files of gene sets, the most it can.", "Use one of these."
                )
            self._folder.mkdir(exist_ok=True)
            durable.write_bytes(self._folder / f"{found.digest}.gmt.gz", write_gmt(found))
            durable.write_json(self._folder / OWN_ABOUT, {**own, found.digest: found.title})
        return found

    def forget_own(self, digest: str) -> None:
        """Remove a file that was added; one that is gone already is no error. Raises RunError when the disk refuses."""
        with self._additions.writing():
            if digest in self.own_sets():  # only names that stand in the list ever name a file
                own = read_object(self._folder / OWN_ABOUT)
                durable.write_json(self._folder / OWN_ABOUT, {key: own[key] for key in own if key != digest})
                (self._folder / f"{digest}.gmt.gz").unlink(missing_ok=True)
