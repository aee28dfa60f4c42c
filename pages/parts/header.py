"""The first line of a page, and the badge that says where labels come from."""

from collections.abc import Mapping

from ldvae_core.runs.additions import LEIDEN
from ldvae_core.runs.store import OpenRun
from pages.parts.text import as_html, show


def page_header(title: str, question: str) -> None:
    """title and question: this program's own words."""
    show(f"<h1>{as_html(title)}</h1><span>{as_html(question)}</span>", kind="head")


def derived_badge(opened: OpenRun, column: str | None) -> None:
    """Say on screen that labels were derived from the counts, where they were."""
    if column is not None and is_derived(column, opened.counts.about):
        show_derived_badge(column)


def is_derived(column: str, about: Mapping[str, str]) -> bool:
    """Whether the annotation was computed from the counts, not made by the data's authors. about: of the counts."""
    return column in (name.strip() for name in about.get("derived_labels", "").split(","))


def show_derived_badge(column: str) -> None:
    """The badge itself."""
    if column == LEIDEN:
        show(
            '<span class="gpe-badge">derived labels</span> The clusters were made from this model\'s own factors: that '
            "they agree with the factors proves nothing.",
            kind="quiet",
        )
        return
    show(
        f'<span class="gpe-badge">derived labels</span> {as_html(column)} was made by clustering and marker genes, '
        "not by the authors of the data: trust it as a guide, not as truth.",
        kind="quiet",
    )
