"""The direction of imports is a test, not a promise."""

import ast
import sys
from collections.abc import Collection
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = ROOT / "ldvae_core"
ORDER = [
    "glossary", "errors", "answer", "setting", "durable", "data", "demo", "model", "training", "analysis", "plots",
    "workspace", "jobs", "runs", "export", "report", "commands", "work", "__main__",
]  # fmt: skip
TORCH_ALLOWED = {
    "model", "training", "runs/execute.py", "runs/projection.py", "runs/refine.py", "runs/results.py",
    "runs/searching.py", "runs/siblings.py", "runs/trained.py", "commands/selfcheck.py",
}  # fmt: skip
SCREEN_ONLY = {"streamlit"}
PICKLERS = {"pickle", "joblib", "dill", "cloudpickle", "shelve"}
SHARED = {"selection", "colour"}  # folders of parts that belong to no page


def modules() -> list[Path]:
    return sorted(path for path in CORE.rglob("*.py"))


def layer_of(path: Path) -> str:
    """The first part of a module's place below ldvae_core."""
    return path.relative_to(CORE).parts[0].removesuffix(".py")


def imports_of(path: Path, *, top_level_only: bool = False) -> set[str]:
    """Full names of everything a module imports, inside functions too unless told otherwise."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else ast.walk(tree)
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module or "."}
    return found


def ids(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("module", modules(), ids=ids)
def test_a_module_imports_only_lower_layers(module):
    """Data, model, training, analysis, plots, workspace, jobs, runs: each sees only what stands before it in ORDER."""
    layer = layer_of(module)
    if layer == "__init__":
        return
    seen = {name.split(".")[1] for name in imports_of(module) if name.startswith("ldvae_core.")}
    allowed = set(ORDER[: ORDER.index(layer) + 1])
    assert seen & set(ORDER) <= allowed


@pytest.mark.parametrize("module", modules(), ids=ids)
def test_the_core_knows_no_screen_and_no_pickle(module):
    """streamlit belongs to app.py and pages/; what runs code on reading belongs nowhere."""
    assert {name.split(".")[0] for name in imports_of(module)}.isdisjoint(SCREEN_ONLY | PICKLERS)


@pytest.mark.parametrize("module", modules(), ids=ids)
def test_torch_stays_in_model_training_and_the_worker(module):
    """The page server never loads it: 3.4 s and 690 MB."""
    place = str(module.relative_to(CORE))
    if layer_of(module) in TORCH_ALLOWED or place in TORCH_ALLOWED:
        return
    heavy = {"torch", "ldvae_core.model.ldvae", "ldvae_core.model.likelihood"}
    files = (name.removesuffix(".py").replace("/", ".") for name in TORCH_ALLOWED if name.endswith(".py"))
    heavy |= {f"ldvae_core.{name}" for name in files}
    heavy |= {f"ldvae_core.training.{path.stem}" for path in (CORE / "training").glob("*.py")}
    found = imports_of(module, top_level_only=True)
    assert not {name for name in found if name in heavy or name.startswith("torch.")}


def sources(*places: str) -> dict[str, Path]:
    """The modules below these places of the project, by their dotted names."""
    paths = [path for place in places for path in sorted((ROOT / place).rglob("*.py"))]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


def imported_by(name: str, path: Path, known: Collection[str]) -> set[str]:
    """The known modules that a module imports, in functions and for types too."""
    here = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = here.rsplit(".", node.level - 1)[0] if node.level else ""
            module = ".".join(part for part in (above, node.module or "") if part)
            found |= {f"{module}.{alias.name}" for alias in node.names} | {module}
    return {module for module in found if module in known and module != name}


@pytest.mark.parametrize("place", [("ldvae_core",), ("pages", "ldvae_core"), ("benchmarks",)], ids="+".join)
def test_no_circle(place):
    """Also none hidden in a function or behind TYPE_CHECKING: what cannot be read alone cannot be changed alone."""
    known = sources(*place)
    rest = {name: imported_by(name, path, known) for name, path in known.items()}
    while free := [name for name, wanted in rest.items() if not wanted & rest.keys()]:
        for name in free:
            del rest[name]
    assert rest == {}


@pytest.mark.parametrize("name", [name for name in sources("pages/parts") if name.count(".") == 3])
def test_pages_share_only_what_stands_beside_their_folders(name):
    """A page's folder imports from no other page's, but for what cells are coloured by and selected with."""
    known = sources("pages")
    folders = {other.split(".")[2] for other in imported_by(name, known[name], known) if other.count(".") == 3}
    assert folders <= {name.split(".")[2], *SHARED}


@pytest.mark.parametrize("name", [name for name in sources("pages/parts") if name.count(".") == 2])
def test_shared_parts_know_no_page(name):
    """One direction: pages import shared parts."""
    known = sources("pages")
    if known[name].name != "__init__.py":
        folders = {other.split(".")[2] for other in imported_by(name, known[name], known) if other.count(".") == 3}
        assert folders <= SHARED


def test_every_import_is_in_the_requirements():
    """A fresh machine gets from requirements.txt all that the program imports."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    listed = {line.split(">")[0].split("[")[0].strip().lower() for line in lines if line and line[0] != "#"}
    spelled = {"sklearn": "scikit-learn", "umap": "umap-learn", "skmisc": "scikit-misc"}
    spelled |= {"multipart": "python-multipart"}
    ours = {"ldvae_core", "pages", "app"} | set(sys.stdlib_module_names)
    files = [*modules(), *(ROOT / "pages").rglob("*.py"), ROOT / "app.py"]
    used = {name.split(".")[0] for path in files if path.exists() for name in imports_of(path)} - ours - {"."}
    assert {spelled.get(name, name) for name in used} <= listed
