"""What code and documents cite is there: documents, their sections, files and modules."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = (".ci", ".streamlit", "benchmarks", "docs", "ldvae_core", "pages", "tests")
TEXTS = {".py", ".md", ".toml", ".txt", ".json", ""}  # endings
PLANS = [
    "HOUSE", "MODEL", "PRODUCT", "SCIENCE", "REDESIGN", "INPUTS", "SCREENS", "SAFETY", "LAPTOPS", "STACK", "GPU",
    "DESIGN", "DATA", "STYLE",
]  # fmt: skip

DOCUMENT = re.compile(r"(?<![\w./-])((?:[\w-]+/)*[\w-]+\.md)\b")
SECTION = re.compile(r'docs/([\w-]+\.md)`?, "([^"]+)"')
PLACE = re.compile(r"(?<![\w./-])((?:ldvae_core|pages|tests|docs|benchmarks)/[\w./-]*)")
SOURCE = re.compile(r"(?<![\w./*-])((?:\w+/)*\w+\.py)\b")
MODULE = re.compile(r"-m ((?:ldvae_core|benchmarks)(?:\.\w+)*)")
ELSEWHERE = re.compile(rf"\b(?:{'|'.join(PLANS)})\.md\b|\bPRODUCT\b|(?<!\w)/(?:work|root|home)(?:/|\b)")


def texts() -> list[Path]:
    """Every file of the repository that people read."""
    inside = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    files = [path for path in [*ROOT.iterdir(), *inside] if path.is_file() and path.suffix in TEXTS]
    return sorted(path for path in files if path.name != ".git")  # a file in a second working tree


def documents() -> list[Path]:
    """What describes the program in words."""
    return sorted([*ROOT.glob("*.md"), ROOT / "NOTICE", *(ROOT / "docs").glob("*.md")])


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def sources() -> set[str]:
    return {name_of(path) for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")} | {"app.py", "start.py"}


def missing_documents(text: str) -> list[str]:
    """Documents and sections that are cited and are not there."""
    known = {name for path in documents() for name in (name_of(path), path.name)}
    names = [name for name in DOCUMENT.findall(text) if name not in known]
    for name, heading in SECTION.findall(re.sub(r"\s+#? ?", " ", text)):
        document = ROOT / "docs" / name
        headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.M) if document.is_file() else []
        names += [] if heading in headings else [f"{name}, {heading}"]
    return names


def missing_places(text: str) -> list[str]:
    """Files, folders and modules that are named with their place and are not there."""
    places = [place.rstrip(".") for place in PLACE.findall(text)]
    modules = [ROOT / module.replace(".", "/") for module in MODULE.findall(text)]
    gone = [place for place in places if not (ROOT / place).exists()]
    return gone + [str(path) for path in modules if not (path.is_dir() or path.with_suffix(".py").is_file())]


def missing_sources(text: str, known: set[str]) -> list[str]:
    """Python files named in part ("training/loop.py", "kernels.py") that no file of the repository ends with."""
    return [name for name in SOURCE.findall(text) if not any(f"/{place}".endswith(f"/{name}") for place in known)]


def test_every_document_and_section_that_is_cited_exists():
    """In code, tests, settings and documents alike; and nothing names what lies outside the repository."""
    faults = {}
    for path in texts():
        text = path.read_text(encoding="utf-8", errors="replace")
        faults[name_of(path)] = missing_documents(text) + ELSEWHERE.findall(text)
    del faults["tests/test_documents.py"]  # which plants some
    assert {path: names for path, names in faults.items() if names} == {}


@pytest.mark.parametrize("path", documents(), ids=name_of)
def test_every_place_a_document_names_exists(path):
    """Whoever follows a path of the documentation arrives."""
    text = path.read_text(encoding="utf-8")
    assert missing_places(text) == []
    assert missing_sources(text, sources()) == []


@pytest.mark.parametrize("folder", ["ldvae_core", "pages"])
def test_every_source_file_that_code_names_exists(folder):
    """A comment that sends its reader to another file is changed when that file moves."""
    known = sources()
    found = {name_of(path): missing_sources(path.read_text(encoding="utf-8"), known) for path in
             (ROOT / folder).rglob("*.py")}  # fmt: skip
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize("planted", [
    "Source: SOMETHING.md, 3.1.", "see docs/modle.md", 'docs/model.md, "Section 5"', 'docs/model.md, "Two\n    lines"',
    "`ldvae_core/runs/nothing`", "`pages/parts/difference_views.py`", "python -m ldvae_core.build_demo", "in begin.py",
    "/work" + "/main", "MODEL" + ".md, section 5",
])  # fmt: skip
def test_a_citation_of_what_is_not_there_is_found(planted):
    """The checks above see what they are for."""
    faults = [missing_documents(planted), missing_places(planted), missing_sources(planted, sources())]
    assert any([*faults, ELSEWHERE.findall(planted)])


def test_what_is_there_may_be_cited():
    """And they see nothing else."""
    text = 'docs/model.md, "Readable\n    axes"; `ldvae_core/model/`; python -m ldvae_core.commands.build_demo; loop.py'
    assert missing_documents(text) + missing_places(text) + missing_sources(text, sources()) == []
