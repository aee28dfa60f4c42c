"""A disk that fills while a file is read is called full, the file is not called damaged, and nothing is left."""

import errno
import subprocess
import sys

import pytest

from ldvae_core.data import packed, room
from ldvae_core.data.limited import child_environment
from ldvae_core.data.read import read_counts
from ldvae_core.data.reading_options import NOTHING_SAID
from ldvae_core.data.reading_process import fill_folder
from ldvae_core.errors import CountsError
from tests.data.hostile.samples import SAMPLES

SAID = ("csr.h5ad", "tenx", "tenx.zip", "tenx.tar.gz", "x.h5ad.gz", "x.csv")


@pytest.fixture
def small_disk(tmp_path):
    """A function that makes a disk of so many kilobytes, where this machine lets one be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()

    def mount(kilobytes):
        command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(disk)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("no disk can be mounted here")
        return disk

    yield mount
    while sys.platform == "linux" and disk.is_mount():
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("name", SAID)
def test_a_full_disk_is_said_by_the_reader(name, small_disk, tmp_path):
    """By the room that is asked for, or by the write that fails; the disk is as it was."""
    SAMPLES[name](tmp_path / name)
    disk = small_disk(64)
    with pytest.raises(CountsError, match="disk"):
        read_counts(tmp_path / name, disk / "counts")
    assert list(disk.iterdir()) == []


@pytest.mark.parametrize("name", SAID)
def test_wherever_the_disk_fills_it_is_the_disk(name, small_disk, tmp_path, monkeypatch):
    """At the first write, in the middle, at the last: never another word than that there is no room."""
    monkeypatch.setattr(room, "SLACK", -(10**12))
    SAMPLES[name](tmp_path / name)
    sizes, fault = iter(range(4, 400, 8)), "not tried"
    while fault:
        disk = small_disk(next(sizes))
        fault = _fault(tmp_path / name, disk)
        assert fault in (None, errno.ENOSPC) or "no room to unpack" in fault
        subprocess.run(["umount", str(disk)], check=True)


def _fault(source, disk):
    try:
        (disk / "counts").mkdir()
        fill_folder(source, disk / "counts", NOTHING_SAID)
    except (OSError, CountsError) as fault:
        return getattr(fault, "errno", None) or str(fault)
    return None


@pytest.mark.parametrize("name", ["tenx.zip", "tenx.tar.gz", "x.h5ad.gz"])
def test_no_room_to_unpack_is_no_damage(name, read_here, tmp_path, monkeypatch):
    """The archive is whole: another copy of it would not help."""
    SAMPLES[name](tmp_path / name)

    def full(self, stream, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(packed._Room, "copy", full)
    with pytest.raises(OSError, match="No space left"):
        read_here(tmp_path / name)


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of file sizes")
def test_a_short_write_tells_its_number(tmp_path):
    """By which a full disk is told from a damaged file."""
    code = (
        "import errno, numpy, pathlib, resource\n"
        "from ldvae_core.durable import write_array\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))\n"
        "try: write_array(pathlib.Path('a.npy'), numpy.arange(80))\n"
        "except OSError as fault: print(fault.errno == errno.EFBIG)"
    )
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, cwd=tmp_path, env=child_environment(), capture_output=True, text=True, check=True)
    assert said.stdout == "True\n", said.stderr
    assert list(tmp_path.iterdir()) == []
