"""What lists and live displays say about a run: read from small files, and never stopped by a damaged one."""

import functools
import logging
import math
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ldvae_core.analysis.factors import factor_label
from ldvae_core.errors import LdvaeError
from ldvae_core.jobs.progress import Progress, number, read_object, read_progress
from ldvae_core.jobs.queue import Asked, Job
from ldvae_core.runs.additions import Additions
from ldvae_core.runs.settings import NewerFormatError, RunFile, RunSettings
from ldvae_core.runs.states import STATE_FILE, FolderState, RunState, Stage, merged_state, read_folder_state
from ldvae_core.workspace import processes

log = logging.getLogger(__name__)

PROGRAMS, GENES = 3, 5  # on a card
SILENT = ("refining", "analysing")  # stages that report so seldom that the time since counts
CELLS_OF_A_CARD = 20_000  # of an older run that is opened for its card's sake


@dataclass(frozen=True)
class RunCard:
    """A run at a glance. Numbers are None while they are not known."""

    run_id: str
    name: str
    state: RunState
    stage: Stage | None  # of the run folder, finer than the state
    created: str  # ISO 8601, UTC; to be read, never sorted by
    data_name: str
    n_cells: int | None
    n_genes: int | None
    n_factors: int | None
    settings: RunSettings | None  # None when run.json cannot be read
    error: str  # why it failed, or what is wrong with its files; "" when nothing is
    test_reconstruction_error: float | None  # nats per cell
    test_elbo: float | None
    top_programs: list[tuple[str, list[str]]]  # the strongest factors: label, top genes
    epoch: int | None  # reached so far
    request: Asked  # stop, cancel or pause: asked for, on its way
    place: int | None  # in the queue, 1 is next; None when it does not wait
    sequence: int  # order of submission, higher is later; 0 when not submitted here
    read_only: bool  # the demo, or made by a newer version
    metrics: dict[str, Any] = field(default_factory=dict)  # metrics.json; {} before the end, older runs have fewer keys
    silent_seconds: float = 0.0  # for how long the process that trains it has not answered

    @property
    def has_results(self) -> bool:
        """Whether its factors can be opened."""
        return self.state in ("finished", "stopped") and self.settings is not None


@dataclass(frozen=True)
class TrainingProgress(Progress):
    """Where a run stands, from progress.json: done and total are steps of the training; zeros before the first report.

    stage: of the run folder. seconds_left: of all stages.
    """

    epoch: int = 0  # being worked on, from 1
    n_epochs: int = 0
    cells_per_second: float = 0.0
    device: str = ""
    device_reason: str = ""
    threads: int = 0
    kl_weight: float = 0.0
    top_genes: tuple[tuple[str, ...], ...] = ()  # of every factor, as they form
    stage_seconds: float = 0.0  # since the stage began; 0 before the first one
    whole_share: float | None = None  # of the time of all stages; None in older files and for baselines

    @property
    def share(self) -> float:
        """Of the whole run's time, 0 to 1."""
        return super().share if self.whole_share is None else min(max(self.whole_share, 0.0), 1.0)


def read_card(
    folder: Path,
    job: Job | None,
    *,
    additions: Additions,
    place: int | None = None,
    run_id: str = "",
    demo: bool = False,
) -> RunCard:
    """The card of a run folder, its row in the queue and what people added. Never raises for what the files hold."""
    found = FolderState("finished") if demo else read_folder_state(folder)
    about, fault, newer = _about(folder)
    metrics, progress = read_object(folder / "metrics.json"), read_object(folder / "progress.json")
    sizes = metrics or read_object(folder / "counts" / "about.json")
    alive = job.held if job else processes.is_alive(found.owner)
    state = merged_state(job.state if job else None, found.stage, alive=alive)
    settings = about.settings if about else None
    error = (job.error if job else "") or found.error
    return RunCard(
        run_id=run_id or folder.name,
        name=settings.name if settings else folder.name,
        state=state,
        stage=found.stage,
        created=about.created if about else "",
        data_name=about.data_name if about else "",
        n_cells=_whole(sizes.get("n_cells")),
        n_genes=_whole(sizes.get("n_genes")),
        n_factors=_n_factors(metrics, settings),
        settings=settings,
        error=fault or (error if state == "failed" or found.stage is None else ""),
        test_reconstruction_error=number(metrics.get("test_reconstruction_error")),
        test_elbo=number(metrics.get("test_elbo")),
        top_programs=_top_programs(folder, additions) if state in ("finished", "stopped") and settings else [],
        epoch=_whole(metrics.get("epochs")) or _whole(progress.get("epoch")),
        request=job.request if job and state == "running" else "",
        place=place,
        sequence=job.seq if job else 0,
        read_only=demo or newer,
        metrics=metrics,
        silent_seconds=job.silent_seconds if job else 0.0,
    )


