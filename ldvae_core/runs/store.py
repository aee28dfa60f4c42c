"""The runs of a workspace, by id: listed, opened, renamed, deleted, had back. The only code that hands out a run."""

from pathlib import Path

import pandas as pd

from ldvae_core.data.demo import DEMO_RUN
from ldvae_core.errors import RunError
from ldvae_core.runs.additions import Additions
from ldvae_core.runs.by_cell import read_by_cell
from ldvae_core.runs.cards import RunCard, TrainingProgress, read_card, read_training_progress
from ldvae_core.runs.comparable import Basis, read_basis
from ldvae_core.runs.opened import HISTORY_COLUMNS, OpenRun, open_demo_run, open_run_folder, read_history
from ldvae_core.runs.settings import RunFile, rename_in
from ldvae_core.runs.training_jobs import TrainingJobs
from ldvae_core.workspace.datasets import Datasets
from ldvae_core.workspace.folders import DEMO, Workspace, is_id, listed_ids
from ldvae_core.workspace.trash import in_trash

UNREAD = ("queued", "running", "paused", "interrupted")  # a run may still have to read its data

__all__ = [
    "HISTORY_COLUMNS", "OpenRun", "RunCard", "RunStore", "TrainingProgress", "open_demo_run", "open_run_folder",
]  # fmt: skip


