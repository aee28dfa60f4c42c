"""What people can say about a file where it does not speak for itself, and what a reading says of itself."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, get_args

from ldvae_core.errors import SettingsError
from ldvae_core.setting import known, setting

GenesIn = Literal["rows", "columns"]
ColumnKind = Literal["names", "annotation", "counts"]


@dataclass(frozen=True)
class ReadingOptions:
    """How to read a file. Nothing given: as the file tells.

    genes_in: the side of the stored matrix that holds the genes. round_counts: bring fractional counts to whole
    molecules. choose: one matrix, sample, genome or modality, by the names that a refusal lists. genes_named_by: the
    column of the table of genes that holds their names, or "index". columns: of a text table, COLUMN=KIND for
    those that are of another kind than they seem: the names of the rows, an annotation (left out where rows are genes),
    or counts. Raises SettingsError for a kind that is none, or two columns of names.
    """

    genes_in: GenesIn | None = setting(None, "--genes-in", "The side of the table that holds the genes.")
    round_counts: bool = setting(False, "--round", "Bring fractional counts to whole molecules.")
    choose: str | None = setting(
        None, "--choose", "One of several matrices, samples or modalities in the file.", metavar="NAME"
    )
    genes_named_by: str | None = setting(
        None, "--genes-named-by", "The column of the table of genes that names them, or `index`.", metavar="COLUMN"
    )

    columns: tuple[str, ...] = setting(
        (), "--table-column", "What a column of a text table is: names, annotation or counts; repeatedly for several.",
        metavar="COLUMN=KIND",
    )  # fmt: skip

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(self.columns))
        kinds = list(self.kinds().values())
        odd = [text for text in self.columns if text.rpartition("=")[2] not in get_args(ColumnKind) or "=" not in text]
        if odd:
            raise SettingsError(
                f"{', '.join(odd)} does not say what a column is.",
                "Write COLUMN=names, COLUMN=annotation or COLUMN=counts.",
            )
        if kinds.count("names") > 1:
            raise SettingsError("Two columns are said to name the rows.", "Choose one.")

    def kinds(self) -> dict[str, str]:
        """By column, what it is said to be."""
        return {name: kind for name, _, kind in (text.rpartition("=") for text in self.columns)}

    def __bool__(self) -> bool:
        """Whether anything was said."""
        return self != type(self)()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """What to_dict gave. Raises SettingsError for an option this version does not know."""
        return cls(**known(cls, dict(values)))


NOTHING_SAID = ReadingOptions()


@dataclass(frozen=True)
class Reading:
    """What a reading found, for people to check and to change.

    genes_named_by, cells_named_by: where the names came from. genes_in: the side of the stored matrix that held the
    genes. sentence: all of it in one. choices: what `choose` would take in this file, the one taken first;
    gene_columns: what `genes_named_by` would take. apart: columns of a text table that were taken for no counts.
    options: those that it was read with.
    """

    genes_named_by: str
    cells_named_by: str
    genes_in: GenesIn
    sentence: str
    choices: tuple[str, ...] = ()
    gene_columns: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()
    options: ReadingOptions = NOTHING_SAID

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """What to_dict gave."""
        told = {"apart": (), **{name: values[name] for name in cls.__dataclass_fields__ if name in values}}
        lists = {name: tuple(told[name]) for name in ("choices", "gene_columns", "apart")}
        return cls(**{**told, **lists, "options": ReadingOptions.from_dict(told["options"])})
