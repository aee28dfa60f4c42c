"""Which cells and genes of a data set are modelled: the choices alone, without what carries them out (prepare.py)."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self

from ldvae_core.errors import SettingsError
from ldvae_core.setting import setting

GeneSelection = Literal["seurat_v3", "variance"]


@dataclass(frozen=True)
class DataChoices:
    """Which cells and genes of a data set are modelled. Raises SettingsError with every problem at once."""

    n_genes: int = setting(1000, "--genes", "How many genes to model.")  # as in the paper's notebooks
    gene_selection: GeneSelection = setting("seurat_v3", "--gene-selection")  # "variance" as in the paper
    batch_column: str | None = setting(
        None, "--gene-selection-batch", "seurat_v3 ranks within each level of this annotation.", metavar="COLUMN"
    )
    keep_genes: tuple[str, ...] = setting(  # by name or id
        (), "--keep-gene", "Always modelled; may be given repeatedly.", metavar="GENE"
    )
    drop_mitochondrial: bool = setting(False, "--drop-mitochondrial")
    drop_ribosomal: bool = setting(False, "--drop-ribosomal")
    cells: str = setting(
        "", "--cells", "Only these cells: a level or a range (LOW..HIGH) of an annotation, or those named in a file.",
        metavar="COLUMN=LEVEL|@FILE",
    )  # fmt: skip
    min_counts: int = setting(0, "--min-counts", "Molecules a cell must have.")  # over all genes
    min_genes: int = setting(0, "--min-genes", "Genes a cell must show.")
    max_mitochondrial_share: float = setting(1.0, "--max-mitochondrial-share", "Of a cell's molecules.")  # 0 to 1

    def __post_init__(self) -> None:
        problems = []
        if self.gene_selection not in ("seurat_v3", "variance"):
            problems.append(f"Gene selection is '{self.gene_selection}'; it can be 'seurat_v3' or 'variance'.")
        if not isinstance(self.n_genes, int) or not 2 <= self.n_genes <= 100_000:
            problems.append(f"The number of genes is {self.n_genes}; it can be 2 to 100,000.")
        if self.min_counts < 0 or self.min_genes < 0:
            problems.append("The least counts and genes of a cell cannot be negative.")
        if not 0 <= self.max_mitochondrial_share <= 1:
            problems.append(f"The mitochondrial share is {self.max_mitochondrial_share}; it can be 0 to 1.")
        if problems:
            raise SettingsError(problems)
        object.__setattr__(self, "keep_genes", tuple(self.keep_genes))

    def to_dict(self) -> dict[str, Any]:
        """The choices as plain JSON values."""
        return {**asdict(self), "keep_genes": list(self.keep_genes)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """What to_dict gave. Raises SettingsError for a choice this version does not know."""
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise SettingsError(f"Unknown data choices: {', '.join(unknown)}.", "They may come from a newer version.")
        return cls(**values)
