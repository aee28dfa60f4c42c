"""Where a laboratory's data sets, runs and queue live on disk, and the one gate from a name to a path."""

import hashlib
import itertools
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from ldvae_core.durable import is_deleted
from ldvae_core.errors import RunError

HOME_VARIABLE = "GENE_PROGRAM_EXPLORER_HOME"
PROJECT = Path(__file__).resolve().parents[2]  # the checkout; of an installed package, where packages lie
_INSTALLED = Path(__file__).resolve().parents[1] / "dashboard"  # made when the package is built
APP = next((app for app in (_INSTALLED / "app.py", PROJECT / "app.py") if app.exists()), PROJECT / "app.py")
DEMO = "demo"  # the id of the data set and of the finished run that come with the program
ID = re.compile(r"[a-z0-9-]{1,80}")


def is_installed() -> bool:
    """Whether this is an installed package, not a checkout."""
    return APP.parent == _INSTALLED


def own_folder() -> Path:
    """The person's folder for what this program keeps, where the system wants such folders."""
    return Path(platformdirs.user_data_dir("gene-program-explorer", appauthor=False))


@dataclass(frozen=True)
class Workspace:
    """The folders under one root. The program makes everything in them, but what people put into `data_folder`."""

    root: Path

    @classmethod
    def default(cls) -> "Workspace":
        """The folder named by GENE_PROGRAM_EXPLORER_HOME, else `workspace` beside the program.

        Of an installed package, else the person's own folder for what programs keep: updates replace what lies beside.
        """
        named = os.environ.get(HOME_VARIABLE)
        return cls(Path(named or (own_folder() if is_installed() else PROJECT / "workspace")).absolute())

    @property
    def data_folder(self) -> Path:
        """Data files that people put on the server themselves."""
        return self.root / "data"

    @property
    def datasets(self) -> Path:
        """Data sets that were read and checked."""
        return self.root / "datasets"

    @property
    def uploads(self) -> Path:
        """Files on their way in; gone once they are read."""
        return self.root / "uploads"

    @property
    def runs(self) -> Path:
        """Run folders."""
        return self.root / "runs"

    @property
    def logs(self) -> Path:
        """What the worker processes had to say."""
        return self.root / "logs"

    @property
    def progress(self) -> Path:
        """How far jobs are that are not runs; a file a job."""
        return self.root / "progress"

    @property
    def index(self) -> Path:
        """The SQLite file with the queue."""
        return self.root / "index.sqlite3"

    def make(self) -> "Workspace":
        """Create what is missing, readable by its owner alone. Raises RunError when the place cannot be written to."""
        try:
            places = (self.data_folder, self.datasets, self.uploads, self.runs, self.logs, self.progress)
            for folder in (self.root, *places):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as fault:
            raise RunError(
                f"The workspace {self.root} cannot be used ({fault.strerror}).",
                f"Name a folder you may write to in the environment variable {HOME_VARIABLE}.",
            ) from None
        return self


def synced_by(folder: Path) -> str:
    """The service that seems to synchronise a folder with other machines, judged by its path; "" for none.

    Such a service locks files while it copies them, or leaves a name without its content.
    """
    parts = [part.lower() for part in folder.parts]
    for part, below in itertools.zip_longest(parts, parts[1:], fillvalue=""):
        if part in ("iclouddrive", "icloud drive") or (part == "library" and below == "mobile documents"):
            return "iCloud"
        if part == "onedrive" or part.startswith("onedrive - ") or below.startswith("onedrive-"):
            return "OneDrive"
        if part == "dropbox" or part.startswith("dropbox ("):
            return "Dropbox"
        if part in ("google drive", "googledrive"):
            return "Google Drive"
        if part == "library" and below == "cloudstorage":
            return _cloud_storage(parts)
    return ""


def sync_warning(service: str) -> str:
    """Why that is a danger, and the way out."""
    return (
        f"Runs and data are kept in a folder that {service} seems to synchronise. It may lock or remove files while "
        f"they are in use. Move the program's folder elsewhere, or name another place in the variable {HOME_VARIABLE}."
    )


def _cloud_storage(parts: list[str]) -> str:
    """Which service of macOS's CloudStorage: its folders are OneDrive-University, Dropbox, GoogleDrive-me@..."""
    client = (parts[parts.index("cloudstorage") + 1 :] or [""])[0].partition("-")[0]
    return {"onedrive": "OneDrive", "dropbox": "Dropbox", "googledrive": "Google Drive"}.get(client, "a cloud service")


def is_id(text: object) -> bool:
    """Whether `text` has the form of an id: 1 to 80 lower-case letters, digits and hyphens."""
    return isinstance(text, str) and ID.fullmatch(text) is not None


def make_id(name: str, key: str) -> str:
    """An id that a person recognises and that the same key always gives: "My run!" -> "my-run-3f9a1c2b"."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-")
    return f"{slug or 'unnamed'}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"


def listed_ids(folder: Path) -> list[str]:
    """Names of the real subfolders that have the form of an id and are not deleted, sorted; [] without `folder`."""
    try:
        with os.scandir(folder) as entries:
            folders = [entry for entry in entries if is_id(entry.name) and entry.is_dir(follow_symlinks=False)]
            return sorted(entry.name for entry in folders if not is_deleted(entry))
    except FileNotFoundError:
        return []


def listed_folder(folder: Path, entry_id: str, *, what: str) -> Path:
    """The path of a listed id. Raises RunError naming the known ones: a path from outside never gets through."""
    known = listed_ids(folder)
    if not is_id(entry_id) or entry_id not in known:
        shown = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")
        raise RunError(f"There is no {what} {str(entry_id)[:80]!r}.", f"Known are: {shown or 'none'}.")
    return folder / entry_id


def checked_inside(root: Path, relative: str) -> Path:
    """The regular file or folder `relative` under `root`, no link on the way. Raises RunError for anything else."""
    refusal = RunError(f"{Path(relative).name[:80]!r} is not a plain file or folder of the data folder.")
    base = Path(os.path.realpath(root))
    if not relative or "\0" in relative or Path(relative).is_absolute() or ".." in Path(relative).parts:
        raise refusal
    path = base / relative
    if not path.is_relative_to(base) or path == base or Path(os.path.realpath(path)) != path:
        raise refusal
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        raise refusal from None
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise refusal
    return path
