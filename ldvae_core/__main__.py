"""The command line: `python -m ldvae_core COMMAND`, for scripts, tests and clusters. What commands do: commands/.

Progress goes to stderr, results to stdout. Refused input: exit status 2 and one line on stderr starting "error: ".
An interrupted run: exit status 130; `train --resume RUN`, or the same `paper` again, goes on with it.
"""

import functools
import io
import json
import logging
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import click

from ldvae_core.data.choices import DataChoices
from ldvae_core.data.reading_options import ReadingOptions
from ldvae_core.errors import LdvaeError
from ldvae_core.model.config import ModelConfig, TrainingConfig
from ldvae_core.runs.options import PARTS, no, options_of, parameter_of
from ldvae_core.runs.search import Search
from ldvae_core.setting import Setting, choices_of, defaults_of, described, types_of
from ldvae_core.workspace.system import allow_many_files

HELP_ORDER = (ModelConfig, Search, DataChoices, TrainingConfig, ReadingOptions)
REFUSED, INTERRUPTED, FAILED = 2, 130, 1
PATH = click.Path(path_type=Path)

COVARIATE = click.option(  # beside --batch, into the same field of the settings
    "--covariate", multiple=True, metavar="COLUMN",
    help="Annotation to correct for, as a number where it is one (standardised), else by its levels.",
)  # fmt: skip


