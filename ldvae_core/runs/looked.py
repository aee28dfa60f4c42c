"""What people have compared in a run: kept with it, so that a reader of its results can judge how much was tried."""

from contextlib import suppress
from dataclasses import asdict, dataclass

from ldvae_core import durable
from ldvae_core.analysis.design import DesignEffects
from ldvae_core.analysis.difference import Difference
from ldvae_core.errors import LdvaeError
from ldvae_core.jobs.progress import read_object
from ldvae_core.runs.additions import Additions
from ldvae_core.runs.designs import Design

FILE = "comparisons.json"
MOST, LONGEST = 1_000, 200  # distinct comparisons; characters of a group
FIELDS = ("first", "second", "unit", "n_tested", "n_found")


@dataclass(frozen=True)
class Comparison:
    """Two groups of cells whose genes were tested against each other, or a design that programs were tested against."""

    first: str
    second: str  # of a design: what it was tested within, and corrected for
    unit: str  # what counted as one observation: "cell" or "sample"
    n_tested: int
    n_found: int  # of them, at a false discovery rate below 5%
    tested: str = "genes"


class Looked:
    """The comparisons of one run; cheap to make."""

    def __init__(self, additions: Additions) -> None:
        self._additions, self._path = additions, additions.folder / FILE

    def note(self, difference: Difference) -> None:
        """Keep that two groups were compared, once however often that is looked at."""
        first, second = (str(name)[:LONGEST] for name in difference.names)
        unit = "cell" if difference.design is None else "sample"
        self._keep(Comparison(first, second, unit, difference.n_tested, difference.n_found))

    def note_design(self, design: Design, effects: DesignEffects) -> None:
        """Keep that programs were tested against a design."""
        within = f"within {design.by}" if design.by else "all cells"
        corrected = f", corrected for {', '.join(design.covariates)}" if design.covariates else ""
        first, second = f"{design.condition}, by {' x '.join(design.samples)}", f"{within}{corrected}"
        found = len(effects.found)
        self._keep(Comparison(first[:LONGEST], second[:LONGEST], "sample", effects.n_tested, found, "programs"))

    def _keep(self, made: Comparison) -> None:
        """A disk that refuses keeps nobody from looking."""
        if made in self.comparisons():
            return
        with suppress(LdvaeError), self._additions.writing():
            known = self.comparisons()
            if made not in known and len(known) < MOST:
                durable.write_json(self._path, {"comparisons": [asdict(each) for each in (*known, made)]})

    def comparisons(self) -> list[Comparison]:
        """In the order they were made; [] before the first, or where the file is damaged."""
        rows = read_object(self._path).get("comparisons")
        return [
            Comparison(
                str(row["first"]),
                str(row["second"]),
                str(row["unit"]),
                int(row["n_tested"]),
                int(row["n_found"]),
                str(row.get("tested", "genes")),
            )
            for row in (rows if isinstance(rows, list) else [])
            if isinstance(row, dict) and set(FIELDS) <= row.keys()
        ]
