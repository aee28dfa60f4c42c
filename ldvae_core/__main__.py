"""The command line: `python -m ldvae_core COMMAND`, for scripts, tests and clusters. What commands do: commands/.

Progress goes to stderr, results to stdout. Refused input: exit status 2 and one line on stderr starting "error: ".
An interrupted run: exit status 130; `train --resume RUN`, or the same `paper` again, goes on with it.
"""

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ldvae_core.errors import LdvaeError
from ldvae_core.model.config import TrainingConfig

REFUSED, INTERRUPTED, FAILED = 2, 130, 1
DEMO = "demo"
PATH = click.Path(path_type=Path)


def _choice(flag: str, *values: str, about: str = "") -> Callable[[Any], Any]:
    """An option with a few values, the first of them by default."""
    return click.option(flag, type=click.Choice(values), default=values[0], help=about)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
def cli() -> None:
    """Gene Program Explorer on the command line. DATA is a file, a 10x folder, or `demo`; RUN a run folder."""


@cli.command()
@click.argument("data")
def info(data: str) -> None:
    """Say what DATA holds: one JSON object."""
    from ldvae_core.commands.sources import opened_counts

    with opened_counts(data) as counts:
        facts = {
            "n_cells": counts.n_cells,
            "n_genes": counts.n_genes,
            "counts_from": counts.counts_from,
            "annotations": [str(column) for column in counts.annotations.columns],
            "warnings": list(counts.notices),
        }
    _answer(facts)


@cli.command()
@click.argument("data", required=False)
@click.option("--out", type=PATH, help="Folder to make for the run.")
@click.option("--factors", default=10, help="Latent dimension: how many gene programs.")
@_choice("--method", "ldvae", "pca", "nmf", "gene_mean", about="Baselines use --factors only, of the model's settings.")
@_choice("--prior", "normal", "logistic_normal")
@click.option("--batch-norm/--no-batch-norm", default=False, help="Batch norm of the decoded values.")
@click.option("--intercept/--no-intercept", default=True, help="One constant a gene; none as published.")
@_choice("--decoder", "linear", "neural")
@_choice("--likelihood", "nb", "poisson", "zinb")
@_choice("--library", "observed", "latent")
@_choice("--dispersion", "gene", "gene_level", about="Inverse dispersion per gene, or also per level of --batch.")
@click.option("--hidden-units", default=128, help="Width of the encoder's hidden layer.")
@click.option("--dropout", default=0.1, help="Share of hidden units silenced in each training step.")
@click.option("--batch", multiple=True, metavar="COLUMN", help="Annotation to correct for; may be given repeatedly.")
@click.option("--genes", default=1000, help="How many genes to model.")
@_choice("--gene-selection", "seurat_v3", "variance")
@click.option("--gene-selection-batch", metavar="COLUMN", help="seurat_v3 ranks within each level of this annotation.")
@click.option("--keep-gene", multiple=True, metavar="GENE", help="Always modelled; may be given repeatedly.")
@click.option("--drop-mitochondrial/--no-drop-mitochondrial", default=False)
@click.option("--drop-ribosomal/--no-drop-ribosomal", default=False)
@click.option("--min-counts", default=0, help="Molecules a cell must have.")
@click.option("--min-genes", default=0, help="Genes a cell must show.")
@click.option("--max-mitochondrial-share", default=1.0, help="Of a cell's molecules.")
@click.option("--epochs", type=int, help="Passes over the training cells; by default the rule of thumb.")
@click.option(
    "--minibatch-size", type=int, default=TrainingConfig.minibatch_size, help="Cells per step; 128, or more on a GPU."
)
@click.option("--learning-rate", type=float, help="By default 0.007 x sqrt(minibatch size / 128).")
@click.option("--kl-warmup", default=1 / 3, help="Share of the run after which the KL weight is 1.")
@click.option("--validation-share", default=0.1, help="Cells that choose when to stop.")
@click.option("--test-share", default=0.1, help="Cells that nothing but the final figures touch.")
@click.option("--weight-decay", default=1e-6)
@click.option("--weight-prior-sd", default=0.3, help="Of a normal prior on loadings and encoder weights; 0: none.")
@click.option("--adam-epsilon", default=1e-2)
@click.option("--patience", default=0.25, help="Share of the run without a better validation ELBO that ends it early.")
@click.option("--seed", default=0, help="Of the start, the shuffling and the noise.")
@click.option("--split-seed", default=0, help="Of the split into training, validation and test cells.")
@click.option("--threads", type=int, help="Processor threads; by default as many as a short probe finds best.")
@_choice("--device", "auto", "cpu", "cuda", "mps")
@click.option("--label", metavar="COLUMN", help="Annotation that figures colour by.")
@click.option("--resume", type=PATH, metavar="RUN", help="Go on with an interrupted run.")
def train(data: str | None, out: Path | None, resume: Path | None, **options: Any) -> None:
    """Train on DATA and keep the run in the folder OUT."""
    from ldvae_core.commands.training import train_new, train_on

    if resume is not None and out is None:
        _answer(train_on(resume, data))
    elif resume is None and out is not None and data is not None:
        _answer(train_new(data, out, options))
    else:
        raise click.UsageError("give DATA and --out FOLDER to train, or --resume RUN to go on with an interrupted run")


