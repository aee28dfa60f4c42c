"""What the server holds of the files it has read."""

import platform
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from ldvae_core.durable import LARGE, read_array, release_mapped_pages, write_array
from pages.parts import memory

pytestmark = pytest.mark.skipif(not memory.SIZES.exists(), reason="the system does not tell what is resident")

FREEING = """
import numpy as np
from pages.parts import memory

def resident():
    return int(memory.SIZES.read_text(encoding="ascii").split()[1]) * memory.PAGE

memory.watch_memory()
np.ones(7 * memory.LARGE_BLOCK // 8)
arrays = [np.ones(2 * memory.LARGE_BLOCK // 8) for _ in range(6)]
held, size = resident(), sum(array.nbytes for array in arrays)
del arrays
print(held, resident(), size)
"""


@pytest.fixture(name="large_file")
def _large_file(tmp_path):
    """An array worth giving back, as a file."""
    write_array(tmp_path / "large.npy", np.arange(LARGE // 4, dtype=np.float64))
    return tmp_path / "large.npy"


def test_pages_that_were_read_are_given_back_and_come_again(large_file):
    """The memory falls by about the array; its numbers stay what they are."""
    array = read_array(large_file)
    before, total = memory.mapped(), array.sum()
    held = memory.mapped()
    release_mapped_pages()
    assert memory.mapped() < held - 0.9 * array.nbytes
    assert held >= before
    assert array.sum() == total


def test_small_arrays_are_left_alone(tmp_path, large_file):
    """Loadings are read all the time, and take no room."""
    write_array(tmp_path / "small.npy", np.arange(1000.0))
    small = read_array(tmp_path / "small.npy")
    release_mapped_pages()
    np.testing.assert_array_equal(small, np.arange(1000.0))


def test_a_closed_array_is_no_trouble(large_file):
    """What nobody refers to any more is forgotten."""
    assert read_array(large_file)[0] == 0
    release_mapped_pages()


def test_the_server_lets_go_by_itself_when_files_take_much_room(large_file, monkeypatch):
    """Within moments, once a limit is passed; one watch a process, however often it is asked for."""
    memory.watch_memory()
    memory.watch_memory()
    assert [thread.name for thread in threading.enumerate()].count("memory") == 1
    array = read_array(large_file)
    array.sum()
    held = memory.mapped()
    monkeypatch.setattr(memory, "MOST_MAPPED", held - array.nbytes // 2)
    deadline = time.monotonic() + 10
    while memory.mapped() > held - 0.9 * array.nbytes and time.monotonic() < deadline:
        time.sleep(0.02)
    assert memory.mapped() <= held - 0.9 * array.nbytes


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_large_arrays_go_back_to_the_system_when_they_are_freed():
    """Also after a larger one, from which glibc learns to keep whatever is smaller.

    In a process of its own: what other tests have freed may leave room in the heap, and arrays take that first.
    """
    done = subprocess.run([sys.executable, "-c", FREEING], capture_output=True, text=True, check=True)
    held, left, size = map(int, done.stdout.split())
    assert left < held - 0.9 * size


def test_other_c_libraries_are_left_as_they_are(monkeypatch):
    """Without the setting there is nothing to set."""
    loaded = []
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: loaded.append(name) or object())
    memory._return_large_arrays()
    assert loaded == [None]  # and no AttributeError of what it lacks
