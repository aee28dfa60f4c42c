"""`design`: the programs of a run against the design of the experiment, as on the Cell types page."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ldvae_core.analysis.design_words import design_sentence, reading_sentences
from ldvae_core.commands.sources import opened_run
from ldvae_core.durable import write_bytes
from ldvae_core.runs.designs import Design, design_table, tested_design


def design(
    run: str,
    *,
    samples: Sequence[str],
    condition: str,
    covariates: Sequence[str],
    by: str | None,
    moderated: bool,
    target: Path,
) -> dict[str, Any]:
    """Compare the sample means of RUN's programs, write a row a program, level and term, return the last line.

    How columns of numbers were read goes to stderr. Raises LdvaeError: no such run or annotation, or a design that
    cannot tell, with the reason.
    """
    asked = Design(tuple(dict.fromkeys(samples)), condition, tuple(covariates), by, moderated)
    opened = opened_run(run)
    factors = opened.factors[opened.axes]
    found = tested_design(opened, factors, asked)
    sys.stderr.write("".join(f"{line}\n" for line in reading_sentences(found)))
    write_bytes(target, design_table(found).to_csv(index=False, lineterminator="\n").encode())
    return {
        "file": str(target),
        "unit": "sample",
        "n_samples": int(found.table["n_samples"].max()),
        "levels": list(found.used),
        "not_tested": found.left_out,
        "n_tested": found.n_tested,
        "n_found": len(found.found),
        "sentence": design_sentence(found, factors),
    }