@cli.command()
@click.argument("run", type=PATH)
@click.option("--to", "target", type=PATH, required=True, help="The .h5ad file to write.")
@click.option("--axes", type=click.Choice(["readable", "as-trained"]), help="By default readable, where there are any.")
def export(run: Path, target: Path, axes: str | None) -> None:
    """Write RUN (or `demo`) as one .h5ad with counts, factors, loadings and figures."""
    from ldvae_core.export import write_h5ad
    from ldvae_core.runs.additions import Additions
    from ldvae_core.runs.opened import with_additions
    from ldvae_core.runs.store import open_demo_run, open_run_folder

    opened = open_demo_run() if str(run) == DEMO else with_additions(open_run_folder(run), Additions.beside(run))
    write_h5ad(opened, target, axes=axes.replace("-", "_") if axes else None)
    _answer({"file": str(target), "n_cells": opened.counts.n_cells, "n_genes": opened.counts.n_genes})


@cli.command()
@click.argument("run", type=PATH)
@click.argument("data")
@click.option("--to", "target", type=PATH, required=True, help="The .h5ad file to write.")
def score(run: Path, data: str, target: Path) -> None:
    """Place the cells of DATA on the programs of RUN, and write them as one .h5ad."""
    from ldvae_core.commands.scoring import score_cells

    _answer(score_cells(run, data, target))


@cli.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN ...")
def compare(runs: tuple[str, ...]) -> None:
    """Set runs side by side: settings, figures on the test cells, and which factors of one are which of another."""
    from ldvae_core.commands.comparing import compare_runs

    _answer(compare_runs(runs))


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
def paper(data: str, out: Path, factors: int, epochs: int | None, seed: int, as_published: bool) -> None:
    """Train the paper's five models on DATA: same genes, split and seed. Finished ones are not trained again."""
    from ldvae_core.commands.paper import train_papers_models

    _answer(train_papers_models(data, out, n_factors=factors, n_epochs=epochs, seed=seed, as_published=as_published))


@cli.command()
def selfcheck() -> None:
    """Check in about 20 seconds that this installation computes what it should."""
    from ldvae_core.commands.selfcheck import check_everything

    report = check_everything()
    _answer(report)
    if not report["ok"]:
        raise click.exceptions.Exit(FAILED)


def _answer(values: dict[str, Any]) -> None:
    """The last line of stdout: one JSON object."""
    click.echo(json.dumps(values, ensure_ascii=False))


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    try:
        status = cli.main(arguments, prog_name="python -m ldvae_core", standalone_mode=False)
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


def _refuse(message: str) -> int:
    sys.stderr.write("error: " + " ".join(message.split()) + "\n")
    return REFUSED


if __name__ == "__main__":
    sys.exit(main())