class NumberOrAuto(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click
    """A number of factors, or "auto": it is found."""

    name = "N|auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """Refuse anything else."""
        return value if value == "auto" else int(click.INT.convert(value, param, ctx))


def _option_of(cls: type, field: str, option: Setting) -> Callable[[Any], Any]:
    """The option of `train` that a field of the settings describes."""
    kind, default = NumberOrAuto() if field == "n_factors" else types_of(cls)[field], defaults_of(cls)[field]
    shared: dict[str, Any] = {"default": default, "help": option.about, "metavar": option.metavar}
    if choices := choices_of(cls, field):
        return click.option(option.flag, **{**shared, "type": click.Choice(choices)})
    if kind is bool:
        return click.option(f"{option.flag}/{no(option.flag)}", **shared)
    if isinstance(default, tuple):
        return click.option(option.flag, multiple=True, **shared)
    return click.option(option.flag, **{**shared, "type": kind})


def _options_of_settings(*, without: Collection[str] = ()) -> Callable[[Any], Any]:
    """Every option of RunSettings but for some fields, the model's first."""
    of_part = [(PARTS[part], field, option) for part, field, option in options_of() if field not in without]
    shown = sorted(of_part, key=lambda each: list(HELP_ORDER).index(each[0]))

    def with_options(command: Callable[..., Any]) -> Callable[..., Any]:
        for cls, field, option in reversed(shown):
            command = _option_of(cls, field, option)(command)
        return COVARIATE(command)

    return with_options


def _options_of_reading(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command with DATA, given to it as one ReadingOptions named `reading`."""

    @functools.wraps(command)
    def wrapped(*arguments: Any, **given: Any) -> Any:
        said = {field: given.pop(parameter_of(option.flag)) for field, option in described(ReadingOptions).items()}
        return command(*arguments, reading=ReadingOptions.from_dict(said), **given)

    for field, option in reversed(described(ReadingOptions).items()):
        wrapped = _option_of(ReadingOptions, field, option)(wrapped)
    return wrapped


@click.group(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
def cli() -> None:
    """Gene Program Explorer on the command line. DATA is a file, a 10x folder, or `demo`; RUN a run folder."""


@cli.command()
@click.argument("data")
@_options_of_reading
def info(data: str, reading: ReadingOptions) -> None:
    """Say what DATA holds, and how it was read: one JSON object."""
    from ldvae_core.commands.sources import opened_counts, reading_of

    with opened_counts(data, reading) as counts:
        found = reading_of(counts)
        facts = {
            "n_cells": counts.n_cells,
            "n_genes": counts.n_genes,
            "counts_from": counts.counts_from,
            "annotations": [str(column) for column in counts.annotations.columns],
            "warnings": list(counts.notices),
            "genes_named_by": found.genes_named_by,
            "cells_named_by": found.cells_named_by,
            "sentence": found.sentence,
        }
    _answer(facts)


@cli.command()
@click.argument("data")
@click.option("--table", type=PATH, required=True, help="A .csv or .tsv with a row for every cell, or every sample.")
@click.option("--to", "target", type=PATH, required=True, help="The .h5ad file to write.")
@_options_of_reading
def join(data: str, table: Path, target: Path, reading: ReadingOptions) -> None:
    """Add the columns of a table to the annotations of DATA, and write both as one .h5ad."""
    from ldvae_core.commands.making import join_file

    _answer(join_file(data, table, target, reading))


@cli.command()
@click.argument("samples", nargs=-1, required=True, metavar="NAME=DATA NAME=DATA ...")
@click.option("--to", "target", type=PATH, required=True, help="The .h5ad file to write.")
@_options_of_reading
def combine(samples: tuple[str, ...], target: Path, reading: ReadingOptions) -> None:
    """Make one data set of several, a sample each, with the genes that all have; write it as one .h5ad."""
    from ldvae_core.commands.making import combine_files

    _answer(combine_files(samples, target, reading))


@cli.command()
@click.argument("data", required=False)
@click.option("--out", type=PATH, help="Folder to make for the run.")
@_options_of_settings()
@click.option("--label", metavar="COLUMN", help="Annotation that figures colour by.")
@click.option("--guide", type=PATH, metavar="SETS.gmt", help="Gene sets, each of which informs one of the factors.")
@click.option("--resume", type=PATH, metavar="RUN", help="Go on with an interrupted run.")
def train(data: str | None, out: Path | None, resume: Path | None, guide: Path | None, **options: Any) -> None:
    """Train on DATA and keep the run in the folder OUT."""
    from ldvae_core.commands.training import train_new, train_on

    if resume is not None and out is None:
        _answer(train_on(resume, data))
    elif resume is None and out is not None and data is not None:
        _answer(train_new(data, out, options, guide))
    else:
        raise click.UsageError("give DATA and --out FOLDER to train, or --resume RUN to go on with an interrupted run")


@cli.command()
@click.argument("data")
@click.option("--out", type=PATH, help="Folder to make for the run with the number found; by default it is not kept.")
@_options_of_settings(without=("n_factors",))
@click.option("--label", metavar="COLUMN", help="Annotation that figures colour by.")
def advise(data: str, out: Path | None, **options: Any) -> None:
    """Find how many programs DATA holds, train them, and say which come back in other cells."""
    from ldvae_core.commands.advising import advise as find_number

    _answer(find_number(data, out, options))


@cli.command()
@click.argument("sources", nargs=-1, required=True, metavar="DATA|PACK...")
@click.option("--sample", metavar="COLUMN", help="Annotation that names the samples of DATA: one training each.")
@click.option("--out", type=PATH, required=True, help="Folder for the tables, and for the runs of DATA's samples.")
@_options_of_settings(without=("most", "sample"))
def samples(sources: tuple[str, ...], sample: str | None, out: Path, **options: Any) -> None:
    """Match programs over the samples of DATA, or over several packs or runs, and pool what they share."""
    from ldvae_core.commands.sampling import match_over_samples

    _answer(match_over_samples(sources, sample, out, options))


@cli.command()
@click.argument("run", type=PATH)
@click.option("--to", "target", type=PATH, required=True, help="The .h5ad file to write.")
@click.option(
    "--axes",
    type=click.Choice(["readable", "gene-sparse", "as-trained"]),
    help="By default readable, where there are any.",
)
def export(run: Path, target: Path, axes: str | None) -> None:
    """Write RUN (or `demo`) as one .h5ad with counts, factors, loadings and figures."""
    from ldvae_core.commands.sources import opened_run
    from ldvae_core.export import write_h5ad
    from ldvae_core.runs.gene_sparse import with_gene_sparse

    opened = opened_run(str(run))
    if axes == "gene-sparse":
        opened = with_gene_sparse(opened)
    write_h5ad(opened, target, axes=axes.replace("-", "_") if axes else None)
    _answer({"file": str(target), "n_cells": opened.counts.n_cells, "n_genes": opened.counts.n_genes})


@cli.command()
@click.argument("run", type=PATH, metavar="RUN|PACK")
@click.argument("data")
@click.option("--to", "target", type=PATH, required=True, help="The .h5ad file to write.")
@_options_of_reading
def score(run: Path, data: str, target: Path, reading: ReadingOptions) -> None:
    """Place the cells of DATA on the programs of RUN, or of a pack that `pack` made, and write them as one .h5ad."""
    from ldvae_core.commands.scoring import score_cells

    _answer(score_cells(run, data, target, reading))


@cli.command()
@click.argument("run")
@click.option("--to", "target", type=PATH, required=True, help="The file to write.")
def pack(run: str, target: Path) -> None:
    """Write the programs of RUN as one small file to share: all that `score` needs, and no cells."""
    from ldvae_core.commands.scoring import pack_run

    _answer(pack_run(run, target))


@cli.command()
@click.argument("run", type=PATH)
@click.option("--out", type=PATH, required=True, help="Folder to make for the refined run.")
def refine(run: Path, out: Path) -> None:
    """Refine the positions and loadings of RUN, made before that was done in training, as a run of its own."""
    from ldvae_core.commands.refining import refine_older_run

    _answer(refine_older_run(run, out))


@cli.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN ...")
def compare(runs: tuple[str, ...]) -> None:
    """Set runs side by side: settings, figures on the test cells, and which factors of one are which of another."""
    from ldvae_core.commands.comparing import compare_runs

    _answer(compare_runs(runs))


@cli.command()
@click.argument("run")
@click.option("--column", required=True, help="The annotation that holds the types.")
@click.option("--type", "one", multiple=True, metavar="NAME", help="A type; given two to four times.")
@click.option("--types", metavar="A,B", help="The same at once, with commas between them.")
def separate(run: str, column: str, one: tuple[str, ...], types: str | None) -> None:
    """Find the two factors of RUN that tell cell types apart, and the genes that are higher in each of them."""
    from ldvae_core.commands.separating import separate as separate_types

    _answer(separate_types(run, column=column, types=one, listed=types))


@cli.command()
@click.argument("run")
@click.option("--first", required=True, metavar="GROUP", help="COLUMN=LEVEL, or @FILE with one cell id a line.")
@click.option("--second", required=True, metavar="GROUP", help="The same, or `rest`: all other kept cells.")
@click.option("--sample", metavar="COLUMN", help="Annotation whose values are the units, instead of cells.")
@click.option("--within", multiple=True, metavar="COLUMN=LEVEL", help="Only these cells; may be given repeatedly.")
@click.option("--to", "target", type=PATH, required=True, help="The .csv file to write: a row for every gene.")
def differ(run: str, first: str, second: str, sample: str | None, within: tuple[str, ...], target: Path) -> None:
    """Compare two groups of RUN's cells, gene by gene."""
    from ldvae_core.commands.differ import differ as compare_cells

    _answer(compare_cells(run, first=first, second=second, sample=sample, within=within, target=target))


@cli.command()
@click.argument("run")
@click.option(
    "--sample",
    "samples",
    multiple=True,
    required=True,
    metavar="COLUMN",
    help="Annotation whose values are the samples; given twice, samples are its combinations.",
)
@click.option("--condition", required=True, metavar="COLUMN", help="What the samples are compared by: levels, numbers.")
@click.option(
    "--covariate",
    "covariates",
    multiple=True,
    metavar="COLUMN",
    help="What is adjusted for, pairs among it; may be given repeatedly.",
)
@click.option("--by", metavar="COLUMN", help="Test within each level of this annotation instead of over all cells.")
@click.option("--no-moderation", is_flag=True, help="Ordinary t tests: every program's own variance alone.")
@click.option("--to", "target", type=PATH, required=True, help="The .csv file to write.")
def design(
    run: str, samples: tuple[str, ...], condition: str, covariates: tuple[str, ...], by: str | None,
    no_moderation: bool, target: Path,
) -> None:  # fmt: skip
    """Test the programs of RUN against the design of the experiment, with samples as the unit."""
    from ldvae_core.commands.design import design as test_programs

    _answer(test_programs(run, samples=samples, condition=condition, covariates=covariates, by=by,
                          moderated=not no_moderation, target=target))  # fmt: skip


@cli.command()
@click.argument("run")
@click.option("--to", "target", type=PATH, required=True, help="The .csv file to write.")
@click.option("--genes", default=50, help="How many genes of each end.")
def programs(run: str, target: Path, genes: int) -> None:
    """List the genes of every program of RUN, those first that carry most of what the program explains."""
    from ldvae_core.commands.programs import list_programs

    _answer(list_programs(run, n_genes=genes, target=target))


@cli.command()
@click.argument("run")
@click.option("--to", "target", type=PATH, required=True, help="The .html file to write.")
def report(run: str, target: Path) -> None:
    """Write RUN (or `demo`) as one HTML file to read, print and pass on: programs, tests, methods, settings."""
    from ldvae_core.commands.reporting import report_run

    _answer(report_run(run, target))


@cli.command()
@click.argument("run")
@click.option("--sets", required=True, metavar="NAME|FILE.gmt", help="A shipped collection, the run's own, or a file.")
@click.option("--ranked", is_flag=True, help="Test whole rankings (GSEA, minutes) instead of the genes of each end.")
@click.option("--to", "target", type=PATH, required=True, help="The .csv file to write.")
def enrich(run: str, sets: str, ranked: bool, target: Path) -> None:
    """Find the gene sets that stand at the ends of RUN's programs."""
    from ldvae_core.commands.enrich import enrich_run

    _answer(enrich_run(run, sets=sets, method="pre_ranked" if ranked else "over_representation", target=target))


@cli.command()
@click.argument("data")
@click.option("--out", type=PATH, required=True, help="Folder for the five runs and paper.csv.")
@click.option("--factors", default=10, help="Latent dimension of each model.")
@click.option("--epochs", type=int, help="Passes over the training cells; by default the rule of thumb.")
@click.option("--seed", default=0)
@click.option(
    "--as-published/--corrected",
    default=False,
    help="As published: latent library size; no KL warm-up, early stop or prior on weights; no intercept of its own.",
)
@_options_of_reading
def paper(
    data: str, out: Path, factors: int, epochs: int | None, seed: int, as_published: bool, reading: ReadingOptions
) -> None:
    """Train the paper's five models on DATA: same genes, split and seed. Finished ones are not trained again."""
    from ldvae_core.commands.paper import train_papers_models

    wanted = {"n_factors": factors, "n_epochs": epochs, "seed": seed, "published": as_published}
    _answer(train_papers_models(data, out, reading=reading, **wanted))  # type: ignore[arg-type]  # as click gave them


@cli.command()
def selfcheck() -> None:
    """Check in about half a minute that this installation computes what it should; the output helps whoever helps."""
    from ldvae_core.commands.selfcheck import check_everything

    report = check_everything()
    _answer(report)
    if not report["ok"]:
        raise click.exceptions.Exit(FAILED)


@cli.command()
@click.option("--address", default="127.0.0.1", help="Where it listens: on this machine only.")
@click.option("--port", default=8501)
@click.option("--base-path", default="", metavar="/PATH", help="Below this path, behind a proxy.")
def serve(address: str, port: int, base_path: str) -> None:
    """Start the dashboard, for the browser of this machine, until Ctrl-C; trainings go on without it."""
    from ldvae_core.commands.serving import serve_dashboard

    if status := serve_dashboard(address=address, port=port, base_path=base_path):
        raise click.exceptions.Exit(status)


def _answer(values: dict[str, Any]) -> None:
    """The last line of stdout: one JSON object."""
    click.echo(json.dumps(values, ensure_ascii=False))


def console() -> int:
    """`gene-program-explorer`, as installed: the same commands; without one, the dashboard."""
    return main(sys.argv[1:] or ["serve"], called="gene-program-explorer")


def main(arguments: list[str] | None = None, *, called: str = "python -m ldvae_core") -> int:
    """Run the command line; returns the exit status. called: the words that people started it with."""
    _write_utf8()
    allow_many_files()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    try:
        status = cli.main(arguments, prog_name=called, standalone_mode=False)
    except LdvaeError as fault:
        return _refuse(str(fault))
    except (click.exceptions.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except click.ClickException as fault:
        return _refuse(fault.format_message())
    except OSError as fault:
        return _refuse(
            f"{fault.filename or 'A file'}: {fault.strerror or fault}. Check the path, its permissions and the disk."
        )
    return status if isinstance(status, int) else 0  # click hands back the status of its Exit


def _write_utf8() -> None:
    """Names may hold any letter, and Windows would write a redirected output in one that knows few of them."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower() != "utf-8":
            stream.reconfigure(encoding="utf-8")


def _refuse(message: str) -> int:
    sys.stderr.write("error: " + " ".join(message.split()) + "\n")
    return REFUSED


if __name__ == "__main__":
    sys.exit(main())
