"""Temporary folders: gone afterwards, and gone at the next start when their process was killed."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ldvae_core.data.limited import PROJECT
from ldvae_core.workspace.scratch import OWNER, PREFIX, new_scratch, scratch_folder, sweep_scratch


@pytest.fixture(name="place", autouse=True)
def _place(tmp_path, monkeypatch):
    """A temporary place of this test's own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_is_gone_afterwards(place):
    """Also where the work fails."""

    def fail():
        with scratch_folder() as folder:
            (folder / "large").write_bytes(b"1")
            raise ValueError("odd")

    with pytest.raises(ValueError, match="odd"):
        fail()
    assert list(place.iterdir()) == []


def test_what_a_killed_process_left_is_swept_at_the_next_start(place):
    """And what a living one works in stays, as does what is not ours."""
    code = "import os; from ldvae_core.workspace.scratch import new_scratch; print(new_scratch(), flush=True);"
    environment = {**os.environ, "TMPDIR": str(place), "TEMP": str(place), "TMP": str(place)}
    done = subprocess.run([sys.executable, "-c", f"{code} os._exit(9)"], capture_output=True, text=True, cwd=PROJECT,
                          env=environment, check=False)  # fmt: skip
    left = Path(done.stdout.strip())
    assert left.exists()
    ours = new_scratch()
    assert not left.exists()
    (place / f"{PREFIX}of-others").mkdir()
    (place / "others").mkdir()
    (place / "others" / OWNER).write_text("nobody", encoding="utf-8")
    sweep_scratch()
    assert {entry.name for entry in place.iterdir()} == {ours.name, f"{PREFIX}of-others", "others"}