class RunStore:
    """The runs of one workspace, and the finished one that comes with the program as "demo"."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.jobs = TrainingJobs(workspace)

    def cards(self) -> list[RunCard]:
        """Every run, the latest submission first, the demo last; a damaged one is listed with what is wrong."""
        self.jobs.empty_trash()
        jobs = self.jobs.all()
        waiting = sorted((job for job in jobs.values() if job.state == "queued"), key=lambda job: job.place)
        places = {job.subject: position for position, job in enumerate(waiting, start=1)}
        cards = [
            read_card(
                self.workspace.runs / run_id,
                jobs.get(run_id),
                additions=self._additions(run_id),
                place=places.get(run_id),
            )
            for run_id in listed_ids(self.workspace.runs)
            if run_id != DEMO
        ]
        cards.sort(key=lambda card: -card.sequence)
        return [*cards, *self._demo_card()]

    def card(self, run_id: str) -> RunCard:
        """One run's card. Raises RunError when it is unknown, naming the known ones."""
        folder = self._folder(run_id)
        if run_id == DEMO:
            return self._demo_card()[0]
        job = self.jobs.find(run_id)
        place = self.jobs.queue.place(job) if job and job.state == "queued" else None
        return read_card(folder, job, additions=self._additions(run_id), place=place)

    def history(self, run_id: str) -> pd.DataFrame:
        """Its curves so far, columns HISTORY_COLUMNS; empty before the first point. Raises RunError when unknown."""
        return read_history(self._folder(run_id))

    def progress(self, run_id: str) -> TrainingProgress:
        """Where it stands. Raises RunError when unknown."""
        return read_training_progress(self._folder(run_id))

    def basis(self, run_id: str) -> Basis | None:
        """What its figures are measured on; None before its data is prepared. Raises RunError when unknown."""
        return read_basis(self._folder(run_id))

    def by_cell(self, run_id: str) -> pd.DataFrame | None:
        """Its figures of every test cell; None where they were not kept. Raises RunError when unknown."""
        return read_by_cell(self._folder(run_id))

    def open(self, run_id: str) -> OpenRun:
        """Its results. Raises RunError when it is unknown, has none, is damaged, or is of a newer format."""
        folder = self._folder(run_id)
        if run_id == DEMO:
            return open_demo_run()
        card = self.card(run_id)
        if card.settings is not None and not card.has_results:
            raise RunError(
                f"The run {card.name!r} has no results to open: it is {card.state}.", card.error or _advice(card)
            )
        return open_run_folder(folder)

    def additions(self, run_id: str) -> Additions:
        """What people have added to it, and where to add more. Raises RunError when unknown."""
        self._folder(run_id)
        return self._additions(run_id)

    def rename(self, run_id: str, name: str) -> None:
        """Give it another name. Raises RunError (unknown, demo, newer) or SettingsError (not a name)."""
        folder = self._folder(run_id)
        _refuse_demo(run_id)
        rename_in(folder, name)

    def delete(self, run_id: str, *, for_good: bool = False) -> None:
        """Remove it, to be had back for ten minutes, or for good.

        Raises RunError when it is unknown, running, the demo, made by a newer version, or the disk refuses.
        """
        self._folder(run_id)
        _refuse_demo(run_id)
        card = self.card(run_id)
        if card.read_only:
            raise RunError(f"The run {run_id} is read-only here.", card.error)
        self.jobs.delete(run_id, for_good=for_good)

    def restore(self, run_id: str) -> None:
        """Have a deleted run back as it was. Raises RunError when its ten minutes are over."""
        self.jobs.restore(run_id)

    def deleted(self) -> list[tuple[str, str, float]]:
        """Runs that can be had back, the latest first: id, name, seconds left."""
        return [(entry.entry_id, read_card(entry.folder, None, additions=self._additions(entry.entry_id)).name,
                 entry.seconds_left) for entry in in_trash(self.workspace.runs) if is_id(entry.entry_id)]  # fmt: skip

    def delete_data(self, dataset_id: str, *, for_good: bool = False) -> None:
        """Remove a data set; runs keep the counts they modelled.

        Raises RunError when a run still has to read it, and as Datasets.delete does.
        """
        needed = [card.name for card in self.cards()
                  if card.settings and card.settings.data_source == dataset_id and card.state in UNREAD
                  and not (self.workspace.runs / card.run_id / "counts").exists()]  # fmt: skip
        if needed:
            raise RunError(
                f"The run {needed[0]!r} still has to read this data set.", "Wait until it trains, or cancel it first."
            )
        Datasets(self.workspace).delete(dataset_id, for_good=for_good)

    def _additions(self, run_id: str) -> Additions:
        """The program's own run is never written to: what is added to it lies in the workspace.

        A later version may bring another run, on whose factors earlier names, turns and selections would mean nothing:
        every one has a folder of its own.
        """
        run = self.workspace.runs / run_id
        if run_id == DEMO:
            return Additions(self.workspace, self.workspace.root / "kept" / _version_of_demo(DEMO_RUN), of=DEMO_RUN)
        return Additions(self.workspace, run / "kept", of=run)

    def _folder(self, run_id: str) -> Path:
        """The folder of a known id: the gate that every other method goes through."""
        if run_id == DEMO and (DEMO_RUN / "run.json").exists():
            return DEMO_RUN
        if not is_id(run_id) or run_id == DEMO or run_id not in listed_ids(self.workspace.runs):
            raise self._unknown(run_id)
        return self.workspace.runs / run_id

    def _unknown(self, run_id: object) -> RunError:
        known = [*listed_ids(self.workspace.runs), *([DEMO] if (DEMO_RUN / "run.json").exists() else [])]
        shown = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")
        return RunError(f"There is no run {str(run_id)[:80]!r}.", f"Known runs: {shown or 'none'}.")

    def _demo_card(self) -> list[RunCard]:
        if not (DEMO_RUN / "run.json").exists():
            return []
        return [read_card(DEMO_RUN, None, additions=self._additions(DEMO), run_id=DEMO, demo=True)]


def _version_of_demo(folder: Path) -> str:
    """Names the shipped run by when it was trained: "demo-20261129023222"."""
    try:
        return f"{DEMO}-{''.join(filter(str.isdigit, RunFile.read(folder).created[:19]))}"
    except RunError:
        return DEMO


def _refuse_demo(run_id: str) -> None:
    if run_id == DEMO:
        raise RunError(
            "The demo run belongs to the program and stays as it is.", "Train a run of your own on its data."
        )


def _advice(card: RunCard) -> str:
    advice = {
        "queued": "It waits for its turn.",
        "running": "Wait until its training has finished, or stop it and keep what it has learned.",
        "paused": "Resume it on the Train page.",
        "interrupted": "Resume it on the Train page.",
        "cancelled": "It was cancelled; train it anew.",
    }
    return advice.get(card.state, "Train it anew.")
