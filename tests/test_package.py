"""The package that people install: everything in it, nothing beside it, and the same program as the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ldvae_core import __version__
from ldvae_core.__main__ import console
from ldvae_core.commands.serving import server_command
from ldvae_core.errors import SettingsError
from ldvae_core.workspace import folders
from ldvae_core.workspace.folders import APP, PROJECT, Workspace, is_installed

pytest.importorskip("hatchling", reason="the builder is one of the packages for development")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built as pip builds it, without the network."""
    into = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(into)]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)
    return next(into.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The folder that packages lie in, with this one unpacked."""
    folder = tmp_path_factory.mktemp("site-packages")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def test_it_holds_one_package_and_what_that_needs(wheel):
    """No "pages" beside it, which other programs have too; screens, styles, demo, gene sets and licences are in it."""
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names} == {
        "ldvae_core",
        f"gene_program_explorer-{__version__}.dist-info",
    }
    for tracked in (PROJECT / "pages").rglob("*"):
        if tracked.is_file() and "__pycache__" not in tracked.parts:
            assert f"ldvae_core/dashboard/{tracked.relative_to(PROJECT).as_posix()}" in names
    for needed in ("dashboard/app.py", "dashboard/.streamlit/config.toml", "demo/run/run.json", "genesets/about.json"):
        assert f"ldvae_core/{needed}" in names
    assert any(name.endswith("licenses/NOTICE") for name in names)
    assert wheel.stat().st_size < 20_000_000


def test_it_needs_what_the_checkout_needs(wheel):
    """Each line of requirements.txt, and the two commands' one entry."""
    with zipfile.ZipFile(wheel) as opened:
        about = f"gene_program_explorer-{__version__}.dist-info"
        metadata = opened.read(f"{about}/METADATA").decode()
        entries = opened.read(f"{about}/entry_points.txt").decode()
    lines = (PROJECT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = {line.partition("#")[0].split(">")[0].split("[")[0].strip() for line in lines} - {""}
    given = {line.split(": ")[1].split(">")[0].split("<")[0].split("!")[0] for line in metadata.splitlines()
             if line.startswith("Requires-Dist: ")}  # fmt: skip
    assert given == wanted
    assert "gene-program-explorer = ldvae_core.__main__:console" in entries


def test_installed_it_runs_from_any_folder(installed, tmp_path):
    """Its screens are found, and runs are kept in the person's own folder, not beside the package."""
    code = (
        "from ldvae_core.workspace.folders import APP, Workspace, is_installed; "
        "print(is_installed(), APP, Workspace.default().root)"
    )
    own = {key: str(tmp_path / "own") for key in ("XDG_DATA_HOME", "LOCALAPPDATA", "HOME")}
    environment = {**os.environ, **own, "PYTHONPATH": str(installed)}
    environment.pop(folders.HOME_VARIABLE, None)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    known, app, root = done.stdout.split(maxsplit=2)
    assert known == "True", done.stderr
    assert Path(app) == installed / "ldvae_core" / "dashboard" / "app.py"
    assert tmp_path / "own" in Path(root.strip()).parents


def test_a_checkout_keeps_its_runs_beside_it(monkeypatch):
    """As ever, unless the variable says otherwise."""
    monkeypatch.delenv(folders.HOME_VARIABLE, raising=False)
    assert not is_installed()
    assert PROJECT / "app.py" == APP
    assert Workspace.default().root == PROJECT / "workspace"


def test_without_a_command_the_dashboard_starts(monkeypatch):
    """`gene-program-explorer` alone; with one, that command."""
    asked = []
    monkeypatch.setattr("ldvae_core.commands.serving.subprocess.call", lambda words: asked.append(words) or 0)
    monkeypatch.setattr(sys, "argv", ["gene-program-explorer"])
    assert console() == 0
    monkeypatch.setattr(sys, "argv", ["gene-program-explorer", "serve", "--port", "9000", "--base-path", "/genes"])
    assert console() == 0
    assert asked[0][-2:] == ["--server.port", "8501"]
    assert asked[1][-4:] == ["--server.port", "9000", "--server.baseUrlPath", "genes"]


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "::1", "127.0.0.2"])
def test_it_listens_on_this_machine(address):
    """Every name of the machine itself."""
    assert address in server_command(APP, address=address, port=8501, base_path="")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"address": "0.0.0.0"}, "can be reached from other machines"),
        ({"address": "::"}, "can be reached from other machines"),
        ({"address": "lab-server"}, "can be reached from other machines"),
        ({"address": ""}, "can be reached from other machines"),
        ({"port": 0}, "is no port"),
        ({"port": 70_000}, "is no port"),
        ({"base_path": "genes --server.address 0.0.0.0"}, "is no path"),
        ({"base_path": "/a/../b c"}, "is no path"),
    ],
)
def test_what_would_let_others_in_is_refused(given, said):
    """Nobody is asked who they are, so nobody from elsewhere gets in."""
    with pytest.raises(SettingsError, match=said):
        server_command(APP, **{"address": "127.0.0.1", "port": 8501, "base_path": "", **given})
