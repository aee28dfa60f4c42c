"""Only regular files are opened: a link leads elsewhere, a pipe or a device is waited for without end."""

import stat
from pathlib import Path

from ldvae_core.errors import CountsError

LINK_REMEDY = "Copy the folder with its links followed (cp -rL), or name the real folder, then load that."


def is_gzipped(path: Path) -> bool:
    """Whether a regular file is packed, by its first bytes: browsers unpack files and keep the .gz, or the reverse."""
    with open(path, "rb") as file:
        return file.read(2) == b"\x1f\x8b"


def is_zipped(path: Path) -> bool:
    """Whether a regular file is a .zip by its first bytes. Raises CountsError for a spreadsheet, which is one, too."""
    with open(path, "rb") as file:
        start = file.read(80)
    if not start.startswith(b"PK\x03\x04"):
        return False
    if start[30:].startswith(
        (b"[Content_Types].xml", b"_rels/", b"docProps/", b"xl/", b"mimetypeapplication/vnd.oasis")
    ):
        raise CountsError(
            f"{path.name} is a spreadsheet, whatever its name ends in.",
            "In the spreadsheet, save the sheet as CSV, and load that.",
        )
    return True


def require_regular(path: Path, folder: Path | None = None) -> None:
    """Look at a file without opening it. Raises CountsError when it is no regular file, or a link inside `folder`.

    folder: the folder that was chosen, in which no link is followed; None for a file that was itself chosen.
    """
    name = path.name if folder is None else path.relative_to(folder).as_posix()
    whole = name if folder is None else folder.name
    try:
        mode = (path.stat() if folder is None else path.lstat()).st_mode
    except OSError:
        raise CountsError(f"{name} cannot be opened.", "Check that the file is there and may be read.") from None
    if stat.S_ISLNK(mode):
        raise CountsError(f"{whole} was refused for safety: {name} is a link to another place.", LINK_REMEDY)
    if not stat.S_ISREG(mode):
        raise CountsError(
            f"{whole} was refused for safety: {name} is not a file (but a folder, pipe, socket or device).",
            "Choose a data file, or copy the real file there.",
        )
