"""What people can say about a file where it does not speak for itself, and what a reading says of itself."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

GenesIn = Literal["rows", "columns"]


@dataclass(frozen=True)
class ReadingOptions:
    """How to read a file. Nothing given: as the file tells.

    genes_in: the side of the stored matrix that holds the genes. round_counts: bring fractional counts to whole
    molecules. choose: one matrix, sample, genome or modality, by the names that a refusal lists. genes_named_by: the
    column of the table of genes that holds their names, or "index".
    """

    genes_in: GenesIn | None = None
    round_counts: bool = False
    choose: str | None = None
    genes_named_by: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """From as_dict."""
        return cls(**{name: values[name] for name in cls.__dataclass_fields__ if name in values})


@dataclass(frozen=True)
class Reading:
    """What a reading found, for people to check and to change.

    genes_named_by, cells_named_by: where the names came from. genes_in: the side of the stored matrix that held the
    genes. sentence: all of it in one. choices: what `choose` would take in this file, the one taken first; gene_columns:
    what `genes_named_by` would take. options: those that it was read with.
    """

    genes_named_by: str
    cells_named_by: str
    genes_in: GenesIn
    sentence: str
    choices: tuple[str, ...] = ()
    gene_columns: tuple[str, ...] = ()
    options: ReadingOptions = ReadingOptions()

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """From as_dict."""
        known = {name: values[name] for name in cls.__dataclass_fields__}
        lists = {name: tuple(known[name]) for name in ("choices", "gene_columns")}
        return cls(**{**known, **lists, "options": ReadingOptions.of(known["options"])})
