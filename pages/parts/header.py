"""The first line of a page, and the badge that says where labels come from."""

from ldvae_core.runs.additions import LEIDEN
from ldvae_core.runs.store import OpenRun
from pages.parts.runs import derived_labels
from pages.parts.text import as_html, show


def page_header(title: str, question: str) -> None:
    """title and question: this program's own words."""
    show(f"<h1>{as_html(title)}</h1><span>{as_html(question)}</span>", kind="head")


def derived_badge(opened: OpenRun, column: str | None) -> None:
    """Say on screen that labels were derived from the counts, where they were."""
    if derived_labels(opened, column):
        badge_of_derived(str(column))


def badge_of_derived(column: str) -> None:
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