def read_training_progress(folder: Path) -> TrainingProgress:
    """What progress.json says, with a stand-in for everything missing or strange. Never raises."""
    found = read_progress(folder / "progress.json")
    if found.stage in SILENT:
        found = replace(found, seconds_left=max(found.seconds_left - _age(folder / "progress.json"), 0.0))
    more, programs = found.more, found.more.get("top_genes")
    return TrainingProgress(
        stage=read_folder_state(folder).stage or "",
        done=found.done,
        total=found.total,
        seconds=found.seconds,
        seconds_left=found.seconds_left,
        epoch=_whole(more.get("epoch")) or 0,
        n_epochs=_whole(more.get("n_epochs")) or 0,
        cells_per_second=number(more.get("cells_per_second")) or 0.0,
        device=str(more.get("device") or ""),
        device_reason=str(more.get("device_reason") or ""),
        threads=_whole(more.get("threads")) or 0,
        kl_weight=number(more.get("kl_weight")) or 0.0,
        top_genes=tuple(tuple(map(str, genes)) for genes in programs if isinstance(genes, list))
        if isinstance(programs, list)
        else (),
        stage_seconds=_age(folder / STATE_FILE),
        whole_share=number(more.get("whole_share")),
    )


def _age(path: Path) -> float:
    """Seconds since it was written."""
    try:
        return max(time.time() - path.stat().st_mtime, 0.0)
    except OSError:
        return 0.0


def _n_factors(metrics: dict[str, Any], settings: RunSettings | None) -> int | None:
    """As trained, else as asked for; the gene-mean model has none, whatever its settings say."""
    if settings is None:
        return None
    found = _whole(metrics.get("n_factors"))
    return 0 if settings.model.method == "gene_mean" else settings.n_factors if found is None else found


def _about(folder: Path) -> tuple[RunFile | None, str, bool]:
    """run.json, or why it cannot be used and whether because it is newer."""
    try:
        return RunFile.read(folder), "", False
    except NewerFormatError as fault:
        return None, str(fault), True
    except (LdvaeError, OSError, RecursionError) as fault:
        return None, str(fault), False


def _top_programs(folder: Path, additions: Additions) -> list[tuple[str, list[str]]]:
    """The strongest factors on the axes people see first, none that predicts nothing; [] when they cannot be read."""
    axes = next((name for name in ("readable", "as_trained") if (folder / "factors" / name).exists()), None)
    if axes is None:
        return []
    try:
        changed = (folder / "factors" / axes / "about.json").stat().st_mtime_ns
        notes, programs = additions.factor_notes(axes), _programs_of(folder / "factors" / axes, changed)
        names = {factor: notes[factor].name if factor in notes else "" for factor, _ in programs}
        return [(factor_label(factor, names[factor]), list(genes)) for factor, genes in programs]
    except Exception:  # a card without its programs is better than no list of runs
        log.warning("The factors of %s cannot be shown on its card.", folder.name, exc_info=True)
        return []


@functools.lru_cache(maxsize=512)
def _programs_of(folder: Path, changed: int) -> tuple[tuple[int, tuple[str, ...]], ...]:
    """The first factors that predict anything, with their top genes.

    changed: makes a rewritten folder another entry of the cache.
    """
    from ldvae_core.analysis.factors import load_factors
    from ldvae_core.analysis.programs import top_genes
    from ldvae_core.runs.opened import open_run_folder

    factors = load_factors(folder)
    if factors.gene_deviance is None and len(factors.representation) <= CELLS_OF_A_CARD:
        run = open_run_folder(folder.parent.parent)  # made before that was saved with it
        factors = next(found for axes, found in run.factors.items() if axes == folder.name)
    programs = []
    shares = factors.explained_deviance.tolist()  # unknown is not nothing
    told = [factor for factor, share in enumerate(shares) if factors.active[factor] and not share <= 0]
    for factor in told[:PROGRAMS]:
        table = top_genes(factors, factor, n=GENES)
        by = "loading" if table["deviance_share"].isna().any() else "deviance_share"
        strongest = table.loc[table[by].abs().sort_values(ascending=False, kind="stable").index, "gene"].head(GENES)
        programs.append((factor, tuple(map(str, strongest))))
    return tuple(programs)


def _whole(value: object) -> int | None:
    found = number(value)
    return int(found) if found is not None and math.isfinite(found) else None
