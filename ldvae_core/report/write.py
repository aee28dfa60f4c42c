"""A report of a run: what was read, chosen, learned, named, compared and tested, and how to do it again."""

import shlex
from dataclasses import replace
from pathlib import Path

import ldvae_core
from ldvae_core import durable
from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.sums import ReportShare, ignore_share
from ldvae_core.errors import RunError
from ldvae_core.report.facts import data_section, looked_section, settings_section, training_section
from ldvae_core.report.methods import methods
from ldvae_core.report.page import Section, code, page, paragraph, table, text
from ldvae_core.report.programs import followed, programs_section
from ldvae_core.report.tests import comparisons_section, enrichment_section, selections_section
from ldvae_core.report.types import types_section
from ldvae_core.runs.gene_set_results import GeneSetResults
from ldvae_core.runs.looked import Looked
from ldvae_core.runs.opened import OpenRun
from ldvae_core.runs.recipe import train_command
from ldvae_core.runs.settings import RunFile


def write_report(opened: OpenRun, path: Path, *, axes: str | None = None, report: ReportShare = ignore_share) -> None:
    """Write the run as one HTML file of some 5 MB, in one step; on the given axes, or those that pages show.

    opened: with what people added to it. Raises RunError when these axes do not exist, or the disk refuses.
    """
    try:
        durable.write_bytes(path, report_html(opened, axes=axes, report=report).encode())
    except OSError as fault:
        raise RunError(
            f"{path.name} cannot be written ({fault.strerror or fault}).", "Make room, or choose another folder."
        ) from None


def report_html(opened: OpenRun, *, axes: str | None = None, report: ReportShare = ignore_share) -> str:
    """The same as text."""
    name = axes or opened.axes
    if name not in opened.factors:
        raise RunError(f"This run has no axes {name!r}.", f"It has {', '.join(opened.factors)}.")
    factors = opened.factors[name]
    about = None if opened.kept is None else RunFile.read(opened.kept.run_folder)
    results = [] if opened.kept is None else GeneSetResults(opened.kept).of(factors)
    comparisons = [] if opened.kept is None else Looked(opened.kept).comparisons()
    following = followed(opened, factors, lambda done: report(0.7 * done))
    done = methods(opened, factors, version=_version(about), tested=bool(results or comparisons))
    report(0.75)
    sections = [
        data_section(opened),
        training_section(opened),
        programs_section(opened, factors, following),
        types_section(opened, factors),
        comparisons_section(comparisons),
        enrichment_section(results, factors),
        selections_section(opened),
        looked_section(opened, factors, results, comparisons),
        Section("Methods", paragraph(done.words) + _works(done.works)),
        settings_section(opened),
        Section("The same run again", _again(opened)),
        Section("Versions", _versions(about)),
    ]
    report(1.0)
    return page(opened.name, _lead(opened, factors, about), sections)


def _lead(opened: OpenRun, factors: Factors, about: RunFile | None) -> str:
    when = f", trained {about.created[:10]}" if about is not None and about.created else ""
    n_cells, n_genes = opened.counts.counts.shape
    return paragraph(
        f"{opened.data_name}: {n_cells:,} cells, {n_genes:,} modelled genes, {factors.n_factors} factors{when}. "
        f"Axes: {str(factors.axes).replace('_', ' ')}.",
        quiet=True,
    )


def _again(opened: OpenRun) -> str:
    """The command, with the file by its name alone: whose folder it lay in is nobody's business."""
    settings = opened.settings
    named = replace(settings, data_source=Path(settings.data_source).name or settings.data_source)
    given = "" if named.data_source == settings.data_source else " The file stands by its name; give its path."
    prints = opened.counts.about.get("fingerprint", "")
    return (
        code(shlex.join(train_command(named, opened.run_id)))
        + paragraph(f"On the command line of Gene Program Explorer.{given}", quiet=True)
        + (paragraph(f"Fingerprint of the counts: {prints}", quiet=True) if prints else "")
    )


def _works(works: list[str]) -> str:
    return f"<ol>{''.join(f'<li>{text(work)}</li>' for work in works)}</ol>" * bool(works)


def _version(about: RunFile | None) -> str:
    return (about.versions if about else {}).get("gene-program-explorer", ldvae_core.__version__)


def _versions(about: RunFile | None) -> str:
    trained = {} if about is None else about.versions
    rows = [[name, version] for name, version in trained.items()]
    return table(["Trained with", "Version"], rows) + paragraph(
        f"This report was written by Gene Program Explorer {ldvae_core.__version__}.", quiet=True
    )
