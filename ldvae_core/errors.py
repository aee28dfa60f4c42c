"""The only exceptions a person using the program is meant to read."""

from collections.abc import Mapping, Sequence


class LdvaeError(Exception):
    """What is wrong, where, with the value found, and what to do about it, in a biologist's words.

    problems: one sentence, or several when more than one thing is wrong at once.
    remedy: one sentence that says what to do next; may be empty when the problems already say it.
    """

    def __init__(self, problems: str | Sequence[str], remedy: str = "") -> None:
        self.problems: tuple[str, ...] = (problems,) if isinstance(problems, str) else tuple(problems)
        self.remedy = remedy
        super().__init__(" ".join((*self.problems, remedy)).strip())


class CountsError(LdvaeError):
    """A file or matrix that cannot be used as raw counts.

    offers: reading options with which the same file might be read, each with the values it can take: {"choose":
    ("rna", "adt")}, {"genes_in": ("rows", "columns")}, {"round_counts": ()}.
    """

    def __init__(
        self,
        problems: str | Sequence[str],
        remedy: str = "",
        *,
        offers: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        super().__init__(problems, remedy)
        self.offers = {option: tuple(values) for option, values in (offers or {}).items()}


class SettingsError(LdvaeError):
    """A choice that the model or the training cannot be run with."""


class RunError(LdvaeError):
    """A run that is missing, unreadable, or not in the state an action needs."""


class DeviceLostError(LdvaeError):
    """A GPU that this process can no longer use; another process may."""
