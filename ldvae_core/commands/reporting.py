"""`report`: a run as one HTML file."""

from pathlib import Path
from typing import Any

from ldvae_core.commands.sources import opened_run
from ldvae_core.report import write_report
from ldvae_core.runs.opened import ordered


def report_run(run: str, target: Path) -> dict[str, Any]:
    """Write the report of RUN; return the command's last line. Raises LdvaeError: no such run, the disk refuses."""
    opened = ordered(opened_run(run), most=None)
    write_report(opened, target)
    factors = opened.factors[opened.axes]
    return {"file": str(target), "bytes": target.stat().st_size, "n_factors": factors.n_factors, "axes": factors.axes}
