"""The command line: `python -m ldvae_core info | train | export`, for scripts, tests and clusters.

Progress goes to stderr, results to stdout. Refused input: exit status 2 and one line on stderr starting "error: ".
An interrupted run: exit status 130; `train --resume RUN` goes on with it.
"""

import contextlib
import json
import logging
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from ldvae_core.data.counts import CountMatrix
from ldvae_core.errors import LdvaeError, RunError

REFUSED, INTERRUPTED = 2, 130
MODEL_OPTIONS = ("method", "prior", "batch_norm", "intercept", "decoder", "likelihood", "library", "dispersion")
DEMO = "demo"


@click.group(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
def cli() -> None:
    """Gene Program Explorer on the command line."""


@cli.command()
@click.argument("data")
def info(data: str) -> None:
    """Say what DATA (a file, a 10x folder, or `demo`) holds: one JSON object."""
    with _opened(data) as counts:
        facts = {
            "n_cells": counts.n_cells,
            "n_genes": counts.n_genes,
            "counts_from": counts.counts_from,
            "annotations": [str(column) for column in counts.annotations.columns],
            "warnings": list(counts.notices),
        }
    click.echo(json.dumps(facts, ensure_ascii=False))


@cli.command()
@click.argument("data", required=False)
@click.option("--out", type=click.Path(path_type=Path), help="Folder to make for the run.")
@click.option("--factors", default=10, help="Latent dimension: how many gene programs.")
@click.option(
    "--method",
    type=click.Choice(["ldvae", "pca", "nmf", "gene_mean"]),
    default="ldvae",
    help="The others are baselines: of the model's settings they use --factors only.",
)
@click.option("--prior", type=click.Choice(["normal", "logistic_normal"]), default="normal")
@click.option("--batch-norm/--no-batch-norm", default=False, help="Batch norm of the decoded values.")
@click.option("--intercept/--no-intercept", default=True, help="One constant a gene; none as published.")
@click.option("--decoder", type=click.Choice(["linear", "neural"]), default="linear")
@click.option("--likelihood", type=click.Choice(["nb", "poisson", "zinb"]), default="nb")
@click.option("--library", type=click.Choice(["observed", "latent"]), default="observed")
@click.option(
    "--dispersion",
    type=click.Choice(["gene", "gene_level"]),
    default="gene",
    help="Inverse dispersion per gene, or per gene and level of the --batch annotations.",
)
@click.option("--genes", default=1000, help="How many genes to model.")
@click.option("--gene-selection", type=click.Choice(["seurat_v3", "variance"]), default="seurat_v3")
@click.option("--epochs", type=int, help="Passes over the training cells; by default the rule of thumb.")
@click.option("--minibatch-size", default=128, help="Cells per training step.")
@click.option("--learning-rate", type=float, help="By default 0.007 x sqrt(minibatch size / 128).")
@click.option("--batch", multiple=True, metavar="COLUMN", help="Annotation to correct for; may be given repeatedly.")
@click.option("--seed", default=0)
@click.option("--threads", type=int, help="Processor threads; by default all cores but one, at most 4.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), default="auto")
@click.option("--resume", type=click.Path(path_type=Path), metavar="RUN", help="Go on with an interrupted run.")
def train(data: str | None, out: Path | None, resume: Path | None, **options: Any) -> None:
    """Train on DATA (a file, a 10x folder, or `demo`) and keep the run in the folder OUT."""
    if (resume is None) == (out is None) or (resume is None and data is None):
        raise click.UsageError("give DATA and --out FOLDER to train, or --resume RUN to go on with an interrupted run")
    if resume is not None:
        _train_in(resume, data, resume=True)
        return
    _start_folder(data, out, options)
    try:
        _train_in(out, data, resume=False)
    except LdvaeError:
        if not (out / "history.parquet").exists():  # refused before it learned anything: leave nothing half-done
            shutil.rmtree(out, ignore_errors=True)
        raise


@cli.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--to", "target", type=click.Path(path_type=Path), required=True, help="The .h5ad file to write.")
@click.option("--axes", type=click.Choice(["readable", "as-trained"]), help="By default readable, where there are any.")
def export(run: Path, target: Path, axes: str | None) -> None:
    """Write RUN (a run folder, or `demo`) as one .h5ad with counts, factors, loadings and figures."""
    from ldvae_core.export import write_h5ad
    from ldvae_core.runs.store import open_demo_run, open_run_folder

    opened = open_demo_run() if str(run) == DEMO else open_run_folder(run)
    write_h5ad(opened, target, axes=axes.replace("-", "_") if axes else None)
    click.echo(json.dumps({"file": str(target), "n_cells": opened.counts.n_cells, "n_genes": opened.counts.n_genes}))


def _start_folder(data: str, out: Path, options: dict[str, Any]) -> None:
    """Make the run folder with its settings, once they are known to be valid and the data to be there."""
    from ldvae_core.data.prepare import DataChoices
    from ldvae_core.runs.settings import RunSettings

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError(f"{out} exists already.", "Give --out a new folder, so that nothing is lost.")
    if data != DEMO and not Path(data).exists():
        raise RunError(f"There is no file or folder {data}.", "Check the path.")
    model = {
        "n_factors": options["factors"],
        **{name: options[name] for name in MODEL_OPTIONS},
    }
    training = {
        "n_epochs": options["epochs"],
        **{name: options[name] for name in ("minibatch_size", "learning_rate", "seed", "device", "threads")},
    }
    choices = DataChoices(gene_selection=options["gene_selection"], n_genes=options["genes"])
    RunSettings(
        name=out.name,
        data_source=DEMO if data == DEMO else str(Path(data).resolve()),
        label_column=None,
        choices=choices,
        model={**model, "covariates": list(options["batch"])},
        training=training,
    ).write(out)


def _train_in(folder: Path, data: str | None, *, resume: bool) -> None:
    from ldvae_core.runs.execute import execute
    from ldvae_core.runs.settings import RunSettings

    if resume and not (folder / "run.json").exists():
        raise RunError(f"{folder} is not a run: it has no run.json.", "Give the folder that --out named.")
    if resume and (folder / "metrics.json").exists():
        raise RunError(f"The run {folder} is finished already.", "Export it, or train a new one with --out.")
    source = data or RunSettings.read(folder).data_source
    asked = {"answer": "go"}
    _pause_on_signals(asked)
    with contextlib.ExitStack() as stack:
        summary = execute(
            folder,
            open_counts=lambda: stack.enter_context(_opened(source)),
            should_stop=lambda: asked["answer"],
            resume=resume,
            on_progress=_say_progress(),
        )
    if asked["answer"] == "pause" and "test_elbo" not in summary:
        sys.stderr.write(f"\ninterrupted; go on with: python -m ldvae_core train --resume {folder}\n")
        sys.exit(INTERRUPTED)
    sys.stderr.write("\n")
    click.echo(json.dumps(summary))


@contextlib.contextmanager
def _opened(data: str) -> Iterator[CountMatrix]:
    """The counts of DATA, read in a safe process into a folder that lives as long as they are used."""
    from ldvae_core.data.demo import load_demo
    from ldvae_core.data.read import read_counts

    if data == DEMO:
        yield load_demo()
        return
    with tempfile.TemporaryDirectory(prefix="gene-programs-") as folder:
        yield read_counts(Path(data), Path(folder) / "counts")


def _pause_on_signals(asked: dict[str, str]) -> None:
    """The first Ctrl-C or SIGTERM asks for a pause at the next safe point, a second one ends at once."""

    def ask(number: int, frame: object) -> None:
        if asked["answer"] == "pause":
            sys.exit(INTERRUPTED)
        asked["answer"] = "pause"

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask)


def _say_progress() -> Any:
    """One line on stderr, rewritten in a terminal, once every few seconds elsewhere."""
    last = -10.0

    def say(progress: Any) -> None:
        nonlocal last
        terminal = sys.stderr.isatty()
        if time.monotonic() - last < (0.5 if terminal else 5.0):
            return
        last = time.monotonic()
        parts = [f"{'epoch' if progress.cells_per_second else 'step'} {progress.epoch} of {progress.n_epochs}"]
        if progress.seconds_left == progress.seconds_left:  # NaN while unknown
            parts.append(f"{progress.seconds_left:.0f} s left")
        if progress.cells_per_second:  # baselines do not go through the cells in minibatches
            parts.append(f"{progress.cells_per_second:,.0f} cells/s")
        line = ", ".join(parts)
        sys.stderr.write(f"\r{line}\x1b[K" if terminal else f"{line}\n")
        sys.stderr.flush()

    return say


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    try:
        cli.main(arguments, prog_name="python -m ldvae_core", standalone_mode=False)
    except LdvaeError as fault:
        return _refuse(str(fault))
    except click.exceptions.Abort:
        return INTERRUPTED
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as fault:
        return _refuse(fault.format_message())
    except OSError as fault:
        return _refuse(
            f"{fault.filename or 'A file'}: {fault.strerror or fault}. Check the path, its permissions and the disk."
        )
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _refuse(message: str) -> int:
    sys.stderr.write("error: " + " ".join(message.split()) + "\n")
    return REFUSED


if __name__ == "__main__":
    sys.exit(main())
