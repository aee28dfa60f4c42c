"""The program that the Export page offers redraws figures from the exported file alone."""

import re
import subprocess
import sys

import h5py
import pytest

from ldvae_core.runs.redraw import python_recipe, r_recipe

SIGNATURE = b"\x89PNG"


@pytest.mark.parametrize("column", ["donor", None])
def test_the_python_program_runs_as_it_stands(answer, trained, tmp_path, column):
    """In a process of its own, in the folder of the file: two pictures, with or without an annotation."""
    pytest.importorskip("matplotlib")
    answer("export", trained(), "--to", tmp_path / "run.h5ad")
    done = subprocess.run(
        [sys.executable, "-c", python_recipe("run.h5ad", column)], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for name in ("cells.png", "genes.png"):
        content = (tmp_path / name).read_bytes()
        assert content.startswith(SIGNATURE)
        assert len(content) > 10_000


def test_the_r_program_reads_what_is_in_the_file(answer, trained, tmp_path):
    """No R is here to run it: every place that it reads from is there, in the shape that it takes it to have."""
    answer("export", trained(), "--to", tmp_path / "run.h5ad")
    program = r_recipe("run.h5ad", "donor")
    with h5py.File(tmp_path / "run.h5ad") as file:
        for place in re.findall(r'h5read\(file, "([^"]+)"\)', program):
            assert len(file[place].shape) == 2
        assert file["var"].attrs["_index"] in file["var"]
        assert {"codes", "categories"} <= set(file["obs/donor"])


def test_names_with_quotes_stay_names():
    """A column or file can be called anything."""
    compile(python_recipe('it\'s \\ "mine".h5ad', "a 'b' \"c\""), "recipe", "exec")
    assert 'column <- "say \\"hi\\""' in r_recipe("x.h5ad", 'say "hi"')
