"""`advise`: how many programs the data hold, and which of them come back in other cells."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ldvae_core.analysis.certificates import METRIC, Certificates, number_reason
from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.programs import effects, strongest_genes
from ldvae_core.commands.training import train_new
from ldvae_core.errors import RunError
from ldvae_core.runs.opened import open_run_folder
from ldvae_core.runs.recipe import AUTO
from ldvae_core.runs.search import ADVICE_FILE, CERTIFICATES_FILE, NoStructureError, read_certificates
from ldvae_core.workspace.scratch import scratch_folder

GENES = 10  # of each program


def advise(data: str, out: Path | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """Find the number, train it in `out` or in a folder that does not stay, return the command's last line.

    n_programs is 0, and nothing is kept, where no program comes back. Raises LdvaeError as train_new does.
    """
    with scratch_folder() as place:
        folder = out or place / "advice"
        try:
            train_new(data, folder, {**options, "factors": AUTO})
        except NoStructureError as none:
            return _answer(none.found, None, [])
        generous, found = (read_certificates(folder / name) for name in (ADVICE_FILE, CERTIFICATES_FILE))
        if generous is None or found is None:
            raise RunError(f"The certificates in {folder} cannot be read.", "Train again in another folder.")
        opened = open_run_folder(folder)
        programs = _programs(opened.factors[opened.axes], found)
    kept = {} if out is None else {"run": str(out)}
    return {**_answer(generous, found, programs), **kept}


def _answer(generous: Certificates, final: Certificates | None, programs: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "n_programs": generous.n_programs,
        "structure_found": generous.n_programs > 0,
        "reason": number_reason(generous, final=final),
        "metric": METRIC,
        "bar": generous.bar,
        "unit": generous.unit,
        "programs": programs,
    }


def _programs(factors: Factors, found: Certificates) -> list[dict[str, Any]]:
    """One entry a factor, from 1, with the genes of the end whose strongest ones are stronger."""
    return [
        {
            "factor": k + 1,
            "explained_deviance": float(factors.explained_deviance[k]),
            "seed_match": program.seed_match,
            "half_match": program.half_match,
            "certified": program.certified,
            "genes": strongest_genes(factors, k, GENES, end="positive" if _is_high(factors, k) else "negative"),
        }
        for k, program in enumerate(found.programs)
    ]


def _is_high(factors: Factors, factor: int) -> bool:
    """Whether the high end is the stronger one, by the effects of its first genes."""
    effect = np.sort(effects(factors, of=factor)[0])
    return bool(effect[-GENES:].sum() >= -effect[:GENES].sum())
